"""``vbook bench train``: how near ``fit`` comes to the machine's limit, and how it stands beside others."""

import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vbook import data
from vbook.bench.limit import limit
from vbook.bench.machine import compiler, machine
from vbook.bench.peers import PEERS
from vbook.bounds import elbo, elbo_analytic_kl
from vbook.devices import check_device
from vbook.errors import VbookError
from vbook.models import vae
from vbook.training import fit

BATCH, STEPS, WARM = 100, 60, 10
MODES, GPU_MODES = ("eager", "compiled"), ("eager", "graph", "compiled")
FIRST = dict(x_dim=784, z_dim=20, hidden=(500,))
SECOND = dict(x_dim=784, z_dim=50, hidden=(400, 400), activation="relu")


def bench_train(device: str = "cpu", repetitions: int = 9, say: Callable[[str], None] = lambda line: None) -> dict:
    """Time one epoch of 6,000 images each way, ``repetitions`` times in turn; returns medians and ratios.

    ``limit_ratio`` is the time of a step's matrix products and one pass of fused Adam over that of a step of ``fit``, in the
    mode that measured faster; ``vs_dataloader``, ``vs_pythae`` and ``vs_pyro`` are how many times as many samples a second
    ``fit`` takes as they do (None where a peer isn't installed: the extra ``bench`` has them; CPU only). The ratio of a pair is
    the median of the ratios of its repetitions, so that a machine that others use as well disturbs both alike.
    """
    if repetitions < 1:
        raise VbookError(f"repetitions must be at least 1, got {repetitions}")
    check_device(device)
    x = _images(device)
    ways = {"limit": partial(limit(vae(**FIRST).to(device), BATCH), STEPS)}
    modes = list(MODES if torch.device(device).type == "cpu" else GPU_MODES)
    missing = {}
    if "compiled" in modes and not compiler():
        modes.remove("compiled")
        missing["compiled"] = "no C++ compiler is found here"
    for mode in modes:
        ways[f"fit {mode}"] = _trained(x, FIRST, mode)
    ways |= {f"second limit {kind}": partial(limit(_second(kind).to(device), BATCH), STEPS) for kind in ("bernoulli", "gaussian")}
    for kind in ("bernoulli", "gaussian"):
        for mode in modes:
            ways[f"second {kind} {mode}"] = _trained(x, SECOND | {"likelihood": kind}, mode)
    if torch.device(device).type == "cpu":
        for name, make in PEERS.items():
            try:
                ways[name] = make(x, BATCH)
            except ImportError as error:
                missing[name] = str(error)
    seconds = interleaved(ways, repetitions, device, say)
    return _report(seconds, missing, modes) | _growth(x, repetitions, device) | machine(device) | {"repetitions": repetitions}


def interleaved(ways: dict[str, Callable], repetitions: int, device: str, say=lambda line: None) -> dict[str, list[float]]:
    """Seconds of each way, one after the other, over and over; a first round that warms up isn't counted.

    A way may answer with its own seconds, where not all that it does is to be timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            own = way()
            _wait(device)
            if repetition:
                seconds[name].append(own if isinstance(own, float) else time.perf_counter() - start)
        say(f"repetition {repetition} of {repetitions}")
    return seconds


def ratio(a: list[float], b: list[float]) -> float:
    """The median of a/b over the repetitions.

    >>> ratio([1.0, 2.0, 9.0], [2.0, 4.0, 3.0])
    0.5
    """
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """The slope of log seconds over log size: 1 where time grows in proportion.

    >>> round(exponent([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    logs = ([math.log(v) for v in values] for values in (sizes, seconds))
    return statistics.linear_regression(*logs).slope


def _images(device: str) -> Tensor:
    """6,000 binary images from the embedded digits, over and over."""
    x = data.load("digits", "train", device, protocol="static").x
    return x.repeat(math.ceil(BATCH * STEPS / len(x)), 1)[: BATCH * STEPS].contiguous()


def _second(kind: str):
    return vae(**SECOND, likelihood=kind)


def _trained(x: Tensor, architecture: dict, mode: str) -> Callable[[], float]:
    """An epoch of ``fit`` that answers with its seconds, less what comes before: checks of the data, compilation, capture."""
    model = vae(**architecture).to(x.device)

    def epoch() -> float:
        ticks = {}

        def on_step(step, bound):
            if step in (WARM, WARM + STEPS):
                _wait(x.device)
                ticks[step] = time.perf_counter()

        # So small a step keeps pixels that never vary from driving a Gaussian's density to infinity.
        fit(model, x, elbo_analytic_kl, steps=WARM + STEPS, batch_size=BATCH, lr=1e-5, mode=mode, on_step=on_step)
        return ticks[WARM + STEPS] - ticks[WARM]

    return epoch


def _wait(device) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _growth(x: Tensor, repetitions: int, device: str) -> dict:
    """How the time of an epoch grows with the number of examples, and that of a step with the number of samples L."""
    model = vae(**FIRST).to(device)
    counts, draws = (1_500, 3_000, 6_000), (4, 16, 64)
    ways = {f"n {n}": partial(fit, model, x[:n], epochs=1, batch_size=BATCH, lr=1e-5) for n in counts}
    ways |= {f"L {s}": partial(fit, model, x[:200], partial(elbo, samples=s), epochs=1, batch_size=BATCH, lr=1e-5) for s in draws}
    seconds = {name: statistics.median(values) for name, values in interleaved(ways, min(5, repetitions), device).items()}
    return {
        "exponent_examples": exponent(list(counts), [seconds[f"n {n}"] for n in counts]),
        "exponent_samples": exponent(list(draws), [seconds[f"L {s}"] for s in draws]),
    }


def _report(seconds: dict[str, list[float]], missing: dict, modes: list[str]) -> dict:
    best = min(modes, key=lambda mode: statistics.median(seconds[f"fit {mode}"]))
    mine = seconds[f"fit {best}"]
    share = ratio(seconds["limit"], mine)
    report = {"limit_ratio": share, "mode": best}
    report |= {f"limit_ratio_{mode}": ratio(seconds["limit"], seconds[f"fit {mode}"]) for mode in modes}
    report |= {f"vs_{name}": ratio(seconds[name], mine) if name in seconds else None for name in PEERS}
    for kind in ("bernoulli", "gaussian"):
        of_second = max(ratio(seconds[f"second limit {kind}"], seconds[f"second {kind} {mode}"]) for mode in modes)
        report[f"second_share_{kind}"] = of_second / share
    report |= {"samples_per_second": BATCH * STEPS / statistics.median(mine), "missing": missing}
    return report | {"milliseconds_per_step": {name: 1e3 * statistics.median(values) / STEPS for name, values in seconds.items()}}
