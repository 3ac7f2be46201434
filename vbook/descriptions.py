"""What a checkpoint says of the run that it belongs to: model, data, objective and schedules, in texts that can be compared.

Whatever decides the numbers of a run has to show here, or a checkpoint of another run would be taken for one of this.
"""

import dis
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from vbook.errors import VbookError

DEPTH = 8  # how far objects inside objects are looked into
DENSE, FAR, STRIDE = 2**14, 10**6, 97  # a schedule is looked at step by step to the first, then by strides to the second
LONG = 200  # characters: what is longer is told by a digest
NAMED = {
    "vbook",
    "torch",
    "torchvision",
    "numpy",
    "__builtin__",
} | sys.stdlib_module_names  # their name tells them


def describe_model(model: nn.Module) -> dict:
    """The names, shapes and types of what a model's checkpoint holds, its device, and what its modules are and do."""
    state = model.state_dict()
    shapes = {name: f"{'×'.join(map(str, t.shape)) or 'scalar'} {str(t.dtype)[6:]}" for name, t in state.items()}
    within = tuple(map(id, (*model.modules(), *model.parameters(), *model.buffers())))
    layers = [_layer(layer, within) for layer in model.modules()]
    return {"model": shapes, "layers": layers, "device": next((t.device.type for t in state.values()), "cpu")}


def _layer(layer: nn.Module, within: tuple) -> str:
    """A module without those inside it: its ``repr``, its plain attributes, and the code of one that isn't the package's."""
    said = " ".join(repr(layer).split()) if not list(layer.children()) else type(layer).__name__
    own = {k: v for k, v in vars(layer).items() if not k.startswith("_") and k != "training" and id(v) not in within}
    told = [f"{k}={_value(v, within, 1)}" for k, v in sorted(own.items())]
    return _short(f"{said}{'' if _known(type(layer)) else _class(type(layer), within, 1)} {' '.join(told)}".strip())


def describe_data(x: Tensor) -> dict:
    """Shape, type and sha256 of a data set; VbookError where it doesn't hold its numbers one by one."""
    if x.layout != torch.strided or x.device.type == "meta":
        raise VbookError(f"a checkpoint can't tell tensors of layout {x.layout} on {x.device} apart")
    content = x.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return {"data": f"{'×'.join(map(str, x.shape))} {str(x.dtype)[6:]}, sha256 {hashlib.sha256(content.data).hexdigest()[:16]}"}


def describe_function(function, *trained: nn.Module) -> str:
    """The name of an objective with its options, also through ``functools.partial``, methods and objects that can be called.

    A function of the package is told by its name; any other by its code as well, and by the defaults, the enclosed values and
    the global ones that it reads. Of the models that are ``trained`` only the names count: their weights change.
    """
    parts = [part for model in trained for part in (*model.modules(), *model.parameters(), *model.buffers())]
    return _function(function, tuple(map(id, parts)), 0)


def _function(function, within: tuple, depth: int) -> str:
    def tell(value) -> str:
        return _value(value, within, depth + 1)

    if isinstance(function, functools.partial):
        options = [tell(v) for v in function.args] + [f"{k}={tell(v)}" for k, v in sorted(function.keywords.items())]
        return f"{_function(function.func, within, depth)}({', '.join(options)})"
    function = inspect.unwrap(function) if hasattr(function, "__wrapped__") and not hasattr(function, "__code__") else function
    name, code = getattr(function, "__name__", type(function).__name__), getattr(function, "__code__", None)
    owner = getattr(function, "__self__", None)
    if code is None and not isinstance(function, type) and owner is None and not inspect.isroutine(function):
        return _object(function, within, depth)  # it can be called, and is no function
    of = "" if owner is None or isinstance(owner, types.ModuleType) else f" of {tell(owner)}"
    if isinstance(function, type):
        return f"{name}{'' if _known(function) else _class(function, within, depth)}"
    known = _known(function)
    if code is None or (known and "<" not in function.__qualname__):
        return f"{name}{of}"
    parts = [hashlib.sha256(repr(_code(code)).encode()).hexdigest()[:8]]
    parts += [tell(value) for value in function.__defaults__ or ()]
    parts += [f"{key}={tell(value)}" for key, value in sorted((function.__kwdefaults__ or {}).items())]
    parts += [_cell(cell, tell) for cell in function.__closure__ or ()]
    names = [] if known else sorted(set(_globals(code)))
    read = {key: function.__globals__[key] for key in names if key in function.__globals__}
    for key, value in read.items():
        if not isinstance(value, types.ModuleType):
            parts.append(f"{key}={tell(value)}")
        elif not _known(value):  # of a user's module what the code names
            parts += [f"{key}.{n}={tell(getattr(value, n))}" for n in code.co_names if hasattr(value, n)]
    return f"{name.strip('<>')}[{_short(', '.join(parts))}]{of}"


def _known(thing) -> bool:
    """Whether a function, class or module is one whose name tells it: of a package that is installed, and not somebody's own."""
    module = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None) or ""
    if module.partition(".")[0] in NAMED - {"__main__"}:
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" in file


