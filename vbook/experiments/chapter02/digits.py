"""Experiments of chapter 2, first half: the VAE on binary MNIST, its posterior, and its marginal likelihood."""

from functools import partial

import torch

from vbook.bounds import elbo, elbo_analytic_kl, iwae, log_mean_exp, terms
from vbook.descriptions import describe_function
from vbook.evaluation import all_log_weights, effective_sample_size, evaluate, log_px, per_datapoint, summarize
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import vae
from vbook.training import fit

DATA = dict(data="binarized-mnist", stand_in="digits", protocol="static")


def train_vae(
    setup: Setup,
    z_dim: int,
    *,
    objective=elbo_analytic_kl,
    posterior: str = "factorized",
    images: int | None = None,
    curve: bool = True,
    snapshots=(),
) -> Outcome:
    """Train one VAE at the setup's sizes, on the first ``images`` of the training set, with its bound curves and no metrics.

    Without ``curve`` the validation images are left alone; ``snapshots`` are the epochs whose samples from the prior are kept.
    """
    x = setup.train.x[:images]
    architecture = dict(x_dim=x.shape[1], z_dim=z_dim, hidden=(setup.hidden,), posterior=posterior, seed=setup.seed)
    model = vae(**architecture).to(setup.device)
    noise = torch.Generator(setup.device).manual_seed(setup.seed + 1)
    z = torch.randn(16, z_dim, generator=noise, device=setup.device)
    drawn = {}

    def keep_samples(model, row):
        if row["epoch"] in snapshots:
            with torch.no_grad():
                drawn[row["epoch"]] = model.decode(z).mean

    keep_samples(model, {"epoch": 0})
    history = fit(
        model,
        x,
        objective,
        epochs=setup.epochs,
        batch_size=setup.batch_size,
        lr=setup.lr,
        seed=setup.seed,
        evaluate=(lambda m: {"valid": evaluate(m, setup.valid.x, elbo).mean}) if curve else None,
        on_epoch=keep_samples,
        progress=setup.progress,
        **setup.resumable(f"{z_dim}-{posterior}-{describe_function(objective)}"),
    )
    series = {name: history.column(name) for name in ("epoch", "train", "valid")}
    series = {name: [round(value, 3) for value in values] for name, values in series.items() if values}
    return Outcome({}, series, model, architecture, {"samples": drawn}, history.steps, history.examples, history.interrupted)


def with_bounds(setup: Setup, outcome: Outcome) -> Outcome:
    """``outcome`` of ``train_vae`` with the bounds of its model, untrained and trained, as metrics."""
    untrained = vae(**outcome.architecture).to(setup.device)
    pieces = per_datapoint(outcome.model, setup.valid.x, reconstruction_and_rest)
    outcome.metrics = {
        "elbo_untrained": evaluate(untrained, setup.valid.x, elbo).metric(),
        "elbo_train": evaluate(outcome.model, setup.train.x, elbo).metric(),
        "elbo_valid": summarize(pieces.sum(1)).metric(),
        "reconstruction_valid": summarize(pieces[:, 0]).metric(),
    }
    return outcome


def reconstruction_and_rest(model, x, generator):
    """log p(x|z) and log p(z) − log q(z|x) at one z ~ q(z|x), whose sum is the bound; (B, D) -> (B, 2) nats."""
    t = terms(model, x, 1, generator)
    return torch.stack([t["log_px_z"][0], (t["log_pz"] - t["log_qz_x"])[0]], 1)


FULL = dict(hidden=500, batch_size=128, lr=1e-3, epochs=40)


