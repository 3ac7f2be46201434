"""Thesis (2.33)–(2.55) and algorithm 2: Gaussian posteriors, their Jacobians and densities, each in two ways."""

import math

import torch
from exact import F64, close, generator
from torch.distributions import Normal

from vbook.bounds import elbo, terms
from vbook.distributions import FactorizedNormal, FullCovarianceNormal, as_multivariate_normal, log_normal
from vbook.models import vae


def factorized(seed=6):
    mu, log_sigma = torch.randn(2, 4, generator=generator(seed), **F64)
    return FactorizedNormal(mu, log_sigma.exp())


def full(seed=7):
    g = generator(seed)
    mu, log_sigma = torch.randn(2, 4, generator=g, **F64)
    return FullCovarianceNormal(mu, log_sigma.exp(), torch.randn(4, 4, generator=g, **F64))


def jacobian(q):
    return torch.autograd.functional.jacobian(q.transport, torch.full((4,), 0.7, **F64))


EPS = torch.randn(4, generator=generator(8), **F64)


def test_eq_2_33_to_2_35_density_of_a_map_that_is_not_linear():
    """z = sinh(μ + σε): the density from the change of variables against a numerical derivative of the distribution function."""
    q = FactorizedNormal(torch.tensor([0.2], **F64), torch.tensor([0.6], **F64))
    eps = torch.linspace(-2, 2, 41, **F64)[:, None]
    z = q.transport(eps).sinh()
    derivative = torch.autograd.functional.jacobian(lambda e: q.transport(e).sinh().sum(), eps)  # ∂z/∂ε
    log_density = log_normal(eps).sum(-1) - derivative.abs().log().sum(-1)  # (2.33)–(2.35)
    h = 1e-5
    cdf = lambda value: Normal(0.2, 0.6).cdf(value.asinh())  # noqa: E731
    close(log_density, ((cdf(z + h) - cdf(z - h)) / (2 * h)).log().sum(-1), atol=1e-6)


def test_eq_2_40_transport_is_mu_plus_sigma_eps():
    q = factorized()
    close(q.transport(EPS), torch.stack([m + s * e for m, s, e in zip(q.loc, q.scale, EPS, strict=True)]))


def test_eq_2_41_and_2_42_diagonal_jacobian():
    q = factorized()
    close(jacobian(q), torch.diag(q.scale))
    close(torch.linalg.slogdet(jacobian(q))[1], q.scale.log().sum())


def test_eq_2_43_and_2_44_factorised_density():
    q = factorized()
    density = sum(Normal(m, s).log_prob(m + s * e) for m, s, e in zip(q.loc, q.scale, EPS, strict=True))
    close((log_normal(EPS) - q.scale.log()).sum(), density)
    close(q.log_prob(q.loc + q.scale * EPS), density)


def test_eq_2_47_transport_is_mu_plus_l_eps():
    q = full()
    rows = [q.loc[i] + sum(q.scale_tril[i, j] * EPS[j] for j in range(i + 1)) for i in range(4)]
    close(q.transport(EPS), torch.stack(rows))


def test_eq_2_48_jacobian_is_l():
    """∂z/∂ε = L, and log|det L| is the sum of log|L_ii|, for negative diagonals too."""
    q = full()
    close(jacobian(q), q.scale_tril)
    for signs in (torch.ones(4, **F64), torch.tensor([1.0, -1.0, 1.0, -1.0], **F64)):
        lower = q.scale_tril * signs
        close(torch.linalg.slogdet(lower)[1], lower.diagonal().abs().log().sum())


def test_eq_2_49_and_2_55_density_with_full_covariance():
    q = full()
    log_q = q.log_prob(q.loc + q.scale_tril @ EPS)
    close(log_q, log_normal(EPS).sum() - q.scale_tril.diagonal().abs().log().sum())  # (2.49)
    close(torch.linalg.slogdet(jacobian(q))[1], q.scale.log().sum())  # (2.55)
    close(log_q, as_multivariate_normal(q).log_prob(q.loc + q.scale_tril @ EPS))


def test_eq_2_50_to_2_52_covariance():
    """Eight points ±2e_i have mean 0 and covariance I exactly, so that averages over them stand for those over ε."""
    q = full()
    points = 2 * torch.cat([torch.eye(4, **F64), -torch.eye(4, **F64)])
    second = torch.einsum("ni,nj->ij", points, points) / len(points)
    close(second, torch.eye(4))
    z = q.transport(points)
    close(z, q.mean + points @ q.scale_tril.T)
    close(z.mean(0), q.mean)
    centred = z - z.mean(0)
    close(torch.einsum("ni,nj->ij", centred, centred) / len(points), q.covariance_matrix)  # (2.50) = (2.52)
    close(q.scale_tril @ second @ q.scale_tril.T, q.covariance_matrix)  # (2.51) = (2.52)
    close(q.variance, q.covariance_matrix.diagonal())


def test_every_covariance_can_be_had():
    """Section 2.6.1: any positive definite Σ is L Lᵀ with L built as in (2.54)."""
    for seed in range(5):
        root = torch.randn(4, 4, generator=generator(seed), **F64)
        sigma = root @ root.T + 0.1 * torch.eye(4, **F64)
        tril = torch.linalg.cholesky(sigma)
        close(FullCovarianceNormal(torch.zeros(4, **F64), tril.diagonal(), tril).covariance_matrix, sigma)


def test_eq_2_54_mask_and_diagonal():
    sigma, free = torch.tensor([1.0, 2.0, 3.0]), torch.arange(9.0).reshape(3, 3)
    expected = torch.tensor([[1.0, 0.0, 0.0], [3.0, 2.0, 0.0], [6.0, 7.0, 3.0]])
    assert torch.equal(FullCovarianceNormal(torch.zeros(3), sigma, free).scale_tril, expected)


def test_algorithm_2_line_by_line():
    """The pseudo-code, its erratum corrected, against the package's ELBO from the same noise."""
    model = vae(6, 3, hidden=(5,), posterior="full-covariance", seed=2).double()
    torch.nn.init.normal_(model.encoder.net[-1].weight, generator=generator(3))
    x = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]], **F64)
    mu, log_variance, free = model.encoder.net(x)[0].split([3, 3, 9])
    log_sigma = 0.5 * log_variance
    L = torch.ones(3, 3, **F64).tril(-1) * free.reshape(3, 3) + torch.diag(log_sigma.exp())
    eps = torch.randn(1, 1, 3, generator=generator(4), **F64)[0, 0]
    z = L @ eps + mu
    log_qz = -(0.5 * (eps**2 + math.log(2 * math.pi)) + log_sigma).sum()
    log_pz = -(0.5 * (z**2 + math.log(2 * math.pi))).sum()
    p = model.decoder.net(z).sigmoid()
    log_px = (x[0] * p.log() + (1 - x[0]) * (1 - p).log()).sum()
    t = terms(model, x, 1, generator(4))
    close(torch.stack([t["log_qz_x"], t["log_pz"], t["log_px_z"]]).flatten(), torch.stack([log_qz, log_pz, log_px]))
    close(elbo(model, x, 1, generator(4)), (log_px + log_pz - log_qz)[None])
