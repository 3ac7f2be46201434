"""The report on Frey Face: raw pixels from 0 to 255, and what they do to tanh units and to the scale of the bound."""

import math

import torch
from torch import Tensor, nn

from vbook.experiments.chapter12.bounds import SIZES, parts_on
from vbook.experiments.chapter12.protocol import INIT_SD, ascend, network
from vbook.experiments.entries import least, over_seeds
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
        "laptop": dict(hidden=100, sizes=SIZES, updates=3_000, points=1_600),
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


@experiment(
    "ch12-frey-again",
    title="replication, figure 2 right: Frey Face on raw pixels, trained as long again with a fresh AdaGrad",
    **FREY,
    profiles={
        "smoke": dict(hidden=20, sizes=SIZES, updates=60, points=200),
        "laptop": dict(hidden=100, sizes=SIZES, updates=3_000, points=1_600),
        "paper": dict(hidden=100, sizes=SIZES, updates=100_000, points=1_600),
    },
)
def frey_again(setup: Setup) -> Outcome:
    """``ch12-frey``, and then as many updates again that start with an empty AdaGrad: how the report made its figure 2.

    ``reconstruction_Z`` and ``kl_Z`` are means over training images at the end. ``bound_Z`` is that over the minibatches of the
    last twentieth of the second part, ``first_Z`` the same of the first. ``least_gain`` is the smallest gain of the
    reconstruction from one size to the next.
    """
    x = setup.train.x * LEVELS
    metrics, series, steps, examples, ends = {}, {}, 0, 0, []
    for z_dim in setup.sizes:
        model = network(x.shape[1], z_dim, setup.hidden, "linear-gaussian", seed=setup.seed).to(setup.device)
        rows = []
        for part in range(2):
            options = dict(seed=setup.seed + 1_000 * part, evaluate=parts_on(x[: setup.points]))
            history = ascend(setup, f"again-{z_dim}-{part}", model, x, setup.updates, **options)
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, series, steps=steps, examples=examples, interrupted=True)
            rows.append(history.rows)
        last = rows[1][-1]
        series["updates"] = [row["step"] + setup.updates * part for part in range(2) for row in rows[part]]
        series |= {f"{name}_{z_dim}": [round(row[name], 2) for row in rows[0] + rows[1]] for name in ("train", "reconstruction")}
        values = {
            "reconstruction": last["reconstruction"],
            "kl": last["kl"],
            "bound": last["train"],
            "first": rows[0][-1]["train"],
        }
        metrics |= {f"{name}_{z_dim}": {"mean": value, "unit": "nats"} for name, value in values.items()}
        ends.append(last["reconstruction"])
    metrics["least_gain"] = least(torch.tensor([ends], dtype=torch.float64).diff(dim=1))
    return Outcome(metrics, series, model, None, {}, steps, examples)


UNIT = dict(likelihood="sigmoid-gaussian", factor=1.0)
# One change at a time. ``seen``: what the encoder's input is multiplied by; ``first``: what its first weights are multiplied by
# at the start; ``started``: see ``start_at``. AdaGrad's step stays as it is when all slopes are multiplied by a number, so with
# inputs 256 times smaller the same step changes the units' sums 256 times less: ``seen`` decides the step, ``seen · first`` the
# start.
SETUPS = {
    "raw": {},
    "small_input": dict(seen=1 / LEVELS),
    "restarted": dict(parts=10),
    "started": dict(started=True),
    "started_small_start": dict(started=True, first=1 / LEVELS),
    "started_small_step": dict(started=True, seen=1 / LEVELS, first=LEVELS),
    "started_small_input": dict(started=True, seen=1 / LEVELS),
    "unit": UNIT,
    "thesis": UNIT | dict(init_sd=0.1, weight_prior=True),
}


@torch.no_grad()
def start_at(model: VAE, x: Tensor) -> None:
    """Set the output biases of a linear Gaussian decoder to the mean and the log-variance of each pixel of x (N, D)."""
    model.decoder.net[-1].bias.copy_(torch.cat([x.mean(0), x.var(0, correction=0).log()]))


