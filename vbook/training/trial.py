"""Which way of running a step is the fastest here: a trial on copies, thrown away afterwards."""

import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vbook.errors import VbookError
from vbook.training.steps import Steps

ROUNDS, STEPS = 5, 10


def fastest(begin: Callable[..., Steps], model: nn.Module, optimizer_of: Callable, x: Tensor, size: int) -> str:
    """The mode in which a step on ``size`` of the data points ``x`` takes the least time, of those that run here.

    That is eager or compiled on a CPU, a graph or compiled on CUDA. ``begin(copy, optimizer, noise, pixels, mode)`` gives the
    steps of a copy of ``model``. Each mode takes its turn, ``ROUNDS`` times over, and the medians are compared.
    """
    rows, ways = torch.arange(size, device=x.device), {}
    for mode in (None, "compiled"):
        trial, draws = copy.deepcopy(model), (torch.Generator(x.device).manual_seed(k) for k in range(2))
        way = begin(trial, optimizer_of(trial.parameters()), *draws, mode)
        try:
            _seconds(way, rows, range(1, 1 + STEPS))  # compiles and records
        except (VbookError, RuntimeError):  # what is wrong with the run itself, the run will say
            if mode is None:
                return way.mode
        else:
            ways[way.mode] = way
    taken = {mode: [] for mode in ways}
    for _ in range(ROUNDS):
        for mode, way in ways.items():
            taken[mode].append(_seconds(way, rows, range(1, 1 + STEPS)))
    return min(ways, key=lambda mode: statistics.median(taken[mode]))


def _seconds(way: Steps, rows: Tensor, steps: range) -> float:
    start = time.perf_counter()
    for step in steps:
        way(step, rows)
    way.settle()
    if rows.device.type == "cuda":
        torch.cuda.synchronize(rows.device)
    return time.perf_counter() - start
