"""What a checkpoint says of the run that it belongs to: model, data, objective and schedules, in texts that can be compared.

Whatever decides the numbers of a run has to show here, or a checkpoint of another run would be taken for one of this.
"""

import dis
import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from vbook.errors import VbookError

DEPTH = 8  # how far objects inside objects are looked into
STEPS = 2**17  # a schedule is looked at step by step as far as here
NAMED = ("vbook", "torch", "numpy", "builtins", "math", "operator", "functools")  # whose functions a name tells


def describe_model(model: nn.Module) -> dict:
    """The names, shapes and types of what a model's checkpoint holds, with its device."""
    state = model.state_dict()
    shapes = {name: f"{'×'.join(map(str, t.shape)) or 'scalar'} {str(t.dtype)[6:]}" for name, t in state.items()}
    layers = [" ".join(repr(layer).split()) for layer in model.modules() if not list(layer.children())]
    return {"model": shapes, "layers": layers, "device": next((t.device.type for t in state.values()), "cpu")}


def describe_data(x: Tensor) -> dict:
    """Shape, type and sha256 of a data set; VbookError where it doesn't hold its numbers one by one."""
    if x.layout != torch.strided or x.device.type == "meta":
        raise VbookError(f"a checkpoint can't tell tensors of layout {x.layout} on {x.device} apart")
    content = x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return {"data": f"{'×'.join(map(str, x.shape))} {str(x.dtype)[6:]}, sha256 {hashlib.sha256(content.data).hexdigest()[:16]}"}


def describe_function(function, trained: nn.Module | None = None) -> str:
    """The name of an objective with its options, also through ``functools.partial``, methods and objects that can be called.

    A function of the package is told by its name; any other by its code as well, and by the defaults, the enclosed values and
    the global ones that it reads. Of the model that is ``trained`` only the name counts: its weights change.
    """
    parts = () if trained is None else (*trained.modules(), *trained.parameters(), *trained.buffers())
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
    known = (getattr(function, "__module__", None) or "").partition(".")[0] in NAMED
    if code is None or (known and "<" not in function.__qualname__):
        return f"{name}{of}"
    parts = [hashlib.sha256(repr(_code(code)).encode()).hexdigest()[:8]]
    parts += [tell(value) for value in function.__defaults__ or ()]
    parts += [f"{key}={tell(value)}" for key, value in sorted((function.__kwdefaults__ or {}).items())]
    parts += [_cell(cell, tell) for cell in function.__closure__ or ()]
    names = [] if known else sorted(set(_globals(code)))
    read = {key: function.__globals__[key] for key in names if key in function.__globals__}
    parts += [f"{key}={tell(value)}" for key, value in read.items() if not isinstance(value, types.ModuleType)]
    return f"{name.strip('<>')}[{', '.join(parts)}]{of}"


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
        return f"[{', '.join(_value(v, within, depth + 1) for v in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_value(v, within, depth + 1)}' for k, v in value.items())}}}"
    if isinstance(value, type | types.ModuleType):
        return value.__name__
    if isinstance(value, nn.Module):
        return _module(value, within)
    return _function(value, within, depth) if callable(value) else _object(value, within, depth)


def _module(model: nn.Module, within: tuple) -> str:
    """A network by its kind and its weights, but for those that the run trains."""
    own = {name: t for name, t in model.state_dict(keep_vars=True).items() if id(t) not in within}
    digests = "".join(f"{name} {describe_data(t)['data']}" for name, t in own.items())
    return f"{type(model).__name__} {hashlib.sha256(digests.encode()).hexdigest()[:8]}"


def _object(value, within: tuple, depth: int) -> str:
    """Anything else by its type and its attributes, those in slots among them."""
    within = (*within, id(value))
    slots = [name for kind in type(value).__mro__ for name in np.atleast_1d(getattr(kind, "__slots__", ())).tolist()]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
    told = ", ".join(f"{name}={_value(inside, within, depth + 1)}" for name, inside in sorted(found.items()))
    return f"{type(value).__name__}({told})" if told else type(value).__name__


def describe_schedule(schedule: Callable[[int], float]) -> str:
    """A schedule by some of its values, and by a digest of all as far as STEPS: what it is called says little about it.

    >>> describe_schedule(lambda step: 0.1 if step < 400 else 0.01)[:55]
    '0.1 at step 1, 0.1 at 2, 0.1 at 10, 0.1 at 100, 0.01 at'
    """
    values = []
    for step in range(1, STEPS + 1):
        try:
            values.append(float(schedule(step)))
        except (LookupError, ValueError, ArithmeticError, TypeError, RuntimeError, StopIteration):  # as far as it has any
            break
    digest = hashlib.sha256(np.array(values).tobytes()).hexdigest()[:8]
    known = [step for step in (1, 2, 10, 100, 1_000, 10_000, 100_000) if step <= len(values)]
    told = ", ".join(f"{values[step - 1]:g} at {step}" for step in known).replace(" at 1", " at step 1", 1)
    return f"{told}, in all {digest}"
