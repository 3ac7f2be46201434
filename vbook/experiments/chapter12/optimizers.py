"""Five optimizers on the replication's network, from the same weights and with as many trials of the step for each."""

import dataclasses
import math
import statistics
import time

import torch
from torch import Tensor, nn

from vbook.errors import Diverged
from vbook.experiments.chapter12.protocol import OPTIMIZERS, ascend, both_parts, network
from vbook.experiments.entries import least, over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.training.optimizers import optimizer_for

CLAIMED = ("sgd", "adagrad", "rmsprop", "adam", "momentum")  # the report's order, from the worst to the best
GRIDS = {  # five steps each, a factor of about three apart, where a pilot of 2,000 updates had the best step inside
    "sgd": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "momentum": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "adagrad": (1e-2, 3e-2, 1e-1, 3e-1, 1.0),
    "rmsprop": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "adam": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
}
DATA = dict(data="mnist", stand_in="digits", protocol="threshold")


def expected_best(values: Tensor) -> Tensor:
    """The expected best of n trials, for n = 1, …, K, when the K ``values`` are tried in random order; (K,) -> (K,).

    The k-th smallest is the best of n with probability C(k − 1, n − 1)/C(K, n): the other n − 1 are among those below it.

    >>> expected_best(torch.tensor([3.0, 1.0, 2.0]))                                    # 2, (2 + 3 + 3)/3, 3
    tensor([2.0000, 2.6667, 3.0000], dtype=torch.float64)
    """
    ordered, count = values.double().sort().values, len(values)
    weights = [[math.comb(k, n) / math.comb(count, n + 1) for k in range(count)] for n in range(count)]
    return torch.tensor(weights, dtype=torch.float64) @ ordered


def without_latents(x: Tensor) -> float:
    """The mean over x (N, D), of 0 and 1, of the best log-probability that ignores z: one Bernoulli for each pixel, nats.

    It is minus the sum of their entropies. A bound that does no better has learnt nothing from its latents.
    """
    share = x.double().mean(0)
    return (torch.xlogy(share, share) + torch.xlogy(1 - share, 1 - share)).sum().item()


@experiment(
    "ch12-optimizers",
    title="replication, figure 5: five optimizers, equal starts and equal tuning",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, z_dim=2, updates=60, trials=3, runs=2),
        "laptop": dict(hidden=100, z_dim=2, updates=1_000, trials=5, runs=2),
        "paper": dict(hidden=100, z_dim=2, updates=10_000, trials=5, runs=2),
    },
)
def optimizers(setup: Setup) -> Outcome:
    """Each optimizer tries the ``trials`` middle steps of its grid from the same weights; its best then runs from fresh seeds.

    ``bound_NAME`` is the mean over the minibatches of the last twentieth, over ``runs`` seeds that had no say in the choice of
    the step; ``trial_NAME`` is the best of the trials, ``least_step`` the smallest step up in the report's order of the five, and
    ``without_latents`` what a model has that doesn't use any.
    A trial that diverges counts as minus D log 2, the bound of fair coins, where the training starts; so does one that ends below
    that: nobody would keep either.
    """
    x = both_parts(setup)
    seeds = [setup.seed + 1 + k for k in range(setup.runs)]
    metrics, series, finals = {}, {}, {}
    steps = examples = 0
    begin = None
    for name in OPTIMIZERS:
        skip = (len(GRIDS[name]) - setup.trials) // 2
        rates, ends, curves = GRIDS[name][skip : skip + setup.trials], [], {}
        best = None
        for seed, rate in [(setup.seed, rate) for rate in rates] + [(seed, None) for seed in seeds]:
            if rate is None:
                best = best or rates[ends.index(max(ends))]
            model = network(x.shape[1], setup.z_dim, setup.hidden, "bernoulli", seed=seed).to(setup.device)
            begin = -x.shape[1] * math.log(2) if begin is None else begin
            try:
                options = dict(optimizer=name, lr=rate or best, seed=seed)
                history = ascend(setup, f"{name}-{rate or best}-{seed}", model, x, setup.updates, **options)
            except Diverged:
                end, curve = begin, []
            else:
                steps, examples = steps + history.steps, examples + history.examples
                if history.interrupted:
                    return Outcome({}, series, steps=steps, examples=examples, interrupted=True, seeds=[setup.seed, *seeds])
                end, curve = max(history.rows[-1]["train"], begin), [round(v, 3) for v in history.column("train")]
                series["updates"] = history.column("step")
            if rate is not None:
                ends.append(end)
                curves[rate] = curve
            else:
                finals.setdefault(name, []).append(end)
        trials = torch.tensor(ends, dtype=torch.float64)
        series |= {f"rates_{name}": list(rates), f"trials_{name}": [round(v, 3) for v in ends], f"best_{name}": [best]}
        series |= {f"bound_{name}": curves[best], f"so_far_{name}": [round(v, 3) for v in expected_best(trials).tolist()]}
        metrics[f"bound_{name}"] = over_seeds(torch.tensor(finals[name], dtype=torch.float64))
        metrics[f"trial_{name}"] = {"mean": max(ends), "unit": "nats"}
        metrics[f"rate_{name}"] = {"mean": best, "unit": "step"}
    in_order = torch.tensor([finals[name] for name in CLAIMED], dtype=torch.float64).T  # (runs, optimizers)
    metrics["least_step"] = least(in_order.diff(dim=1))
    metrics["without_latents"] = {"mean": without_latents(x), "unit": "nats"}
    return Outcome(metrics, series, steps=steps, examples=examples, seeds=[setup.seed, *seeds])


