"""What is wrong with the arguments of a run, its data, its memory or its bound; no number depends on anything here."""

import math
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vbook.bounds import terms
from vbook.errors import Diverged, VbookError

NAMES = {"log_px_z": "log p(x|z)", "log_pz": "log p(z)", "log_qz_x": "log q(z|x)"}


def positive(**sizes) -> None:
    """VbookError for the first of ``sizes`` that is not a positive integer (``lr``: a positive number)."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int | float if name == "lr" else int):
            raise VbookError(f"{name} must be a positive {'number' if name == 'lr' else 'integer'}, got {value!r}")
        if not 0 < value < math.inf:
            raise VbookError(f"{name} must be a positive {'number' if name == 'lr' else 'integer'}, got {value}")


def check_rates(lr, weight_decay: float) -> None:
    """VbookError unless ``lr`` is above 0 (a schedule may begin at 0) and ``weight_decay`` finite and not below 0."""
    if callable(lr):
        if not 0 <= lr(1) < math.inf:
            raise VbookError(f"the schedule of lr must begin at 0 or above, got {lr(1)}")
    else:
        positive(lr=lr)
    number = isinstance(weight_decay, int | float) and not isinstance(weight_decay, bool)
    if not number or not 0 <= weight_decay < math.inf:
        raise VbookError(f"weight_decay must be 0 or more and finite, got {weight_decay}")


def check_weights(model: nn.Module, step: int) -> None:
    """Diverged where a weight is no longer finite after the update of ``step``."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise Diverged(f"step {step}: {name} is not finite after the update; try a smaller lr or look at the data")


def measured(found) -> dict:
    """What ``evaluate`` returned, if it is a dict; VbookError otherwise."""
    if not isinstance(found, dict):
        raise VbookError(f"evaluate must return a dict of numbers, got {type(found).__name__}")
    return found


def check_binary(x: Tensor) -> None:
    """VbookError unless all of x can be probabilities of pixels."""
    if not (0 <= x.min() and x.max() <= 1):
        raise VbookError(f"binarize takes x for probabilities, but its values lie in [{x.min():g}, {x.max():g}]")


def check_schedules(schedules) -> None:
    """VbookError unless each of ``schedules`` is a function of the step."""
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
