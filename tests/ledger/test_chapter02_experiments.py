"""Thesis (2.74)–(2.77) and the weight prior of 2.11, written out by hand with the weights of the package's networks."""

import math

import pytest
import torch
from exact import F64, close, generator

from vbook.bounds import elbo_analytic_kl
from vbook.models import vae
from vbook.networks import BernoulliDecoder, GaussianDecoder, GaussianEncoder
from vbook.objectives import with_weight_prior

D, H, Z = 7, 5, 3


@pytest.fixture
def points():
    g = generator(3)
    return torch.rand(4, D, generator=g, **F64), torch.randn(4, Z, generator=g, **F64)


def hidden(inputs, weight, bias):
    return torch.tanh(torch.einsum("hi,bi->bh", weight, inputs) + bias)


def affine(h, weight, bias):
    return torch.einsum("oh,bh->bo", weight, h) + bias


def gaussian(value, mean, log_variance):
    """The log-density as a product over coordinates, with σ² taken as it is."""
    variance = log_variance.exp()
    density = torch.exp(-((value - mean) ** 2) / (2 * variance)) / torch.sqrt(2 * math.pi * variance)
    return density.prod(1).log()


def test_eq_2_74_bernoulli_perceptron_by_hand(points):
    x, z = points[0].round(), points[1]
    net = BernoulliDecoder(Z, D, (H,)).double()
    w1, b1, w2, b2 = net.parameters()
    y = 1 / (1 + torch.exp(-affine(hidden(z, w1, b1), w2, b2)))
    close(net(z).log_prob(x), torch.where(x == 1, y, 1 - y).prod(1).log())


def test_eq_2_75_gaussian_perceptron_by_hand(points):
    x, z = points
    for sigmoid_mean in (False, True):
        net = GaussianDecoder(Z, D, (H,), sigmoid_mean=sigmoid_mean).double()
        w3, b3, w45, b45 = net.parameters()
        h = hidden(z, w3, b3)
        mean = affine(h, w45[:D], b45[:D])
        mean = 1 / (1 + torch.exp(-mean)) if sigmoid_mean else mean
        close(net(z).log_prob(x), gaussian(x, mean, affine(h, w45[D:], b45[D:])))


def test_eq_2_76_gaussian_encoder_by_hand(points):
    x, z = points
    net = GaussianEncoder(D, Z, (H,)).double()
    w, b, head, bias = net.parameters()
    h = hidden(x, w, b)
    close(net(x).log_prob(z), gaussian(z, affine(h, head[:Z], bias[:Z]), affine(h, head[Z:], bias[Z:])))


def test_eq_2_77_the_kl_in_closed_form(points):
    model = vae(D, Z, (H,)).double()
    x, samples = points[0].round(), 6
    eps = torch.randn(samples, 4, Z, generator=generator(8), **F64)
    q = model.encode(x)
    total = 0
    for j in range(Z):
        mu, sigma = q.loc[:, j], q.scale[:, j]
        total = total + 0.5 * (1 + torch.log(sigma**2) - mu**2 - sigma**2)
    for noise in eps:
        total = total + model.decode(q.loc + q.scale * noise).log_prob(x) / samples
    close(elbo_analytic_kl(model, x, samples, generator(8)), total)


def test_claim_2_11_the_weight_prior_is_a_weight_decay(points):
    model, x, n = vae(D, Z, (H,)).double(), points[0].round(), 50
    weights = list(model.parameters())
    values, slopes = [], []
    for objective in (elbo_analytic_kl, with_weight_prior(elbo_analytic_kl, n)):
        value = objective(model, x, generator=generator(8)).mean()
        values.append(value)
        slopes.append(torch.autograd.grad(value, weights))
    log_prior = sum(torch.distributions.Normal(0.0, 1.0).log_prob(w).sum() for w in weights)
    close(values[1] - values[0], log_prior / n)
    for weight, bare, decayed in zip(weights, *slopes, strict=True):
        close(decayed - bare, -weight / n)