@experiment(
    "ch12-times",
    title="replication, the table of times: 10,000 updates of five optimizers",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, z_dim=2, updates=20, rounds=3),
        "laptop": dict(hidden=100, z_dim=2, updates=200, rounds=15),
        "paper": dict(hidden=100, z_dim=2, updates=400, rounds=21),
    },
)
def times(setup: Setup) -> Outcome:
    """Seconds for 10,000 updates: the mean of ``rounds`` in which the five take turns, and of each the second half is timed.

    ``own_NAME`` is what the optimizer's own steps take of that, without the slopes: the median over the rounds, each of
    ``updates`` steps. ``own_foreach_NAME`` is the same in the one form that PyTorch has for all five, which goes through the
    weights once for each operation. On a CPU all are seconds of processor time. They leave out other programs' time, but not
    what those cost in cache and clock rate. Elsewhere they are seconds on the wall.
    """
    x, clock = both_parts(setup), time.process_time if setup.device == "cpu" else time.perf_counter
    taken, steps, examples = {name: [] for name in OPTIMIZERS}, 0, 0
    models = {name: network(x.shape[1], setup.z_dim, setup.hidden, "bernoulli").to(setup.device) for name in OPTIMIZERS}
    for k in range(setup.rounds):
        for name, model in models.items():
            bare = dataclasses.replace(setup, checkpoints=None)  # no checkpoint: it would hash all the data
            options = dict(optimizer=name, lr=GRIDS[name][0], rows=2, evaluate=lambda _: {"clock": clock()})
            history = ascend(bare, f"{name}-{k}", model, x, setup.updates, **options)
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, steps=steps, examples=examples, interrupted=True)
            half, end = history.rows
            taken[name].append(10_000 * (end["clock"] - half["clock"]) / (end["step"] - half["step"]))
    metrics = {
        f"seconds_{name}": over_seeds(torch.tensor(values, dtype=torch.float64), "s") | {"over": "rounds"}
        for name, values in taken.items()
    }
    series = {f"seconds_{name}": [round(value, 2) for value in values] for name, values in taken.items()}
    for key, values in _own_steps(models["sgd"], setup.rounds, setup.updates, clock).items():
        metrics[key] = {"mean": statistics.median(values), "unit": "s", "n": setup.rounds, "over": "rounds"}
        series[key] = [round(value, 3) for value in values]
    return Outcome(metrics, series, steps=steps, examples=examples)


def _own_steps(model: nn.Module, rounds: int, steps: int, clock) -> dict[str, list[float]]:
    """Seconds of 10,000 steps without slopes, by round, of each optimizer as ``fit`` runs it and in PyTorch's foreach form."""
    climbers = {}
    for name, kind in OPTIMIZERS.items():
        options = {} if isinstance(kind, str) else {key: value for key, value in kind.items() if key != "name"}
        for form in ("own", "own_foreach"):
            weights = [weight.detach().clone().requires_grad_() for weight in model.parameters()]
            climber = optimizer_for(kind, weights, GRIDS[name][0], 0.0, weights[0].device)
            if form == "own_foreach":
                climber = type(climber)(weights, lr=GRIDS[name][0], foreach=True, **options)
            for weight in weights:
                weight.grad = torch.full_like(weight, 1e-3)
            climber.step()  # the first one also makes the state
            climbers[f"{form}_{name}"] = climber
    taken = {key: [] for key in climbers}
    for _ in range(rounds):
        for key, climber in climbers.items():
            start = clock()
            for _ in range(steps):
                climber.step()
            taken[key].append(10_000 * (clock() - start) / steps)
    return taken
