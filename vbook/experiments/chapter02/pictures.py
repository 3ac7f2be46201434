"""What the models of thesis 2.11.3 look like: the face manifold (figure 2.7a), digits by latent size (2.8), faces (2.9)."""

import torch

from vbook.bounds import elbo_analytic_kl
from vbook.evaluation import evaluate
from vbook.experiments.chapter02.digits import DATA, train_vae, with_bounds
from vbook.experiments.chapter02.rivals import Run, at_both_ends, outside
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup

SIZES = {
    "smoke": dict(hidden=100, batch_size=64, lr=1e-3, epochs=4),
    "laptop": dict(hidden=500, batch_size=128, lr=1e-3, epochs=2),
}
SIZES["paper"] = SIZES["laptop"] | dict(epochs=40)


@experiment("ch02-vae-5", title="VAE 784-500-5 on static binary MNIST", **DATA, profiles=SIZES)
def vae_5(setup: Setup) -> Outcome:
    """Five latents, for figure 2.8b."""
    return with_bounds(setup, train_vae(setup, 5))


@experiment("ch02-vae-10", title="VAE 784-500-10 on static binary MNIST", **DATA, profiles=SIZES)
def vae_10(setup: Setup) -> Outcome:
    """Ten latents, for figure 2.8c."""
    return with_bounds(setup, train_vae(setup, 10))


@experiment(
    "ch02-frey-2",
    title="Frey Face with two latents",
    data="frey-face",
    stand_in="photos",
    protocol="real",
    profiles={
        "smoke": dict(hidden=20, lr=0.02, runs=1, marks=(1_000, 3_000)),
        "laptop": dict(hidden=200, lr=0.02, runs=1, marks=(100_000, 1_000_000)),
        "paper": dict(hidden=200, lr=0.02, runs=3, marks=(100_000, 1_000_000)),
    },
)
def frey_2(setup: Setup) -> Outcome:
    """AEVB by the thesis's protocol, from one seed or several: the bound at two marks. The first model draws figure 2.7a."""
    x, rest = setup.train.x, outside(setup)
    curves, first, steps, examples = {"train": [], "test": []}, None, 0, 0
    seeds = [setup.seed + k for k in range(setup.runs)]

    for seed in seeds:
        run = Run(setup, "aevb", x, 2, "gaussian", seed)
        model = run.train(setup.lr, setup.marks, at_both_ends(x, rest))
        first = first or (model, run.architecture)
        steps, examples = steps + run.history.steps, examples + run.history.examples
        if run.history.interrupted:
            return Outcome({}, {}, *first, {}, steps, examples, interrupted=True, seeds=seeds)
        for end, rows in curves.items():
            rows.append(run.history.column(f"at_{end}"))
    means = {end: torch.tensor(rows, dtype=torch.float64) for end, rows in curves.items()}  # (seeds, marks)
    metrics = {
        f"elbo_{end}_{at}": over_seeds(rows[:, k]) for end, rows in means.items() for k, at in enumerate(("early", "late"))
    }
    series = {"examples": list(setup.marks)}
    series |= {
        f"{end}_{seed}": [round(v, 2) for v in rows[k].tolist()] for end, rows in means.items() for k, seed in enumerate(seeds)
    }
    return Outcome(metrics, series, *first, {}, steps, examples, seeds=seeds)


@experiment(
    "ch02-faces",
    title="figure 2.9: faces (grey LFW, 32×32)",
    data="lfw",
    stand_in="photos",
    protocol="real",
    profiles={
        "smoke": dict(hidden=20, lr=0.02, z_dim=10, marks=(1_000, 3_000)),
        "laptop": dict(hidden=200, lr=0.02, z_dim=10, marks=(50_000, 200_000)),
        "paper": dict(hidden=200, lr=0.02, z_dim=10, marks=(1_000_000, 10_000_000)),
    },
)
def faces(setup: Setup) -> Outcome:
    """The model of Frey Face on many people's faces; the thesis names neither its latent size nor how long it trained."""

    def measure(model):
        return {"valid": evaluate(model, setup.valid.x, elbo_analytic_kl).mean}

    run = Run(setup, "aevb", setup.train.x, setup.z_dim, "gaussian")
    model = run.train(setup.lr, setup.marks, measure)
    history = run.history
    metrics = {} if history.interrupted else {"elbo_valid": evaluate(model, setup.valid.x, elbo_analytic_kl).metric()}
    series = {"examples": list(setup.marks), "valid": [round(v, 2) for v in history.column("valid")]}
    return Outcome(metrics, series, model, run.architecture, {}, history.steps, history.examples, history.interrupted)
