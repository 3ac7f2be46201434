"""``fit_many``: K copies of one network trained at once, each as if it were trained alone; for grids and seeds on a GPU."""

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import torch
from torch import Tensor, nn

from vbook.bounds import elbo
from vbook.errors import Diverged, VbookError
from vbook.noise import check_seed
from vbook.training.ascent import fit
from vbook.training.checks import check_data, check_rates, in_words
from vbook.training.copies import Copies
from vbook.training.history import History
from vbook.training.loop import Batches, check_marks, length, progress_bar
from vbook.training.steps import optimizer_for


@dataclass(repr=False)
class CopyHistory(History):
    """The ``History`` of one of many; ``failure`` says why it ended early, where its bound was no longer finite."""

    failure: str | None = None


TRIAL = 6  # steps of the trial that decides how to train on a CPU


def fit_many(
    models: Sequence[nn.Module],
    x: Tensor,
    objective: Callable = elbo,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    rows_at: Collection[int] | None = None,
    batch_size: int = 128,
    optimizer: str = "adam",
    lr: float | Sequence[float] = 1e-3,
    weight_decay: float = 0.0,
    seeds: Sequence[int] | None = None,
    options: Mapping[str, Sequence[float]] | None = None,
    evaluate: Callable[[nn.Module], dict] | None = None,
    together: bool | None = None,
    progress: bool = False,
) -> list[CopyHistory]:
    """Train each of K ``models`` of one architecture on ``x`` (N, D) as ``fit`` would, and return their histories.

    Copy k has the step ``lr[k]`` (or one for all), the seed ``seeds[k]`` (0, 1, …) and, by keyword of the objective, the values
    ``options[name][k]``: a grid of β's, say. Its order of the data and its noise are those of ``fit(models[k], …)`` alone.

    ``together`` trains all in one tensor program through ``torch.func``; without it the copies are trained one after the other.
    By default a GPU trains them together and a CPU what a trial of a few steps finds faster; the losses differ in their last
    digits only. A copy whose bound is no longer finite stops there (on a GPU its weights may drift on by their momentum, at most
    to the next row) and says so in its ``failure``; the others go on. Raises VbookError for lists of other lengths than K and for
    what ``fit`` refuses.
    """
    count, steps = len(models), length(len(x), batch_size, epochs, steps)
    check_marks(rows_at, steps)
    seeds, rates = [check_seed(seed) for seed in (range(count) if seeds is None else seeds)], _each(lr, count)
    options = {name: list(values) for name, values in (options or {}).items()}
    for name, values in {"seeds": seeds, "lr": rates, **options}.items():
        if len(values) != count or not count:
            raise VbookError(f"{name} must hold one value for each of the {count} models, got {len(values)}")
    for model, rate in zip(models, rates, strict=True):
        check_data(model, x)
        check_rates(rate, weight_decay)
    optimizer_for(optimizer, models[0].parameters(), rates[0], weight_decay, x.device)  # an unknown one is named here
    for model in models[1:]:
        if difference := _difference(models[0], model):
            raise VbookError(f"the models must be of one architecture; {difference}")
    grid = [(seeds[k], rates[k], {name: values[k] for name, values in options.items()}) for k in range(count)]
    settings = dict(batch_size=batch_size, optimizer=optimizer, weight_decay=weight_decay)
    if together is None:
        together = x.device.type == "cuda" or (count > 1 and _together_is_faster(models, x, objective, grid, settings))
    train = _together if together else _in_turn
    return train(models, x, objective, grid, steps=steps, rows_at=rows_at, evaluate=evaluate, progress=progress, **settings)


def _difference(one: nn.Module, other: nn.Module) -> str:
    """What tells two networks apart beside their weights, in words; empty where nothing does."""
    layers = ([repr(layer) for layer in model.modules() if not list(layer.children())] for model in (one, other))
    for here, there in zip_longest(*layers):
        if here != there:
            return f"{' '.join(str(here).split())} is {' '.join(str(there).split())} in another"
    weights = [[(name, tuple(p.shape), p.requires_grad) for name, p in model.named_parameters()] for model in (one, other)]
    return "" if weights[0] == weights[1] else "their parameters differ in names, shapes or in which of them are trained"


def _each(value, count: int) -> list:
    return list(value) if isinstance(value, Sequence) else [value] * count


def _in_turn(models, x, objective, grid, *, evaluate, **settings) -> list[CopyHistory]:
    histories = []
    for model, (seed, rate, options) in zip(models, grid, strict=True):
        seen = CopyHistory()

        def note(model, row, seen=seen):
            seen.rows.append(row)
            seen.steps = row["step"]

        try:
            chosen = partial(objective, **options) if options else objective
            seen = CopyHistory(**vars(fit(model, x, chosen, lr=rate, seed=seed, evaluate=evaluate, on_epoch=note, **settings)))
        except Diverged as error:
            seen.failure = str(error)
        histories.append(seen)
        if seen.interrupted:
            break
    return histories + [CopyHistory(interrupted=True) for _ in models[len(histories) :]]


def _together_is_faster(models, x, objective, grid, settings) -> bool:
    """Time a few steps of either way on copies: what is learned in the trial is thrown away."""
    rows = min(len(x), TRIAL * settings["batch_size"])
    taken = {}
    for way in (_in_turn, _together, _in_turn, _together):
        trial = copy.deepcopy(list(models))
        start = time.perf_counter()
        try:
            way(trial, x[:rows], objective, grid, steps=TRIAL, rows_at=(), evaluate=None, progress=False, **settings)
        except RuntimeError:  # what torch.func can't batch (a branch on a value) runs in turn all the same
            return False
        taken[way] = time.perf_counter() - start  # the second time counts: the first pays for loading
    return taken[_together] < taken[_in_turn]


def _together(
    models, x, objective, grid, *, steps, batch_size, optimizer, weight_decay, rows_at, evaluate, progress
) -> list[CopyHistory]:
    start, histories = time.perf_counter(), [CopyHistory() for _ in models]
    copies = Copies(models, x, objective, grid, optimizer, weight_decay)
    orders = [Batches(len(x), batch_size, torch.Generator(x.device).manual_seed(seed)) for seed, *_ in grid]
    sums, seen, done, bar = 0, 0, 0, progress_bar(steps, 0, progress)
    try:
        for step in range(1, steps + 1):
            taken = [order[step - 1] for order in orders]
            epoch, last, rows = taken[0][0], taken[0][2], torch.stack([rows for _, rows, _ in taken])
            with in_words(x, batch_size):
                sums = sums + copies(step, rows)
            seen += rows.shape[1]
            bar.update()
            if last if rows_at is None else step in rows_at:
                copies.write_back()
                failed = copies.failed.tolist()
                for history, model, mean, wrong in zip(histories, models, (sums / seen).tolist(), failed, strict=True):
                    if not wrong:
                        row = {"epoch": epoch, "step": step, "train": mean}
                        history.rows.append(row | (evaluate(model) if evaluate else {}))
                sums, seen = 0, 0
            done = step
    except KeyboardInterrupt:
        for history in histories:
            history.interrupted = True
    finally:
        bar.close()
    copies.write_back()
    for history, wrong in zip(histories, copies.failed.tolist(), strict=True):
        history.steps = wrong - 1 if wrong else done
        epochs, rest = divmod(history.steps, orders[0].per_epoch)
        history.examples = epochs * len(x) + rest * batch_size
        history.seconds = time.perf_counter() - start
        if wrong:
            history.failure = f"step {wrong}: the objective is not finite; try a smaller lr or look at the data"
    return histories
