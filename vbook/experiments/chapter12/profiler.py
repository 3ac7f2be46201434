"""Where the time of a training goes, as Python's own profiler sees it: the replication's figures 6 and 7."""

import copy
import cProfile
import dataclasses
from collections.abc import Callable

import torch

from vbook.experiments.chapter12.optimizers import DATA
from vbook.experiments.chapter12.protocol import ascend, both_parts, network
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup

# What the calls of PyTorch's compiled functions are for, by pieces of the profiler's names; torch.tanh and its like, which are
# methods of a type, have no "torch" in theirs.
CALLS = {
    "slopes": ("run_backward",),
    "layers": ("_nn.linear",),
    "optimizer": ("_adagrad_", "_foreach_"),
    "rest": ("torch", " of type object at "),
}


def shares(action: Callable[[], object]) -> dict[str, float]:
    """Run ``action``: the shares of its time by CALLS, that of Python with its own built-in functions, and ``calls``.

    A call is for the first of CALLS that fits; ``calls`` counts those for the slopes. Times are the profiler's internal ones,
    each call without those that it makes.

    >>> found = shares(lambda: torch.ones(3, requires_grad=True).sum().backward())
    >>> found["calls"], round(sum(share for name, share in found.items() if name != "calls"), 6)
    (1, 1.0)
    """
    profile = cProfile.Profile()
    profile.runcall(action)
    times, calls = dict.fromkeys((*CALLS, "python"), 0.0), 0
    for entry in profile.getstats():
        name = entry.code if isinstance(entry.code, str) else ""  # of functions written in Python it is the code
        kind = next((kind for kind, pieces in CALLS.items() if any(piece in name for piece in pieces)), "python")
        times[kind] += entry.inlinetime
        calls += entry.callcount if kind == "slopes" else 0
    total = sum(times.values())
    return {kind: seconds / total for kind, seconds in times.items()} | {"calls": calls}


@experiment(
    "ch12-profile",
    title="replication, figures 6 and 7: where the time of a training goes",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, z_dim=2, updates=20, rounds=3),
        "laptop": dict(hidden=100, z_dim=2, updates=1_000, rounds=10),
        "paper": dict(hidden=100, z_dim=2, updates=1_000, rounds=10),
    },
)
def profile(setup: Setup) -> Outcome:
    """Shares of the time of a whole training of ``rounds`` × ``updates``, and of one that ends after a minibatch (``one_``).

    ``inside`` is what PyTorch's compiled functions take, ``calls`` how often the slopes were computed in all. Errors are over
    rounds: each profiles a piece of the training, and a training of one minibatch from new weights.
    """
    x, bare = both_parts(setup), dataclasses.replace(setup, checkpoints=None, progress=False)
    model = network(x.shape[1], setup.z_dim, setup.hidden, "bernoulli").to(setup.device)
    # the first training of a process also imports what PyTorch imports late: it isn't profiled
    whole, one, histories = [], [], [ascend(bare, "", copy.deepcopy(model), x, 1, rows=1, mode="eager")]
    for k in range(setup.rounds):
        fresh = network(x.shape[1], setup.z_dim, setup.hidden, "bernoulli", seed=k).to(setup.device)
        for found, net, updates in ((one, fresh, 1), (whole, model, setup.updates)):

            def climb(net=net, updates=updates, seed=k):
                histories.append(ascend(bare, "", net, x, updates, rows=1, mode="eager", seed=seed))

            found.append(shares(climb))
            if histories[-1].interrupted:
                return Outcome({}, interrupted=True)
    metrics = {"calls": {"mean": float(sum(found.pop("calls") for found in whole)), "unit": "calls"}}
    for prefix, rounds in (("", whole), ("one_", one)):
        for kind in (*CALLS, "python"):
            metrics[f"{prefix}{kind}"] = _share([found[kind] for found in rounds])
        metrics[f"{prefix}inside"] = _share([1 - found["python"] for found in rounds])
    return Outcome(metrics, steps=sum(h.steps for h in histories), examples=sum(h.examples for h in histories))


def _share(values: list[float]) -> dict:
    return over_seeds(torch.tensor(values, dtype=torch.float64), "of the time") | {"over": "rounds"}
