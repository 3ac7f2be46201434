"""``fit_many`` in one tensor program: the steps of K copies, the rows of their histories, and one checkpoint for all."""

import time

import torch
from torch import Tensor

from vbook.budget import seconds
from vbook.checkpoints import Checkpoint
from vbook.descriptions import describe_data, describe_function, describe_model
from vbook.training.checks import check_gone, check_measured, in_words
from vbook.training.copies import Copies
from vbook.training.history import CopyHistory
from vbook.training.loop import SAVE_EVERY, Batches, examples_in, progress_bar
from vbook.training.optimizers import describe_optimizer


class Together:
    """One run of K copies; the arguments are those of ``fit_many``, with ``grid`` its (seed, step size, options) of each copy."""

    def __init__(
        self,
        models,
        x: Tensor,
        objective,
        grid,
        *,
        steps: int,
        batch_size: int,
        optimizer,
        weight_decay: float,
        rows_at=None,
        evaluate=None,
        progress: bool = False,
        checkpoint=None,
        save_every: float = SAVE_EVERY,
        budget=None,
    ):
        self.models, self.x, self.steps, self.batch_size, self.evaluate = models, x, steps, batch_size, evaluate
        self.rows_at, self.progress, self.save_every, self.budget = rows_at, progress, save_every, seconds(budget)
        self.copies = Copies(models, x, objective, grid, optimizer, weight_decay)
        self.orders = [Batches(len(x), batch_size, torch.Generator(x.device).manual_seed(seed)) for seed, *_ in grid]
        self.histories = [CopyHistory() for _ in models]
        self.done, self.seen, self.sums, self.seconds = 0, 0, x.new_zeros(len(models)), 0.0
        self.checkpoint = None
        if checkpoint is not None:
            run = describe_model(models[0]) | describe_data(x) | {"copies": [list(row) for row in grid]}
            run |= dict(batch_size=batch_size, optimizer=describe_optimizer(optimizer), weight_decay=weight_decay)
            run |= dict(objective=describe_function(objective, *models), rows_at=None if rows_at is None else sorted(rows_at))
            # A copy whose weights are no numbers any more is dead and says so; the others are worth saving.
            self.checkpoint = Checkpoint(checkpoint, run, self.copies.parts_of_state(), finite=False)

    def run(self) -> list[CopyHistory]:
        """Take the steps that are left and return the histories, as ``fit_many`` says."""
        start, interrupted = time.perf_counter(), False
        if self.checkpoint:
            self._resume(self.checkpoint.read(lambda state: check_gone(state["done"], self.steps, self.checkpoint.path)))
        earlier, saved, bar = self.seconds, start, progress_bar(self.steps, self.done, self.progress)
        try:
            while self.done < self.steps and not interrupted:
                self._step()
                bar.update()
                now = time.perf_counter()
                self.seconds = earlier + now - start
                interrupted = self.done < self.steps and self.budget is not None and now - start >= self.budget
                if self.checkpoint and (interrupted or self.done == self.steps or now - saved >= self.save_every):
                    self._save()
                    saved = now
        except KeyboardInterrupt:
            interrupted = True
        finally:
            bar.close()
        self.copies.look(self.done)
        self.copies.write_back()
        failed = self.copies.failed.tolist()
        for history, wrong in zip(self.histories, failed, strict=True):
            history.steps, history.seconds, history.interrupted = wrong - 1 if wrong else self.done, self.seconds, interrupted
            history.examples = examples_in(history.steps, len(self.x), self.batch_size)
            if wrong:
                what = "the objective, or a weight after the update,"
                history.failure = f"step {wrong}: {what} is not finite; try a smaller lr or look at the data"
        return self.histories

    def _step(self) -> None:
        taken = [order[self.done] for order in self.orders]  # the copies differ in the order of their data alone
        epoch, last, rows = taken[0][0], taken[0][2], torch.stack([rows for _, rows, _ in taken])
        with in_words(self.x, self.batch_size):
            self.sums = self.sums + self.copies(self.done + 1, rows)
        self.seen, self.done = self.seen + rows.shape[1], self.done + 1
        if last if self.rows_at is None else self.done in self.rows_at:
            self._row(epoch)

    def _row(self, epoch: int) -> None:
        self.copies.look(self.done)
        self.copies.write_back()
        means, failed = (self.sums / self.seen).tolist(), self.copies.failed.tolist()
        for history, model, mean, wrong in zip(self.histories, self.models, means, failed, strict=True):
            if not wrong:
                row = {"epoch": epoch, "step": self.done, "train": mean}
                found = self.evaluate(model) if self.evaluate else {}
                check_measured(found, row)
                if self.checkpoint:
                    self.checkpoint.check(found)
                history.rows.append(row | found)
        self.sums, self.seen = self.x.new_zeros(len(self.models)), 0

    def _save(self) -> None:
        own = {"done": self.done, "seen": self.seen, "sums": self.sums, "seconds": self.seconds}
        own |= {"rows": [history.rows for history in self.histories], "orders": [order.state(self.done) for order in self.orders]}
        own["frozen"] = {str(k): weights for k, weights in self.copies.frozen.items()}
        self.checkpoint.write(own)

    def _resume(self, state: dict | None) -> None:
        if state is None:
            return
        self.done, self.seen, self.seconds = state["done"], state["seen"], state["seconds"]
        self.sums = state["sums"].to(self.x.device)
        self.copies.frozen = {int(k): weights for k, weights in state["frozen"].items()}
        for history, rows, order, where in zip(self.histories, state["rows"], self.orders, state["orders"], strict=True):
            history.rows = rows
            order.generator.set_state(where)
