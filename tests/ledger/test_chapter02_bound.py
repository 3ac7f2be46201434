"""Thesis (2.5)–(2.32), (2.56) and (2.57) line by line: both sides of each formula computed in different ways.

Integrals over z or ε are sums over a fine grid, so that most comparisons hold to nine digits; the rest are within four
standard errors.
"""

import itertools
import math

import pytest
import torch
from exact import F64, GRID, STEP, X, average, close, generator, log_joint, phi, solvable, within
from torch.distributions import kl_divergence

from vbook.bounds import elbo, iwae, log_mean_exp, log_weights
from vbook.distributions import FactorizedNormal, as_multivariate_normal, draw, log_normal


@pytest.fixture
def lines():
    """log p(x) by integration, and log p(x, z), log q(z|x), log p(z|x) on the grid of z."""
    model = solvable(*phi())
    with torch.no_grad():
        joint, log_q = log_joint(model, GRID), model.encode(X).log_prob(GRID)
        return model, joint.logsumexp(0) + math.log(STEP), joint, log_q, model.posterior(X).log_prob(GRID)


def test_eq_2_5_the_average_of_log_px_is_log_px(lines):
    model, log_px, _, log_q, _ = lines
    close(average(log_q, model.log_px(X).detach()), log_px)


def test_eq_2_6_joint_over_posterior(lines):
    _, log_px, joint, log_q, posterior = lines
    close(joint - posterior, log_px.expand_as(joint))
    close(average(log_q, joint - posterior), log_px)


def test_eq_2_7_joint_over_q_times_q_over_posterior(lines):
    """At every draw: the package's weight p(x,z)/q(z|x), times q(z|x)/p(z|x), is p(x)."""
    model, log_px, *_ = lines
    with torch.no_grad():
        weight = log_weights(model, X, 50, generator(1))
        z = draw(model.encode(X), 50, generator(1))
        ratio = model.encode(X).log_prob(z) - model.posterior(X).log_prob(z)
    close(weight + ratio, log_px.expand(50, 1))


def test_eq_2_8_log_px_is_elbo_plus_kl(lines):
    model, log_px, joint, log_q, posterior = lines
    bound, kl = average(log_q, joint - log_q), average(log_q, log_q - posterior)
    close(bound + kl, log_px)
    close(kl, kl_divergence(as_multivariate_normal(model.encode(X)), model.posterior(X)).detach())
    with torch.no_grad():
        within(log_weights(model, X, 20_000, generator(2)), bound)


def test_eq_2_9_the_gap_is_never_negative_and_zero_at_the_posterior(lines):
    model, log_px, joint, *_ = lines
    exact = model.posterior(X)

    def gap(q):
        with torch.no_grad():
            log_q = q.log_prob(GRID)
            return log_px - average(log_q, joint - log_q)

    for pair in itertools.product((-1.0, 0.0, 0.5, 1.5), (0.2, 0.5, 1.0)):
        assert gap(FactorizedNormal(*(torch.tensor([[value]], **F64) for value in pair))) > 1e-3
    close(gap(exact), [0.0])


def test_eq_2_10_elbo_is_an_average_over_its_samples(lines):
    model, _, joint, log_q, _ = lines
    truth = average(log_q, joint - log_q)
    with torch.no_grad():
        five, one = (elbo(model, X.expand(4000, 2), samples, generator(9)) for samples in (5, 1))
    within(five, truth)
    assert five.std().item() == pytest.approx(one.std().item() / math.sqrt(5), rel=0.1)


def theta_gradient(model, value):
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, [model.weight, model.bias], retain_graph=True)])


def test_eq_2_14_to_2_17_gradient_for_theta():
    model = solvable(*phi())
    log_q = model.encode(X).log_prob(GRID)
    difference = log_joint(model, GRID) - log_q
    exact = model.log_px(X) - kl_divergence(as_multivariate_normal(model.encode(X)), model.posterior(X))
    outside = theta_gradient(model, average(log_q, difference).sum())
    close(outside, theta_gradient(model, exact.sum()))  # (2.14)
    inside = theta_gradient(model, (log_q.detach().exp() * difference).sum() * STEP)
    close(inside, outside)  # (2.15)
    z, rows = draw(model.encode(X), 800, generator(3)).detach(), []
    for point in z:
        joint = log_joint(model, point)
        rows.append(theta_gradient(model, joint.sum()))
        if len(rows) <= 20:
            close(rows[-1], theta_gradient(model, (joint - model.encode(X).log_prob(point)).sum()))  # (2.16) = (2.17)
    within(torch.stack(rows), outside)


