"""Posterior collapse with and without remedies (thesis 2.9.1), and the variance of gradient estimators (2.10.1)."""

from functools import partial

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vbook.bounds import elbo, elbo_analytic_kl
from vbook.evaluation import evaluate, quotient, summarize
from vbook.experiments.chapter02.digits import DATA
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import vae
from vbook.objectives import annealed, free_bits
from vbook.score import score_function
from vbook.training import fit, warmup

DEEP = dict(z_dim=10, lr=1e-2, minimum=0.25, active=0.05)


def kl_per_latent(model, x: Tensor) -> Tensor:
    """The mean over x (B, D) of KL(q(z_j|x)||p(z_j)) for each latent; (Z,) nats."""
    with torch.no_grad():
        return kl_divergence(model.encode(x).base_dist, model.prior().base_dist).mean(0)


@experiment(
    "ch02-collapse",
    title="posterior collapse: the plain bound, KL warm-up, free bits",
    **DATA,
    profiles={
        "smoke": DEEP | dict(hidden=(50, 50, 50), images=640, batch_size=32, epochs=5, runs=1),
        "laptop": DEEP | dict(hidden=(200, 200, 200), images=20_000, batch_size=128, epochs=4, runs=2),
        "paper": DEEP | dict(hidden=(200, 200, 200), images=50_000, batch_size=128, epochs=40, runs=10),
    },
)
def collapse(setup: Setup) -> Outcome:
    """Three hidden ReLU layers on either side and a large step, from several seeds: the same network under three objectives.

    Warm-up raises β over the first half of the run; free bits ask ``minimum`` nats of each latent; ``active`` counts latents
    whose KL is above that many nats on validation images. All are judged by the plain bound.
    """
    x, valid = setup.train.x[: setup.images], setup.valid.x
    half = -(-len(x) // setup.batch_size) * setup.epochs // 2
    found, series = {}, {"epoch": list(range(1, setup.epochs + 1))}
    steps = examples = 0
    seeds = [setup.seed + k for k in range(setup.runs)]
    for seed in seeds:
        ways = {"plain": elbo_analytic_kl, "warmup": annealed, "free_bits": partial(free_bits, minimum=setup.minimum)}
        for way, objective in ways.items():
            model = vae(x.shape[1], setup.z_dim, hidden=setup.hidden, activation="relu", seed=seed).to(setup.device)
            history = fit(
                model,
                x,
                objective,
                epochs=setup.epochs,
                batch_size=setup.batch_size,
                lr=setup.lr,
                seed=seed,
                schedules={"beta": warmup(half)} if way == "warmup" else None,
                **setup.resumable(f"{way}-{seed}"),
                evaluate=lambda m: {"kl": kl_per_latent(m, valid).sum().item()},
                progress=setup.progress,
            )
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, series, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            kl = kl_per_latent(model, valid)
            series[f"{way}_{seed}"] = [round(value, 3) for value in history.column("kl")]
            used, bound = int((kl > setup.active).sum()), evaluate(model, valid, elbo).mean
            found.setdefault(way, []).append((bound, kl.sum().item(), float(used)))
    metrics = {}
    for way, rows in found.items():
        for name, unit, values in zip(
            ("elbo", "kl", "active"), ("nats", "nats", "latents"), torch.tensor(rows).double().T, strict=True
        ):
            metrics[f"{name}_{way}"] = over_seeds(values, unit)
    return Outcome(metrics, series, model, None, {}, steps, examples, seeds=seeds)


MANY = dict(sizes=(2, 5, 50), hidden=100, images=1_000, batch_size=64, lr=3e-3, active=0.1)


@experiment(
    "ch02-latents-used",
    title="exercise 2.10: how many latents a VAE uses, given time",
    data="digits",
    stand_in="digits",
    protocol="static",
    profiles={
        "smoke": MANY | dict(epochs=12, runs=1),
        "laptop": MANY | dict(epochs=100, runs=3),
        "paper": MANY | dict(epochs=100, runs=10),
    },
)
def latents_used(setup: Setup) -> Outcome:
    """The bound on validation images and the number of latents with a KL above ``active`` nats, for several latent sizes.

    ``gain`` is what the largest size has over the one before it, paired over the seeds.
    """
    x, valid, found = setup.train.x[: setup.images], setup.valid.x[: setup.images], {}
    steps = examples = 0
    seeds = [setup.seed + k for k in range(setup.runs)]
    for seed in seeds:
        for z_dim in setup.sizes:
            model = vae(x.shape[1], z_dim, hidden=(setup.hidden,), seed=seed).to(setup.device)
            options = dict(epochs=setup.epochs, batch_size=setup.batch_size, lr=setup.lr, seed=seed, progress=setup.progress)
            history = fit(model, x, elbo, **options, **setup.resumable(f"{z_dim}-{seed}"))
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, steps=steps, examples=examples, interrupted=True, seeds=seeds)
            used = (kl_per_latent(model, valid) > setup.active).sum().item()
            found.setdefault(z_dim, []).append((evaluate(model, valid, elbo).mean, float(used)))
    metrics, bounds = {}, {}
    for z_dim, rows in found.items():
        bounds[z_dim], used = torch.tensor(rows).double().T
        metrics |= {f"elbo_{z_dim}": over_seeds(bounds[z_dim], "nats"), f"used_{z_dim}": over_seeds(used, "latents")}
    metrics["gain"] = over_seeds(bounds[setup.sizes[-1]] - bounds[setup.sizes[-2]], "nats")
    return Outcome(metrics, steps=steps, examples=examples, seeds=seeds)