def _class(kind: type, within: tuple, depth: int) -> str:
    """What a user's class says and does: its methods by their code, its other attributes by their values."""
    within = (*within, id(kind))
    parts = []
    for base in kind.__mro__:
        for name, value in sorted(vars(base).items()) if not _known(base) else ():
            value = getattr(value, "__func__", getattr(value, "fget", value))  # static, class methods and properties
            plain = name.startswith("__") and not isinstance(value, types.FunctionType)
            if not plain:
                parts.append(f"{name}={_value(value, within, depth + 1)}")
    return f"[{hashlib.sha256(', '.join(parts).encode()).hexdigest()[:8]}]"


def _short(told: str) -> str:
    return told if len(told) <= LONG else f"{told[:40]}…, sha256 {hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _globals(code) -> Iterator[str]:
    """The names of the global values that a code object, or one inside it, reads."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals(constant)


def _cell(cell, tell: Callable) -> str:
    try:
        return tell(cell.cell_contents)
    except ValueError:  # not filled yet
        return "empty"


def _code(code) -> tuple:
    """What a code object does, without the addresses of those inside it."""
    consts = [_code(c) if isinstance(c, types.CodeType) else _in_order(c) for c in code.co_consts]
    return code.co_code, code.co_names, consts


def _in_order(value) -> str:
    """``repr``, the same in every process: the order of a set of texts is not."""
    return f"{{{', '.join(sorted(map(repr, value)))}}}" if isinstance(value, set | frozenset) else repr(value)


def _value(value, within: tuple, depth: int) -> str:
    if id(value) in within:
        return "itself"
    if depth > DEPTH:
        return type(value).__name__
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Tensor):
        return describe_data(value)["data"]
    if isinstance(value, np.ndarray):
        content = repr(value.tolist()).encode() if value.dtype.hasobject else np.ascontiguousarray(value).tobytes()
        return f"{'×'.join(map(str, value.shape))} {value.dtype.str}, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))  # 1 and 1.0 are one number
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return repr(value)
    within = (*within, id(value))
    if isinstance(value, set | frozenset):
        return _in_order(value)
    if isinstance(value, list | tuple):
        return f"[{_short(', '.join(_value(v, within, depth + 1) for v in value))}]"
    if isinstance(value, dict):
        return f"{{{_short(', '.join(f'{k}: {_value(v, within, depth + 1)}' for k, v in value.items()))}}}"
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, nn.Module):
        return _module(value, within)
    return _function(value, within, depth) if callable(value) else _object(value, within, depth)


def _module(model: nn.Module, within: tuple) -> str:
    """A network by what its modules are and do, and by its weights, but for those that the run trains."""
    own = {name: t for name, t in model.state_dict(keep_vars=True).items() if id(t) not in within}
    inside = (*within, *map(id, model.modules()))
    digests = [f"{name} {describe_data(t)['data']}" for name, t in own.items()] + [_layer(m, inside) for m in model.modules()]
    return f"{type(model).__name__} {hashlib.sha256(' '.join(digests).encode()).hexdigest()[:8]}"


def _object(value, within: tuple, depth: int) -> str:
    """Anything else by its type and its attributes, those in slots among them."""
    within = (*within, id(value))
    slots = [name for kind in type(value).__mro__ for name in np.atleast_1d(getattr(kind, "__slots__", ())).tolist()]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
    told = ", ".join(f"{name}={_value(inside, within, depth + 1)}" for name, inside in sorted(found.items()))
    kind = type(value)
    if told or not _known(kind):
        return f"{kind.__name__}{'' if _known(kind) else _class(kind, within, depth)}({_short(told)})"
    return kind.__name__ if " at 0x" in repr(value) else _short(repr(value))


def describe_schedule(schedule: Callable[[int], float]) -> str:
    """A schedule by some of its values, and by a digest of many (DENSE, FAR): what it is called says little about it.

    >>> describe_schedule(lambda step: 0.1 if step < 400 else 0.01)[:55]
    '0.1 at step 1, 0.1 at 2, 0.1 at 10, 0.1 at 100, 0.01 at'
    """
    values, state = [], torch.get_rng_state()
    try:
        if schedule(1) != schedule(1):
            raise VbookError(
                "a schedule must be a function of the step alone to be saved: asked twice for step 1, this one differs"
            )
        for step in (*range(1, DENSE + 1), *range(DENSE + STRIDE, FAR + 1, STRIDE)):
            values.append(float(schedule(step)))
    except VbookError:
        raise
    except Exception:  # as far as it has any: a table that ends, a power too large
        pass
    finally:
        torch.set_rng_state(state)
    digest = hashlib.sha256(np.array(values).tobytes()).hexdigest()[:8]
    known = [step for step in (1, 2, 10, 100, 1_000, 10_000) if step <= len(values)]
    told = ", ".join(f"{values[step - 1]:g} at {step}" for step in known).replace(" at 1", " at step 1", 1)
    return f"{told}, in all {digest}"
