"""Gaussian posteriors against PyTorch's own implementations, autograd's Jacobian and quadrature."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from vbook.distributions import (
    FactorizedBernoulli,
    FactorizedNormal,
    FullCovarianceNormal,
    as_multivariate_normal,
    draw,
    log_normal,
    simulate,
    standard_normal,
)
from vbook.errors import VbookError

Z = 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def factorized(batch=(3,), seed=0):
    g = generator(seed)
    loc, log_scale = (torch.randn(*batch, Z, generator=g, dtype=torch.float64) for _ in range(2))
    return FactorizedNormal(loc, log_scale.exp())


def full(batch=(3,), seed=0):
    g = generator(seed)
    loc, log_scale = (torch.randn(*batch, Z, generator=g, dtype=torch.float64) for _ in range(2))
    lower = torch.randn(*batch, Z, Z, generator=g, dtype=torch.float64)
    return FullCovarianceNormal(loc, log_scale.exp(), lower)


POSTERIORS = [factorized, full]


@pytest.mark.parametrize("make", POSTERIORS)
def test_log_prob_equals_multivariate_normal(make):
    q = make()
    z = torch.randn(5, 3, Z, generator=generator(1), dtype=torch.float64)
    reference = MultivariateNormal(q.loc, as_multivariate_normal(q).covariance_matrix)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", POSTERIORS)
def test_log_prob_is_noise_density_minus_log_determinant(make):
    """(2.33)-(2.35): the density at z = g(eps) against autograd's Jacobian of g."""
    q = make(batch=())
    eps = torch.randn(Z, generator=generator(2), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(q.transport, eps)
    expected = log_normal(eps).sum() - torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(q.log_prob(q.transport(eps)), expected)


@pytest.mark.parametrize("make", POSTERIORS)
def test_log_determinant_is_the_sum_of_log_sigma(make):
    """(2.42), (2.48), (2.55)."""
    q = make(batch=())
    jacobian = torch.autograd.functional.jacobian(q.transport, torch.zeros(Z, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], q.scale.log().sum())
    assert torch.equal(jacobian, jacobian.tril()), "the Jacobian has entries above the diagonal"


def test_density_integrates_to_one():
    q = FullCovarianceNormal(torch.tensor([0.3, -0.4]), torch.tensor([0.7, 1.2]), torch.tensor([[0.0, 0.0], [0.9, 0.0]]))
    axis = torch.linspace(-9, 9, 601)
    p = q.log_prob(torch.cartesian_prod(axis, axis)).exp().reshape(601, 601)
    assert torch.trapezoid(torch.trapezoid(p, axis), axis).item() == pytest.approx(1, abs=1e-4)


def test_only_the_part_of_lower_below_the_diagonal_counts():
    q = full(batch=())
    noisy = FullCovarianceNormal(q.loc, q.scale, q.scale_tril.tril(-1) + torch.full((Z, Z), 7.0, dtype=torch.float64).triu())
    torch.testing.assert_close(noisy.scale_tril, q.scale_tril)
    torch.testing.assert_close(q.scale_tril.diagonal(), q.scale)


@pytest.mark.parametrize("make", POSTERIORS)
def test_samples_have_the_mean_and_covariance_they_claim(make):
    """(2.50)-(2.52): the covariance of L eps is L L^T, within four standard errors of each entry."""
    q, n = make(batch=()), 40_000
    z = draw(q, n, generator(3))
    cov = as_multivariate_normal(q).covariance_matrix
    error = ((cov.diagonal()[:, None] * cov.diagonal() + cov**2) / n).sqrt()
    assert ((torch.cov(z.T) - cov).abs() < 4.5 * error).all()
    assert ((z.mean(0) - q.mean).abs() < 4.5 * (cov.diagonal() / n).sqrt()).all()


@pytest.mark.parametrize("make", POSTERIORS)
def test_draw_from_a_generator_repeats_and_leaves_the_global_state(make):
    q, before = make(), torch.random.get_rng_state()
    a, b = draw(q, 7, generator(4)), draw(q, 7, generator(4))
    assert torch.equal(a, b) and a.shape == (7, 3, Z)
    assert not torch.equal(a, draw(q, 7, generator(5)))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("make", POSTERIORS)
def test_draws_carry_gradients_to_every_parameter(make):
    q = make()
    leaves = [q.loc, q.scale] + ([q.scale_tril] if make is full else [])
    for leaf in leaves:
        assert not leaf.requires_grad
    loc, scale = (leaf.clone().requires_grad_() for leaf in leaves[:2])
    lower = torch.randn(3, Z, Z, dtype=torch.float64).requires_grad_()
    moved = FactorizedNormal(loc, scale) if make is factorized else FullCovarianceNormal(loc, scale, lower)
    for z in (draw(moved, 2, generator()), draw(moved, 2)):
        grads = torch.autograd.grad(z.square().sum(), [loc, scale] + ([lower] if make is full else []))
        assert all((g != 0).any() for g in grads)


@pytest.mark.parametrize(("q", "p"), [(factorized, factorized), (full, factorized), (full, full)])
def test_kl_is_the_mean_log_ratio(q, p):
    q, p, n = q(seed=1), p(seed=2), 40_000
    z = draw(q, n, generator(6))
    ratio = q.log_prob(z) - p.log_prob(z)
    assert ((kl_divergence(q, p) - ratio.mean(0)).abs() < 4.5 * ratio.std(0) / math.sqrt(n)).all()


def test_kl_to_the_prior_is_the_closed_form_of_appendix_2a():
    """-KL = 1/2 sum(1 + log sigma^2 - mu^2 - sigma^2)."""
    q = factorized()
    expected = -0.5 * (1 + q.scale.square().log() - q.loc.square() - q.scale.square()).sum(-1)
    torch.testing.assert_close(kl_divergence(q, standard_normal(Z, q.loc)), expected)


@given(st.floats(-30, 30), st.floats(-4, 4))
@settings(max_examples=50, deadline=None)
def test_factorized_agrees_with_independent_normal(mu, log_sigma):
    loc, scale = torch.full((2,), mu, dtype=torch.float64), torch.full((2,), math.exp(log_sigma), dtype=torch.float64)
    z = loc + 0.7
    torch.testing.assert_close(FactorizedNormal(loc, scale).log_prob(z), Independent(Normal(loc, scale), 1).log_prob(z))


def test_expand_keeps_the_density():
    q = factorized(batch=())
    wide = q.expand((5,))
    assert isinstance(wide, FactorizedNormal) and wide.batch_shape == (5,)
    torch.testing.assert_close(wide.log_prob(q.loc), q.log_prob(q.loc).expand(5))
    p, x = FactorizedBernoulli(torch.tensor([0.3, -1.0])), torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    wide = p.expand((3, 2))
    assert isinstance(wide, FactorizedBernoulli) and wide.batch_shape == (3, 2)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x).expand(3, 2))


