"""The optimizers that runs may name: those of PyTorch of which a recorded, or a resumed, run is known to be the same run."""

import math
from collections.abc import Iterable, Mapping
from functools import partial

import torch

from vbook.errors import VbookError, nearest

OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": partial(torch.optim.RMSprop, foreach=True),
    "sgd": partial(torch.optim.SGD, fused=True),
}
OPTIONS = {  # of PyTorch's, those with which a recorded or a resumed run is still the same run
    "adam": ("betas", "eps", "amsgrad"),
    "adagrad": ("initial_accumulator_value", "eps"),
    "rmsprop": ("alpha", "eps", "momentum", "centered"),
    "sgd": ("momentum", "nesterov"),
}


def optimizer_for(kind: str | Mapping, parameters: Iterable, lr, weight_decay: float, device) -> torch.optim.Optimizer:
    """The optimizer ``kind``, a name or a mapping with ``name`` and OPTIONS of it, in its fastest form on ``device``.

    VbookError for unknown names and options, and for values that PyTorch doesn't take.
    """
    name, more = _named(kind)
    options = {"lr": lr(1) if callable(lr) else lr, "weight_decay": weight_decay}
    if name == "adagrad":
        options["fused"] = device.type == "cpu"  # PyTorch has it for no other device
    if name in ("adam", "rmsprop") and device.type == "cuda":
        options["capturable"] = True
    if name == "adam" and device.type == "cuda" and callable(lr):  # a graph reads the rate at each replay
        options["lr"] = torch.tensor(options["lr"], device=device)
    try:
        return OPTIMIZERS[name](parameters, **options, **more)
    except (TypeError, ValueError) as error:
        raise VbookError(f"optimizer {describe_optimizer(kind)}: {error}") from error


def describe_optimizer(kind: str | Mapping) -> str:
    """What a checkpoint says of it.

    >>> describe_optimizer("adam"), describe_optimizer({"name": "sgd", "momentum": 0.9})
    ('adam', 'sgd(momentum=0.9)')
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
    for key in more:
        if key not in OPTIONS[name]:
            raise VbookError(f"optimizer {name} has no option {key!r}{nearest(key, OPTIONS[name])}")
    for key, value in more.items():
        for number in value if isinstance(value, tuple | list) else [value]:
            if not isinstance(number, bool | int | float) or not math.isfinite(number):
                raise VbookError(f"optimizer {name}: {key} must be made of finite numbers, got {value!r}")
    return name, more