@experiment(
    "ch12-frey-scale",
    title="Frey Face with two latents: what holds the raw pixels back, one change at a time",
    **FREY,
    profiles={
        "smoke": dict(hidden=20, thesis_hidden=40, z_dim=2, updates=60, points=200),
        "laptop": dict(hidden=100, thesis_hidden=200, z_dim=2, updates=3_000, points=1_600),
        "paper": dict(hidden=100, thesis_hidden=200, z_dim=2, updates=100_000, points=1_600),
    },
)
def frey_scale(setup: Setup) -> Outcome:
    """The bound of each of SETUPS at the end, on both scales: [0, 1] (``unit_NAME``) and levels (``raw_NAME``).

    ``raw`` is the report's. ``small_input`` divides by 256 what its encoder sees, ``restarted`` forgets AdaGrad's sums ten times,
    ``started`` starts the decoder's output at the mean and variance of each pixel. A small input changes two things for the first
    layer, which ``started_small_start`` and ``started_small_step`` take apart: where the sums of its units start, and how far a
    step of AdaGrad moves them, both 256 times less. ``unit`` has the data on [0, 1] and a sigmoid
    on the mean; ``thesis`` besides 200 hidden units, weights from N(0, 0.1²) and their prior N(0, I). ``without_latents`` is what
    one Gaussian for each pixel reaches.
    """
    metrics, series, steps, examples = {}, {}, 0, 0
    for name, change in SETUPS.items():
        how = dict(likelihood="linear-gaussian", factor=LEVELS, seen=1.0, first=1.0, parts=1, started=False) | change
        how = dict(init_sd=INIT_SD, weight_prior=False) | how
        x = setup.train.x * how["factor"]
        hidden = setup.thesis_hidden if how["weight_prior"] else setup.hidden
        model = network(x.shape[1], setup.z_dim, hidden, how["likelihood"], how["init_sd"], setup.seed).to(setup.device)
        with torch.no_grad():
            model.encoder.net[0].weight *= how["first"]
        if how["seen"] != 1.0:
            model.encoder.net = nn.Sequential(Scaled(how["seen"]), *model.encoder.net)
        if how["started"]:
            start_at(model, x)
        start, to_unit, rows = saturation(model, x), shift(x.shape[1], how["factor"]), []
        decay = 1 / len(x) if how["weight_prior"] else 0.0
        for part in range(how["parts"]):  # each with an AdaGrad of its own
            options = dict(rows=20 // how["parts"], seed=setup.seed + 1_000 * part, weight_decay=decay)
            options |= dict(evaluate=parts_on(x[: setup.points]))
            history = ascend(setup, f"{name}-{part}", model, x, setup.updates // how["parts"], **options)
            steps, examples = steps + history.steps, examples + history.examples
            rows += history.rows
            if history.interrupted:
                return Outcome({}, series, steps=steps, examples=examples, interrupted=True)
        series["updates"] = [setup.updates * (k + 1) // len(rows) for k in range(len(rows))]
        series[f"unit_{name}"] = [round(row["train"] + to_unit, 2) for row in rows]
        bound, last = rows[-1]["train"] + to_unit, rows[-1]
        values = {"unit": bound, "raw": bound - shift(x.shape[1], LEVELS), "kl": last["kl"]}
        metrics |= {f"{key}_{name}": {"mean": value, "unit": "nats"} for key, value in values.items()}
        shares = {"saturated": saturation(model, x), "saturated_start": start}
        metrics |= {f"{key}_{name}": {"mean": share, "unit": "of the units"} for key, share in shares.items()}
    metrics["unit_without_latents"] = {"mean": without_latents(setup.train.x), "unit": "nats"}
    metrics["raw_without_latents"] = {"mean": without_latents(setup.train.x * LEVELS), "unit": "nats"}
    return Outcome(metrics, series, model, None, {}, steps, examples)