def test_densities_are_those_of_torch_and_so_are_their_slopes():
    """Against ``Independent(Normal)`` and ``Independent(Bernoulli)``, with draws, batches and data that broadcast."""
    g = generator()
    first, second = (torch.randn(5, 3, 4, generator=g, dtype=torch.float64).requires_grad_() for _ in range(2))
    x = torch.rand(3, 4, generator=g, dtype=torch.float64)
    pairs = (
        (FactorizedNormal(first, second.exp()), Independent(Normal(first, second.exp()), 1), x),
        (FactorizedBernoulli(first * second), Independent(Bernoulli(logits=first * second), 1), x.round()),
    )
    for ours, theirs, value in pairs:
        torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
        slopes = [torch.autograd.grad(p.log_prob(value).sum(), (first, second)) for p in (ours, theirs)]
        torch.testing.assert_close(*slopes)


def test_values_outside_the_support_are_named_where_asked_for():
    with pytest.raises(ValueError, match="within the support"):
        FactorizedBernoulli(torch.zeros(2), validate_args=True).expand((3,)).log_prob(torch.tensor([7.0, 1.0]))
    FactorizedBernoulli(torch.zeros(2), validate_args=False).expand((3,)).log_prob(torch.tensor([0.5, 1.0]))
    with pytest.raises(ValueError, match="within the support"):
        FactorizedNormal(torch.zeros(2), torch.ones(2), validate_args=True).log_prob(torch.tensor([0.0, float("nan")]))
    with pytest.raises(ValueError, match="within the support"):
        FactorizedBernoulli(torch.zeros(2), validate_args=True).log_prob(torch.tensor([0.5, 1.0]))


def test_bernoulli_is_finite_where_a_sigmoid_has_rounded_to_one():
    """(1.18) with logits of 200: the probability of a wrong pixel is e^-200, not 0."""
    p = FactorizedBernoulli(torch.tensor([200.0, -200.0]))
    assert p.log_prob(torch.tensor([0.0, 1.0])).item() == pytest.approx(-400)
    x, logits = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.3, -1.2, 2.0])
    probs = logits.sigmoid()
    expected = (x * probs.log() + (1 - x) * (1 - probs).log()).sum()
    torch.testing.assert_close(FactorizedBernoulli(logits).log_prob(x), expected)


def test_bad_input_is_named():
    with pytest.raises(VbookError, match="at least 1, got 0"):
        draw(factorized(), 0)
    for count in (True, 1.0):
        with pytest.raises(VbookError, match=f"at least 1, got {count}"):
            draw(factorized(), count)
    with pytest.raises(VbookError, match="no map z = g"):
        draw(Normal(torch.zeros(2), torch.ones(2)), 1, generator())
    with pytest.raises(VbookError, match=r"\(3, 4\)"):
        FullCovarianceNormal(torch.zeros(3, 4), torch.ones(3, 4), torch.zeros(4, 4))
    with pytest.raises(VbookError, match=r"\(3, 4, 5\)"):
        FullCovarianceNormal(torch.zeros(3, 4), torch.ones(3, 4), torch.zeros(3, 4, 5))


def full_covariance_of_three():
    return FullCovarianceNormal(torch.zeros(3), torch.tensor([1.0, 0.5, 2.0]), 0.7 * torch.ones(3, 3))


@pytest.mark.parametrize(
    "p",
    [
        FactorizedBernoulli(torch.tensor([-2.0, 0.5, 300.0])),
        FactorizedNormal(torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.5, 2.0, 1.0])),
        Independent(Normal(torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.5, 2.0, 1.0])), 1),
        full_covariance_of_three(),
    ],
    ids=["bernoulli", "factorized", "independent", "full covariance"],
)
def test_simulate_draws_from_the_distribution_it_is_given(p):
    z = simulate(p, generator(1), (20_000,))
    assert z.shape == (20_000, 3) and torch.equal(z, simulate(p, generator(1), (20_000,)))
    for found, expected in ((z, p.mean), ((z - p.mean).square(), p.variance)):
        assert ((found.mean(0) - expected).abs() <= 4 * found.std(0) / 20_000**0.5 + 1e-6).all()
    assert simulate(p, None, (5,)).shape == (5, 3)


def test_simulate_carries_no_gradient_and_names_what_it_cannot_draw():
    loc = torch.zeros(2, 3, requires_grad=True)
    assert not simulate(FactorizedNormal(loc, loc.exp()), generator()).requires_grad
    with pytest.raises(VbookError, match="no draw of MultivariateNormal"):
        simulate(MultivariateNormal(torch.zeros(2), torch.eye(2)), generator())
