"""``fit_many``: K copies of one network trained at once, each as if it were trained alone; for grids and seeds on a GPU."""

import copy
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from torch import Tensor, nn

from vbook.bounds import elbo
from vbook.budget import seconds
from vbook.checkpoints import as_file, saved_state
from vbook.errors import Diverged, VbookError
from vbook.noise import check_seed
from vbook.training.ascent import fit
from vbook.training.checks import at_least_0, check_data, check_flags, check_hooks, check_objective, is_finite
from vbook.training.history import CopyHistory
from vbook.training.loop import SAVE_EVERY, examples_in, length, marks
from vbook.training.optimizers import optimizer_for
from vbook.training.schedules import check_rates
from vbook.training.together import Together

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
    optimizer: str | Mapping = "adam",
    lr: float | Sequence[float] = 1e-3,
    weight_decay: float = 0.0,
    seeds: Sequence[int] | None = None,
    options: Mapping[str, Sequence[float]] | None = None,
    evaluate: Callable[[nn.Module], dict] | None = None,
    together: bool | None = None,
    checkpoint: str | Path | None = None,
    save_every: float = SAVE_EVERY,
    budget: str | float | None = None,
    progress: bool = False,
) -> list[CopyHistory]:
    """Train each of K ``models`` of one architecture on ``x`` (N, D) as ``fit`` would, and return their histories.

    Copy k has the step ``lr[k]`` (or one for all), the seed ``seeds[k]`` (0, 1, …) and, by keyword of the objective, the values
    ``options[name][k]``: a grid of β's, say. Its order of the data and its noise are those of ``fit(models[k], …)`` alone.

    ``together`` trains all in one tensor program through ``torch.func``; without it the copies are trained one after the other.
    By default a GPU trains them together and a CPU what a trial of a few steps finds faster; the losses differ in their last
    digits only. A copy whose bound is no longer finite stops there (on a GPU its weights may drift on by their momentum, at most
    to the next row) and says so in its ``failure``; the others go on.

    ``checkpoint``, ``save_every`` and ``budget`` are those of ``fit``; the file holds all copies, or, where they are trained one
    after the other, has a number of each copy in its name. A run that has left a file goes on the way it began.

    Raises VbookError for lists of other lengths than K and for what ``fit`` refuses.
    """
    models = _as_list(models)
    for model in models:
        check_data(model, x)
    count, steps = len(models), length(len(x), batch_size, epochs, steps)
    rows_at = marks(rows_at, steps)
    seeds = [check_seed(seed) for seed in _each("seeds", range(count) if seeds is None else seeds, count)]
    rates, options = _rates(lr, count, weight_decay), _options(options, count)
    check_objective(objective, options)
    at_least_0(save_every=save_every)
    check_hooks(evaluate=evaluate)
    check_flags(progress=progress)
    if not isinstance(together, bool | None):
        raise VbookError(f"together must be True, False or None, got {together!r}")
    optimizer_for(optimizer, models[0].parameters(), rates[0], weight_decay, x.device)  # an unknown one is named here
    for model in models[1:]:
        if difference := _difference(models[0], model):
            raise VbookError(f"the models must be of one architecture; {difference}")
    grid = [(seeds[k], rates[k], {name: values[k] for name, values in options.items()}) for k in range(count)]
    settings = dict(batch_size=batch_size, optimizer=optimizer, weight_decay=weight_decay)
    file = None if checkpoint is None else as_file(checkpoint)
    if file:
        left = {True: file.exists(), False: as_file(_of_copy(file, 0)).exists()}
        together = next((way for way in left if left[way]), None) if together is None else together
        if together is not None and left[not together]:
            way = "in turn" if together else "together"
            raise VbookError(f"{file}: copies trained {way} have left a checkpoint there; go on that way")
    left, start = seconds(budget), time.perf_counter()
    if together is None:
        try:
            together = x.device.type == "cuda" or (count > 1 and _together_is_faster(models, x, objective, grid, settings))
        except KeyboardInterrupt:
            return [CopyHistory(interrupted=True) for _ in models]
        left = left and max(left - (time.perf_counter() - start), 1e-9)
    settings |= dict(rows_at=rows_at, evaluate=evaluate, checkpoint=file, save_every=save_every, budget=left, progress=progress)
    return (_together if together else _in_turn)(models, x, objective, grid, steps=steps, **settings)


class Unbatchable(VbookError):
    """An objective, or a model, that torch.func can't run on stacked weights."""


def _difference(one: nn.Module, other: nn.Module) -> str:
    """What tells two networks apart beside their weights, in words; empty where nothing does."""
    layers = ([repr(layer) for layer in model.modules() if not list(layer.children())] for model in (one, other))
    for here, there in zip_longest(*layers):
        if here != there:
            return f"{' '.join(str(here).split())} is {' '.join(str(there).split())} in another"
    weights = [[(name, tuple(p.shape), p.requires_grad) for name, p in model.named_parameters()] for model in (one, other)]
    return "" if weights[0] == weights[1] else "their parameters differ in names, shapes or in which of them are trained"


