"""The model that can be solved: Gaussian latents seen through a linear map with Gaussian noise (probabilistic PCA).

Everything that a VAE can only bound has a closed form here, so it is the book's touchstone.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from vbook.distributions import FactorizedNormal, standard_normal
from vbook.errors import VbookError


class LinearGaussian(nn.Module):
    """p(z) = N(0, I), p(x|z) = N(W z + b, s² I); ``weight`` W (D, Z), ``bias`` b (D,), ``noise`` s > 0.

    ``encoder`` is any module from x to q(z|x); without one the model encodes with its exact posterior.

    >>> model = LinearGaussian(torch.tensor([[1.0]]), torch.tensor([0.0]), noise=1.0)
    >>> model.log_px(torch.tensor([[0.0]])).item()              # log N(0; 0, 2)
    -1.2655121088027954
    """

    def __init__(self, weight: Tensor, bias: Tensor, noise: float, encoder: nn.Module | None = None):
        super().__init__()
        if not noise > 0 or weight.shape[0] != bias.shape[0]:
            raise VbookError(f"W (D, Z), b (D,) and s > 0 expected; got {tuple(weight.shape)}, {tuple(bias.shape)}, {noise}")
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.noise, self.encoder = noise, encoder

    def prior(self) -> FactorizedNormal:
        """p(z) = N(0, I)."""
        return standard_normal(self.weight.shape[1], self.weight)

    def decode(self, z: Tensor) -> Independent:
        """p(x|z); (..., Z) -> distribution over x (..., D)."""
        mean = z @ self.weight.T + self.bias
        return Independent(Normal(mean, torch.full_like(mean, self.noise)), 1)

    def encode(self, x: Tensor) -> Distribution:
        """q(z|x): the given encoder, else the exact posterior."""
        return self.encoder(x) if self.encoder is not None else self.posterior(x)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """p(z|x) = N(M⁻¹Wᵀ(x − b), s² M⁻¹) with M = WᵀW + s²I, Bayes' rule (1.19); x (B, D)."""
        identity = torch.eye(self.weight.shape[1], dtype=x.dtype, device=x.device)
        precision = self.weight.T @ self.weight / self.noise**2 + identity
        mean = torch.linalg.solve(precision, self.weight.T @ (x - self.bias).T / self.noise**2).T
        return MultivariateNormal(mean, precision_matrix=precision)

    def log_px(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; b, WWᵀ + s²I), the integral (1.13) in closed form; (B, D) -> (B,) nats."""
        identity = torch.eye(self.weight.shape[0], dtype=x.dtype, device=x.device)
        return MultivariateNormal(self.bias, self.weight @ self.weight.T + self.noise**2 * identity).log_prob(x)


def probabilistic_pca(x: Tensor, z_dim: int) -> LinearGaussian:
    """The maximum-likelihood ``LinearGaussian`` of the data x (N, D), in closed form (Tipping and Bishop 1999); thesis 2.10.

    With the eigenvalues λ_1 ≥ ... ≥ λ_D of the covariance (divided by N) and its leading eigenvectors U: b = mean of x,
    s² = mean of λ_{Z+1}, ..., λ_D and W = U (Λ − s²I)^½, up to a rotation of z. Raises VbookError unless 1 ≤ Z < D and the data
    vary in more than Z directions: the noise would be 0 and the likelihood without bound.

    >>> x = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])            # variances 9/2 and 1/2
    >>> model = probabilistic_pca(x, 1)
    >>> round(model.noise**2, 6), model.weight.abs().tolist()
    (0.5, [[2.0], [0.0]])
    """
    if x.ndim != 2 or not 1 <= z_dim < x.shape[1]:
        raise VbookError(f"x (N, D) and 1 <= z_dim < D expected, got {tuple(x.shape)} and z_dim {z_dim}")
    if not torch.isfinite(x).all():
        raise VbookError("x must be finite, but holds NaN or infinity")
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))  # ascending
    variance = values[:-z_dim].mean()
    if not variance > torch.finfo(x.dtype).eps * values[-1]:
        raise VbookError(f"the {len(x)} data points vary in no more than {z_dim} directions: the noise s would be 0")
    weight = vectors[:, -z_dim:] * (values[-z_dim:] - variance).clamp(min=0).sqrt()
    return LinearGaussian(weight.flip(1), mean, math.sqrt(variance.item()))
