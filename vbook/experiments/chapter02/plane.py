"""Where the two-latent encoders of chapter 2 put held-out images: the points that the latent plane's explorer shows."""

import torch
from torch import Tensor

from vbook import data
from vbook.evaluation import summarize
from vbook.experiments.chapter02.digits import DATA
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup

BITS = 16  # pixels a number, so that a binary picture is a short list


def nearest_share(z: Tensor, y: Tensor) -> Tensor:
    """For each point of ``z`` (N, Z) whether the nearest other one has the same label of ``y`` (N,): (N,) of 0 and 1.

    >>> nearest_share(torch.tensor([[0.0], [0.1], [5.0], [5.2], [0.2]]), torch.tensor([1, 1, 2, 2, 2]))
    tensor([1., 1., 1., 1., 0.])
    """
    away = torch.cdist(z, z).fill_diagonal_(torch.inf)
    return (y[away.argmin(1)] == y).to(z.dtype)


def packed(image: Tensor) -> list[int]:
    """A binary image (D,) as numbers of 16 pixels each, the first pixel the highest bit; the last number is filled with zeros.

    >>> packed(torch.tensor([1.0, 0.0] * 9))
    [43690, 32768]
    """
    rows = torch.nn.functional.pad(image.long(), (0, -len(image) % BITS)).view(-1, BITS)
    return (rows << torch.arange(BITS - 1, -1, -1, device=image.device)).sum(1).tolist()


def unpacked(numbers: list[int], size: int) -> list[int]:
    """The pixels of ``packed``.

    >>> unpacked([43690, 32768], 18) == [1, 0] * 9
    True
    """
    return [int(number) >> bit & 1 for number in numbers for bit in range(BITS - 1, -1, -1)][:size]


def _points(model, x: Tensor) -> tuple[dict, Tensor, dict]:
    """The posterior's means and widths, and the divergence from the prior, of images x (N, D)."""
    with torch.no_grad():
        q = model.encode(x)
        kl = torch.distributions.kl_divergence(q, model.prior())
    columns = {"z1": q.loc[:, 0], "z2": q.loc[:, 1], "sigma1": q.scale[:, 0], "sigma2": q.scale[:, 1]}
    series = {name: [round(value, 3) for value in column.tolist()] for name, column in columns.items()}
    return series, q.loc, {"kl": summarize(kl).metric()}


@experiment(
    "ch02-plane",
    title="where two latents put 1,000 held-out digits",
    **DATA | dict(data="mnist", protocol="threshold"),
    profiles={
        "smoke": dict(images=100, pictures=1),
        "laptop": dict(images=1_000, pictures=2),
        "paper": dict(images=1_000, pictures=2),
    },
)
def plane(setup: Setup) -> Outcome:
    """Posterior means, widths and classes of test images under ``ch02-vae-2``, and a few of the images themselves.

    How often the nearest other mean belongs to the same digit says how much of the class two numbers keep.
    """
    trained = setup.run("ch02-vae-2")
    test = data.load(setup.test.name, "test", setup.device, root=setup.data_root, protocol=setup.test.protocol, labels=True)
    x, y = test.x[: setup.images], test.y[: setup.images]
    series, z, metrics = _points(trained.model, x)
    metrics["neighbour"] = summarize(nearest_share(z, y)).metric("share")
    series["label"] = y.tolist()
    chosen = sorted(index for digit in range(10) for index in (y == digit).nonzero().flatten()[: setup.pictures].tolist())
    series["pictures"] = chosen
    for index in chosen:
        series[f"picture_{index}"] = packed(x[index])
    return Outcome(metrics, series)


@experiment(
    "ch02-plane-frey",
    title="where two latents put held-out faces",
    data="frey-face",
    stand_in="photos",
    protocol="real",
    profiles={name: dict() for name in ("smoke", "laptop", "paper")},
)
def plane_frey(setup: Setup) -> Outcome:
    """Posterior means and widths of the test faces under ``ch02-frey-2``."""
    trained = setup.run("ch02-frey-2")
    series, _, metrics = _points(trained.model, setup.test.x)
    return Outcome(metrics, series)
