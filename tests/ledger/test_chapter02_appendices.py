"""Thesis appendices 2.A–2.C: the Gaussian KL, Monte Carlo EM and variational Bayes over the weights, each side in its own way."""

import math

import pytest
import torch
from exact import F64, GRID, STEP, X, average, close, generator, phi, solvable, within
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal

from vbook import hmc, mcem
from vbook.bounds import elbo_analytic_kl
from vbook.distributions import FactorizedNormal, FullCovarianceNormal, log_normal
from vbook.evaluation import log_px_reciprocal
from vbook.models import LinearGaussian
from vbook.variational_bayes import VariationalBayes, full_elbo, full_elbo_analytic_kl

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
PLACES = pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (0.7, 0.4), (-1.1, 1.2)])


@PLACES
def test_2_a_the_prior_averaged_over_q(mu, sigma):
    weight = Normal(*torch.tensor([mu, sigma], **F64)).log_prob(GRID).sum(-1)
    close(average(weight, log_normal(GRID).sum(-1)), [-HALF_LOG_2PI - 0.5 * (mu**2 + sigma**2)])


def test_2_a_q_averaged_over_itself():
    """The package's density with a full covariance, of which only the diagonal is left, on a grid around its mean."""
    mu, sigma = torch.tensor([5.0, -5.0], **F64), torch.tensor([0.4, 1.2], **F64)
    line = torch.linspace(-7, 7, 201, **F64)
    log_q = FullCovarianceNormal(mu, sigma, torch.zeros(2, 2, **F64)).log_prob(mu + sigma * torch.cartesian_prod(line, line))
    integral = (log_q.exp() * log_q).sum() * (14 / 200) ** 2 * sigma.prod()
    close(integral, -2 * HALF_LOG_2PI - 0.5 * (1 + (sigma**2).log()).sum())


def test_2_a_minus_kl_is_half_the_sum():
    """A decoder without z: the ELBO is log p(x) less the KL, over three latents at once."""
    mu, sigma = torch.tensor([[0.0, 0.7, -1.1], [1.0, 0.4, 1.2]], **F64)
    model = LinearGaussian(torch.zeros(2, 3, **F64), X[0], 0.5, lambda x: FactorizedNormal(mu[None], sigma[None]))
    value = elbo_analytic_kl(model, X, 3, generator(1)) - model.log_px(X)
    formula = 0.5 * (1 + (sigma**2).log() - mu**2 - sigma**2).sum()
    close(value.detach(), formula[None])
    log_q = torch.stack([Normal(m, s).log_prob(GRID[:, 0, 0]) for m, s in zip(mu, sigma, strict=True)], 1)
    by_grid = (log_q.exp() * (Normal(0.0, 1.0).log_prob(GRID[:, 0]) - log_q)).sum() * STEP
    close(by_grid, formula)


def test_2_b_slope_of_the_posterior_without_px():
    model, z = solvable(*phi()), torch.linspace(-2, 2, 9, **F64)[:, None].requires_grad_()
    (slope,) = torch.autograd.grad(mcem.log_joint(model, X)(z).sum(), z)
    (exact,) = torch.autograd.grad(model.posterior(X).log_prob(z).sum(), z)
    close(slope, exact)


def test_2_b_slope_of_the_evidence_is_the_posteriors_average():
    """E_{p(z|x)}[∇ log p(x, z)] on the grid against autograd through the closed form of log p(x)."""
    model = solvable(*phi())
    posterior = model.posterior(X).log_prob(GRID).detach()
    inside = torch.autograd.grad(average(posterior, mcem.log_joint(model, X)(GRID)).sum(), [model.weight, model.bias])
    exact = torch.autograd.grad(model.log_px(X).sum(), [model.weight, model.bias])
    for a, b in zip(inside, exact, strict=True):
        close(a, b)


def two_humps(z):
    return (-0.5 * z**2 - 2 * (1 - z**2 / 2) ** 2).sum(-1)


def test_2_b_leapfrog_goes_back_keeps_volumes_and_nearly_the_energy():
    z, r = torch.randn(2, 40, 1, generator=generator(2), **F64)

    def flow(state, step=0.1, steps=10):
        return torch.cat(hmc.leapfrog(two_humps, state[:, :1], state[:, 1:], step, steps), 1)

    start, turn = torch.cat([z, r], 1), torch.tensor([1.0, -1.0], **F64)
    close(flow(flow(start) * turn) * turn, start)
    h = 1e-5 * torch.eye(2, **F64)
    for point in start[:5]:
        close(torch.linalg.det((flow(point + h) - flow(point - h)) / 2e-5), 1.0, atol=1e-6)
    close(hmc.energy(two_humps, start, start), 0.5 * z[:, 0] ** 2 + 0.5 * r[:, 0] ** 2 - two_humps(start))
    errors = []
    for step in (0.05, 0.025):
        end = flow(start, step, round(1 / step))
        change = hmc.energy(two_humps, end[:, :1], end[:, 1:]) - hmc.energy(two_humps, z, r)
        errors.append(change.square().mean().sqrt().item())
    assert errors[0] < 0.2 and errors[0] / errors[1] == pytest.approx(4, rel=0.15)  # of the order step²


