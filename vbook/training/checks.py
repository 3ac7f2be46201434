"""What is wrong with the arguments of a run, its data, its memory or its bound.

These functions look and raise, and return nothing that goes into a computation: no number depends on anything here.
"""

import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import contextmanager
from numbers import Real

import torch
from torch import Tensor, nn

from vbook.bounds import terms
from vbook.errors import Diverged, VbookError, nearest
from vbook.networks import BernoulliDecoder

FRACTIONS = ("lr", "step_size")  # need not be whole
GIVEN = {"evaluate": ("the model",), "on_epoch": ("the model", "the row"), "on_step": ("the step", "the bound")}
NAMES = {"log_px_z": "log p(x|z)", "log_pz": "log p(z)", "log_qz_x": "log q(z|x)"}


def positive(**sizes) -> None:
    """VbookError for the first of ``sizes`` that is not a positive integer (those in FRACTIONS: a positive number)."""
    for name, value in sizes.items():
        kind, types = ("number", int | float) if name in FRACTIONS else ("integer", int)
        if isinstance(value, bool) or not isinstance(value, types) or not value > 0 or not is_finite(value):
            raise VbookError(f"{name} must be a positive {kind}, got {value!r}{_own(value)}")


def at_least_0(**numbers) -> None:
    """VbookError for the first of ``numbers`` that is not a finite number of at least 0."""
    for name, value in numbers.items():
        if not isinstance(value, int | float) or not is_finite(value) or value < 0:
            raise VbookError(f"{name} must be 0 or more and finite, got {value!r}{_own(value)}")


def _own(value) -> str:
    return "; .item() makes it a number of Python's own" if hasattr(value, "item") and is_number(value) else ""


def below_1(**shares) -> None:
    """VbookError for the first of ``shares`` that is not a number of at least 0 and below 1."""
    for name, value in shares.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise VbookError(f"{name} must be at least 0 and below 1, got {value!r}")


def check_flags(**flags) -> None:
    """VbookError for the first of ``flags`` that is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise VbookError(f"{name} must be True or False, got {value!r}")


def is_number(value) -> bool:
    """Whether ``value`` is one number, NaN and infinity among them: Python's, NumPy's, or a tensor of one."""
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1)


def is_finite(value) -> bool:
    """Whether ``value`` is one finite number that a float holds, and no truth value.

    >>> is_finite(3), is_finite(True), is_finite(math.nan), is_finite(10**400), is_finite("3")
    (True, False, False, False, False)
    """
    try:
        return not isinstance(value, bool) and is_number(value) and math.isfinite(value)
    except (OverflowError, TypeError, RuntimeError):  # whole numbers beyond any float; complex numbers
        return False


def check_marks(rows_at: Collection[int] | None, steps: int) -> None:
    """VbookError unless all of ``rows_at`` are steps of the run."""
    try:
        if not isinstance(rows_at, Collection | None):  # an iterator would be spent once it is checked
            raise TypeError
        marks = [] if rows_at is None else list(rows_at)
    except TypeError:  # an array without dimensions has the looks of a collection
        raise VbookError(f"rows_at must hold steps, as a list or a set does, got {rows_at!r}") from None
    for mark in marks:
        try:
            inside = 1 <= operator.index(mark) <= steps
        except TypeError:
            raise VbookError(f"rows_at must hold whole numbers, the steps after which to take a row, got {rows_at!r}") from None
        if not inside:
            raise VbookError(f"rows_at names step {mark}, but the run has the steps 1 to {steps}")


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
    free = {name: parameter for name, parameter in list(taken.items())[2:] if name != "generator"}
    for name in options:
        if name not in free:
            raise VbookError(f"the objective has no option {name!r}{nearest(name, free) if free else ''}")
    for name, parameter in free.items():
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL and name not in options:
            raise VbookError(f"the objective needs a value for {name!r}: functools.partial(objective, {name}=...) is one with it")


def check_weights(model: nn.Module, step: int) -> None:
    """Diverged where a weight is no longer finite after the update of ``step``."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise Diverged(f"step {step}: {name} is not finite after the update; try a smaller lr or look at the data", step)


