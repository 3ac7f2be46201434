"""How long the three families take for a thousand images."""

import time

import torch

from vbook.experiments.chapter13.flow import MNIST, drawn
from vbook.experiments.entries import over_seeds
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import GAN, RealNVP, vae


@experiment(
    "ch13-speed",
    title="time of drawing 1,000 images: VAE, GAN, flow",
    **MNIST,
    profiles={
        "smoke": dict(images=100, rounds=2),
        "laptop": dict(images=1_000, rounds=15),
        "paper": dict(images=1_000, rounds=100),
    },
)
def speed(setup: Setup) -> Outcome:
    """The assignment's three networks, untrained, for weights don't change the time: seconds for ``images`` in one batch."""
    dims, g = setup.train.x.shape[1], torch.Generator(setup.device).manual_seed(setup.seed)
    autoencoder, game = vae(dims, 20).to(setup.device), GAN(dims).to(setup.device)
    flow = RealNVP(setup.train.shape).to(setup.device)
    ways = {
        "vae": (20, lambda z: autoencoder.decode(z).mean),
        "gan": (game.z_dim, game.pictures),
        "flow": (dims, lambda z: drawn(flow, z)),
    }
    taken = {name: [] for name in ways}
    with torch.no_grad():
        for _ in range(setup.rounds + 1):
            for name, (z_dim, draw) in ways.items():
                z = torch.randn(setup.images, z_dim, generator=g, device=setup.device)
                start = time.perf_counter()
                draw(z).sum().item()  # waits for the device
                taken[name].append(time.perf_counter() - start)
    seconds = {name: torch.tensor(values[1:], dtype=torch.float64) for name, values in taken.items()}  # the first warms up
    return Outcome({f"seconds_{name}": over_seeds(values, "s") | {"over": "rounds"} for name, values in seconds.items()})