def test_2_b_accept_or_reject_leaves_the_density_in_place():
    """From exact draws of N(0, 1) with a step so long that leapfrog alone would settle at the variance 1/(1 - ε²/4) = 2.3."""
    g = generator(3)
    z = torch.randn(40_000, 1, generator=g, **F64)
    for _ in range(3):
        z, accepted, _ = hmc.hmc_step(lambda z: -0.5 * z.square().sum(-1), z, 1.5, 1, g)
    within(z[:, 0] ** 2, 1.0)
    within(z[:, 0] ** 4, 3.0)
    assert 0.6 < accepted.double().mean() < 0.95


def test_2_b_the_reciprocal_is_exact_for_the_posterior_and_else_too_high():
    """With q the posterior each draw gives log p(x); with another q the mean of p(x)/p̂(x) is 1, that of log p̂(x) above."""
    model = solvable(*phi())
    exact, truth = model.posterior(X), model.log_px(X).detach()
    z = exact.mean.detach() + exact.scale_tril[0].detach() * torch.randn(2, 20_000, 1, generator=generator(4), **F64)
    rows = X.expand(20_000, 2)
    close(log_px_reciprocal(model, rows, z, exact), truth.expand(20_000))
    q = FactorizedNormal(exact.mean[0].detach() + 0.1, 0.8 * exact.scale_tril[0, 0].detach())
    estimates = log_px_reciprocal(model, rows, z, q.expand((20_000,)))
    within((truth - estimates).exp(), 1.0)
    assert estimates.mean() - truth > 6 * estimates.std() / math.sqrt(20_000)


# x = w z + a θ + noise with one weight and one latent: everything can be integrated on grids of θ and z.
DATA = torch.tensor([[0.9, -0.3], [1.4, 0.2], [-0.2, 0.5]], **F64)
DIRECTION, NOISE, N = torch.tensor([0.8, 0.5], **F64), 0.6, len(DATA)
THETA = torch.linspace(-6, 6, 801, **F64)
LATENT = torch.linspace(-7, 7, 701, **F64)