def check_hooks(**hooks) -> None:
    """VbookError for the first of ``hooks`` that is there and can't be called with what it will be given."""
    for name, hook in hooks.items():
        if hook is not None and not callable(hook):
            raise VbookError(f"{name} must be a function, got {hook!r}")
        try:
            signature = inspect.signature(hook) if hook else None
        except (TypeError, ValueError):  # not every callable tells
            continue
        try:
            if signature:
                signature.bind(*GIVEN[name])
        except TypeError:
            given = " and ".join(GIVEN[name])
            raise VbookError(f"{name} is called with {given}; the function given takes {signature}") from None


def check_measured(found, row: Mapping) -> None:
    """VbookError unless ``evaluate`` found a dict with names of its own, not those that ``row`` has already."""
    if not isinstance(found, dict):
        raise VbookError(f"evaluate must return a dict of numbers, got {type(found).__name__}")
    for name in found:
        if not isinstance(name, str) or name in row:
            taken = f"a row has its own {name}" if name in row else "a column's name is a text"
            raise VbookError(f"evaluate names a column {name!r}, but {taken}")


def check_watched(row: Mapping, watch: str) -> None:
    """VbookError unless ``row`` has a number in the column that ``patience`` watches."""
    if not isinstance(watch, str) or watch not in row:
        raise VbookError(f"patience watches the column {watch!r}, but the rows have {', '.join(row)}")
    if not is_number(row[watch]):
        raise VbookError(f"patience watches the column {watch!r}, which must hold numbers, got {row[watch]!r}")


def check_one_each(bound, batch: Tensor, who: str = "the objective") -> None:
    """VbookError unless ``who`` gave one bound (B,) for each data point."""
    if not isinstance(bound, Tensor):
        raise VbookError(f"{who} must give a tensor of bounds, got {type(bound).__name__}")
    if bound.shape != batch.shape[:1]:  # a mean over the minibatch would go through, and be summed as if it were one of each
        raise VbookError(f"{who} must give one bound a data point, ({len(batch)},), got {tuple(bound.shape)}")


def check_bound(bound, batch: Tensor) -> None:
    """VbookError unless an objective gave one bound (B,) for each data point, on which the weights have a say."""
    check_one_each(bound, batch)
    if not bound.requires_grad:
        raise VbookError("no weight that is trained has a say in the objective: is it detached, or are all weights frozen?")


def check_probabilities(x: Tensor, taker: str) -> None:
    """VbookError unless all of x can be probabilities of pixels, for which ``taker`` takes them."""
    low, high = x.detach().aminmax()
    if not (low >= 0 and high <= 1):
        raise VbookError(f"{taker} takes x for probabilities, but its values lie in [{low:g}, {high:g}]")


def check_gone(done: int, steps: int, path) -> None:
    """VbookError where the run in the checkpoint ``path`` has ``done`` more than the ``steps`` asked for."""
    if done > steps:
        raise VbookError(f"{path}: has gone {done} steps, more than the {steps} asked for; ask for as many, or name another file")


