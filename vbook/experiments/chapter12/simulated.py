"""The report's test on simulated data, where the true log p(x) is known: fair coins and standard normal noise."""

import math

import torch

from vbook.bounds import elbo_analytic_kl
from vbook.evaluation import evaluate
from vbook.experiments.chapter12.protocol import ascend, network
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup

TRUTH = {"coins": -math.log(2), "normal": -0.5 * (1 + math.log(2 * math.pi))}  # E[log p] of one coordinate, nats
LIKELIHOOD_OF = {"coins": "bernoulli", "normal": "linear-gaussian"}


def draw_points(kind: str, shape: tuple[int, int], generator: torch.Generator) -> torch.Tensor:
    """Fair ``coins`` or standard ``normal`` noise, (N, D)."""
    normal = torch.randn(shape, generator=generator, device=generator.device)
    return (normal > 0).float() if kind == "coins" else normal


@experiment(
    "ch12-simulated",
    title="replication, section 6: 1,000 × 50 fair coins and normal numbers, drawn here",
    data="digits",
    stand_in="digits",
    protocol="threshold",
    profiles={
        "smoke": dict(hidden=100, z_dim=2, images=1_000, x_dim=50, updates=400),
        "laptop": dict(hidden=100, z_dim=2, images=1_000, x_dim=50, updates=10_000),
        "paper": dict(hidden=100, z_dim=2, images=1_000, x_dim=50, updates=10_000),
    },
)
def simulated(setup: Setup) -> Outcome:
    """The bound before training (``start``), and after it on the training points (``train``) and on ten times as many ``fresh``.

    ``truth`` is E[log p(x)] under the distribution that drew them. No bound can exceed it on fresh points, up to their scatter.
    """
    metrics, series, steps, examples = {}, {}, 0, 0
    drawn = f"simulated, {setup.images:,} × {setup.x_dim}"
    for kind, truth in TRUTH.items():
        generator = torch.Generator(setup.device).manual_seed(setup.seed)
        x = draw_points(kind, (setup.images, setup.x_dim), generator)
        fresh = draw_points(kind, (10 * setup.images, setup.x_dim), generator)
        model = network(setup.x_dim, setup.z_dim, setup.hidden, LIKELIHOOD_OF[kind], seed=setup.seed).to(setup.device)
        metrics[f"{kind}_start"] = evaluate(model, fresh, elbo_analytic_kl).metric()
        history = ascend(setup, kind, model, x, setup.updates, seed=setup.seed)
        steps, examples = steps + history.steps, examples + history.examples
        series |= {"updates": history.column("step"), kind: [round(v, 4) for v in history.column("train")]}
        if history.interrupted:
            return Outcome({}, series, steps=steps, examples=examples, interrupted=True, drawn=drawn)
        metrics[f"{kind}_train"] = evaluate(model, x, elbo_analytic_kl).metric()
        metrics[f"{kind}_fresh"] = evaluate(model, fresh, elbo_analytic_kl).metric()
        metrics[f"{kind}_truth"] = {"mean": setup.x_dim * truth, "unit": "nats"}
    return Outcome(metrics, series, steps=steps, examples=examples, drawn=drawn)