class Decoder(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w, self.theta = torch.tensor(w, **F64), nn.Parameter(torch.zeros(1, **F64))

    def forward(self, z):
        return Independent(Normal(z * self.w + self.theta * DIRECTION, NOISE), 1)


class Encoder(nn.Module):
    """q(z|x) = N(slope x_1 + shift, width²), any old one, or the prior."""

    def __init__(self, slope, shift, width):
        super().__init__()
        self.slope, self.shift, self.width = slope, shift, width

    def forward(self, x):
        mu = self.slope * x[:, :1] + self.shift
        return FactorizedNormal(mu, torch.full_like(mu, self.width))


ENCODE, PRIOR = Encoder(0.4, -0.1, 0.7), Encoder(0.0, 0.0, 1.0)


def bayes(w, encoder=ENCODE, loc=0.3, sd=0.5):
    model = VariationalBayes(encoder, Decoder(w), 1)
    model.loc.data.fill_(loc)
    model.log_scale.data.fill_(math.log(sd))
    return model


def integrals(w, log_q_theta):
    """By summing over grids: log p(X), the bound (2.79), the bound with (2.81) inside, and KL(q(θ)||p(θ|X))."""
    mean = LATENT[:, None, None] * torch.tensor(w, **F64) + THETA[:, None] * DIRECTION  # (Z, T, D)
    log_x = Normal(mean[:, :, None], NOISE).log_prob(DATA).sum(-1)  # (Z, T, N)
    log_z, dz, dt = Normal(0.0, 1.0).log_prob(LATENT)[:, None, None], LATENT[1] - LATENT[0], THETA[1] - THETA[0]
    log_px = (log_x + log_z).logsumexp(0) + dz.log()  # log p_θ(x_i), (T, N)
    q = ENCODE(DATA)
    log_q = Normal(q.loc[:, 0], q.scale[:, 0]).log_prob(LATENT[:, None, None])  # (Z, 1, N)
    bounds = (log_q.exp() * (log_x + log_z - log_q)).sum(0) * dz  # (2.81), (T, N)
    log_prior = Normal(0.0, 1.0).log_prob(THETA)
    evidence = (log_px.sum(1) + log_prior).logsumexp(0) + dt.log()
    weight = log_q_theta.exp() * dt
    inner = [(weight * (values.sum(1) + log_prior - log_q_theta)).sum() for values in (log_px, bounds)]
    kl = (weight * (log_q_theta - (log_px.sum(1) + log_prior - evidence))).sum()
    return evidence, *inner, kl


def estimates(model, estimator, count=200, seed=5):
    g = generator(seed)
    with torch.no_grad():
        return torch.stack([estimator(model, DATA, N, 1, g).mean() for _ in range(count)])


def q_theta(loc=0.3, sd=0.5):
    return Normal(*torch.tensor([loc, sd], **F64)).log_prob(THETA)


@pytest.mark.parametrize("estimator", [full_elbo, full_elbo_analytic_kl])
def test_eq_2_78_and_2_79_evidence_is_kl_plus_bound(estimator):
    """Without latents, q(z|x) = p(z), the estimate's mean is (2.79) itself."""
    evidence, bound, _, kl = integrals([0.0, 0.0], q_theta())
    close(bound + kl, evidence)
    assert kl > 0.1
    within(estimates(bayes([0.0, 0.0], PRIOR), estimator), evidence - kl)


@pytest.mark.parametrize("estimator", [full_elbo, full_elbo_analytic_kl])
def test_eq_2_80_to_2_87_the_estimate_aims_at_the_bound_within_the_bound(estimator):
    """And lies below (2.79) by the average KL of the latents, which (2.80) gives at each θ."""
    evidence, bound, looser, _ = integrals([0.9, -0.4], q_theta())
    within(estimates(bayes([0.9, -0.4]), estimator), looser)
    assert looser < bound - 0.3 and bound < evidence


def test_eq_2_82_to_2_86_one_draw_of_f():
    """f_φ(x, g(ε, x), h(ζ)), its densities written out."""
    model, w = bayes([0.9, -0.4]), torch.tensor([0.9, -0.4], **F64)
    g = generator(6)
    zeta, eps = torch.randn(1, 1, generator=g, **F64)[0], torch.randn(1, N, 1, generator=g, **F64)[0]
    q = ENCODE(DATA)
    z, theta = q.loc + q.scale * eps, 0.3 + 0.5 * zeta  # (2.82), (2.84)
    log_px_z = -((DATA - z * w - theta * DIRECTION).square() / (2 * NOISE**2) + math.log(NOISE) + HALF_LOG_2PI).sum(1)
    log_ratio = (0.5 * eps**2 + q.scale.log() - 0.5 * z**2)[:, 0]
    weights = 0.5 * zeta**2 + math.log(0.5) - 0.5 * theta**2
    close(full_elbo(model, DATA, 20, 1, generator(6)).detach(), 20 * (log_px_z + log_ratio) + weights)  # (2.86)
    printed = 0.5 * (1 + (q.scale**2).log() - q.loc**2 - q.scale**2).sum(1)
    of_theta = 0.5 * (1 + math.log(0.25) - 0.09 - 0.25)
    close(full_elbo_analytic_kl(model, DATA, 20, 1, generator(6)).detach(), 20 * (printed + log_px_z) + of_theta)  # (2.89)


@pytest.mark.parametrize("estimator", [full_elbo, full_elbo_analytic_kl])
def test_eq_2_87_averages_over_draws_of_both(estimator):
    model, g = bayes([0.9, -0.4]), generator(7)
    three = estimator(model, DATA, N, 3, generator(7))
    close(three.detach(), sum(estimator(model, DATA, N, 1, g) for _ in range(3)).detach() / 3)


def test_2_c_1_the_sampled_form_has_no_variance_at_the_posterior():
    """(2.86) gives log p(X) at each draw, (2.89) fluctuates: integrating terms need not lower the variance."""
    precision = 1 + N * DIRECTION.square().sum() / NOISE**2
    loc = (DATA @ DIRECTION).sum() / NOISE**2 / precision
    model = bayes([0.0, 0.0], PRIOR, loc.item(), precision.rsqrt().item())
    evidence = MultivariateNormal(
        torch.zeros(2 * N, **F64), NOISE**2 * torch.eye(2 * N, **F64) + torch.outer(DIRECTION.repeat(N), DIRECTION.repeat(N))
    ).log_prob(DATA.flatten())
    close(estimates(model, full_elbo, 20), evidence.expand(20))
    assert estimates(model, full_elbo_analytic_kl, 20).std() > 0.3
    close(integrals([0.0, 0.0], q_theta(loc, precision.rsqrt()))[0], evidence)