def check_images(model, x: Tensor) -> None:
    """VbookError unless x (N, D) holds what the model's likelihood takes, in the type and on the device of its weights."""
    if not isinstance(x, Tensor):
        cure = ".x is one" if hasattr(x, "x") else "make one with torch.as_tensor"
        raise VbookError(f"x must be a tensor (N, D), got {type(x).__name__}: {cure}")
    if not x.is_floating_point():
        raise VbookError(f"x must hold floating-point numbers, got {x.dtype}: call .float()")
    if x.layout != torch.strided or x.device.type == "meta":
        raise VbookError(f"x must hold its numbers one by one, got a tensor of layout {x.layout} on {x.device}")
    if x.ndim < 2 or x.numel() == 0:
        raise VbookError(f"x must hold at least one data point and have shape (N, D), got {tuple(x.shape)}")
    if not all(math.isfinite(bound) for bound in x.detach().aminmax()):  # one pass, without a copy of the data
        bad = (~torch.isfinite(x)).flatten(1).any(1).nonzero().flatten().tolist()
        raise VbookError(f"{len(bad)} of {len(x)} data points hold NaN or infinity, the first is number {bad[0]}")
    for weight in model.parameters() if isinstance(model, nn.Module) else ():
        if weight.device.type != x.device.type:
            raise VbookError(f"the model is on {weight.device}, the data on {x.device}: move one with .to(device)")
        if weight.dtype != x.dtype:
            ours, theirs = (str(dtype).removeprefix("torch.") for dtype in (weight.dtype, x.dtype))
            raise VbookError(f"the model has weights of {ours}, the data are {theirs}: call x.to(torch.{ours})")
    if isinstance(getattr(model, "decoder", None), BernoulliDecoder):
        check_probabilities(x, "a Bernoulli likelihood")


def check_data(model: nn.Module, x: Tensor) -> None:
    """``check_images`` for a model that is to be trained: VbookError, too, unless its weights are finite and not all frozen."""
    if not isinstance(model, nn.Module):
        raise VbookError(f"the model must be a module of PyTorch, got {type(model).__name__}")
    check_images(model, x)
    for name, weight in model.named_parameters():
        if not all(math.isfinite(bound) for bound in weight.detach().aminmax()):
            raise VbookError(f"the model holds NaN or infinity in {name} before the first step")
    if not any(weight.requires_grad for weight in model.parameters()):
        raise VbookError("the model has nothing to train: it has no weights, or all of them are frozen")


@contextmanager
def in_words(x: Tensor, size: int, name: str = "batch_size"):
    """What PyTorch says when memory runs out, or when shapes don't fit, as a VbookError that says what to change."""
    try:
        yield
    except AttributeError as error:
        if error.name not in ("prior", "encode", "decode") or not isinstance(error.obj, nn.Module):
            raise
        raise VbookError(f"the objective needs a model with {error.name}(), which {type(error.obj).__name__} lacks") from error
    except RuntimeError as error:  # of which torch.OutOfMemoryError is one
        said = str(error).partition("\n")[0]
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
            held = f"the data take {x.numel() * x.element_size() / 1e9:.2f} GB on {x.device}"
            raise VbookError(f"out of memory ({said}): lower {name} (now {size}) or the samples; {held}") from error
        if "shapes cannot be multiplied" in said or "must match the size" in said:
            raise VbookError(f"the model does not fit data points of shape {tuple(x.shape[1:])} ({said})") from error
        if "without overflow" in said:
            raise VbookError(f"lr, weight_decay or an option of the optimizer is too large for {x.dtype} ({said})") from error
        if "working C++ compiler" in str(error):
            raise VbookError("mode 'compiled' needs a C++ compiler, and none is found here; leave mode out") from error
        raise


def blame(model: nn.Module, batch: Tensor, wrong: int, step: int) -> str:
    """The message for a bound that is not finite at ``wrong`` data points: which step, which term of (2.29)."""
    generator = torch.Generator(batch.device).manual_seed(step)
    with torch.no_grad():
        parts = terms(model, batch, generator=generator) if hasattr(model, "encode") else {}  # any module can be trained
        found = [NAMES[n] for n, value in parts.items() if not torch.isfinite(value).all()]
    although = " although each term of the ELBO is" if parts else ""
    culprit = f"{found[0]} is not finite" if found else f"the objective is not finite{although}"
    return f"step {step}: {culprit} ({wrong} of {len(batch)} data points in the batch); try a smaller lr or look at the data"
