"""What is wrong with the arguments of a run, its data, its memory or its bound; no number depends on anything here."""

import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn

from vbook.bounds import terms
from vbook.errors import Diverged, VbookError, nearest

LENGTHS = ("lr", "step_size")
NAMES = {"log_px_z": "log p(x|z)", "log_pz": "log p(z)", "log_qz_x": "log q(z|x)"}


def positive(**sizes) -> None:
    """VbookError for the first of ``sizes`` that is not a positive integer (those in LENGTHS: a positive number)."""
    for name, value in sizes.items():
        kind, types = ("number", int | float) if name in LENGTHS else ("integer", int)
        if isinstance(value, bool) or not isinstance(value, types) or not 0 < value < math.inf:
            raise VbookError(f"{name} must be a positive {kind}, got {value!r}")


def at_least_0(**numbers) -> None:
    """VbookError for the first of ``numbers`` that is not a finite number of at least 0."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise VbookError(f"{name} must be 0 or more and finite, got {value!r}")


def below_1(**shares) -> None:
    """VbookError for the first of ``shares`` that is not a number of at least 0 and below 1."""
    for name, value in shares.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise VbookError(f"{name} must be at least 0 and below 1, got {value!r}")


def check_rates(lr, weight_decay: float) -> None:
    """VbookError unless ``lr`` is above 0 (a schedule may begin at 0) and ``weight_decay`` finite and not below 0."""
    if callable(lr):
        value_at(1, "lr", lr)
    else:
        positive(lr=lr)
    at_least_0(weight_decay=weight_decay)


def value_at(step: int, name: str, schedule: Callable[[int], float]) -> float:
    """What the schedule of ``name`` says at ``step``; VbookError if that is no finite number, or a rate below 0."""
    value, number = schedule(step), math.nan
    with suppress(TypeError, ValueError):
        number = float(value)
    if not math.isfinite(number) or (name == "lr" and number < 0):
        kind = "a finite number of at least 0" if name == "lr" else "a finite number"
        raise VbookError(f"the schedule of {name} must give {kind}, got {value!r} at step {step}")
    return value


def marks(rows_at: Collection[int] | None, steps: int) -> frozenset[int] | None:
    """The steps of ``rows_at``; VbookError unless all of them are steps of the run."""
    if rows_at is None:
        return None
    if not isinstance(rows_at, Collection):
        raise VbookError(f"rows_at must hold steps, as a list or a set does, got {rows_at!r}")
    try:
        chosen = frozenset(operator.index(mark) for mark in rows_at)
    except TypeError:
        raise VbookError(f"rows_at must hold whole numbers, the steps after which to take a row, got {rows_at!r}") from None
    if outside := [mark for mark in sorted(chosen) if not 1 <= mark <= steps]:
        raise VbookError(f"rows_at names step {outside[0]}, but the run has the steps 1 to {steps}")
    return chosen


def check_objective(objective: Callable, options: Iterable[str] = ()) -> None:
    """VbookError unless ``objective`` can be called with a generator and with ``options`` by these names."""
    if not callable(objective):
        raise VbookError(f"the objective must be a function of model, x and generator, got {objective!r}")
    try:
        taken = inspect.signature(objective).parameters
    except (TypeError, ValueError):  # not every callable tells
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    if "generator" not in taken:
        raise VbookError("the objective must take the keyword generator, from which its noise is drawn")
    free = [name for name in list(taken)[2:] if name != "generator"]
    for name in options:
        if name not in free:
            raise VbookError(f"the objective has no option {name!r}{nearest(name, free) if free else ''}")


def check_weights(model: nn.Module, step: int) -> None:
    """Diverged where a weight is no longer finite after the update of ``step``."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise Diverged(f"step {step}: {name} is not finite after the update; try a smaller lr or look at the data", step)


