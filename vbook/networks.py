"""Multi-layer perceptrons that map x to a posterior q(z|x) and z to a likelihood p(x|z): the thesis's encoders and decoders.

An encoder's head puts out log σ², as in (2.75), and halves it: the log σ of (2.3) at half the step. With a head for log σ itself
the two-latent VAE on MNIST ends about 3 nats lower on validation images.
"""

from itertools import pairwise
from numbers import Integral

import torch
from torch import Tensor, nn

from vbook.distributions import FactorizedBernoulli, FactorizedNormal, FullCovarianceNormal
from vbook.errors import VbookError

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "softplus": nn.Softplus}


def mlp(sizes, activation: str = "tanh") -> nn.Sequential:
    """Linear layers of the given ``sizes`` with ``activation`` between them and none at the end, thesis (2.74).

    >>> mlp([784, 500, 40])
    Sequential(
      (0): Linear(in_features=784, out_features=500, bias=True)
      (1): Tanh()
      (2): Linear(in_features=500, out_features=40, bias=True)
    )
    """
    if len(sizes) < 2 or any(not isinstance(size, Integral) or size < 1 for size in sizes):
        raise VbookError(f"layer sizes must be at least two positive integers, got {list(sizes)}")
    if activation not in ACTIVATIONS:
        raise VbookError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


class GaussianEncoder(nn.Module):
    """q(z|x) = N(μ(x), diag(σ(x)²)), thesis (2.36)–(2.37); x (..., D) -> distribution over z (..., Z)."""

    def __init__(self, x_dim: int, z_dim: int, hidden=(500,), activation: str = "tanh"):
        super().__init__()
        self.net = mlp([x_dim, *hidden, 2 * z_dim], activation)

    def forward(self, x: Tensor) -> FactorizedNormal:
        mu, log_variance = self.net(x).chunk(2, -1)  # (μ, log σ) = EncoderNeuralNet(x)   (2.36)
        return FactorizedNormal(mu, (0.5 * log_variance).exp(), validate_args=False)


class FullCovarianceEncoder(nn.Module):
    """q(z|x) = N(μ(x), L(x) L(x)ᵀ), thesis (2.53)–(2.54); x (..., D) -> distribution over z (..., Z).

    The head for L' starts at zero: training sets out from the factorised posterior and slants it where that pays.
    """

    def __init__(self, x_dim: int, z_dim: int, hidden=(500,), activation: str = "tanh"):
        super().__init__()
        self.z_dim = z_dim
        self.net = mlp([x_dim, *hidden, 2 * z_dim + z_dim * z_dim], activation)
        with torch.no_grad():
            self.net[-1].weight[2 * z_dim :].zero_()
            self.net[-1].bias[2 * z_dim :].zero_()

    def forward(self, x: Tensor) -> FullCovarianceNormal:
        mu, log_variance, lower = self.net(x).split([self.z_dim, self.z_dim, self.z_dim**2], -1)
        lower = lower.unflatten(-1, (self.z_dim, self.z_dim))
        return FullCovarianceNormal(mu, (0.5 * log_variance).exp(), lower, validate_args=False)


class BernoulliDecoder(nn.Module):
    """p(x|z) = Π_j Bernoulli(x_j; p_j(z)), thesis (1.16)–(1.18); z (..., Z) -> distribution over x (..., D)."""

    def __init__(self, z_dim: int, x_dim: int, hidden=(500,), activation: str = "tanh"):
        super().__init__()
        self.net = mlp([z_dim, *hidden, x_dim], activation)

    def forward(self, z: Tensor) -> FactorizedBernoulli:
        return FactorizedBernoulli(self.net(z), validate_args=False)


class GaussianDecoder(nn.Module):
    """p(x|z) = N(μ(z), diag(σ(z)²)), thesis (2.75); z (..., Z) -> distribution over x (..., D).

    With ``sigmoid_mean`` the means lie in (0, 1), for data scaled to that interval. Each coordinate has its own σ: where (2.75)
    prints σ²I, σ is a vector and diag(σ²) is meant. log p(x|z) is a density: it is positive where σ is small, it shifts with the
    unit of x, and coordinates that never vary drive it to infinity.
    """

    def __init__(self, z_dim: int, x_dim: int, hidden=(500,), activation: str = "tanh", sigmoid_mean: bool = False):
        super().__init__()
        self.net = mlp([z_dim, *hidden, 2 * x_dim], activation)
        self.sigmoid_mean = sigmoid_mean

    def forward(self, z: Tensor) -> FactorizedNormal:
        mu, log_variance = self.net(z).chunk(2, -1)
        mu = mu.sigmoid() if self.sigmoid_mean else mu
        return FactorizedNormal(mu, (0.5 * log_variance).exp(), validate_args=False)
