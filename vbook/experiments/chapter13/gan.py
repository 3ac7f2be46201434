"""The assignment's GAN on MNIST: its game, its images, and the way between two of them."""

import copy

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from vbook.adversarial import non_saturating, play
from vbook.experiments.chapter12.protocol import both_parts
from vbook.experiments.chapter13.judge import Judge, shares, worth
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import GAN
from vbook.models.gan import SLOPE
from vbook.noise import normal
from vbook.training import History, fit

MNIST = dict(data="mnist", stand_in="digits", protocol="real")
# Two departures from the template: dropout in the discriminator (other students of the course had it in both), and Adam's first
# decay at the 0.5 of Radford, Metz and Chintala (2016), whom the source follows in the step (with 0.9 a small game's
# discriminator runs ahead in the first epochs: ch13-gan-stability).
HOW = dict(gain=non_saturating, dropout=0.3, slope=SLOPE, beta=0.5)


@torch.no_grad()
def wish(model: GAN, x: Tensor, seed: int) -> float:
    """The generator's loss −log D(G(z)) as training has it, on as many draws as x (B, D) has images; nats.

    On a copy: batch norm in training mode takes notes of what it sees.
    """
    model, g = copy.deepcopy(model).train(), torch.Generator(x.device).manual_seed(seed)
    fake = model.discriminator(model.generate(normal((len(x), model.z_dim), x, g)), g)
    return -logsigmoid(fake).mean().item()


def train_gan(setup: Setup, name: str, seed: int, **how) -> tuple[GAN, History]:
    """A GAN at the setup's sizes after ``epochs`` over its training images, and its history.

    ``how`` may set what HOW has, and options of ``fit``.
    """
    gain, dropout, slope, beta = ((HOW | how)[key] for key in HOW)
    more = {key: value for key, value in how.items() if key not in HOW}
    x = both_parts(setup)[: setup.images]
    model = GAN(x.shape[1], setup.z_dim, setup.sizes, setup.judges, dropout, seed, slope).to(setup.device)

    def objective(model, batch, generator=None):
        return play(model, batch, gain, generator)

    # Eagerly on a GPU too: batch norm's notes must not hear the rehearsals of a CUDA graph.
    options = dict(epochs=setup.epochs, batch_size=setup.batch_size, lr=setup.lr, seed=seed, mode="eager")
    options["optimizer"] = {"name": "adam", "betas": (beta, 0.999)}
    return model, fit(model, x, objective, **options, progress=setup.progress, **setup.resumable(name), **more)


def latents(setup: Setup, count: int, model: GAN) -> Tensor:
    """``count`` draws from the prior that no training has used; (N, Z)."""
    g = torch.Generator(setup.device).manual_seed(setup.seed + 1)
    return torch.randn(count, model.z_dim, generator=g, device=setup.device)


TEMPLATE = dict(z_dim=100, sizes=(128, 256, 512, 1024), judges=(512, 256), batch_size=64, lr=2e-4, images=60_000)


@experiment(
    "ch13-gan",
    title="the assignment's GAN, 100-128-256-512-1024-784 against 784-512-256-1",
    **MNIST,
    profiles={
        "smoke": dict(z_dim=20, sizes=(64, 128), judges=(64,), batch_size=64, lr=5e-4, images=1_500, epochs=40, draws=250),
        "laptop": TEMPLATE | dict(epochs=6, draws=2_000),
        "paper": TEMPLATE | dict(epochs=200, draws=10_000),
    },
)
def gan(setup: Setup) -> Outcome:
    """Both players at once with Adam 2e-4, decays 0.5 and 0.999, and dropout in the discriminator (see HOW).

    ``value`` is the mean value of the game over the last tenth of the epochs, ``loss_discriminator`` its negative,
    ``loss_generator`` the mean of −log D(G(z)) over draws at the ends of the same epochs. ``draws`` images are weighed (see
    ``judge.worth``); ``judged`` is the accuracy of the classifier. Drawn are 25 images at the start, halfway and at the end, and
    nine on the way between two classes.
    """
    taken, half = {}, setup.epochs // 2

    def keep(model, row):
        if row["epoch"] in (0, half, setup.epochs):
            taken[row["epoch"]] = model.pictures(latents(setup, 25, model))

    x = both_parts(setup)[: setup.images]
    with torch.no_grad():
        start = GAN(x.shape[1], setup.z_dim, setup.sizes, setup.judges, HOW["dropout"], setup.seed).to(setup.device)
        keep(start, {"epoch": 0})
    measure = lambda m: {"generator": wish(m, x[:1_000], setup.seed)}  # noqa: E731
    model, history = train_gan(setup, "game", setup.seed, evaluate=measure, on_epoch=keep)
    series = {"epoch": history.column("epoch")}
    series |= {name: [round(v, 4) for v in history.column(key)] for name, key in (("value", "train"), ("generator", "generator"))}
    counts = dict(steps=history.steps, examples=history.examples)
    if history.interrupted:
        return Outcome({}, series, interrupted=True, **counts)
    judge, draws = Judge(setup, 10_000), model.pictures(latents(setup, setup.draws, model))
    late = -max(1, setup.epochs // 10)
    by_epoch = {
        name: torch.tensor(history.column(key)[late:]).double() for name, key in (("value", "train"), ("generator", "generator"))
    }
    metrics = {
        "value": over_seeds(by_epoch["value"]) | {"over": "epochs"},
        "loss_discriminator": over_seeds(-by_epoch["value"]) | {"over": "epochs"},
        "loss_generator": over_seeds(by_epoch["generator"]) | {"over": "epochs"},
        "judged": {"mean": judge.accuracy, "unit": "of the test images"},
    }
    metrics |= worth(judge, draws, setup.test.x)
    series["shares"] = [round(v, 4) for v in shares(judge.classes(draws)).tolist()]
    return Outcome(metrics, series, model, None, {"samples": taken, "between": between(model, judge, setup)}, **counts)


def between(model: GAN, judge: Judge, setup: Setup, steps: int = 7) -> Tensor:
    """Images on the straight way between two latents with images of different classes, both ends included; (steps + 2, D)."""
    z = latents(setup, 25, model)
    classes = judge.classes(model.pictures(z))
    other = next((k for k in range(1, len(z)) if classes[k] != classes[0]), 1)
    t = torch.linspace(0, 1, steps + 2, device=z.device)[:, None]
    return model.pictures((1 - t) * z[0] + t * z[other])
