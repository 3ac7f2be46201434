"""AEVB against wake-sleep and Monte Carlo EM under the protocol of thesis 2.11: figures 2.5 and 2.6."""

import torch

from vbook.bounds import elbo_analytic_kl
from vbook.errors import Diverged
from vbook.evaluation import evaluate, per_datapoint, sandwich, summarize
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.mcem import fit_mcem
from vbook.models import vae
from vbook.objectives import wake_sleep
from vbook.training import fit

OBJECTIVES = {"aevb": elbo_analytic_kl, "wake_sleep": wake_sleep}
BATCH = 100
RATES = (0.01, 0.02, 0.1)
PAPER = dict(pilot=100_000, marks=(100_000, 300_000, 1_000_000, 3_000_000, 10_000_000))


class Run:
    """One model under the thesis's protocol: weights from N(0, 0.1²) and with a prior N(0, I), Adagrad, minibatches of 100.

    ``method`` is a key of OBJECTIVES, or ``mcem``. ``steps`` and ``examples`` count all its trainings that came to their end.
    """

    def __init__(self, setup: Setup, method: str, x, z_dim: int, likelihood: str = "bernoulli", seed: int | None = None):
        self.setup, self.method, self.x = setup, method, x
        self.seed = setup.seed if seed is None else seed
        self.architecture = dict(x_dim=x.shape[1], z_dim=z_dim, hidden=(setup.hidden,), likelihood=likelihood, init_sd=0.1)
        self.architecture |= dict(seed=self.seed)
        self.history, self.steps, self.examples = None, 0, 0

    def train(self, rate: float, marks, measure=None):
        """A fresh model, trained on ``marks[-1]`` examples, with a row of ``measure(model)`` at each mark."""
        steps = [mark // BATCH for mark in marks]
        options = dict(steps=steps[-1], rows_at=steps, batch_size=BATCH, lr=rate, seed=self.seed, evaluate=measure)
        options |= dict(progress=self.setup.progress)
        options |= self.setup.resumable(
            "-".join(map(str, (self.method, *self.architecture.values(), len(self.x), rate, steps[-1])))
        )
        model = vae(**self.architecture).to(self.setup.device)
        if self.method == "mcem":
            self.history = fit_mcem(model, self.x, weight_prior=True, **options)
        else:
            options |= dict(optimizer="adagrad", weight_decay=1 / len(self.x))
            self.history = fit(model, self.x, OBJECTIVES[self.method], **options)
        self.steps, self.examples = self.steps + self.history.steps, self.examples + self.history.examples
        return model

    def train_at_the_best_rate(self, pilot: int, marks, measure=None):
        """``train`` at the rate of RATES that does best on training data in the second half of ``pilot`` examples.

        Best is the mean of what ``fit`` or ``fit_mcem`` records: for AEVB the bound that it ascends, for wake-sleep the
        one-sample bound, which it doesn't ascend in φ, for Monte Carlo EM log p(x, z) at its chains. A rate at which the run
        diverges, early or late, is passed over. Returns the model and the rate.
        """
        tried = {}
        for rate in RATES:
            try:
                self.train(rate, [pilot // 2, pilot])
            except Diverged:
                continue
            if self.history.interrupted:
                return None, rate
            tried[rate] = self.history.rows[-1]["train"]
        for rate in sorted(tried, key=tried.get, reverse=True):
            try:
                return self.train(rate, marks, measure), rate
            except Diverged:
                continue
        raise Diverged(f"{self.method} with {self.architecture['z_dim']} latents diverges at every rate of {RATES}")


def outside(setup: Setup):
    """The images that no model was trained on and no choice was made by: for Frey Face the 365 frames of thesis and code."""
    return torch.cat([setup.valid.x, setup.test.x]) if setup.train.name == "frey-face" else setup.test.x


def at_both_ends(train, test):
    """For ``Run.train``: model -> its bound on training and on test images."""
    ends = {"at_train": train, "at_test": test}
    return lambda model: {name: evaluate(model, images, elbo_analytic_kl).mean for name, images in ends.items()}


def compare_bounds(setup: Setup, likelihood: str) -> Outcome:
    """A panel of figure 2.5: the bound on training and test images as training goes on, for each method.

    ``advantage`` is what AEVB has over wake-sleep at the end, paired over the test images.
    """
    x, test = setup.train.x, outside(setup)[: setup.points]
    metrics, series, rows = {}, {"examples": list(setup.marks)}, {}
    steps = examples = 0

    measure = at_both_ends(x[: setup.points], test)
    for method in OBJECTIVES:
        run = Run(setup, method, x, setup.z_dim, likelihood)
        model, rate = run.train_at_the_best_rate(setup.pilot, setup.marks, measure)
        steps, examples = steps + run.steps, examples + run.examples
        if run.history.interrupted:
            return Outcome(metrics, series, steps=steps, examples=examples, interrupted=True)
        rows[method] = per_datapoint(model, test, elbo_analytic_kl)
        metrics[f"elbo_test_{method}"] = summarize(rows[method]).metric()
        series |= {f"{method}_{end}": [round(v, 3) for v in run.history.column(f"at_{end}")] for end in ("train", "test")}
        series[f"{method}_rate"] = [rate]
    metrics["advantage"] = summarize(rows["aevb"] - rows["wake_sleep"]).metric()
    return Outcome(metrics, series, model, None, {}, steps, examples)


def rivals_mnist(setup: Setup) -> Outcome:
    """Bernoulli pixels, 500 hidden units."""
    return compare_bounds(setup, "bernoulli")


def rivals_frey(setup: Setup) -> Outcome:
    """Gaussian pixels on the [0, 1] scale, 200 hidden units."""
    return compare_bounds(setup, "gaussian")


# An experiment for each panel of the figure: at ``paper`` each takes up to an hour of a core.
for z_dim in (3, 5, 10, 20, 200):
    experiment(
        f"ch02-rivals-mnist-{z_dim}",
        title=f"figure 2.5, MNIST with {z_dim} latents: AEVB against wake-sleep",
        data="binarized-mnist",
        stand_in="digits",
        protocol="static",
        profiles={
            "smoke": dict(z_dim=z_dim, hidden=30, pilot=300, marks=(300, 600, 1_200), points=100),
            "laptop": dict(z_dim=z_dim, hidden=500, pilot=3_000, marks=(10_000, 30_000, 100_000), points=2_000),
            "paper": PAPER | dict(z_dim=z_dim, hidden=500, points=10_000),
        },
    )(rivals_mnist)
for z_dim in (2, 5, 10, 20):
    experiment(
        f"ch02-rivals-frey-{z_dim}",
        title=f"figure 2.5, Frey Face with {z_dim} latents: AEVB against wake-sleep",
        data="frey-face",
        stand_in="photos",
        protocol="real",
        profiles={
            "smoke": dict(z_dim=z_dim, hidden=20, pilot=200, marks=(200, 400, 800), points=100),
            "laptop": dict(z_dim=z_dim, hidden=200, pilot=3_000, marks=(10_000, 30_000, 100_000), points=2_000),
            "paper": PAPER | dict(z_dim=z_dim, hidden=200, points=2_000),
        },
    )(rivals_frey)


def rivals_marginal(setup: Setup) -> Outcome:
    """A panel of figure 2.6: log p(x) of training and test images between its two estimates, the same for all three methods.

    ``lead_METHOD`` is what AEVB has over another method at the end, paired over the test images (low estimates).
    """
    metrics, series, final = {}, {"examples": list(setup.marks)}, {}
    steps = examples = 0
    x = setup.train.x[: setup.size]
    both = torch.cat([x[: setup.points], setup.test.x[: setup.points]])
    ends = {"train": slice(None, setup.points), "test": slice(setup.points, None)}

    def measure(model):
        sides = zip(("low", "high"), sandwich(model, both, setup.draws, setup.warm_up, seed=setup.seed), strict=True)
        return {f"{end}_{side}": value[part] for side, value in sides for end, part in ends.items()}

    for method in (*OBJECTIVES, "mcem"):
        run = Run(setup, method, x, setup.z_dim)
        _, rate = run.train_at_the_best_rate(setup.pilot, setup.marks, measure)
        steps, examples = steps + run.steps, examples + run.examples
        if run.history.interrupted:
            return Outcome(metrics, series, steps=steps, examples=examples, interrupted=True)
        for name in ("train_low", "train_high", "test_low", "test_high"):
            curve = [summarize(values) for values in run.history.column(name)]
            series[f"{method}_{name}"] = [round(estimate.mean, 3) for estimate in curve]
            metrics[f"{name}_{method}"] = curve[-1].metric()
        series[f"{method}_rate"] = [rate]
        if method == "mcem":
            series["acceptance"] = [round(share, 4) for share in run.history.column("acceptance")]
        final[method] = run.history.column("test_low")[-1]
    for method in ("wake_sleep", "mcem"):
        metrics[f"lead_{method}"] = summarize(final["aevb"] - final[method]).metric()
    return Outcome(metrics, series, steps=steps, examples=examples)


for name, small, size in (("small", 100, 1_000), ("large", 400, 50_000)):  # the size at smoke, and elsewhere
    experiment(
        f"ch02-rivals-marginal-{name}",
        title=f"figure 2.6, {size:,} training images: log p(x) by AEVB, wake-sleep and Monte Carlo EM",
        data="binarized-mnist",
        stand_in="digits",
        protocol="static",
        profiles={
            "smoke": dict(size=small, hidden=30, z_dim=3, pilot=200, marks=(200, 800), points=4, draws=10, warm_up=5),
            "laptop": dict(
                size=size, hidden=100, z_dim=3, pilot=4_000, marks=(2_000, 6_000, 20_000), points=60, draws=40, warm_up=40
            ),
            "paper": PAPER | dict(size=size, hidden=100, z_dim=3, points=500, draws=500, warm_up=200),
        },
    )(rivals_marginal)
