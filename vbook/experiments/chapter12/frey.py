"""The report on Frey Face: raw pixels from 0 to 255, and what they do to tanh units and to the scale of the bound."""

import math

import torch
from torch import Tensor, nn

from vbook.experiments.chapter02.pictures import over_seeds
from vbook.experiments.chapter12.bounds import SIZES, least, parts_on
from vbook.experiments.chapter12.protocol import ADAGRAD, INIT_SD, ascend, network
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import VAE

LEVELS = 256.0  # a pixel on the [0, 1] scale of the data card, times this, is the level of the file
SATURATED = 0.99
FREY = dict(data="frey-face", stand_in="photos", protocol="real")


def shift(x_dim: int, factor: float) -> float:
    """What a bound gains when the data are divided by ``factor``: D log factor nats, from the density's change of variables.

    >>> round(shift(560, 256.0), 1)                                             # Frey Face, from 0..255 to [0, 1]
    3105.3
    """
    return x_dim * math.log(factor)


@torch.no_grad()
def saturation(model: VAE, x: Tensor, limit: float = SATURATED) -> float:
    """The share of the values of the encoder's first tanh units, over x (N, D), that are farther than ``limit`` from zero."""
    h = x
    for layer in model.encoder.net:
        h = layer(h)
        if isinstance(layer, nn.Tanh):
            break
    return (h.abs() > limit).double().mean().item()


def without_latents(x: Tensor) -> float:
    """The mean over x (N, D) of the best log-density that ignores z: one Gaussian for each pixel, −½ Σ_j (1 + log 2π v_j) nats.

    v_j is the variance of pixel j over x. A bound that does no better has learnt nothing from its latents.
    """
    return -0.5 * (1 + (2 * math.pi * x.double().var(0, correction=0)).log()).sum().item()


class Scaled(nn.Module):
    """x -> x · factor: a first layer without weights; (B, D) -> (B, D)."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@experiment(
    "ch12-frey",
    title="replication, figure 1 right: Frey Face on raw pixels, 560-100-z, AdaGrad 0.02",
    **FREY,
    profiles={
        "smoke": dict(hidden=20, sizes=SIZES, updates=60, points=200),
        "laptop": dict(hidden=100, sizes=SIZES, updates=4_000, points=1_600),
        "paper": dict(hidden=100, sizes=SIZES, updates=100_000, points=1_600),
    },
)
def frey(setup: Setup) -> Outcome:
    """The report's own set-up for four sizes: ``bound_Z`` over the minibatches of the last twentieth of the updates.

    ``unit_Z`` is the same number on the [0, 1] scale; ``reconstruction_Z`` and ``kl_Z`` are means over training images at the
    end; ``saturated_Z`` is the share of encoder units in the flat of the tanh, and ``saturated_start`` that before training.
    """
    x = setup.train.x * LEVELS
    metrics, series, steps, examples, bounds = {}, {}, 0, 0, []
    for z_dim in setup.sizes:
        model = network(x.shape[1], z_dim, setup.hidden, "linear-gaussian", seed=setup.seed).to(setup.device)
        start = saturation(model, x)
        options = dict(seed=setup.seed, evaluate=parts_on(x[: setup.points]))
        history = ascend(setup, f"raw-{z_dim}", model, x, setup.updates, **options)
        steps, examples = steps + history.steps, examples + history.examples
        series |= {"updates": history.column("step"), f"bound_{z_dim}": [round(v, 2) for v in history.column("train")]}
        if history.interrupted:
            return Outcome({}, series, steps=steps, examples=examples, interrupted=True)
        last = history.rows[-1]
        bounds.append(last["train"])
        values = {"bound": last["train"], "unit": last["train"] + shift(x.shape[1], LEVELS)}
        values |= {"reconstruction": last["reconstruction"], "kl": last["kl"]}
        metrics |= {f"{name}_{z_dim}": {"mean": value, "unit": "nats"} for name, value in values.items()}
        metrics[f"saturated_{z_dim}"] = {"mean": saturation(model, x), "unit": "of the units"}
        metrics["saturated_start"] = {"mean": start, "unit": "of the units"}
    metrics["without_latents"] = {"mean": without_latents(x), "unit": "nats"}
    bounds = torch.tensor([bounds], dtype=torch.float64)
    metrics |= {"bound_mean": over_seeds(bounds.mean(1)), "least_gain": least(bounds.diff(dim=1))}
    return Outcome(metrics, series, model, None, {}, steps, examples)


SETUPS = {  # likelihood, factor on the data, factor on what the encoder sees of them, thesis's sizes or the report's
    "raw": ("linear-gaussian", LEVELS, 1.0, False),
    "small_input": ("linear-gaussian", LEVELS, 1 / LEVELS, False),
    "unit": ("sigmoid-gaussian", 1.0, 1.0, False),
    "thesis": ("sigmoid-gaussian", 1.0, 1.0, True),
}


@experiment(
    "ch12-frey-scale",
    title="Frey Face with two latents: raw pixels, small inputs, the [0, 1] scale, the thesis's set-up",
    **FREY,
    profiles={
        "smoke": dict(hidden=20, thesis_hidden=40, z_dim=2, updates=60, points=200),
        "laptop": dict(hidden=100, thesis_hidden=200, z_dim=2, updates=10_000, points=1_600),
        "paper": dict(hidden=100, thesis_hidden=200, z_dim=2, updates=100_000, points=1_600),
    },
)
def frey_scale(setup: Setup) -> Outcome:
    """What makes the raw pixels so slow: one change at a time, with bounds on both scales, [0, 1] (``unit_*``) and ``raw_*``.

    ``small_input`` keeps the raw pixels in the likelihood and divides by 256 what the encoder sees. ``unit`` has the data on
    [0, 1] and a sigmoid on the mean; ``thesis`` besides 200 hidden units, weights from N(0, 0.1²) and their prior N(0, I).
    """
    metrics, series, steps, examples = {}, {}, 0, 0
    for name, (likelihood, factor, seen, is_thesis) in SETUPS.items():
        x = setup.train.x * factor
        hidden, sd = (setup.thesis_hidden, 0.1) if is_thesis else (setup.hidden, INIT_SD)
        model = network(x.shape[1], setup.z_dim, hidden, likelihood, sd, setup.seed).to(setup.device)
        if seen != 1.0:
            model.encoder.net = nn.Sequential(Scaled(seen), *model.encoder.net)
        start, to_unit = saturation(model, x), shift(x.shape[1], factor)
        options = dict(lr=ADAGRAD, seed=setup.seed, weight_decay=1 / len(x) if is_thesis else 0.0)
        history = ascend(setup, name, model, x, setup.updates, evaluate=parts_on(x[: setup.points]), **options)
        steps, examples = steps + history.steps, examples + history.examples
        series |= {"updates": history.column("step")}
        series |= {f"unit_{name}": [round(v + to_unit, 2) for v in history.column("train")]}
        if history.interrupted:
            return Outcome({}, series, steps=steps, examples=examples, interrupted=True)
        bound = history.rows[-1]["train"] + to_unit
        metrics[f"unit_{name}"] = {"mean": bound, "unit": "nats"}
        metrics[f"raw_{name}"] = {"mean": bound - shift(x.shape[1], LEVELS), "unit": "nats"}
        metrics[f"kl_{name}"] = {"mean": history.rows[-1]["kl"], "unit": "nats"}
        metrics[f"saturated_{name}"] = {"mean": saturation(model, x), "unit": "of the units"}
        metrics[f"saturated_start_{name}"] = {"mean": start, "unit": "of the units"}
    return Outcome(metrics, series, model, None, {}, steps, examples)
