"""``fit``: the steps of one model up the slope of a bound, estimated on minibatches with drawn noise.

The data are one tensor that already lives on the device; shuffling, batches and noise come from generators seeded by ``seed``, so
that a run is a function of its arguments and leaves the global random state alone.
"""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from vbook.bounds import elbo
from vbook.checkpoints import Checkpoint, as_file, saved_state
from vbook.descriptions import describe_data, describe_function, describe_model, describe_schedule
from vbook.noise import check_seed
from vbook.training.averaging import Average
from vbook.training.checks import check_data, check_flags, check_probabilities
from vbook.training.history import History
from vbook.training.loop import SAVE_EVERY, Loop, length
from vbook.training.optimizers import describe_optimizer, optimizer_for
from vbook.training.schedules import check_rates, check_schedules
from vbook.training.steps import Steps
from vbook.training.trial import fastest


def fit(
    model: nn.Module,
    x: Tensor,
    objective: Callable = elbo,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    rows_at: Collection[int] | None = None,
    batch_size: int = 128,
    optimizer: str | Mapping = "adam",
    lr: float | Callable[[int], float] = 1e-3,
    weight_decay: float = 0.0,
    seed: int = 0,
    binarize: bool = False,
    schedules: Mapping[str, Callable[[int], float]] | None = None,
    average: float | None = None,
    evaluate: Callable[[nn.Module], dict] | None = None,
    patience: int | None = None,
    watch: str = "valid",
    on_epoch: Callable[[nn.Module, dict], None] | None = None,
    on_step: Callable[[int, Tensor], None] | None = None,
    checkpoint: str | Path | None = None,
    save_every: float = SAVE_EVERY,
    budget: str | float | None = None,
    mode: str | None = None,
    progress: bool = False,
) -> History:
    """Maximise the mean of ``objective(model, batch, generator=g)`` (B, D) -> (B,) nats over minibatches of ``x`` (N, D).

    The run lasts ``epochs`` or ``steps``. After each epoch, or after the steps named in ``rows_at``, a row of the history says
    how far it has come; ``evaluate(model)`` returns more numbers for it, and ``on_epoch(model, row)`` sees it (a snapshot).
    ``on_step(step, bound)`` is called after each step, with the minibatch's bound () on the device (a live curve).

    ``optimizer`` is ``"adam"``, ``"adagrad"``, ``"rmsprop"`` or ``"sgd"``, or a mapping with more of PyTorch's options for it:
    ``{"name": "sgd", "momentum": 0.9}`` (``vbook.training.optimizers.OPTIONS`` has those that are taken).
    ``lr`` and, by keyword of the objective, ``schedules`` may be functions of the step (``vbook.training.decay`` and ``warmup``).
    ``weight_decay`` takes that many times w from the slope of each weight w: with 1/N it is a prior N(0, I) on all weights, the
    MAP protocol of thesis 2.11 (``objectives.with_weight_prior`` is the same as an objective, and slower). ``binarize`` draws
    the pixels of each minibatch anew, with the grey levels ``x`` as probabilities. ``average`` is the weight of the past in an
    average of the weights over the steps: ``evaluate`` and ``on_epoch`` then see it, and ``history.averaged`` is its model.
    ``patience`` rows without a new best of the column ``watch`` end the run, and what ``evaluate`` sees gets its best weights
    back.

    ``checkpoint`` names a file: a run that was killed, interrupted or out of ``budget`` ("25m", or seconds), called again with
    the same arguments and as many threads, goes on from there, bit for bit; it is written every ``save_every`` seconds and at
    the end. The weights that ``model`` comes with don't matter then, those of the file take their place: a start from other
    weights needs a file of its own. What the callbacks of earlier sittings have gathered is not in it. Ctrl-C ends the run at
    once and returns the history so far; the last checkpoint stays. ``mode`` is how a step runs: ``"eager"``, ``"compiled"``
    (slow to begin), ``"graph"`` (CUDA), or ``"fastest"``, what a trial of sixty steps finds faster (``history.mode`` says
    which); a resumed run keeps to it. By default a graph on CUDA, eager elsewhere: modes differ in the last digits, which no
    stopwatch should decide.

    Raises VbookError for sizes and rates that are not positive, for data that are not finite, for a checkpoint of another run or
    one that can't be written, when memory runs out, and (Diverged) at the first step whose bound is not
    finite, with step and term, or when the last update has spoilt the weights.
    """
    check_data(model, x)
    seed = check_seed(seed)
    check_flags(binarize=binarize, progress=progress)
    steps = length(len(x), batch_size, epochs, steps)
    check_rates(lr, weight_decay)
    check_schedules(schedules, objective)
    optimizer_of = partial(optimizer_for, optimizer, lr=lr, weight_decay=weight_decay, device=x.device)
    ascent = optimizer_of(model.parameters())
    shuffle, noise, pixels = (torch.Generator(x.device).manual_seed(seed + k) for k in (0, 0x5EED, 0xB175))
    history = History()
    loop = Loop(
        model,
        history,
        len(x),
        steps=steps,
        batch_size=batch_size,
        generator=shuffle,  # apart from the noise, so that the data order does not depend on L
        rows_at=rows_at,
        evaluate=evaluate,
        on_epoch=on_epoch,
        on_step=on_step,
        patience=patience,
        watch=watch,
        budget=budget,
        save_every=save_every,
        progress=progress,
    )
    parts = {"model": model, "optimizer": ascent, "noise": noise}
    size = min(batch_size, len(x))
    if binarize:
        check_probabilities(x, "binarize")
        parts["pixels"] = pixels

    def begin(model, ascent, noise, pixels, mode):
        options = dict(lr=lr, schedules=schedules, pixels=pixels if binarize else None, mode=mode, size=size)
        return Steps(model, x, objective, ascent, noise, **options)

    if mode == "fastest":
        start, before = time.perf_counter(), None if checkpoint is None else saved_state(as_file(checkpoint))
        try:
            mode = before.get("history", {}).get("mode") if before else fastest(begin, model, optimizer_of, x, size)
        except KeyboardInterrupt:
            history.interrupted = True
            return history
        history.seconds = time.perf_counter() - start
        loop.budget = loop.budget and max(loop.budget - history.seconds, 1e-9)
    update = climb = begin(model, ascent, noise, pixels, mode)
    history.mode = climb.mode
    if average is not None:
        mean = Average(model, average)
        loop.judged = history.averaged = mean.model
        parts |= {"average": mean.model, "averaged": mean.steps}

        def update(step, rows):
            taken = climb(step, rows)
            mean.update()
            return taken

    if checkpoint is not None:
        settings = dict(batch_size=batch_size, weight_decay=weight_decay, seed=seed, binarize=binarize)
        settings["optimizer"] = describe_optimizer(optimizer)
        settings |= dict(lr=describe_schedule(lr) if callable(lr) else lr, average=average, patience=patience, watch=watch)
        settings |= dict(objective=describe_function(objective, model), rows_at=None if rows_at is None else sorted(loop.rows_at))
        settings["mode"] = climb.mode
        if patience is not None:  # it decides when the run ends, and by what
            settings["evaluate"] = describe_function(evaluate, model, loop.judged)
        settings |= dict(schedules={name: describe_schedule(value) for name, value in (schedules or {}).items()})
        loop.checkpoint = Checkpoint(checkpoint, describe_model(model) | describe_data(x) | settings, parts)
    return loop.run(update, climb.settle)
