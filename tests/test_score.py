"""The score-function estimator: unbiased on models with exact gradients, and how noisy it is beside reparameterisation."""

import itertools
import math

import pytest
import torch
from torch.distributions import kl_divergence

from vbook.bounds import elbo
from vbook.distributions import FactorizedBernoulli, FactorizedNormal, as_multivariate_normal
from vbook.errors import VbookError
from vbook.models import LinearGaussian, vae
from vbook.score import BASELINES, score_function

W = torch.tensor([[1.0, 0.6], [0.2, 1.1], [-0.5, 0.8]], dtype=torch.float64)
X = torch.tensor([[0.8, -0.3, 0.5]], dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_gaussian():
    loc = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([-0.5, 0.1], dtype=torch.float64, requires_grad=True)
    model = LinearGaussian(
        W.clone(),
        torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64),
        noise=0.7,
        encoder=lambda x: FactorizedNormal(loc.expand(len(x), 2), log_scale.exp().expand(len(x), 2)),
    )
    return model, [model.weight, model.bias, loc, log_scale]


def exact_elbo(model, x):
    return model.log_px(x) - kl_divergence(as_multivariate_normal(model.encode(x)), model.posterior(x))


class Binary:
    """Three binary latents and a Bernoulli pixel row: every sum over z has eight terms."""

    def __init__(self):
        g = generator(5)
        draw = [0.7 * torch.randn(s, generator=g, dtype=torch.float64) for s in ((4, 3), (3, 4))]
        self.weights = [w.requires_grad_() for w in draw]

    def prior(self):
        return FactorizedBernoulli(torch.full((3,), -0.3, dtype=torch.float64))

    def encode(self, x):
        return FactorizedBernoulli(x @ self.weights[0])

    def decode(self, z):
        return FactorizedBernoulli(z @ self.weights[1])


def slopes(objective, leaves, blocks):
    rows = [torch.cat([s.flatten() for s in torch.autograd.grad(objective().mean(), leaves)]) for _ in range(blocks)]
    return torch.stack(rows)


def assert_unbiased(found, exact, leaves):
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(exact, leaves)])
    assert exact.abs().max() > 0.3, "the test needs a slope"
    assert ((found.mean(0) - exact).abs() <= 4.5 * found.std(0) / math.sqrt(len(found)) + 1e-9).all()


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_slope_is_unbiased(baseline):
    """(2.72)-(2.73) in phi and the plain gradient in theta, against autograd of the exact ELBO."""
    model, leaves = linear_gaussian()
    g = generator(1)
    found = slopes(lambda: score_function(model, X.expand(500, 3), 3, g, baseline), leaves, 100)
    assert_unbiased(found, exact_elbo(model, X).sum(), leaves)


@pytest.mark.parametrize("baseline", BASELINES)
def test_binary_latents_against_enumeration(baseline):
    model, x = Binary(), torch.tensor([[1.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    z = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    log_q = model.encode(x).log_prob(z)
    exact = (log_q.exp() * (model.prior().log_prob(z) + model.decode(z).log_prob(x) - log_q)).sum()
    g = generator(2)
    found = slopes(lambda: score_function(model, x.expand(500, 4), 3, g, baseline), model.weights, 100)
    assert_unbiased(found, exact, model.weights)


def test_the_value_is_the_elbo_and_the_same_for_each_baseline():
    model, _ = linear_gaussian()
    plain, other = (score_function(model, X.expand(7, 3), 4, generator(3), b) for b in BASELINES)
    torch.testing.assert_close(plain, elbo(model, X.expand(7, 3), 4, generator(3)))
    torch.testing.assert_close(plain, other)


def test_the_baseline_takes_out_a_constant_whole():
    """log p(x, z) + 100 has the same slope in phi, draw by draw."""
    model, leaves = linear_gaussian()
    plain = slopes(lambda: score_function(model, X, 3, generator(6), "leave-one-out"), leaves[2:], 1)
    prior = model.prior()
    log_prob = prior.log_prob
    prior.log_prob, model.prior = lambda z: log_prob(z) + 100, lambda: prior
    lifted = slopes(lambda: score_function(model, X, 3, generator(6), "leave-one-out"), leaves[2:], 1)
    torch.testing.assert_close(plain, lifted)


def test_variance_falls_with_the_baseline_and_far_more_with_reparameterisation():
    """The same ten samples per step; summed variance of the slopes in phi."""
    model, leaves = linear_gaussian()
    g, phi = generator(4), leaves[2:]
    estimators = {b: lambda b=b: score_function(model, X, 10, g, b) for b in BASELINES}
    estimators["reparameterised"] = lambda: elbo(model, X, 10, g)
    variance = {name: slopes(estimate, phi, 600).var(0).sum().item() for name, estimate in estimators.items()}
    assert variance["none"] > 1.3 * variance["leave-one-out"] > 1.3 * 3 * variance["reparameterised"]


def test_two_samples_are_enough_for_a_baseline():
    """Each draw's signal is set off against the other's, so that the two coefficients are opposite."""
    model, leaves = linear_gaussian()
    value = score_function(model, X, 2, generator(1), "leave-one-out")
    torch.testing.assert_close(value, elbo(model, X, 2, generator(1)))
    slope = torch.autograd.grad(value.mean(), leaves[2])[0]
    q, g = model.encode(X), generator(1)
    z = q.transport(torch.randn(2, 1, 2, generator=g, dtype=torch.float64)).detach()
    signal = (model.decode(z).log_prob(X) + model.prior().log_prob(z) - q.log_prob(z)).detach()
    expected = torch.autograd.grad(((signal - signal.flip(0)) * q.log_prob(z)).mean(), leaves[2])[0]
    torch.testing.assert_close(slope, expected)


def test_bad_options_are_refused():
    model = vae(12, 2, hidden=(6,))
    for options, words in (
        (dict(samples=0), "at least 1, got 0"),
        (dict(samples=1, baseline="leave-one-out"), "at least 2 samples"),
        (dict(baseline="leave-on-out"), "did you mean 'leave-one-out'"),
    ):
        with pytest.raises(VbookError, match=words):
            score_function(model, torch.zeros(1, 12), **options)
