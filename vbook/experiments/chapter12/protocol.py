"""How the replication report trained: its networks, its optimizers and its loop."""

import torch
from torch import Tensor, nn

from vbook.bounds import elbo_analytic_kl
from vbook.errors import VbookError, nearest
from vbook.experiments.setup import Setup
from vbook.models import VAE, vae
from vbook.networks import GaussianDecoder, GaussianEncoder
from vbook.noise import check_seed
from vbook.training import History, fit

BATCH = 100
INIT_SD = 0.01  # N(0, 0.01) in the text; the report's code takes 0.01 for the standard deviation
ADAGRAD = 0.02
LIKELIHOODS = ("bernoulli", "sigmoid-gaussian", "linear-gaussian")

# The report's AdaGrad divides by √(1e-6 + Σg²): PyTorch's does the same when its sum starts at 1e-6 (and adds 1e-10 to the root).
OPTIMIZERS = {
    "sgd": "sgd",
    "momentum": {"name": "sgd", "momentum": 0.9},
    "adagrad": {"name": "adagrad", "initial_accumulator_value": 1e-6},
    "rmsprop": {"name": "rmsprop", "alpha": 0.9},
    "adam": "adam",
}


def network(x_dim: int, z_dim: int, hidden: int, likelihood: str, init_sd: float = INIT_SD, seed: int = 0) -> VAE:
    """The report's network x_dim-hidden-z_dim and back, tanh, every weight and bias a draw from N(0, init_sd²).

    ``likelihood`` is ``"bernoulli"`` (26), or a Gaussian (28) whose mean is ``"linear-gaussian"``, as in (29), or has
    the thesis's sigmoid on top, ``"sigmoid-gaussian"``. The global random state is left as it was.
    VbookError for another likelihood.

    >>> sum(p.numel() for p in network(560, 2, 100, "linear-gaussian").parameters())
    169924
    """
    if likelihood not in LIKELIHOODS:
        raise VbookError(f"unknown likelihood {likelihood!r}{nearest(likelihood, LIKELIHOODS)}")
    if likelihood != "linear-gaussian":
        kind = likelihood.removeprefix("sigmoid-")
        return vae(x_dim, z_dim, (hidden,), likelihood=kind, init_sd=init_sd, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_seed(seed))
        model = VAE(GaussianEncoder(x_dim, z_dim, (hidden,)), GaussianDecoder(z_dim, x_dim, (hidden,)), z_dim)
        for weight in model.parameters():
            nn.init.normal_(weight, std=init_sd)
    return model


def ascend(
    setup: Setup,
    name: str,
    model: nn.Module,
    x: Tensor,
    updates: int,
    *,
    optimizer: str = "adagrad",
    lr: float = ADAGRAD,
    weight_decay: float = 0.0,
    rows: int = 20,
    seed: int = 0,
    mode: str | None = None,
    evaluate=None,
) -> History:
    """``updates`` steps of one of OPTIMIZERS up the bound (25) on minibatches of 100 of x (N, D); a History with ``rows`` rows.

    ``train`` of a row is the mean bound of the minibatches since the row before, which is what the report plots, averaged.
    ``name`` is that of the run among those of the experiment, for its checkpoint. Every epoch goes through all of x once, where
    the report draws each minibatch anew, with replacement.
    """
    at = sorted({-(-updates * (k + 1) // rows) for k in range(rows)})
    climb = dict(optimizer=OPTIMIZERS[optimizer], lr=lr, weight_decay=weight_decay, seed=seed, mode=mode, evaluate=evaluate)
    length = dict(steps=updates, rows_at=at, batch_size=BATCH, progress=setup.progress)
    return fit(model, x, elbo_analytic_kl, **climb, **length, **setup.resumable(name))


def both_parts(setup: Setup) -> Tensor:
    """The images that the report trained on: train and valid together, 60,000 of MNIST; (N, D)."""
    return torch.cat([setup.train.x, setup.valid.x])
