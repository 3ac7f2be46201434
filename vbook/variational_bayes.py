"""Variational Bayes over the weights θ and the latents z at once, thesis appendix 2.C.

log p(X) is bounded below with q(θ) Π_i q(z_i|x_i). The estimator f of (2.86) is a value (B,) per data point whose mean over a
minibatch estimates the bound of the whole data set, so that ``vbook.training.fit`` maximises it like any other objective.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from vbook.distributions import FactorizedNormal, draw, standard_normal
from vbook.errors import VbookError
from vbook.models.vae import VAE


class VariationalBayes(VAE):
    """A VAE with q(θ) = N(θ; μ_θ, diag(σ_θ²)) over all P weights of its decoder, thesis (2.88) as corrected, and p(θ) = N(0, I).

    ``loc`` μ_θ starts at the weights of ``decoder``, ``log_scale`` log σ_θ at log ``scale``. The decoder is copied, and its own
    weights rest. ``decode(z)`` runs it at μ_θ, so that the bounds of ``vbook.bounds`` read the model as a VAE with those weights.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, z_dim: int, scale: float = 0.01):
        super().__init__(encoder, copy.deepcopy(decoder).requires_grad_(False), z_dim)
        self.shapes = {name: p.shape for name, p in decoder.named_parameters()}
        if not self.shapes or not scale > 0:
            raise VbookError(f"a decoder with weights and scale > 0 expected, got {len(self.shapes)} weight tensors and {scale}")
        theta = parameters_to_vector(decoder.parameters()).detach().clone()
        self.loc, self.log_scale = nn.Parameter(theta), nn.Parameter(torch.full_like(theta, math.log(scale)))

    def weights(self) -> FactorizedNormal:
        """q(θ) over the flat vector θ (P,)."""
        return FactorizedNormal(self.loc, self.log_scale.exp(), validate_args=False)

    def weight_prior(self) -> FactorizedNormal:
        """p(θ) = N(θ; 0, I), (P,); the thesis prints z for θ here."""
        return standard_normal(len(self.loc), self.loc)

    def decode(self, z: Tensor, theta: Tensor | None = None) -> Distribution:
        """p(x|z) with the weights θ (P,), by default μ_θ; (..., Z) -> distribution with batch shape (...)."""
        parts = (self.loc if theta is None else theta).split([shape.numel() for shape in self.shapes.values()])
        values = {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}
        return functional_call(self.decoder, values, (z,))


def full_elbo(model: VariationalBayes, x: Tensor, n: int, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """f = N (log p(x|z) + log p(z) − log q(z|x)) + log p(θ) − log q(θ), thesis (2.86), with (2.82), (2.84); (B, D) -> (B,).

    In nats, of the whole data set, whose size N is ``n``. Each of the L ``samples`` is a θ for the whole minibatch and a z for
    each data point, averaged as in (2.87), which has minibatches of one.
    """
    _check(n, samples)
    total, q_theta, q = 0, model.weights(), model.encode(x)
    for _ in range(samples):
        theta, z = draw(q_theta, 1, generator)[0], draw(q, 1, generator)[0]  # h(ζ), g(ε, x)
        local = model.decode(z, theta).log_prob(x) + model.prior().log_prob(z) - q.log_prob(z)
        total = total + n * local + model.weight_prior().log_prob(theta) - q_theta.log_prob(theta)
    return total / samples


def full_elbo_analytic_kl(
    model: VariationalBayes, x: Tensor, n: int, samples: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """The same with both KL terms integrated, thesis (2.89) as corrected: N (log p(x|z) − KL_z) − KL_θ; (B, D) -> (B,) nats.

    The sum over j runs over the Z latents in KL_z and over the P weights in KL_θ; the thesis prints J for both.
    """
    _check(n, samples)
    q_theta, q = model.weights(), model.encode(x)
    log_px_z = 0
    for _ in range(samples):
        theta, z = draw(q_theta, 1, generator)[0], draw(q, 1, generator)[0]
        log_px_z = log_px_z + model.decode(z, theta).log_prob(x) / samples
    return n * (log_px_z - kl_divergence(q, model.prior())) - kl_divergence(q_theta, model.weight_prior())


def _check(n: int, samples: int) -> None:
    if not n >= 1:
        raise VbookError(f"n, the number of data points in the whole set, must be at least 1, got {n}")
    if samples < 1:
        raise VbookError(f"samples must be at least 1, got {samples}")
