"""A model solved on a grid, and two ways to compare: shared by the tests of the ledger's formulas."""

import math

import torch

from vbook.distributions import FactorizedNormal
from vbook.models import LinearGaussian

F64 = dict(dtype=torch.float64)
W, B, X = (torch.tensor(v, **F64) for v in ([[1.0], [-0.4]], [0.2, 0.1], [[0.9, -0.3]]))
GRID = torch.linspace(-9, 9, 6001, **F64)[:, None, None]  # (G, B = 1, Z = 1), of z or of ε
STEP = 18 / 6000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def phi(loc=0.4, log_scale=-0.6):
    """Variational parameters (μ, log σ) that miss the posterior."""
    return torch.tensor([[loc]], **F64).requires_grad_(), torch.tensor([[log_scale]], **F64).requires_grad_()


def solvable(loc, log_scale):
    """The linear-Gaussian model with one latent, and N(loc, scale²) as q(z|x) of every x."""
    return LinearGaussian(W, B, 0.5, lambda x: FactorizedNormal(loc.expand(len(x), 1), log_scale.exp().expand(len(x), 1)))


def log_joint(model, z):
    return model.decode(z).log_prob(X) + model.prior().log_prob(z)


def average(density, values):
    """∫ density · values over the grid."""
    return (density.exp() * values).sum(0) * STEP


def close(actual, expected, atol=1e-9):
    torch.testing.assert_close(torch.as_tensor(actual, **F64), torch.as_tensor(expected, **F64), rtol=0, atol=atol)


def within(values, expected, sigmas=4.0):
    """The mean of ``values`` (n, ...) lies within ``sigmas`` standard errors of ``expected``."""
    error = values.std(0) / math.sqrt(len(values))
    assert ((values.mean(0) - expected).abs() <= sigmas * error + 1e-12).all(), (values.mean(0), expected, error)