def _as_list(models) -> list[nn.Module]:
    if isinstance(models, nn.Module) or not isinstance(models, Iterable):
        raise VbookError(f"fit_many takes a list of models, got {type(models).__name__}; for one model there is fit")
    models = list(models)
    for k, model in enumerate(models):
        if not isinstance(model, nn.Module):
            raise VbookError(f"models[{k}] must be a module of PyTorch, got {type(model).__name__}")
        if {id(weight) for weight in model.parameters()} & {id(w) for other in models[:k] for w in other.parameters()}:
            raise VbookError(f"models[{k}] shares weights with one before it; each needs its own: copy.deepcopy(model)")
    return models


def _each(name: str, values, count: int) -> list:
    """The values of all copies, from a list, an array or a tensor."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise VbookError(f"{name} must hold one value for each of the {count} models, got {values!r}")
    if len(values) != count or not count:
        raise VbookError(f"{name} must hold one value for each of the {count} models, got {len(values)}")
    return list(values)


def _rates(lr, count: int, weight_decay: float) -> list[float]:
    lr = lr.tolist() if hasattr(lr, "tolist") else lr
    rates = [lr] * count if isinstance(lr, str) or not isinstance(lr, Sequence) else _each("lr", lr, count)
    for rate in rates:
        if callable(rate):
            raise VbookError("fit_many takes no schedule for lr: give a number, or one for each model")
        check_rates(rate, weight_decay)
    return rates


def _options(options, count: int) -> dict[str, list[float]]:
    if not isinstance(options, Mapping | None):
        raise VbookError(f"options must map names of the objective's options to the values of all models, got {options!r}")
    options = {name: _each(name, values, count) for name, values in (options or {}).items()}
    for name, values in options.items():
        if wrong := [value for value in values if not isinstance(value, bool) and not is_finite(value)]:
            raise VbookError(f"{name} must be a finite number for each model, got {wrong[0]!r}")
        options[name] = [value.item() if hasattr(value, "item") else value for value in values]
    return options


def _of_copy(file: Path, k: int) -> Path:
    return file.with_name(f"{file.stem}-{k}{file.suffix}")


def _together(models, x, objective, grid, **settings) -> list[CopyHistory]:
    try:
        return Together(models, x, objective, grid, **settings).run()
    except (RuntimeError, TypeError, VbookError) as error:  # torch.randn takes no generator but its own
        said = str(error).partition("\n")[0]
        if "BatchedTensor" in said:  # what a check quotes: the option of all copies at once
            raise Unbatchable(
                "an option that is counted with, as samples is, can't differ between copies trained together"
            ) from error
        if "vmap" in str(error) or "Listener" in str(error):
            raise Unbatchable(f"torch.func can't train these models together ({said}); leave together out") from error
        raise


def _in_turn(models, x, objective, grid, *, checkpoint=None, budget=None, **settings) -> list[CopyHistory]:
    histories, left = [], seconds(budget)
    for k, (model, (seed, rate, options)) in enumerate(zip(models, grid, strict=True)):
        start, settings["checkpoint"] = time.perf_counter(), checkpoint and _of_copy(checkpoint, k)
        seen = CopyHistory()

        def note(model, row, seen=seen):
            seen.rows.append(row)
            seen.steps = row["step"]

        try:
            chosen = partial(objective, **options) if options else objective
            found = fit(model, x, chosen, lr=rate, seed=seed, on_epoch=note, budget=left, **settings)
            seen = CopyHistory(**vars(found))
        except Diverged as error:
            before = saved_state(settings["checkpoint"]) if checkpoint else None
            earlier = before["history"]["rows"] if before else []
            seen.rows = earlier + [row for row in seen.rows if not earlier or row["step"] > earlier[-1]["step"]]
            seen.steps = error.step - 1 if error.step else seen.rows[-1]["step"] if seen.rows else 0
            seen.examples, seen.failure = examples_in(seen.steps, len(x), settings["batch_size"]), str(error)
        histories.append(seen)
        if seen.interrupted:
            break
        left = left and max(left - (time.perf_counter() - start), 1e-9)
    return histories + [CopyHistory(interrupted=True) for _ in models[len(histories) :]]


def _together_is_faster(models, x, objective, grid, settings) -> bool:
    """Time a few steps of either way on copies: what is learned in the trial is thrown away."""
    rows = min(len(x), TRIAL * settings["batch_size"])
    taken = {}
    for way in (_in_turn, _together, _in_turn, _together):
        try:
            trial = copy.deepcopy(list(models))
        except Exception:  # whatever keeps a model from being copied, alone it can be trained
            return False
        start = time.perf_counter()
        try:
            histories = way(trial, x[:rows], objective, grid, steps=TRIAL, rows_at=(), **settings)
        except (VbookError, RuntimeError):  # what torch.func can't batch (a branch on a value) runs in turn all the same
            return False
        if any(history.interrupted for history in histories):
            raise KeyboardInterrupt
        taken[way] = time.perf_counter() - start  # the second time counts: the first pays for loading
    return taken[_together] < taken[_in_turn]
