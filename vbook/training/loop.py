"""The steps of a run, whatever a step does: the order of the data, the rows of the history, when to save and when to stop."""

import math
import operator
import time
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from vbook.budget import seconds
from vbook.checkpoints import Checkpoint
from vbook.errors import VbookError
from vbook.training.checks import (
    at_least_0,
    check_gone,
    check_hooks,
    check_marks,
    check_measured,
    check_watched,
    check_weights,
    positive,
)
from vbook.training.history import History

SAVE_EVERY = 30.0  # seconds between checkpoints


def length(n: int, batch_size: int, epochs: int | None, steps: int | None) -> int:
    """The number of steps of a run over ``n`` data points that is given as ``epochs`` or as ``steps``.

    >>> length(250, 100, epochs=2, steps=None)
    6
    """
    if (epochs is None) == (steps is None):
        raise VbookError(f"give the run's length as epochs or as steps, not {'neither' if epochs is None else 'both'}")
    positive(batch_size=batch_size, **({"steps": steps} if epochs is None else {"epochs": epochs}))
    return steps if epochs is None else epochs * math.ceil(n / batch_size)


def marks(rows_at: Collection[int] | None, steps: int) -> frozenset[int] | None:
    """``rows_at``, checked, as a set of whole numbers.

    >>> sorted(marks([4, 2], steps=5))
    [2, 4]
    """
    check_marks(rows_at, steps)
    return None if rows_at is None else frozenset(map(operator.index, rows_at))


def examples_in(steps: int, n: int, batch_size: int) -> int:
    """How many data points, of ``n`` an epoch, the first ``steps`` steps have seen.

    >>> examples_in(4, 250, 100)
    350
    """
    epochs, rest = divmod(steps, math.ceil(n / batch_size))
    return epochs * n + rest * batch_size


class Batches:
    """Minibatches of ``n`` data points: every epoch goes through all of them in an order of its own, drawn from ``generator``."""

    def __init__(self, n: int, batch_size: int, generator: torch.Generator):
        self.n, self.batch_size, self.generator = n, min(batch_size, n), generator
        self.per_epoch, self.epoch = math.ceil(n / self.batch_size), None

    def __getitem__(self, step: int) -> tuple[int, Tensor, bool]:
        """Of a step (from 0): its epoch (from 1), the indices of its data points, whether it is the epoch's last.

        The steps must be asked for in order; the first one may lie inside an epoch, before which the generator must be then.
        """
        epoch, k = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.before = epoch, self.generator.get_state()
            order = torch.randperm(self.n, generator=self.generator, device=self.generator.device)
            self.order = order.split(self.batch_size)
        return epoch + 1, self.order[k], k == self.per_epoch - 1

    def state(self, step: int) -> Tensor:
        """The generator's state from which ``step`` can be asked for first."""
        return self.generator.get_state() if step % self.per_epoch == 0 else self.before


