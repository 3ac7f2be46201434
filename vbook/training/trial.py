"""Which way of running a step is the fastest here: a trial on copies, thrown away afterwards."""

import contextlib
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vbook.training.steps import Steps

ROUNDS, STEPS = 5, 10


def fastest(begin: Callable[..., Steps], model: nn.Module, optimizer_of: Callable, x: Tensor, size: int) -> str:
    """The mode in which a step on ``size`` of the data points ``x`` takes the least time, of those that run here.

    That is eager or compiled on a CPU, a graph or compiled on CUDA. ``begin(copy, optimizer, noise, pixels, mode)`` gives the
    steps of a copy of ``model``. Each mode takes its turn, ``ROUNDS`` times over, and the medians are compared; meanwhile there
    are two copies of the model and its optimizer. Random numbers are left as they were.
    """
    ways: dict[str, Steps] = {}
    default = "graph" if x.device.type == "cuda" else "eager"
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:size].to(x.device)
    with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
        # Whatever goes wrong here (a model that can't be copied, an objective that can't be compiled, no compiler, a step that
        # diverges) only means that there is no choice; what is wrong with the run itself, the run will say.
        with contextlib.suppress(Exception):
            for mode in (None, "compiled"):
                trial, draws = copy.deepcopy(model), (torch.Generator(x.device).manual_seed(k) for k in range(2))
                way = begin(trial, optimizer_of(trial.parameters()), *draws, mode)
                default = way.mode if mode is None else default
                _seconds(way, rows)  # compiles and records
                ways[way.mode] = way
            taken = {mode: [] for mode in ways}
            for _ in range(ROUNDS):
                for mode, way in ways.items():
                    taken[mode].append(_seconds(way, rows))
            return min(ways, key=lambda mode: statistics.median(taken[mode]))
    return default


def _seconds(way: Steps, rows: Tensor) -> float:
    start = time.perf_counter()
    for step in range(1, 1 + STEPS):
        way(step, rows)
    way.settle()
    if rows.device.type == "cuda":
        torch.cuda.synchronize(rows.device)
    return time.perf_counter() - start
