"""A VAE on the same noisy levels as the flow, so that their bits can be compared."""

import torch

from vbook.bounds import elbo_analytic_kl, iwae
from vbook.evaluation import per_datapoint
from vbook.experiments.chapter13.flow import MNIST, bits, halves, moved_test, with_shifts
from vbook.experiments.chapter13.judge import Judge, worth
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.flows import bits_per_dim, levels_of, of_levels
from vbook.models import VAE
from vbook.networks import GaussianDecoder, GaussianEncoder
from vbook.noise import normal
from vbook.training import fit


def gaussian_vae(x_dim: int, z_dim: int, hidden: int, seed: int) -> VAE:
    """ReLU networks and a Gaussian for each logit: inputs between −12 and 12 would hold tanh units in their flat parts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = GaussianEncoder(x_dim, z_dim, (hidden,), "relu")
        return VAE(encoder, GaussianDecoder(z_dim, x_dim, (hidden,), "relu"), z_dim)


SIZES = dict(hidden=500, z_dim=20, batch_size=128, lr=1e-3, warm_up=500, images=40_000, held=10_000)


@experiment(
    "ch13-vae-levels",
    title="a VAE, 784-500-20, on 256 levels: bits a dimension by importance sampling",
    **MNIST,
    profiles={
        "smoke": dict(
            hidden=100,
            z_dim=10,
            batch_size=64,
            lr=1e-3,
            warm_up=20,
            images=1_200,
            held=250,
            epochs=12,
            points=100,
            samples=50,
            draws=25,
        ),
        "laptop": SIZES | dict(epochs=10, points=1_000, samples=200, draws=1_000),
        "paper": SIZES | dict(epochs=40, points=10_000, samples=1_000, draws=1_000),
    },
)
def vae_levels(setup: Setup) -> Outcome:
    """p(h|z) is a Gaussian for each of the logits h that the flow is given, with its shifts and its noise.

    Adam's step grows to ``lr`` over the first ``warm_up`` updates: with the whole step from the start a variance can shrink
    faster than its mean finds the pixel, and the bound falls far below where it began. ``bits_elbo`` is by the bound,
    ``bits_valid`` by (2.57) with ``samples`` draws on ``points`` unshifted images. The decoder's means at ``draws`` latents are
    weighed as the other families' images are (see ``judge.worth``), and as ``draws_NAME`` draws of p(h|z) at the same latents,
    which are what the model says an image is.
    """
    (x, held), shape, dims = halves(setup), setup.train.shape, setup.train.x.shape[1]
    model = gaussian_vae(dims, setup.z_dim, setup.hidden, setup.seed).to(setup.device)
    bound = of_levels(elbo_analytic_kl)
    options = dict(epochs=setup.epochs, batch_size=setup.batch_size, seed=setup.seed, progress=setup.progress)
    options["lr"] = lambda step, whole=setup.lr, updates=setup.warm_up: whole * min(1.0, (step + 1) / updates)
    measure = lambda m: {"valid": per_datapoint(m, held, bound).mean().item()}  # noqa: E731
    start = per_datapoint(model, held, bound)
    history = fit(model, x, with_shifts(bound, shape), **options, **setup.resumable("levels"), evaluate=measure)
    series = {"epoch": history.column("epoch")}
    series |= {name: [round(bits_per_dim(v, dims), 4) for v in history.column(name)] for name in ("train", "valid")}
    counts = dict(steps=history.steps, examples=history.examples)
    if history.interrupted:
        return Outcome({}, series, interrupted=True, **counts)
    points = held[: setup.points]
    sampled = per_datapoint(model, points, of_levels(iwae), batch_size=max(1, 20_000 // setup.samples), samples=setup.samples)
    metrics = {"bits_untrained": bits(start, dims)}
    metrics |= {"bits_elbo": bits(per_datapoint(model, held, bound), dims), "bits_valid": bits(sampled, dims)}
    g = torch.Generator(setup.device).manual_seed(setup.seed + 1)
    with torch.no_grad():
        p = model.decode(torch.randn(setup.draws, setup.z_dim, generator=g, device=setup.device))
        means, draws = (levels_of(h) / 255 for h in (p.mean, p.mean + p.stddev * normal(p.mean.shape, p.mean, g)))
    judge, moved = Judge(setup, 10_000), moved_test(setup)
    metrics |= worth(judge, means, setup.test.x, moved)
    metrics |= {f"draws_{name}": entry for name, entry in worth(judge, draws, setup.test.x, moved).items()}
    return Outcome(metrics, series, model, None, {"samples": means[:25], "draws": draws[:25]}, **counts)