class Loop:
    """One run of ``steps`` steps over ``n`` data points; what it has seen is in ``history``.

    ``patience`` rows without a new best of the column ``watch`` end the run; the model then gets its best weights back. The
    other arguments are those of ``fit``, which says what they mean.
    """

    def __init__(
        self,
        model: nn.Module,
        history: History,
        n: int,
        *,
        steps: int,
        batch_size: int,
        generator: torch.Generator,
        rows_at: Collection[int] | None = None,
        evaluate: Callable[[nn.Module], dict] | None = None,
        on_epoch: Callable[[nn.Module, dict], None] | None = None,
        on_step: Callable[[int, Tensor], None] | None = None,
        patience: int | None = None,
        watch: str = "valid",
        budget: str | float | None = None,
        save_every: float = SAVE_EVERY,
        progress: bool = False,
    ):
        if patience is not None:
            positive(patience=patience)
        at_least_0(save_every=save_every)
        check_hooks(evaluate=evaluate, on_epoch=on_epoch, on_step=on_step)
        self.model, self.judged, self.history, self.steps = model, model, history, steps
        self.batches, self.rows_at = Batches(n, batch_size, generator), marks(rows_at, steps)
        self.evaluate, self.on_epoch, self.on_step = evaluate, on_epoch, on_step
        self.patience, self.watch, self.best = patience, watch, None
        self.budget, self.save_every, self.progress = seconds(budget), save_every, progress
        self.checkpoint: Checkpoint | None = None
        self.done, self.sums, self.seen = 0, {}, 0

    def run(self, update: Callable, settled: Callable[[], dict] = dict) -> History:
        """Call ``update(step, rows)`` for every step, with ``rows`` the indices of its data points.

        It returns how many steps of the optimizer it took and a dict of tensors () that are summed up; a row has them per data
        point, and what ``settled()`` adds, which is called before each row and each checkpoint and raises what went wrong.
        """
        history, start = self.history, time.perf_counter()
        self._resume()
        earlier, saved = history.seconds, start
        bar = progress_bar(self.steps, self.done, self.progress)
        try:
            while self.done < self.steps and not history.stopped:
                epoch, rows, last = self.batches[self.done]
                taken, sums = update(self.done + 1, rows)
                self.sums = {name: self.sums.get(name, 0) + value for name, value in sums.items()}
                self.seen, self.done = self.seen + len(rows), self.done + 1
                history.steps, history.examples = history.steps + taken, history.examples + len(rows)
                if self.on_step:
                    self.on_step(history.steps, sums["train"] / len(rows))
                bar.update()
                if last if self.rows_at is None else self.done in self.rows_at:
                    self._row(epoch, settled(), bar)
                now = time.perf_counter()
                history.seconds = earlier + now - start
                over = history.stopped or self.done == self.steps
                spent = not over and self.budget is not None and now - start >= self.budget
                if self.checkpoint and (over or spent or now - saved >= self.save_every):
                    settled()
                    self._save()
                    saved = now
                if spent:
                    history.interrupted = True
                    break
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            bar.close()
            history.seconds = earlier + time.perf_counter() - start
        if not history.interrupted:
            check_weights(self.model, history.steps)  # the last update has no bound after it that would tell
        if self.best and not history.interrupted:
            self.judged.load_state_dict(self.best["weights"])
        return history

    def _row(self, epoch: int, more: dict, bar) -> None:
        history, judged = self.history, self.judged
        means = {name: float(value) / self.seen for name, value in self.sums.items()}
        row = {"epoch": epoch, "step": history.steps} | means | more
        if self.evaluate:
            found = self.evaluate(judged)
            check_measured(found, row)
            row |= found
        if self.checkpoint:
            self.checkpoint.check(row)
        history.rows.append(row)
        bar.set_postfix_str(f"{history.column_name} {row['train']:.1f} nats")
        self.sums, self.seen = {}, 0
        if self.patience is not None:
            self._watch(row)
        if self.on_epoch:
            self.on_epoch(judged, row)

    def _watch(self, row: dict) -> None:
        check_watched(row, self.watch)
        value, best = row[self.watch], self.best["value"] if self.best else math.nan
        if self.best is None or value > best or (math.isnan(best) and not math.isnan(value)):
            weights = {name: t.detach().clone() for name, t in self.judged.state_dict().items()}
            self.best = {"value": value, "row": len(self.history.rows), "weights": weights}
        self.history.stopped = len(self.history.rows) - self.best["row"] >= self.patience

    def _save(self) -> None:
        history = self.history
        facts = {name: getattr(history, name) for name in ("rows", "steps", "examples", "seconds", "stopped", "mode")}
        own = {"done": self.done, "seen": self.seen, "sums": self.sums, "best": self.best}
        own["order"] = self.batches.state(self.done)
        self.checkpoint.write({"history": facts} | own)

    def _resume(self) -> None:
        """Go on where the checkpoint, if there is one, has left off."""
        if self.checkpoint is None:
            return
        state = self.checkpoint.read(lambda state: check_gone(state["done"], self.steps, self.checkpoint.path))
        if state is None:
            return
        for name, value in state["history"].items():
            setattr(self.history, name, value)
        self.done, self.seen, self.best = state["done"], state["seen"], state["best"]
        device = self.batches.generator.device
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        self.batches.generator.set_state(state["order"])
        self.history.stopped = bool(self.patience) and self.history.stopped


def progress_bar(total: int, done: int, progress: bool):
    """A bar of ``total`` steps, ``done`` of them behind us; without ``progress`` one that stays silent."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, disable=not progress, unit="step", leave=False)
