"""K models in stacks of weights, and one step for all of them: the inside of ``fit_many``."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from vbook.errors import VbookError
from vbook.noise import Listener, Tape
from vbook.training.checks import check_bound
from vbook.training.graphs import captured
from vbook.training.optimizers import optimizer_for


class Bound(nn.Module):
    """An objective as a module that ``functional_call`` can run with other weights."""

    def __init__(self, model: nn.Module, objective: Callable):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x: Tensor, draws: list[Tensor], options: dict[str, Tensor]) -> Tensor:
        return self.objective(self.model, x, generator=Tape(draws), **options)


class Copies:
    """The weights of K models in stacks (K, …), and one step for all of them."""

    def __init__(self, models, x: Tensor, objective, grid, optimizer, weight_decay: float):
        bounds = [Bound(model, objective) for model in models]
        self.stacks, self.buffers = stack_module_state(bounds)
        try:
            self.base = copy.deepcopy(bounds[0])
        except Exception as error:  # a lock, or a result of the last step kept as an attribute
            said = str(error).partition("\n")[0]
            raise VbookError(f"the models can't be copied ({said}), as training together needs; leave together out") from error
        self.models, self.x, self.count, self.objective = models, x, len(models), objective
        self.noise = [torch.Generator(x.device).manual_seed(seed + 0x5EED) for seed, *_ in grid]
        names = grid[0][2]
        self.options = {n: torch.tensor([row[2][n] for row in grid], dtype=x.dtype, device=x.device) for n in names}
        self.first, self.rest, self.heard = grid[0][2], [row[2] for row in grid[1:] if row[2]], {}
        self.parts = {}  # by step size: an optimizer sees the stacks whole, or each copy's slice with its own step
        rates = [rate for _, rate, _ in grid]
        if len(set(rates)) == 1:
            groups = [{"params": [s for s in self.stacks.values() if s.requires_grad], "lr": rates[0]}]
        else:
            trained = [n for n, s in self.stacks.items() if s.requires_grad]
            self.parts = {(n, k): nn.Parameter(self.stacks[n].detach()[k]) for n in trained for k in range(self.count)}
            groups = [{"params": [self.parts[n, k] for n in trained], "lr": rate} for k, rate in enumerate(rates)]
        self.ascent = optimizer_for(optimizer, groups, rates[0], weight_decay, x.device)
        self.alive = torch.ones(self.count, dtype=torch.bool, device=x.device)
        self.failed = torch.zeros(self.count, dtype=torch.int64, device=x.device)  # the first step that was not finite
        self.at = torch.zeros((), dtype=torch.int64, device=x.device)
        self.graph, self.rows, self.frozen = None, None, {}

    def listen(self, rows: Tensor) -> None:
        """Learn which noise the objective draws for a minibatch of this size."""
        if rows.shape[1] not in self.heard:
            listener = self.heard[rows.shape[1]] = Listener(torch.Generator(self.x.device))
            batch = self.x[rows[0]]
            check_bound(self.objective(self.models[0], batch, generator=listener, **self.first), batch)
            for options in self.rest:  # what one of them refuses can't be told inside torch.func
                self.objective(self.models[0], batch, generator=Listener(torch.Generator(self.x.device)), **options)

    def __call__(self, step: int, rows: Tensor) -> Tensor:
        """One step on ``rows`` (K, B): the sums of the bounds, (K,)."""
        self.at.fill_(step)
        self.listen(rows)
        if self.x.device.type != "cuda":
            return self.step(rows)
        if self.graph is None:
            self.rows = rows.clone()
            kept = self.alive.clone(), self.failed.clone()
            with torch.cuda.device(self.x.device):
                self.graph, self.sums = captured(lambda: self.step(self.rows), self.ascent, self.noise)
            self.alive.copy_(kept[0])  # the rehearsals have no say in who is alive
            self.failed.copy_(kept[1])
        if rows.shape != self.rows.shape:
            return self.step(rows)
        self.rows.copy_(rows)
        self.graph.replay()
        return self.sums.clone()

    def step(self, rows: Tensor) -> Tensor:
        each = zip(*(self.heard[rows.shape[1]].again(g) for g in self.noise), strict=True)
        draws = [torch.stack(copies) for copies in each]  # (K, …) for each draw of the objective

        def bound(weights, buffers, x, draws, options):
            return functional_call(self.base, (weights, buffers), (x, draws, options))

        for stack in self.stacks.values():
            stack.grad = None
        values = vmap(bound)(self.stacks, self.buffers, self.x[rows], draws, self.options)  # (K, B)
        (-values.mean(1).sum()).backward()  # the copies share nothing: each gets its own slope
        with torch.no_grad():
            good = torch.isfinite(values).all(1)
            self.failed.copy_(torch.where(self.alive & ~good, self.at, self.failed))
            self.alive &= good
            if not self.x.is_cuda:
                self.freeze()
            for name, stack in self.stacks.items():
                if stack.grad is None:  # frozen, or no part of this objective
                    continue
                stack.grad.masked_fill_(_as(~self.alive, stack), 0.0)
                for k in range(self.count) if self.parts else ():
                    self.parts[name, k].grad = stack.grad[k]
            self.ascent.step()
        return torch.where(self.alive, values.detach().sum(1), math.nan)

    def parts_of_state(self) -> dict:
        """What a checkpoint must hold, by name; ``frozen`` apart."""
        parts = {f"weights {name}": stack for name, stack in self.stacks.items()}
        parts |= {f"buffer {name}": buffer for name, buffer in self.buffers.items()}
        parts |= {f"noise {k}": generator for k, generator in enumerate(self.noise)}
        return parts | {"optimizer": self.ascent, "alive": self.alive, "failed": self.failed}

    @torch.no_grad()
    def look(self, step: int) -> None:
        """Count those out whose weights the update of ``step`` has spoilt: no bound has told yet."""
        good = torch.stack([torch.isfinite(stack).flatten(1).all(1) for stack in self.stacks.values()]).all(0)
        self.failed.copy_(torch.where(self.alive & ~good, step, self.failed))
        self.alive &= good

    def freeze(self) -> None:
        """Put the weights of copies that have failed aside; without a slope they move on by their momentum only."""
        for k in (~self.alive).nonzero().flatten().tolist():
            if k not in self.frozen:
                self.frozen[k] = {name: stack.detach()[k].clone() for name, stack in self.stacks.items()}

    @torch.no_grad()
    def write_back(self) -> None:
        """Give the models their weights."""
        self.freeze()
        for k, model in enumerate(self.models):
            for name, p in model.named_parameters():
                p.copy_(self.frozen[k][f"model.{name}"] if k in self.frozen else self.stacks[f"model.{name}"][k])
            for name, buffer in model.named_buffers():
                buffer.copy_(self.buffers[f"model.{name}"][k])


def _as(flags: Tensor, stack: Tensor) -> Tensor:
    return flags.view(-1, *[1] * (stack.ndim - 1))
