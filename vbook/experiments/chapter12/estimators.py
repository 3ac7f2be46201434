"""The report's two estimators of the bound, A and B: whose value and whose slopes scatter less while a network learns?"""

import torch
from torch import Tensor

from vbook.bounds import elbo, elbo_analytic_kl
from vbook.experiments.chapter12.optimizers import DATA
from vbook.experiments.chapter12.protocol import ADAGRAD, BATCH, OPTIMIZERS, both_parts, network
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.training import fit


@torch.enable_grad()
def scatter(model, x: Tensor, draws: int) -> dict[str, float]:
    """How A (7) and B (9) scatter over ``draws`` single draws, from the same noise, on the images x (B, D).

    ``calmer`` is the share of the images at which A's value has the smaller standard deviation. ``ratio`` is the scatter of the
    slopes of the mean over x, by all the encoder's weights, B's over A's: each the root of the sum of their variances.
    """
    weights, found = list(model.encoder.parameters()), []
    for estimator in (elbo, elbo_analytic_kl):
        noises = (torch.Generator(x.device).manual_seed(k) for k in range(draws))
        values = [estimator(model, x, 1, noise) for noise in noises]
        slopes = [torch.autograd.grad(value.mean(), weights) for value in values]
        slopes = torch.stack([torch.cat([slope.flatten() for slope in each]) for each in slopes])
        found.append((torch.stack(values).std(0), slopes.var(0).sum().sqrt()))
    (value_a, slope_a), (value_b, slope_b) = found
    return {"calmer": (value_a < value_b).double().mean().item(), "ratio": (slope_b / slope_a).item()}


@experiment(
    "ch12-estimators",
    title="replication, section 2.1: the scatter of estimators A and B while MNIST is learnt",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, sizes=(2, 10), updates=100, runs=2, images=100, draws=20),
        "laptop": dict(hidden=100, sizes=(2, 10), updates=500, runs=3, images=100, draws=50),
        "paper": dict(hidden=100, sizes=(2, 10), updates=10_000, runs=3, images=100, draws=50),
    },
)
def estimators(setup: Setup) -> Outcome:
    """``scatter`` on training images after 1, 10, 100, … updates and at the end, for each size and from several seeds.

    ``calmer_start_Z`` and ``ratio_start_Z`` are those after the first update, ``calmer_Z`` and ``ratio_Z`` those at the end;
    ``ratio_most`` is the largest ratio at any mark of any run, ``calmer_least`` the smallest share at the end of any.
    """
    x = both_parts(setup)
    marks = sorted({10**k for k in range(9) if 10**k <= setup.updates} | {setup.updates})
    seeds = [setup.seed + k for k in range(setup.runs)]
    found = torch.zeros(2, len(setup.sizes), len(seeds), len(marks), dtype=torch.float64)  # calmer, ratio
    steps = examples = 0
    how = dict(optimizer=OPTIMIZERS["adagrad"], lr=ADAGRAD, batch_size=BATCH, steps=setup.updates, rows_at=marks)
    for i, z_dim in enumerate(setup.sizes):
        for j, seed in enumerate(seeds):
            model = network(x.shape[1], z_dim, setup.hidden, "bernoulli", seed=seed).to(setup.device)
            watched = dict(evaluate=lambda model: scatter(model, x[: setup.images], setup.draws), progress=setup.progress)
            history = fit(model, x, elbo_analytic_kl, seed=seed, **how, **watched, **setup.resumable(f"{z_dim}-{seed}"))
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            found[:, i, j] = torch.tensor([history.column("calmer"), history.column("ratio")])
    metrics, series = {}, {"updates": marks}
    for name, values, unit in zip(("calmer", "ratio"), found, ("of the images", "B over A"), strict=True):
        for z_dim, runs in zip(setup.sizes, values, strict=True):
            metrics[f"{name}_start_{z_dim}"] = over_seeds(runs[:, 0], unit)
            metrics[f"{name}_{z_dim}"] = over_seeds(runs[:, -1], unit)
            series[f"{name}_{z_dim}"] = [round(value, 4) for value in runs.mean(0).tolist()]
    metrics["ratio_most"] = {"mean": found[1].max().item(), "unit": "B over A"}
    metrics["calmer_least"] = {"mean": found[0, :, :, -1].min().item(), "unit": "of the images"}
    return Outcome(metrics, series, steps=steps, examples=examples, seeds=seeds)
