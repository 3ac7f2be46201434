"""The report's figures 1 and 2 on MNIST: the bound, the term that it calls a marginal likelihood, and a real one."""

import copy

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vbook.distributions import draw
from vbook.evaluation import all_log_weights, log_px, per_datapoint
from vbook.experiments.chapter12.protocol import ascend, both_parts, network
from vbook.experiments.entries import least, over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup

SIZES = (2, 3, 5, 10)


def reconstruction_and_kl(model, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """log p(x|z) at one z ~ q(z|x), and KL(q(z|x)||p(z)) in closed form; (B, D) -> (B, 2) nats.

    Equation (25) is the first minus the second.
    """
    q = model.encode(x)
    log_px_z = model.decode(draw(q, 1, generator)).log_prob(x)[0]
    return torch.stack([log_px_z, kl_divergence(q, model.prior())], 1)


def parts_on(x: Tensor):
    """For ``ascend``: model -> the means of ``reconstruction_and_kl`` over x (N, D), by name."""

    def measure(model):
        reconstruction, kl = per_datapoint(model, x, reconstruction_and_kl).mean(0).tolist()
        return {"reconstruction": reconstruction, "kl": kl}

    return measure


@experiment(
    "ch12-bounds",
    title="replication, figures 1 and 2: thresholded MNIST, 784-100-z, AdaGrad 0.02",
    data="mnist",
    stand_in="digits",
    protocol="threshold",
    profiles={
        "smoke": dict(hidden=100, sizes=SIZES, updates=120, runs=1, points=100, samples=50),
        "laptop": dict(hidden=100, sizes=SIZES, updates=2_000, runs=1, points=1_000, samples=200),
        "paper": dict(hidden=100, sizes=SIZES, updates=10_000, runs=2, points=1_000, samples=500),
    },
)
def bounds(setup: Setup) -> Outcome:
    """Each size from several seeds, ``updates`` long; then as many again with a fresh AdaGrad, as the report made its figure 2.

    ``bound_Z`` is the mean over the minibatches of the last twentieth of the first part, ``kl_Z`` its KL on training images, and
    ``reconstruction_Z`` is E_q[log p(x|z)] on training images after the second part. On test images at the end of the first
    part: ``elbo_test_Z``, its two terms, and ``log_px_test_Z``, importance-sampled. ``least_gain`` is the smallest gain of the
    bound from one size to the next, ``bound_mean`` the mean over the sizes.
    """
    x, test = both_parts(setup), setup.test.x[: setup.points]
    seeds = [setup.seed + k for k in range(setup.runs)]
    names = ("bound", "kl", "reconstruction", "elbo_test", "reconstruction_test", "kl_test", "log_px_test", "gap_test")
    found = torch.zeros(len(seeds), len(setup.sizes), len(names), dtype=torch.float64)
    series, steps, examples, kept = {}, 0, 0, None
    options = dict(rows=20, evaluate=parts_on(x[: setup.points]))
    for i, seed in enumerate(seeds):
        for j, z_dim in enumerate(setup.sizes):
            model = network(x.shape[1], z_dim, setup.hidden, "bernoulli", seed=seed).to(setup.device)
            first = ascend(setup, f"{z_dim}-{seed}", model, x, setup.updates, seed=seed, **options)
            steps, examples = steps + first.steps, examples + first.examples
            if first.interrupted:
                return Outcome({}, series, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            pieces = per_datapoint(model, test, reconstruction_and_kl).mean(0)
            log_w = all_log_weights(model, test, setup.samples, seed=seed)
            estimate, low = log_px(log_w)[0].mean(), pieces[0] - pieces[1]
            if i == 0:
                series |= {"updates": first.column("step"), f"bound_{z_dim}": _rounded(first.column("train"))}
                series |= {f"{name}_{z_dim}": _rounded(first.column(name)) for name in ("reconstruction", "kl")}
                kept = kept or copy.deepcopy(model)
            again = ascend(setup, f"{z_dim}-{seed}-again", model, x, setup.updates, seed=seed + 1_000, **options)
            steps, examples = steps + again.steps, examples + again.examples
            if again.interrupted:
                return Outcome({}, series, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            if i == 0:
                series |= {f"{name}_{z_dim}_again": _rounded(again.column(name)) for name in ("reconstruction", "kl")}
            row = [first.rows[-1]["train"], first.rows[-1]["kl"], again.rows[-1]["reconstruction"]]
            found[i, j] = torch.tensor([*row, low, *pieces, estimate, estimate - low])
    metrics = {
        f"{name}_{z_dim}": over_seeds(found[:, j, k]) for k, name in enumerate(names) for j, z_dim in enumerate(setup.sizes)
    }
    metrics["bound_mean"] = over_seeds(found[:, :, 0].mean(1))
    metrics["least_gain"] = least(found[:, :, 0].diff(dim=1))
    return Outcome(metrics, series, kept, None, {}, steps, examples, seeds=seeds)


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in values]
