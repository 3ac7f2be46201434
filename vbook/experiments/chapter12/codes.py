"""Frey Face: is the encoder alive? What decoding with another image's code costs, beside the divergence that is paid for it."""

import torch
from torch import Tensor, nn

from vbook.bounds import elbo_analytic_kl
from vbook.distributions import draw
from vbook.errors import VbookError, nearest
from vbook.experiments.chapter12.frey import FREY, LEVELS, SETUPS, Scaled, shift, start_at
from vbook.experiments.chapter12.protocol import BATCH, ascend, network
from vbook.experiments.registry import Outcome, experiment
from vbook.experiments.setup import Setup
from vbook.models import VAE

WATCHED = ("raw", "started", "started_small_step")
ON_LEVELS = tuple(name for name, change in SETUPS.items() if change.keys() <= {"seen", "first", "started", "parts"})


@torch.no_grad()
def shuffled(model, x: Tensor, generator: torch.Generator) -> Tensor:
    """log p(x|z) at a z ~ q(z|x) of the image itself, and at that of another one; (B, D) -> (B, 2) nats.

    The codes are dealt out anew among the images; an image may get its own back.
    """
    z = draw(model.encode(x), 1, generator)[0]
    other = z[torch.randperm(len(x), generator=generator, device=x.device)]
    return torch.stack([model.decode(code).log_prob(x) for code in (z, other)], 1)


@torch.no_grad()
def one_sided(model: VAE, x: Tensor) -> float:
    """The share of the encoder's hidden units that answer with the same sign to every image of x (N, D)."""
    signs = model.encoder.net[:-1](x).sign().sum(0).abs()
    return (signs == len(x)).double().mean().item()


def begin(name: str, x: Tensor, z_dim: int, hidden: int, seed: int) -> VAE:
    """The network of one of ON_LEVELS for levels x (N, D), as ``ch12-frey-scale`` begins it; VbookError for another name."""
    if name not in ON_LEVELS:
        raise VbookError(f"can't begin {name!r}{nearest(name, ON_LEVELS)}")
    change = dict(seen=1.0, first=1.0, started=False) | SETUPS[name]
    model = network(x.shape[1], z_dim, hidden, "linear-gaussian", seed=seed).to(x.device)
    with torch.no_grad():
        model.encoder.net[0].weight *= change["first"]
    if change["seen"] != 1.0:
        model.encoder.net = nn.Sequential(Scaled(change["seen"]), *model.encoder.net)
    if change["started"]:
        start_at(model, x)
    return model


@experiment(
    "ch12-frey-codes",
    title="Frey Face with two latents: what another image's code costs, in three of the nine set-ups",
    **FREY,
    profiles={
        "smoke": dict(hidden=20, z_dim=2, updates=60),
        "laptop": dict(hidden=100, z_dim=2, updates=1_000),
        "paper": dict(hidden=100, z_dim=2, updates=100_000),
    },
)
def frey_codes(setup: Setup) -> Outcome:
    """R on training images with their own codes and with shuffled ones, on [0, 1]: ``own_NAME``, ``other_NAME``.

    ``cost_NAME`` is the one minus the other, ``kl_NAME`` the divergence, ``bound_NAME`` the bound over the minibatches of the
    last twentieth. ``batch_NAME`` is the standard deviation of the bound of a minibatch of 100 at the end. ``thrown_K_NAME`` is
    the share of ``one_sided`` units after K = 0, 1 and 3 updates, and at the ``end``.
    """
    x = setup.train.x * LEVELS
    metrics, steps, examples, model = {}, 0, 0, None
    for name in WATCHED:
        model = begin(name, x, setup.z_dim, setup.hidden, setup.seed)
        thrown = [one_sided(model, x)]
        for k, updates in enumerate((1, 3, setup.updates)):  # each from the start
            model = begin(name, x, setup.z_dim, setup.hidden, setup.seed)
            history = ascend(setup, f"{name}-{k}", model, x, updates, seed=setup.seed)
            steps, examples = steps + history.steps, examples + history.examples
            if history.interrupted:
                return Outcome({}, steps=steps, examples=examples, interrupted=True)
            thrown.append(one_sided(model, x))
        generators = [torch.Generator(x.device).manual_seed(setup.seed) for _ in range(2)]
        own, other = shuffled(model, x, generators[0]).mean(0).tolist()
        with torch.no_grad():
            bounds = elbo_analytic_kl(model, x, 1, generators[1]).double()  # at the z of ``own``
        to_unit = shift(x.shape[1], LEVELS)
        values = {"own": own + to_unit, "other": other + to_unit, "cost": own - other, "kl": own - bounds.mean().item()}
        values |= {"bound": history.rows[-1]["train"] + to_unit, "batch": bounds.std().item() / BATCH**0.5}
        metrics |= {f"{key}_{name}": {"mean": value, "unit": "nats"} for key, value in values.items()}
        shares = zip((0, 1, 3, "end"), thrown, strict=True)
        metrics |= {f"thrown_{k}_{name}": {"mean": share, "unit": "of the units"} for k, share in shares}
    return Outcome(metrics, model=model, steps=steps, examples=examples)