def gradient_variance(model, x: Tensor, objective, repeats: int, block: int, generator: torch.Generator) -> Tensor:
    """The sum over φ of the variances of ``objective``'s gradient, from ``block`` estimates on the same x (B, D) at a time.

    ``repeats`` estimates make ``repeats // block`` independent values, whose scatter tells the error of their mean.
    """
    phi = [p for p in model.encoder.parameters() if p.requires_grad]

    def slope():
        found = torch.autograd.grad(objective(model, x, generator=generator).mean(), phi)
        return torch.cat([g.flatten() for g in found]).double()

    def scatter():
        slopes = torch.stack([slope() for _ in range(block)])
        return (slopes - slopes.mean(0)).square().sum() / (block - 1)  # var(0).sum(), which walks along dimension 0 slowly

    return torch.stack([scatter() for _ in range(repeats // block)])


@experiment(
    "ch02-gradient-variance",
    title="variance of the ELBO's gradient: score function against reparameterisation",
    **DATA,
    profiles={
        "smoke": dict(images=10, samples=5, repeats=10, block=2),
        "laptop": dict(images=20, samples=5, repeats=100, block=5),
        "paper": dict(images=100, samples=5, repeats=1_000, block=10),
    },
)
def gradients(setup: Setup) -> Outcome:
    """How many times as many samples the score function needs for the variance of the reparameterised gradient.

    That is the ratio of the variances at equally many samples per image, for two latent sizes, before and after training, with
    the error from blocks of estimates.
    """
    x, metrics = setup.train.x[: setup.images], {}
    ways = {
        "score": partial(score_function, samples=setup.samples),
        "baseline": partial(score_function, samples=setup.samples, baseline="leave-one-out"),
    }
    for z_dim, model_id in ((2, "ch02-vae-2"), (20, "ch02-vae-20")):  # in full: so the digest knows its inputs
        trained = setup.run(model_id)
        for state, model in (("untrained", vae(**trained.architecture).to(setup.device)), ("trained", trained.model)):
            g = torch.Generator(setup.device).manual_seed(setup.seed)
            reference, *found = (
                summarize(gradient_variance(model, x, objective, setup.repeats, setup.block, g))
                for objective in (partial(elbo, samples=setup.samples), *ways.values())
            )
            for way, variance in zip(ways, found, strict=True):
                metrics[f"{way}_{state}_{z_dim}"] = quotient(variance, reference).metric("times") | {"over": "blocks"}
    return Outcome(metrics)
