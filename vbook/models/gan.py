"""A generative adversarial network of two MLPs, as in the assignment's template (Goodfellow and others 2014)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from vbook.distributions import FactorizedNormal, standard_normal
from vbook.errors import VbookError
from vbook.noise import check_seed, uniform

SLOPE = 0.2  # of the leaky ReLUs for negative inputs


def generator_net(z_dim: int, hidden, x_dim: int, slope: float = SLOPE) -> nn.Sequential:
    """z (B, Z) -> x (B, D) in (−1, 1): linear layers with leaky ReLU, batch norm on all hidden layers but the first, tanh."""
    layers = []
    for k, (fan_in, fan_out) in enumerate(pairwise((z_dim, *hidden))):
        layers += [nn.Linear(fan_in, fan_out), *([nn.BatchNorm1d(fan_out)] if k else []), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], x_dim), nn.Tanh())


class Discriminator(nn.Module):
    """Pixels x (B, D) in [0, 1] -> the logit of D(x), (B,): linear layers on 2x − 1 with leaky ReLU and dropout behind each.

    Which units are dropped comes from the given generator, so that a training is a function of its seed.
    """

    def __init__(self, x_dim: int, hidden, dropout: float = 0.0):
        super().__init__()
        if not 0 <= dropout < 1:
            raise VbookError(f"dropout must be at least 0 and below 1, got {dropout!r}")
        layers = [nn.Linear(*sizes) for sizes in pairwise((x_dim, *hidden, 1))]
        self.layers, self.dropout = nn.ModuleList(layers), dropout

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x = 2 * x - 1
        for layer in self.layers[:-1]:
            x = nn.functional.leaky_relu(layer(x), SLOPE)
            if self.dropout and self.training:
                x = x * (uniform(x.shape, x, generator) >= self.dropout) / (1 - self.dropout)
        return self.layers[-1](x).squeeze(-1)


class GAN(nn.Module):
    """A generator z -> x with z ~ N(0, I), and a discriminator that tells its x from data; pixels x lie in [0, 1].

    ``sizes`` are the generator's hidden layers, ``judges`` the discriminator's; ``slope`` is that of the
    generator's leaky ReLUs. The global random state is left as it was.

    >>> gan = GAN(784)
    >>> [sum(p.numel() for p in net.parameters()) for net in (gan.generator, gan.discriminator)]
    [1510032, 533505]
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int = 100,
        sizes=(128, 256, 512, 1024),
        judges=(512, 256),
        dropout: float = 0.0,
        seed: int = 0,
        slope: float = SLOPE,
    ):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_seed(seed))
            self.generator = generator_net(z_dim, tuple(sizes), x_dim, slope)
            self.discriminator = Discriminator(x_dim, tuple(judges), dropout)
        self.z_dim = z_dim
        self.register_buffer("_like", torch.empty(0), persistent=False)  # carries device and dtype for the prior

    def prior(self) -> FactorizedNormal:
        """p(z) = N(0, I)."""
        return standard_normal(self.z_dim, self._like)

    def generate(self, z: Tensor) -> Tensor:
        """x = G(z) with pixels in (0, 1), batch norm as the mode of the module has it; (B, Z) -> (B, D)."""
        return (self.generator(z) + 1) / 2

    def judge(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The logit of D(x) for pixels in [0, 1]; (B, D) -> (B,)."""
        return self.discriminator(x, generator)

    @torch.no_grad()
    def pictures(self, z: Tensor) -> Tensor:
        """G(z) with the means and variances that batch norm has gathered in training, one z at a time; (B, Z) -> (B, D)."""
        training = self.generator.training
        try:
            return self.eval().generate(z)
        finally:
            self.train(training)