@experiment(
    "ch02-vae-20",
    title="VAE 784-500-20 on static binary MNIST",
    **DATA,
    profiles={"smoke": dict(hidden=200, batch_size=64, lr=1e-3, epochs=12), "laptop": FULL, "paper": FULL},
)
def vae_20(setup: Setup) -> Outcome:
    """Twenty latents: bound curves and samples through training (assignment questions 1.12–1.14 ask for the same)."""
    return with_bounds(setup, train_vae(setup, 20, snapshots=(0, setup.epochs // 2, setup.epochs)))


@experiment(
    "ch02-vae-2",
    title="VAE 784-500-2 on static binary MNIST",
    **DATA,
    profiles={"smoke": dict(hidden=200, batch_size=64, lr=1e-3, epochs=12), "laptop": FULL, "paper": FULL},
)
def vae_2(setup: Setup) -> Outcome:
    """Two latents: the manifold of figure 2.7b."""
    return with_bounds(setup, train_vae(setup, 2))


@experiment(
    "ch02-posterior",
    title="factorised against full-covariance posterior, 5 latents",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, batch_size=64, lr=1e-3, epochs=6, z_dim=5),
        "laptop": dict(hidden=100, batch_size=128, lr=1e-3, epochs=5, z_dim=5),
        "paper": dict(hidden=500, batch_size=128, lr=1e-3, epochs=40, z_dim=5),
    },
)
def posterior(setup: Setup) -> Outcome:
    """The same VAE twice, (2.36) against (2.53), trained alike; ``gain`` is the paired difference of their validation bounds."""
    rows, metrics, series = {}, {}, {}
    steps = examples = 0
    interrupted = False
    for name in ("factorized", "full-covariance"):
        outcome = train_vae(setup, setup.z_dim, objective=elbo, posterior=name)
        rows[name] = per_datapoint(outcome.model, setup.valid.x, elbo, samples=10)
        metrics[f"elbo_{name}"] = summarize(rows[name]).metric()
        series |= {"epoch": outcome.series["epoch"], name: outcome.series["valid"]}
        steps, examples, interrupted = steps + outcome.steps, examples + outcome.examples, outcome.interrupted
        if interrupted:
            break
    else:
        metrics["gain"] = summarize(rows["full-covariance"] - rows["factorized"]).metric()
    return Outcome(metrics, series, outcome.model, None, {}, steps, examples, interrupted)


@experiment(
    "ch02-marginal",
    title="importance-sampled log p(x) as L grows",
    **DATA,
    profiles={
        "smoke": dict(points=50, samples=256),
        "laptop": dict(points=200, samples=4096),
        "paper": dict(points=1000, samples=16384),
    },
)
def marginal(setup: Setup) -> Outcome:
    """The mean of (2.57) over test points for L = 1, 4, 16, …, all from one set of samples of the 20-latent model.

    Errors come from the scatter of disjoint groups of samples, not from the delta method, which a few large weights deceive.
    """
    trained = setup.run("ch02-vae-20")
    log_w = all_log_weights(trained.model, setup.test.x[: setup.points], setup.samples, seed=setup.seed)
    sizes = [4**k for k in range(20) if 4**k <= setup.samples]
    metrics, series = {}, {"L": sizes, "bound": [], "standard_error": []}
    estimate = log_px(log_w)[0]
    for size in sizes:
        # Every sample is used at every L, in disjoint groups, so that small L is not estimated from fewer samples than large L.
        groups = log_mean_exp(log_w.unflatten(0, (size, -1))).mean(1)  # (groups,) mean over the data points
        # One group alone has no scatter; that of its four quarters, seen one step before, stands in.
        scatter = groups.std().item() / len(groups) ** 0.5 if len(groups) > 1 else series["standard_error"][-1]
        series["bound"].append(round(groups.mean().item(), 3))
        series["standard_error"].append(round(scatter, 4))
    error = series["standard_error"][-1]
    metrics["elbo_test"] = summarize(log_w.mean(0)).metric()
    metrics["log_px_test"] = summarize(estimate).metric()
    metrics["monte_carlo_error"] = {"mean": error, "unit": "nats"}
    metrics["gap"] = summarize(estimate - log_w.mean(0)).metric()
    metrics["effective_sample_size"] = summarize(effective_sample_size(log_w)).metric("samples")
    return Outcome(metrics, series, trained.model)


@experiment(
    "ch02-iwae",
    title="importance-weighted training with L = 1, 5, 20",
    **DATA,
    profiles={
        "smoke": dict(hidden=100, batch_size=32, lr=1e-3, epochs=3, z_dim=20, images=1_297, points=200, samples=32),
        "laptop": dict(hidden=100, batch_size=16, lr=1e-3, epochs=1, z_dim=20, images=25_000, points=300, samples=500),
        "paper": dict(hidden=500, batch_size=128, lr=1e-3, epochs=40, z_dim=20, images=50_000, points=1000, samples=5000),
    },
)
def importance_weighted(setup: Setup) -> Outcome:
    """Train with (2.57) at several L; compare log p(x), the one-sample ELBO and the effective sample size of what comes out.

    ``average20`` is the control: as many samples per datapoint as ``L20``, but their log weights averaged (the ELBO). What it
    gains over ``L1`` is owed to the samples, what ``L20`` gains over it to the bound, both paired over the test points.
    """
    objectives = {"L1": (iwae, 1), "average20": (elbo, 20), "L5": (iwae, 5), "L20": (iwae, 20)}
    rows, metrics, series = {}, {}, {}
    steps = examples = 0
    interrupted = False
    for name, (bound, size) in objectives.items():
        outcome = train_vae(setup, setup.z_dim, objective=partial(bound, samples=size), images=setup.images, curve=False)
        log_w = all_log_weights(outcome.model, setup.test.x[: setup.points], setup.samples, seed=setup.seed)
        rows[name] = log_px(log_w)[0]
        metrics[f"log_px_{name}"] = summarize(rows[name]).metric()
        metrics[f"elbo_{name}"] = summarize(log_w.mean(0)).metric()
        metrics[f"ess_{name}"] = summarize(effective_sample_size(log_w)).metric("samples")
        series |= {"epoch": outcome.series["epoch"], name: outcome.series["train"]}
        steps, examples, interrupted = steps + outcome.steps, examples + outcome.examples, outcome.interrupted
        if interrupted:
            break
    else:
        metrics["gain_samples"] = summarize(rows["average20"] - rows["L1"]).metric()
        metrics["gain_bound"] = summarize(rows["L20"] - rows["average20"]).metric()
    return Outcome(metrics, series, outcome.model, None, {}, steps, examples, interrupted)
