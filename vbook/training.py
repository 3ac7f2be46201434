"""One ``fit`` for every model of the book: thesis algorithm 1, doubly stochastic ascent of a bound.

The data are one tensor that already lives on the device; shuffling, batches and noise come from generators seeded by ``seed``, so
that a run is a function of its arguments and leaves the global random state alone.
"""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from vbook.bounds import elbo, terms
from vbook.errors import VbookError, nearest

OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adagrad": partial(torch.optim.Adagrad, fused=True),
    "sgd": torch.optim.SGD,
}
NAMES = {"log_px_z": "log p(x|z)", "log_pz": "log p(z)", "log_qz_x": "log q(z|x)"}


@dataclass
class History:
    """What ``fit`` saw: a row after each epoch, with the mean bound since the row before and whatever ``evaluate`` returned.

    ``rows`` is a list of dicts with the keys ``epoch``, ``step``, ``train`` (nats) and those of ``evaluate``; ``interrupted``
    tells whether Ctrl-C ended the run early.
    """

    rows: list[dict] = field(default_factory=list)
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    interrupted: bool = False

    def column(self, key: str) -> list[float]:
        """The values of one key over the rows that have it."""
        return [row[key] for row in self.rows if key in row]

    def __repr__(self) -> str:
        last = f", train bound {self.rows[-1]['train']:.1f} nats" if self.rows else ""
        return f"History({self.rows[-1]['epoch'] if self.rows else 0} epochs, {self.steps} steps{last})"


def fit(
    model: nn.Module,
    x: Tensor,
    objective: Callable = elbo,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    rows_at: Collection[int] | None = None,
    batch_size: int = 128,
    optimizer: str = "adam",
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    seed: int = 0,
    evaluate: Callable[[nn.Module], dict] | None = None,
    on_epoch: Callable[[nn.Module, dict], None] | None = None,
    progress: bool = False,
) -> History:
    """Maximise the mean of ``objective(model, batch, generator=g)`` (B, D) -> (B,) nats over minibatches of ``x`` (N, D).

    ``weight_decay`` takes that many times w from the slope of each weight w: with 1/N it is a prior N(0, I) on all weights, the
    MAP protocol of thesis 2.11 (``objectives.with_weight_prior`` is the same as an objective, and slower).

    The run lasts ``epochs`` or ``steps``. After each epoch, or after the steps named in ``rows_at``, a row of the history says
    how far it has come; ``evaluate(model)`` returns more numbers for it, and ``on_epoch(model, row)`` sees it (a live curve, a
    snapshot). Ctrl-C ends the run after the current step and returns the history so far. Raises VbookError for sizes and rates
    that are not positive, for data that are not finite, and at the first step whose bound is not finite (with step and term).
    """
    steps = length(len(x), batch_size, epochs, steps)
    _check(model, x, batch_size=batch_size, lr=lr)
    if optimizer not in OPTIMIZERS:
        raise VbookError(f"unknown optimizer {optimizer!r}{nearest(optimizer, OPTIMIZERS)}")
    if not weight_decay >= 0:
        raise VbookError(f"weight_decay must be 0 or more, got {weight_decay}")
    ascent = OPTIMIZERS[optimizer](model.parameters(), lr=lr, weight_decay=weight_decay)
    shuffle = torch.Generator(x.device).manual_seed(seed)
    noise = torch.Generator(x.device).manual_seed(seed + 0x5EED)  # apart, so that the data order does not depend on L
    history, start = History(), time.perf_counter()
    bar = _bar(steps, progress)
    total, seen = x.new_zeros(()), 0
    try:
        for epoch, rows, last in minibatches(len(x), batch_size, steps, shuffle):  # M ~ D
            batch = x[rows]
            bound = objective(model, batch, generator=noise)  # (B,), with ε ~ p(ε) inside
            loss = -bound.mean()
            ascent.zero_grad(set_to_none=True)
            loss.backward()
            if not math.isfinite(loss.item()):
                raise VbookError(_blame(model, batch, bound, history.steps + 1))
            ascent.step()
            total, seen = total + bound.detach().sum(), seen + len(batch)
            history.steps, history.examples = history.steps + 1, history.examples + len(batch)
            bar.update()
            if last if rows_at is None else history.steps in rows_at:
                row = {"epoch": epoch, "step": history.steps, "train": total.item() / seen}
                row |= evaluate(model) if evaluate else {}
                history.rows.append(row)
                bar.set_postfix_str(f"train {row['train']:.1f} nats")
                total, seen = x.new_zeros(()), 0
                if on_epoch:
                    on_epoch(model, row)
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        bar.close()
        history.seconds = time.perf_counter() - start
    return history


def length(n: int, batch_size: int, epochs: int | None, steps: int | None) -> int:
    """The number of steps of a run over ``n`` data points that is given as ``epochs`` or as ``steps``.

    >>> length(250, 100, epochs=2, steps=None)
    6
    """
    if (epochs is None) == (steps is None):
        raise VbookError(f"give the run's length as epochs or as steps, not {'neither' if epochs is None else 'both'}")
    _positive(batch_size=batch_size, **({"steps": steps} if epochs is None else {"epochs": epochs}))
    return steps if epochs is None else epochs * math.ceil(n / batch_size)


def minibatches(n: int, batch_size: int, steps: int, generator: torch.Generator):
    """For each of ``steps`` steps: epoch (from 1), the indices of its data points, whether it is the epoch's last.

    Every epoch goes through all ``n`` data points in an order of its own.
    """
    per_epoch, order = math.ceil(n / batch_size), None
    for step in range(steps):
        epoch, k = divmod(step, per_epoch)
        if k == 0:
            order = torch.randperm(n, generator=generator, device=generator.device).split(batch_size)
        yield epoch + 1, order[k], k == per_epoch - 1


def _check(model: nn.Module, x: Tensor, **positive) -> None:
    _positive(**positive)
    if x.ndim < 2 or len(x) == 0:
        raise VbookError(f"x must hold at least one data point and have shape (N, D), got {tuple(x.shape)}")
    bad = (~torch.isfinite(x)).flatten(1).any(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise VbookError(f"{int(bad.sum())} of {len(x)} data points hold NaN or infinity, the first is number {first}")
    weight = next(model.parameters(), None)
    if weight is not None and weight.device.type != x.device.type:
        raise VbookError(f"the model is on {weight.device}, the data on {x.device}: move one with .to(device)")


def _positive(**sizes) -> None:
    for name, value in sizes.items():
        if not value > 0 or (name != "lr" and value != int(value)):
            raise VbookError(f"{name} must be a positive {'number' if name == 'lr' else 'integer'}, got {value}")


def _blame(model: nn.Module, batch: Tensor, bound: Tensor, step: int) -> str:
    """The message for a bound that is not finite: which step, which term of (2.29), how many data points."""
    wrong = int((~torch.isfinite(bound)).sum())
    generator = torch.Generator(batch.device).manual_seed(step)
    with torch.no_grad():
        found = [NAMES[n] for n, value in terms(model, batch, generator=generator).items() if not torch.isfinite(value).all()]
    culprit = f"{found[0]} is not finite" if found else "the objective is not finite although each term of the ELBO is"
    return f"step {step}: {culprit} ({wrong} of {len(batch)} data points in the batch); try a smaller lr or look at the data"


def _bar(total: int, progress: bool):
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not progress, unit="step", leave=False)
