"""The optimizers that runs may name: those of PyTorch of which a recorded, or a resumed, run is known to be the same run."""

import inspect
from collections.abc import Iterable, Mapping
from functools import partial

import torch

from vbook.errors import VbookError, nearest
from vbook.training.checks import is_finite
from vbook.training.schedules import value_at

OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": partial(torch.optim.RMSprop, foreach=True),
    "sgd": partial(torch.optim.SGD, fused=True),
}


def _flag(value) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _number(value) -> float:
    if not is_finite(value):
        raise ValueError("a finite number")
    return float(value)


def _share(value) -> float:
    if not is_finite(value) or not 0 <= value < 1:
        raise ValueError("at least 0 and below 1")
    return float(value)


def _pair(value) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(is_finite, value)):
        raise ValueError("a pair of finite numbers")
    return float(value[0]), float(value[1])


OPTIONS = {  # of PyTorch's, those with which a recorded or a resumed run is still the same run
    "adam": {"betas": _pair, "eps": _number, "amsgrad": _flag},
    "adagrad": {"initial_accumulator_value": _number, "eps": _number},
    "rmsprop": {"alpha": _share, "eps": _number, "momentum": _number, "centered": _flag},
    "sgd": {"momentum": _number, "nesterov": _flag},
}


def optimizer_for(kind: str | Mapping, parameters: Iterable, lr, weight_decay: float, device) -> torch.optim.Optimizer:
    """The optimizer ``kind``, a name or a mapping with ``name`` and OPTIONS of it, in its fastest form on ``device``.

    VbookError for unknown names and options, and for values that PyTorch doesn't take.
    """
    name, more = _named(kind)
    options = {"lr": value_at(lr, "lr", 1) if callable(lr) else lr, "weight_decay": weight_decay}
    if name == "adagrad":
        options["fused"] = device.type == "cpu"  # PyTorch has it for no other device
    if name in ("adam", "rmsprop") and device.type == "cuda":
        options["capturable"] = True
    if name == "adam" and device.type == "cuda" and callable(lr):  # a graph reads the rate at each replay
        options["lr"] = torch.tensor(options["lr"], device=device)
    try:
        return OPTIMIZERS[name](parameters, **options, **more)
    except (ValueError, RuntimeError) as error:  # a value out of its range, or too large for the weights' type
        raise VbookError(f"optimizer {describe_optimizer(kind)}: {error}") from error


def describe_optimizer(kind: str | Mapping) -> str:
    """What a checkpoint says of it: the name, and the options that differ from PyTorch's own.

    >>> describe_optimizer({"name": "sgd", "momentum": 0.9}), describe_optimizer({"name": "adam", "betas": [0.9, 0.999]})
    ('sgd(momentum=0.9)', 'adam')
    """
    name, more = _named(kind)
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in sorted(more.items()))})" if more else name


def _named(kind) -> tuple[str, dict]:
    more = dict(kind) if isinstance(kind, Mapping) else {"name": kind}
    name = more.pop("name", None)
    if name not in list(OPTIMIZERS):  # a list: the name may be anything
        if isinstance(kind, torch.optim.Optimizer):
            name = type(kind).__name__
        raise VbookError(f"unknown optimizer {name!r}{nearest(name, OPTIMIZERS)}")
    defaults, options = inspect.signature(OPTIMIZERS[name]).parameters, {}
    for key, value in more.items():
        if key not in OPTIONS[name]:
            raise VbookError(f"optimizer {name} has no option {key!r}{nearest(key, OPTIONS[name])}")
        try:
            options[key] = OPTIONS[name][key](value)
        except ValueError as error:
            raise VbookError(f"optimizer {name}: {key} must be {error}, got {value!r}") from None
    return name, {key: value for key, value in options.items() if value != defaults[key].default}
