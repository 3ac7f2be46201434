"""Posteriors and likelihoods in the vocabulary of ``torch.distributions``, with the noise of the reparameterisation in the open.

A reparameterised posterior knows its noise p(ε) and its map z = g(ε, φ, x), thesis (2.20); ``rsample`` is the two in a row.
Shape letters: B batch, L samples, D data, Z latent.
"""

import math

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    constraints,
    kl_divergence,
    register_kl,
)
from torch.nn.functional import binary_cross_entropy_with_logits

from vbook.errors import VbookError
from vbook.noise import normal, uniform


class FactorizedNormal(Independent):
    """N(z; μ, diag(σ²)) over the last dimension, thesis (2.37): an ``Independent(Normal)`` that can draw from a given generator.

    Args: ``loc`` μ and ``scale`` σ, both (..., Z).

    >>> q = FactorizedNormal(torch.zeros(5, 2), torch.ones(5, 2))
    >>> q.log_prob(torch.zeros(5, 2))[0].item()        # -log(2 pi)
    -1.8378770351409912
    """

    def __init__(self, loc: Tensor, scale: Tensor, validate_args=None):
        super().__init__(Normal(loc, scale, validate_args=validate_args), 1, validate_args=validate_args)

    @property
    def loc(self) -> Tensor:
        return self.base_dist.loc

    @property
    def scale(self) -> Tensor:
        return self.base_dist.scale

    def expand(self, batch_shape, _instance=None):
        """The same distribution with ``loc`` and ``scale`` expanded to ``(*batch_shape, Z)``."""
        shape = torch.Size(batch_shape) + self.event_shape
        return FactorizedNormal(self.loc.expand(shape), self.scale.expand(shape), validate_args=self._validate_args)

    def transport(self, eps: Tensor) -> Tensor:
        """z = μ + σ ⊙ ε, thesis (2.40); (..., Z) -> (..., Z)."""
        return self.loc + self.scale * eps

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) = log p(ε) − Σ log σ with ε = (z − μ)/σ, thesis (2.43); (..., Z) -> (...,) nats.

        In fewer passes than those of torch's ``Normal``: forward and backward it takes a third less time.
        """
        if self._validate_args:
            self._validate_sample(value)
        return _log_standard_normal((value - self.loc) / self.scale) - self.scale.log().sum(-1)


class FactorizedBernoulli(Independent):
    """Π_j Bernoulli(x_j; p_j) over the last dimension, thesis (1.17)–(1.18), from ``logits`` (..., D).

    Logits, not probabilities: log p and log(1 − p) stay finite where a sigmoid has rounded to 0 or 1.

    >>> FactorizedBernoulli(torch.zeros(5, 2)).log_prob(torch.ones(2))[0].item()        # 2 log(1/2)
    -1.3862943649291992
    """

    def __init__(self, logits: Tensor, validate_args=None):
        super().__init__(Bernoulli(logits=logits, validate_args=validate_args), 1, validate_args=validate_args)

    @property
    def logits(self) -> Tensor:
        return self.base_dist.logits

    def expand(self, batch_shape, _instance=None):
        """The same distribution with ``logits`` expanded to ``(*batch_shape, D)``."""
        logits = self.logits.expand(torch.Size(batch_shape) + self.event_shape)
        return FactorizedBernoulli(logits, validate_args=self._validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x) = Σ_j x_j log p_j + (1 − x_j) log(1 − p_j), thesis (1.18); (..., D) -> (...,) nats.

        The sum comes before the sign, which saves Bernoulli's pass over all coordinates, and one on the way back.
        """
        if self._validate_args:
            self._validate_sample(value)
        logits, value = torch.broadcast_tensors(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none").sum(-1)


class FullCovarianceNormal(Distribution):
    """N(z; μ, Σ) with Σ = L Lᵀ and L = L_mask ⊙ L' + diag(σ), thesis (2.45)–(2.55).

    Args: ``loc`` μ (..., Z); ``scale`` σ > 0 (..., Z), the diagonal of L; ``lower`` L' (..., Z, Z), of which only the entries
    below the diagonal count.

    >>> q = FullCovarianceNormal(torch.zeros(2), torch.tensor([1.0, 2.0]), torch.tensor([[9.0, 9.0], [3.0, 9.0]]))
    >>> q.covariance_matrix
    tensor([[ 1.,  3.],
            [ 3., 13.]])
    """

    arg_constraints = {"loc": constraints.real_vector, "scale": constraints.independent(constraints.positive, 1)}  # noqa: RUF012
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, scale: Tensor, lower: Tensor, validate_args=None):
        if lower.shape[-2:] != (loc.shape[-1],) * 2 or scale.shape != loc.shape or lower.shape[:-1] != loc.shape:
            shapes = [tuple(t.shape) for t in (loc, scale, lower)]
            raise VbookError(f"loc (..., Z), scale (..., Z) and lower (..., Z, Z) expected, got {shapes}")
        self.loc, self.scale = loc, scale
        self.scale_tril = lower.tril(-1) + torch.diag_embed(scale)  # L = L_mask ⊙ L' + diag(σ)   (2.54)
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ = L Lᵀ, thesis (2.52); (..., Z, Z)."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def variance(self) -> Tensor:
        return self.scale_tril.square().sum(-1)

    def transport(self, eps: Tensor) -> Tensor:
        """z = μ + L ε, thesis (2.47); (..., Z) -> (..., Z)."""
        return self.loc + (self.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    def rsample(self, sample_shape=()) -> Tensor:
        """A differentiable draw, ``(*sample_shape, ..., Z)``."""
        eps = torch.randn(self._extended_shape(torch.Size(sample_shape)), dtype=self.loc.dtype, device=self.loc.device)
        return self.transport(eps)

    def log_prob(self, value: Tensor) -> Tensor:
        """log q(z) = log p(ε) − Σ log σ with ε = L⁻¹(z − μ), thesis (2.49), (2.55); (..., Z) -> (...,) nats."""
        if self._validate_args:
            self._validate_sample(value)
        shift = (value - self.loc).unsqueeze(-1)
        eps = torch.linalg.solve_triangular(self.scale_tril, shift, upper=False).squeeze(-1)
        return _log_standard_normal(eps) - self.scale.log().sum(-1)


def log_normal(eps: Tensor) -> Tensor:
    """log N(ε; 0, 1), elementwise, nats.

    >>> log_normal(torch.zeros(1)).item()
    -0.9189385175704956
    """
    return -0.5 * (eps.square() + math.log(2 * math.pi))


def _log_standard_normal(eps: Tensor) -> Tensor:
    """log N(ε; 0, I), with one pass over ε; (..., Z) -> (...,) nats."""
    return -0.5 * (eps.square().sum(-1) + eps.shape[-1] * math.log(2 * math.pi))


def standard_normal(z_dim: int, like: Tensor) -> FactorizedNormal:
    """The prior p(z) = N(0, I), thesis (1.15), on the device and in the dtype of ``like``."""
    zeros = like.new_zeros(z_dim)
    return FactorizedNormal(zeros, zeros + 1, validate_args=False)


def draw(q: Distribution, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """``samples`` reparameterised draws z ~ q, thesis (2.27)–(2.28): (L, B, Z).

    With a ``generator`` the noise ε comes from it alone, and q must be able to ``transport`` noise; without one it is
    ``q.rsample`` and the global random state.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise VbookError(f"samples must be a whole number of at least 1, got {samples!r}")
    if generator is None:
        return q.rsample((samples,))
    if not hasattr(q, "transport"):
        raise VbookError(f"{type(q).__name__} has no map z = g(ε): a draw from a given generator needs q.transport")
    shape = (samples, *q.batch_shape, *q.event_shape)
    return q.transport(normal(shape, q.loc, generator))


@torch.no_grad()
def simulate(p: Distribution, generator: torch.Generator | None = None, shape=()) -> Tensor:
    """Draws from ``p`` that carry no gradient, ``(*shape, *batch, *event)``; with a ``generator`` Bernoulli or Gaussian ones.

    For what is data to the rest of a computation: imagined x ~ p(x|z), or z ~ q(z|x) where no reparameterisation is wanted.
    """
    if generator is None:
        return p.sample(torch.Size(shape))
    base, shape = p.base_dist if isinstance(p, Independent) else p, (*shape, *p.batch_shape, *p.event_shape)
    if isinstance(base, Bernoulli):
        return (uniform(shape, base.probs, generator) < base.probs).to(base.probs.dtype)
    if not (isinstance(base, Normal) or hasattr(p, "transport")):
        raise VbookError(f"no draw of {type(base).__name__} from a given generator; leave the generator out")
    eps = normal(shape, base.loc, generator)
    return base.loc + base.scale * eps if isinstance(base, Normal) else p.transport(eps)


def as_multivariate_normal(q: FactorizedNormal | FullCovarianceNormal) -> MultivariateNormal:
    """The same Gaussian as torch's ``MultivariateNormal``: an independent implementation, used for its KL and in tests."""
    tril = q.scale_tril if isinstance(q, FullCovarianceNormal) else torch.diag_embed(q.scale)
    return MultivariateNormal(q.loc, scale_tril=tril, validate_args=False)


@register_kl(FullCovarianceNormal, FactorizedNormal)
@register_kl(FullCovarianceNormal, FullCovarianceNormal)
def _kl_full_covariance(q, p) -> Tensor:
    return kl_divergence(as_multivariate_normal(q), as_multivariate_normal(p))
