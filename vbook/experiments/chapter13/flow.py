"""Real NVP on the 256 levels of MNIST: the assignment's flow."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from vbook.evaluation import per_datapoint, summarize
from vbook.experiments.chapter12.protocol import both_parts
from vbook.experiments.chapter13.judge import Judge, worth
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.flows import bits_per_dim, dequantize, levels_of, of_levels, to_logits
from vbook.models import RealNVP
from vbook.models.real_nvp import log_flow
from vbook.noise import uniform
from vbook.training import fit

MNIST = dict(data="mnist", stand_in="digits", protocol="real")
REACH = 0.05 * 32  # pixels: up to a twentieth of the padded image, to either side


def shifted(x: Tensor, shape: tuple[int, int], generator: torch.Generator | None = None) -> Tensor:
    """Each image moved by up to two pixels in either direction, its edge repeated; (B, D) -> (B, D).

    The template pads by two pixels, moves by a rounded draw from U(−1.6, 1.6) and cuts the middle out: −1, 0 and 1 come ten times
    in 32 each, −2 and 2 once each.
    """
    (h, w), u = shape, uniform((len(x), 2), x, generator)
    down, right = ((2 * u - 1) * REACH).round().long().T
    big = pad(x.reshape(-1, 1, h, w), (2, 2, 2, 2), mode="replicate")[:, 0]
    rows, columns = (torch.arange(size, device=x.device) + 2 for size in (h, w))
    found = big[
        torch.arange(len(x), device=x.device)[:, None, None],
        (rows - down[:, None])[:, :, None],
        (columns - right[:, None])[:, None],
    ]
    return found.flatten(1)


def with_shifts(objective, shape):
    """``objective`` of shifted images: how the template trains, and how it validates too."""

    def moved(model, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return objective(model, shifted(x, shape, generator), generator)

    return moved


def bits(nats: Tensor, dims: int) -> dict:
    """The entry of a record: the mean of log-densities (N,) in nats as bits a dimension, with its error over images."""
    found = summarize(nats)
    error = bits_per_dim(-found.standard_error, dims)
    return {"mean": bits_per_dim(found.mean, dims), "standard_error": error, "n": found.n, "unit": "bits/dim"}


@torch.no_grad()
def drawn(model: RealNVP, z: Tensor) -> Tensor:
    """Images with levels/255 as pixels from latents; (N, D) -> (N, D)."""
    return levels_of(model.generate(z)) / 255


def halves(setup: Setup) -> tuple[Tensor, Tensor]:
    """The template's own split of the training file: ``images`` to train on, and the ``held`` next ones."""
    x = both_parts(setup)
    return x[: setup.images], x[setup.images : setup.images + setup.held]


def moved_test(setup: Setup) -> Tensor:
    """The test images, moved as those of the training are."""
    return shifted(setup.test.x, setup.train.shape, torch.Generator(setup.device).manual_seed(setup.seed))


TEMPLATE = dict(pairs=4, hidden=1_024, batch_size=128, lr=1e-3, images=40_000, held=10_000)


@experiment(
    "ch13-flow",
    title="Real NVP, 8 couplings of 1,024 hidden units, on 256 levels",
    **MNIST,
    profiles={
        "smoke": dict(pairs=2, hidden=64, batch_size=64, lr=2e-3, images=1_200, held=250, epochs=12, draws=250),
        "laptop": TEMPLATE | dict(epochs=2, draws=1_000),
        "paper": TEMPLATE | dict(epochs=40, draws=1_000),
    },
)
def flow(setup: Setup) -> Outcome:
    """Adam 1e-3 on shifted images; bits a dimension of noisy levels, the last ones unshifted and, as in the template, shifted.

    ``bits_train`` is the mean over the minibatches of the last epoch; ``bits_untrained`` is what the flow has before training, as
    the identity. ``inverse_error`` is the mean relative error of an image after forth and back, ``ladj_error`` that of the
    log-determinant, as the template's own tests have them. ``draws`` images are weighed (see ``judge.worth``). Drawn are samples
    at the start, halfway and at the end, and nine on the way between two held-out images of different classes.
    """
    (x, held), shape, dims = halves(setup), setup.train.shape, setup.train.x.shape[1]
    model = RealNVP(shape, setup.pairs, setup.hidden, setup.seed).to(setup.device)
    objective, taken, half = of_levels(log_flow), {}, setup.epochs // 2
    g = torch.Generator(setup.device).manual_seed(setup.seed + 1)
    z = torch.randn(setup.draws, dims, generator=g, device=setup.device)

    ways = {"valid": objective, "valid_shifted": with_shifts(objective, shape)}

    def measure(model):
        return {name: per_datapoint(model, held, one).mean().item() for name, one in ways.items()}

    def keep(model, row):
        if row["epoch"] in (0, half, setup.epochs):
            taken[row["epoch"]] = drawn(model, z[:25])

    keep(model, {"epoch": 0})
    start = per_datapoint(model, held, objective)
    options = dict(epochs=setup.epochs, batch_size=setup.batch_size, lr=setup.lr, seed=setup.seed, progress=setup.progress)
    history = fit(model, x, ways["valid_shifted"], **options, **setup.resumable("flow"), evaluate=measure, on_epoch=keep)
    series = {"epoch": history.column("epoch")}
    series |= {name: [round(bits_per_dim(v, dims), 4) for v in history.column(name)] for name in ("train", *ways)}
    counts = dict(steps=history.steps, examples=history.examples)
    if history.interrupted:
        return Outcome({}, series, interrupted=True, **counts)
    metrics = {"bits_train": {"mean": bits_per_dim(history.rows[-1]["train"], dims), "unit": "bits/dim"}}
    metrics |= {f"bits_{name}": bits(per_datapoint(model, held, one), dims) for name, one in ways.items()}
    metrics |= {"bits_untrained": bits(start, dims)} | there_and_back(model, held[:1_000], setup.seed)
    judge = Judge(setup, 10_000)
    metrics |= worth(judge, drawn(model, z), setup.test.x, moved_test(setup))
    drawings = {"samples": taken, "between": between(model, held, judge.classes(held[:25]))}
    return Outcome(metrics, series, model, None, drawings, **counts)


@torch.no_grad()
def there_and_back(model: RealNVP, x: Tensor, seed: int) -> dict:
    """What rounding leaves of x (N, D) and of the log-determinant after f and f⁻¹: the template's two tests, as entries."""
    g = torch.Generator(x.device).manual_seed(seed)
    h = to_logits()(dequantize(x, g))
    z, ladj = model.normalize(h)
    back = model.generate(z)
    error = ((back - h).abs() / h.abs().clamp(min=1e-3)).mean().item()
    ladj_error = ((model.normalize(back)[1] - ladj).abs() / ladj.abs().clamp(min=1.0)).mean().item()
    return {"inverse_error": {"mean": error, "unit": "relative"}, "ladj_error": {"mean": ladj_error, "unit": "relative"}}


@torch.no_grad()
def between(model: RealNVP, x: Tensor, classes: Tensor, steps: int = 7) -> Tensor:
    """Images on the straight way between the latents of two images of x (N, D), both included; (steps + 2, D).

    They are the first image and the first one of another of the ``classes`` (M,), which the first M images have.
    """
    other = next((k for k in range(1, len(classes)) if classes[k] != classes[0]), 1)
    z, _ = model.normalize(to_logits()(255 * x[[0, other]] + 0.5))
    return drawn(model, torch.lerp(z[0], z[1], torch.linspace(0, 1, steps + 2, device=x.device)[:, None]))