def measured(found) -> dict:
    """What ``evaluate`` returned, if it is a dict; VbookError otherwise."""
    if not isinstance(found, dict):
        raise VbookError(f"evaluate must return a dict of numbers, got {type(found).__name__}")
    return found


def check_binary(x: Tensor) -> None:
    """VbookError unless all of x can be probabilities of pixels."""
    if not (0 <= x.min() and x.max() <= 1):
        raise VbookError(f"binarize takes x for probabilities, but its values lie in [{x.min():g}, {x.max():g}]")


def check_schedules(schedules, objective: Callable) -> None:
    """VbookError unless each of ``schedules`` is a function of the step, and named as an option of ``objective``."""
    if not isinstance(schedules, Mapping | None):
        raise VbookError(f"schedules must map names of the objective's options to functions of the step, got {schedules!r}")
    check_objective(objective, schedules or ())
    for name, value in (schedules or {}).items():
        if not callable(value):
            raise VbookError(
                f"the schedule of {name} must be a function of the step, got {value!r}; a constant goes to the objective"
            )


def check_gone(done: int, steps: int, path) -> None:
    """VbookError where the run in the checkpoint ``path`` has ``done`` more than the ``steps`` asked for."""
    if done > steps:
        raise VbookError(f"{path}: has gone {done} steps, more than the {steps} asked for")


def check_data(model: nn.Module, x: Tensor) -> None:
    """VbookError unless x (N, D) and the weights are finite, x holds something, and both live on one device."""
    if not isinstance(x, Tensor):
        raise VbookError(f"x must be a tensor (N, D), got {type(x).__name__}: make one with torch.as_tensor")
    if not x.is_floating_point():
        raise VbookError(f"x must hold floating-point numbers, got {x.dtype}: call .float()")
    if x.ndim < 2 or len(x) == 0:
        raise VbookError(f"x must hold at least one data point and have shape (N, D), got {tuple(x.shape)}")
    if not all(math.isfinite(bound) for bound in x.aminmax()):  # one pass, without a copy of the data
        bad = (~torch.isfinite(x)).flatten(1).any(1)
        first = int(bad.nonzero()[0])
        raise VbookError(f"{int(bad.sum())} of {len(x)} data points hold NaN or infinity, the first is number {first}")
    for name, weight in model.named_parameters():
        if weight.device.type != x.device.type:
            raise VbookError(f"the model is on {weight.device}, the data on {x.device}: move one with .to(device)")
        if not all(math.isfinite(bound) for bound in weight.detach().aminmax()):
            raise VbookError(f"the model holds NaN or infinity in {name} before the first step")


@contextmanager
def in_words(x: Tensor, size: int):
    """What PyTorch says when memory runs out, or when shapes don't fit, as a VbookError that says what to change."""
    try:
        yield
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        said = str(error).partition("\n")[0]
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
            held = f"the data take {x.numel() * x.element_size() / 1e9:.2f} GB on {x.device}"
            raise VbookError(f"out of memory ({said}): lower batch_size (now {size}) or the samples; {held}") from error
        if "shapes cannot be multiplied" in said or "must match the size" in said:
            raise VbookError(f"the model does not fit data points of shape {tuple(x.shape[1:])} ({said})") from error
        if "working C++ compiler" in str(error):
            raise VbookError("mode 'compiled' needs a C++ compiler, and none is found here; leave mode out") from error
        raise


def blame(model: nn.Module, batch: Tensor, wrong: int, step: int) -> str:
    """The message for a bound that is not finite at ``wrong`` data points: which step, which term of (2.29)."""
    generator = torch.Generator(batch.device).manual_seed(step)
    with torch.no_grad():
        found = [NAMES[n] for n, value in terms(model, batch, generator=generator).items() if not torch.isfinite(value).all()]
    culprit = f"{found[0]} is not finite" if found else "the objective is not finite although each term of the ELBO is"
    return f"step {step}: {culprit} ({wrong} of {len(batch)} data points in the batch); try a smaller lr or look at the data"
