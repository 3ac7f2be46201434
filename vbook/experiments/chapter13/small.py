"""Small GANs: one that the page can carry, and several that show how the game goes wrong."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from vbook.adversarial import saturating
from vbook.errors import VbookError
from vbook.experiments.chapter13.gan import MNIST, latents, train_gan
from vbook.experiments.chapter13.judge import Judge, coverage
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import GAN, VAE
from vbook.networks import BernoulliDecoder

SMALL = dict(z_dim=16, sizes=(128, 256), judges=(256, 128), batch_size=64, lr=2e-4)
TOY = dict(z_dim=16, sizes=(64, 128), judges=(64,), batch_size=64, lr=5e-4, images=1_500)


@torch.no_grad()
def folded(model: GAN) -> VAE:
    """The generator as a decoder of ``vbook.networks`` without batch norm: the same pixels, one z at a time.

    Batch norm with the means and variances of training is a linear map, which the layer before it takes in, in double precision,
    and (tanh a + 1)/2 is the sigmoid of 2a. VbookError for a generator whose hidden units aren't plain ReLUs: pages know no
    others with a kink.
    """
    layers = list(copy.deepcopy(model.generator).double().eval())
    if any(isinstance(layer, nn.LeakyReLU) and layer.negative_slope for layer in layers):
        raise VbookError("only a generator of ReLUs can be folded: build the GAN with slope=0")
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    norm_of = {layers[k - 1]: layer for k, layer in enumerate(layers) if isinstance(layer, nn.BatchNorm1d)}
    decoder = BernoulliDecoder(model.z_dim, linear[-1].out_features, [layer.out_features for layer in linear[:-1]], "relu")
    for target, source in zip(decoder.net[::2], linear, strict=True):
        whole = fuse_linear_bn_eval(source, norm_of[source]) if source in norm_of else source
        last = 2.0 if source is linear[-1] else 1.0
        target.weight.copy_(last * whole.weight)
        target.bias.copy_(last * whole.bias)
    return VAE(None, decoder, model.z_dim)


@experiment(
    "ch13-gan-small",
    title="a GAN that fits into a page, 16-128-256-784",
    **MNIST,
    profiles={
        "smoke": TOY | dict(epochs=40, draws=250),
        "laptop": SMALL | dict(images=60_000, epochs=20, draws=2_000),
        "paper": SMALL | dict(images=60_000, epochs=150, draws=10_000),
    },
)
def gan_small(setup: Setup) -> Outcome:
    """The protocol of ``ch13-gan`` with ReLUs in the generator; its ``folded`` generator is kept for pages.

    ``folding_error`` is the largest difference between a pixel of the two.
    """
    model, history = train_gan(setup, "small", setup.seed, slope=0.0)
    counts = dict(steps=history.steps, examples=history.examples)
    if history.interrupted:
        return Outcome({}, interrupted=True, **counts)
    z, decoder = latents(setup, setup.draws, model), folded(model).to(setup.device)
    draws = model.pictures(z)
    with torch.no_grad():
        error = (decoder.decode(z).mean - draws).abs().max().item()
    metrics = {
        "value": {"mean": history.rows[-1]["train"], "unit": "nats"},
        "folding_error": {"mean": error, "unit": "of a pixel"},
    }
    metrics |= coverage(Judge(setup, 10_000).classes(draws))
    series = {"epoch": history.column("epoch"), "value": [round(v, 4) for v in history.column("train")]}
    architecture = dict(x_dim=draws.shape[1], z_dim=setup.z_dim, hidden=tuple(reversed(setup.sizes)), activation="relu")
    return Outcome(metrics, series, decoder, architecture, {"samples": draws[:25]}, **counts)


WAYS = {  # one change at a time to HOW
    "plain": {},
    "saturating": dict(gain=saturating),
    "no_dropout": dict(dropout=0.0),
    "long_memory": dict(beta=0.9),
}


@experiment(
    "ch13-gan-stability",
    title="the same game from several seeds, with one change at a time",
    **MNIST,
    profiles={
        "smoke": TOY | dict(epochs=20, draws=250, runs=1),
        "laptop": SMALL | dict(images=20_000, epochs=5, draws=1_000, runs=3),
        "paper": SMALL | dict(images=60_000, epochs=30, draws=2_000, runs=10),
    },
)
def gan_stability(setup: Setup) -> Outcome:
    """Each of WAYS from the same seeds: the ``value`` in the last epoch, ``classes`` and ``largest`` share among the draws."""
    judge, metrics, steps, examples = Judge(setup, 10_000), {}, 0, 0
    seeds = [setup.seed + k for k in range(setup.runs)]
    for way, change in WAYS.items():
        rows = []
        for seed in seeds:
            model, history = train_gan(setup, f"{way}-{seed}", seed, **change)
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            found = coverage(judge.classes(model.pictures(latents(setup, setup.draws, model))))
            rows.append([history.rows[-1]["train"], found["classes"]["mean"], found["largest_class"]["mean"]])
        units = {"value": "nats", "classes": "classes", "largest": "of the images"}
        for (name, unit), values in zip(units.items(), torch.tensor(rows).double().T, strict=True):
            metrics[f"{name}_{way}"] = over_seeds(values, unit)
    return Outcome(metrics, steps=steps, examples=examples, seeds=seeds)
