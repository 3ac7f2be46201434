"""What one step does, on whatever device: gather, noise, forward, backward, optimizer, without waiting for the device."""

import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from vbook.descriptions import describe_model
from vbook.errors import Diverged, VbookError, nearest
from vbook.noise import Listener, Tape
from vbook.training.checks import blame, check_bound, in_words
from vbook.training.graphs import captured
from vbook.training.schedules import value_at

MODES = ("eager", "compiled", "graph")
LOOK_EVERY = 100  # steps on a GPU between two looks at whether all has been finite: each waits for the device


class Steps:
    """Call it with a step (from 1) and the indices of its data points: one ascent of ``objective`` on ``x`` with ``noise``.

    It answers (1, {"train": the sum of the bound over the minibatch}). On a CPU each bound is looked at before its update; on a
    GPU an update whose bound is not finite is left out, and all after it, until ``settle`` looks.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        objective: Callable,
        ascent: torch.optim.Optimizer,
        noise: torch.Generator,
        *,
        lr=None,
        schedules: Mapping[str, Callable[[int], float]] | None = None,
        pixels: torch.Generator | None = None,
        mode: str | None = None,
        size: int | None = None,
    ):
        on_gpu = x.device.type == "cuda"
        self.mode = _mode(mode, on_gpu, ascent, callable(lr))
        self.model, self.x, self.objective, self.ascent = model, x, objective, ascent
        self.weights = [p for group in ascent.param_groups for p in group["params"]]
        self.noise, self.pixels, self.lr, self.schedules = noise, pixels, lr, dict(schedules or {})
        self.values = {name: torch.zeros((), dtype=x.dtype, device=x.device) for name in self.schedules} if on_gpu else {}
        self.later, self.size, self.graph = on_gpu, size, None
        self.at = torch.zeros((), dtype=torch.int64, device=x.device)  # the step, where the device can read it
        self.failed = torch.zeros(2, dtype=torch.int64, device=x.device)  # the first step that went wrong, and at how many points
        if self.mode == "compiled":
            self.objective = compiled(objective, json.dumps(describe_model(model)))

    def __call__(self, step: int, rows: Tensor) -> tuple[int, dict[str, Tensor]]:
        self._set(step)
        self.last_rows = rows
        with in_words(self.x, len(rows)):
            replay = self.mode == "graph" and len(rows) == self.size
            total = self._replay(rows) if replay else self._step(step, self._batch(rows))
        if self.later and step % LOOK_EVERY == 0:
            self.settle()
        return 1, {"train": total}

    def settle(self) -> dict:
        """Raise Diverged if a bound since the last look was not finite; nothing for the row."""
        if self.later and (failed := self.failed.tolist())[0]:
            raise Diverged(blame(self.model, self._batch(self.last_rows), failed[1], failed[0]), failed[0])
        return {}

    def _set(self, step: int) -> None:
        if self.later:
            self.at.fill_(step)
        if callable(self.lr):
            rate = value_at(self.lr, "lr", step)
            for group in self.ascent.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
        for name, schedule in self.schedules.items():
            value = value_at(schedule, name, step)
            if self.later:
                self.values[name].fill_(value)
            else:
                self.values[name] = value

    def _batch(self, rows: Tensor) -> Tensor:
        batch = self.x.index_select(0, rows)  # x[rows] takes half as long again
        return batch if self.pixels is None else torch.bernoulli(batch, generator=self.pixels)

    def _step(self, step: int, batch: Tensor) -> Tensor:
        bound = self.objective(self.model, batch, generator=self.noise, **self.values)  # (B,), with ε ~ p(ε) inside
        check_bound(bound, batch)
        loss = -bound.mean()
        for p in self.weights:  # what zero_grad does, without its ceremony: 2 % of a step
            p.grad = None
        loss.backward()
        if self.later:
            self._note(bound, loss)
        elif not math.isfinite(loss.item()):
            raise Diverged(blame(self.model, batch, int((~torch.isfinite(bound)).sum()), step), step)
        self.ascent.step()
        return bound.detach().sum()

    @torch.no_grad()
    def _note(self, bound: Tensor, loss: Tensor) -> None:
        """On the device: note the first step whose bound is not finite, and take the slopes of all from there on for zero."""
        now = torch.stack([self.at, (~torch.isfinite(bound)).sum()])
        self.failed.copy_(torch.where((self.failed[0] == 0) & ~torch.isfinite(loss), now, self.failed))
        for p in self.model.parameters():
            if p.grad is not None:
                p.grad.masked_fill_(self.failed[0] > 0, 0.0)

    def _replay(self, rows: Tensor) -> Tensor:
        if self.graph is None:
            self.rows = rows.clone()
            generators = [g for g in (self.noise, self.pixels) if g is not None]
            with torch.cuda.device(self.x.device):
                self.graph, self.total = captured(lambda: self._step(0, self._batch(self.rows)), self.ascent, generators)
            self.failed.zero_()
        self.rows.copy_(rows)
        self.graph.replay()
        return self.total


@lru_cache(maxsize=16)  # so that the next run on the same objective and kind of model need not compile again
def compiled(objective: Callable, _kind: str) -> Callable:
    """``objective`` through ``torch.compile``, with the noise drawn outside: the same draws, in the same order."""
    heard: WeakKeyDictionary[nn.Module, dict[int, Listener]] = WeakKeyDictionary()

    def pure(model, x, draws, values):
        return objective(model, x, generator=Tape(draws), **values)

    # Each has a code object of its own: PyTorch keeps what it compiled by code object, and after eight it runs eagerly, unasked.
    pure.__code__ = pure.__code__.replace()
    pure = torch.compile(pure)

    def with_noise_outside(model, x: Tensor, *, generator: torch.Generator, **values) -> Tensor:
        of_model = heard.setdefault(model, {})
        if len(x) not in of_model:  # batches of another size draw other noise
            of_model[len(x)] = Listener(torch.Generator(x.device))
            try:
                with torch.no_grad():
                    objective(model, x, generator=of_model[len(x)], **values)
            except TypeError as error:  # torch.randn takes no generator but its own
                if "Listener" not in str(error):
                    raise
                raise VbookError("mode 'compiled' is for objectives that draw through vbook.noise; leave mode out") from error
        return pure(model, x, of_model[len(x)].again(generator), values)

    return with_noise_outside


def _mode(mode: str | None, on_gpu: bool, ascent: torch.optim.Optimizer, moving_rate: bool) -> str:
    fixed = moving_rate and not isinstance(ascent, torch.optim.Adam)  # a graph would keep the rate of its recording
    if mode is None:
        return "graph" if on_gpu and not fixed else "eager"
    if mode not in MODES:
        raise VbookError(f"unknown mode {mode!r}{nearest(mode, (*MODES, 'fastest'))}")
    if mode == "graph" and not on_gpu:
        raise VbookError("mode 'graph' is for data on a CUDA device; leave mode out, or take 'fastest'")
    if mode == "graph" and fixed:
        raise VbookError("mode 'graph' keeps the rate of its recording: with a schedule for lr take adam, or leave mode out")
    return mode