def test_eq_2_18_and_2_19_gradient_for_phi_must_not_go_inside():
    parameters = phi()
    model = solvable(*parameters)
    log_q = model.encode(X).log_prob(GRID)
    difference = log_joint(model, GRID) - log_q
    exact = model.log_px(X) - kl_divergence(as_multivariate_normal(model.encode(X)), model.posterior(X))
    true = torch.cat(torch.autograd.grad(exact.sum(), parameters))
    outside = torch.cat(torch.autograd.grad(average(log_q, difference).sum(), parameters, retain_graph=True))
    inside = torch.cat(torch.autograd.grad((log_q.detach().exp() * difference).sum() * STEP, parameters))
    close(outside, true)  # (2.18)
    close(inside, torch.zeros(2, 1))  # what (2.19) warns of
    assert (outside.abs() > 0.1).all()
    draws = (elbo(model, X.expand(200, 2), 1, generator(seed)).mean() for seed in range(60))
    within(torch.stack([torch.cat(torch.autograd.grad(value, parameters)) for value in draws]), true)


def skewed(z):
    """A function with no symmetry that could hide a sign."""
    return (z + 0.3 * z**2).sin().sum(-1)


def test_eq_2_20_to_2_24_change_of_variables():
    parameters = phi()
    q = FactorizedNormal(parameters[0], parameters[1].exp())
    z = q.transport(GRID)
    close(z, parameters[0] + parameters[1].exp() * GRID)  # (2.20) with (2.40)
    by_z, by_eps = average(q.log_prob(GRID), skewed(GRID)), average(log_normal(GRID).sum(-1), skewed(z))
    close(by_z, by_eps)  # (2.21)
    by_z, by_eps = (torch.cat(torch.autograd.grad(v.sum(), parameters, retain_graph=True)) for v in (by_z, by_eps))
    close(by_z, by_eps)  # (2.22), (2.23)
    eps, rows = torch.randn(800, 1, 1, generator=generator(4), **F64), []
    for one in eps:
        rows.append(torch.cat(torch.autograd.grad(skewed(q.transport(one)).sum(), parameters, retain_graph=True)))
    within(torch.stack(rows), by_z)  # (2.24)


def test_eq_2_25_to_2_29_the_estimator_and_its_average_over_noise():
    model = solvable(*phi())
    with torch.no_grad():
        q = model.encode(X)
        by_z = average(q.log_prob(GRID), log_joint(model, GRID) - q.log_prob(GRID))
        z = q.transport(GRID)
        by_eps = average(log_normal(GRID).sum(-1), log_joint(model, z) - q.log_prob(z))
        close(by_z, by_eps)  # (2.25), (2.26)
        eps = torch.randn(3, 1, 1, generator=generator(5), **F64)  # (2.27)
        z = draw(q, 3, generator(5))
        close(z, q.loc + q.scale * eps)  # (2.28)
        close(log_weights(model, X, 3, generator(5)), log_joint(model, z) - q.log_prob(z))  # (2.29)


def test_eq_2_30_to_2_32_unbiased():
    """Average of the gradient, gradient of the average (by finite differences) and the gradient of the exact ELBO."""
    parameters = phi()

    def estimate(loc, log_scale):
        model = solvable(loc, log_scale)
        z = model.encode(X).transport(GRID)
        return log_joint(model, z) - model.encode(X).log_prob(z)

    def mean(loc, log_scale):
        with torch.no_grad():
            return average(log_normal(GRID).sum(-1), estimate(loc, log_scale)).item()

    weight = log_normal(GRID).sum(-1).exp() * STEP
    of_gradient = torch.cat(torch.autograd.grad(estimate(*parameters), parameters, grad_outputs=weight)).flatten()
    h, (m, s) = 1e-4, parameters
    of_average = [(mean(m + h, s) - mean(m - h, s)) / (2 * h), (mean(m, s + h) - mean(m, s - h)) / (2 * h)]
    model = solvable(*parameters)
    exact = model.log_px(X) - kl_divergence(as_multivariate_normal(model.encode(X)), model.posterior(X))
    of_elbo = torch.cat(torch.autograd.grad(exact.sum(), parameters)).flatten()
    close(model.encode(X).transport(GRID), m + s.exp() * GRID)
    close(of_gradient, of_average, atol=1e-6)
    close(of_gradient, of_elbo)


def test_eq_2_56_the_mean_weight_is_px(lines):
    model, log_px, joint, log_q, _ = lines
    close(average(log_q, (joint - log_q).exp()).log(), log_px)
    with torch.no_grad():
        within((log_weights(model, X, 20_000, generator(5)) - log_px).exp(), 1.0)


def test_eq_2_57_log_mean_weight():
    """The estimator written without logarithms, for weights that a float can hold."""
    log_w = torch.randn(7, 3, generator=generator(6), **F64)
    close(log_mean_exp(log_w), (log_w.exp().sum(0) / 7).log())
    model = solvable(*phi())
    with torch.no_grad():
        weights = log_weights(model, X, 7, generator(7)).exp()
        close(iwae(model, X, 7, generator(7)), (weights.sum(0) / 7).log())


def test_eq_2_57_with_one_draw_is_the_elbo_estimator():
    """L = 1: importance sampling, the ELBO and the difference of the log-densities at the draw are one number."""
    model = solvable(*phi())
    with torch.no_grad():
        z = draw(model.encode(X), 1, generator(8))
        by_hand = (log_joint(model, z) - model.encode(X).log_prob(z))[0]
        close(iwae(model, X, 1, generator(8)), by_hand)
        close(elbo(model, X, 1, generator(8)), by_hand)
