"""Free bits, annealing, wake-sleep and the weight prior against closed forms of the linear-Gaussian model."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from vbook.bounds import elbo, elbo_analytic_kl
from vbook.distributions import FactorizedNormal
from vbook.errors import VbookError
from vbook.models import LinearGaussian, vae
from vbook.objectives import annealed, free_bits, wake_sleep, with_weight_prior
from vbook.training import fit

X = (torch.rand(6, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def kl_by_hand(q):
    return 0.5 * (q.loc**2 + q.scale**2 - 1 - 2 * q.scale.log())  # (2.77)


class LinearEncoder(nn.Module):
    """q(z|x) = N(A x + c, diag(σ²)), for Z = 1 the family of the exact posterior."""

    def __init__(self, slope, shift, log_scale):
        super().__init__()
        self.slope, self.shift, self.log_scale = nn.Parameter(slope), nn.Parameter(shift), nn.Parameter(log_scale)

    def forward(self, x):
        loc = x @ self.slope.T + self.shift
        return FactorizedNormal(loc, self.log_scale.exp().expand_as(loc))


def linear_gaussian(z_dim=2):
    g = generator(7)
    w, b, slope = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((3, z_dim), (3,), (z_dim, 3)))
    encoder = LinearEncoder(0.5 * slope, torch.full((z_dim,), 0.2).double(), torch.full((z_dim,), -0.4).double())
    return LinearGaussian(w, b, noise=0.8, encoder=encoder)


def test_free_bits_is_the_formula():
    """(2.69)-(2.70), written out: the maximum is taken of the minibatch's mean, dimension by dimension."""
    model = vae(12, 4, hidden=(7,), seed=2)
    with torch.no_grad():
        model.encoder.net[-1].weight *= 4
    q = model.encode(X)
    points = kl_by_hand(q)
    kl = points.mean(0)
    level = kl.sort().values[1:3].mean().item()  # two dimensions below, two above
    assert ((points < level).any(0) & (points > level).any(0)).any(), "the maximum of means must differ from the mean of maxima"
    z = q.loc + q.scale * torch.randn(2, 6, 4, generator=generator(1))
    expected = model.decode(z).log_prob(X).mean() - sum(max(level, k.item()) for k in kl)
    values = free_bits(model, X, level, 2, generator(1))
    assert values.shape == (6,)
    torch.testing.assert_close(values.mean(), expected)
    assert (values.mean() < elbo_analytic_kl(model, X, 2, generator(1)).mean() - 0.01).all()


def test_free_bits_of_zero_is_the_elbo_of_each_point():
    model = vae(12, 3, hidden=(7,), seed=2)
    torch.testing.assert_close(free_bits(model, X, 0.0, 2, generator(1)), elbo_analytic_kl(model, X, 2, generator(1)))


def test_below_the_minimum_the_kl_has_no_slope():
    """With a decoder that ignores z, nothing but the KL could move the encoder."""
    model = vae(12, 3, hidden=(7,), seed=2)
    nn.init.zeros_(model.decoder.net[0].weight)
    for minimum, moves in ((50.0, False), (0.0, True)):
        slopes = torch.autograd.grad(free_bits(model, X, minimum, 1, generator()).mean(), list(model.encoder.parameters()))
        assert any(s.any() for s in slopes) == moves


def test_free_bits_passes_nan_on():
    model = vae(12, 3, hidden=(7,), seed=2)
    model.decode = lambda z: model.decoder(torch.zeros_like(z))
    with torch.no_grad():
        model.encoder.net[-1].bias.fill_(math.nan)
    assert free_bits(model, X, 0.5).isnan().all()


def test_annealed_weighs_the_kl():
    model = vae(12, 3, hidden=(7,), seed=2)
    values = [annealed(model, X, beta, 2, generator(1)) for beta in (0.0, 0.5, 1.0)]
    kl = kl_by_hand(model.encode(X)).sum(-1)
    torch.testing.assert_close(values[2], elbo_analytic_kl(model, X, 2, generator(1)))
    torch.testing.assert_close(values[0] - values[2], kl)
    torch.testing.assert_close(values[0] - values[1], 0.5 * kl)


def test_wake_and_sleep_directions_are_unbiased():
    """θ: the slope of the exact E_q log p(x, z); φ: that of E_p(x,z) log q(z|x), both quadratic forms here."""
    model = linear_gaussian()
    w, b, e = model.weight, model.bias, model.encoder
    x, s2 = torch.tensor([[0.8, -0.3, 0.5]], dtype=torch.float64), model.noise**2
    q = e(x)
    residual = x - q.loc.detach() @ w.T - b
    wake = -0.5 * (residual.square().sum() + (w.square() * q.scale.detach().square()).sum()) / s2
    # z − A x − c with x = W z + b + s η has mean −(A b + c) and this covariance:
    wd, bd = w.detach(), b.detach()
    rest = torch.eye(2).double() - e.slope @ wd
    second = (rest @ rest.T + s2 * e.slope @ e.slope.T).diagonal() + (e.slope @ bd + e.shift).square()
    sleep = (-e.log_scale - 0.5 * second * (-2 * e.log_scale).exp()).sum()
    leaves = [w, b, *e.parameters()]
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(wake + sleep, leaves)])
    g, rows = generator(3), []
    for _ in range(80):
        slopes = torch.autograd.grad(wake_sleep(model, x.expand(400, 3), g).mean(), leaves)
        rows.append(torch.cat([s.flatten() for s in slopes]))
    slopes = torch.stack(rows)
    assert ((slopes.mean(0) - exact).abs() <= 4.5 * slopes.std(0) / math.sqrt(80) + 1e-9).all()


def test_only_dreams_teach_the_encoder():
    """With the same noise, other data leave its slope as it was."""
    model = linear_gaussian()
    x = torch.randn(2, 5, 3, generator=generator(6), dtype=torch.float64)
    one, other = (
        torch.autograd.grad(wake_sleep(model, x[k], generator(7)).mean(), list(model.encoder.parameters())) for k in (0, 1)
    )
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)


def test_the_value_of_wake_sleep_is_the_elbo():
    model = linear_gaussian()
    x = torch.tensor([[0.8, -0.3, 0.5]], dtype=torch.float64)
    with torch.no_grad():
        difference = wake_sleep(model, x.expand(20_000, 3), generator(4)) - elbo_analytic_kl(model, x, 20_000, generator(5))
    assert abs(difference.mean()) < 5 * difference.std() / math.sqrt(20_000)


def test_wake_sleep_finds_maximum_likelihood_and_the_posterior():
    """For Z = 1 the encoder can be exact, so the fixed point is that of EM: W = u sqrt(λ₁ − s²), u the first principal axis."""
    truth = LinearGaussian(torch.tensor([[1.5], [-0.8], [0.6]]).double(), torch.tensor([0.5, 0.0, -1.0]).double(), noise=0.7)
    g = generator(8)
    z, eta = (torch.randn(1500, d, generator=g, dtype=torch.float64) for d in (1, 3))
    x = truth.decode(z).mean.detach() + 0.7 * eta
    variance, axes = torch.linalg.eigh(torch.cov(x.T, correction=0))
    best = LinearGaussian(axes[:, -1:] * (variance[-1] - 0.49).sqrt(), x.mean(0), noise=0.7)
    encoder = LinearEncoder(*(torch.zeros(s, dtype=torch.float64) for s in ((1, 3), (1,), (1,))))
    model = LinearGaussian(torch.full((3, 1), 0.1).double(), torch.zeros(3).double(), noise=0.7, encoder=encoder)
    for lr, epochs in ((0.02, 40), (0.002, 20)):
        fit(model, x, wake_sleep, epochs=epochs, batch_size=100, lr=lr)
    with torch.no_grad():
        gap = (best.log_px(x) - model.log_px(x)).mean()
        q, posterior = encoder(x), model.posterior(x)
    assert 0 <= gap < 0.005
    assert (q.loc - posterior.mean).square().mean().sqrt() < 0.06
    torch.testing.assert_close(q.scale, posterior.stddev, rtol=0.06, atol=0)


def test_wake_sleep_trains_bernoulli_pixels():
    x = X[:2].repeat(100, 1)
    model = vae(12, 2, hidden=(8,), seed=1)
    before = elbo(model, x, 10, generator()).mean()
    history = fit(model, x, wake_sleep, epochs=40, batch_size=50, lr=0.02)
    after = elbo(model, x, 10, generator()).mean()
    assert after > before + 3 and history.rows[-1]["train"] == pytest.approx(after.item(), abs=0.8)


def test_weight_prior_is_a_standard_normal_over_all_trainable_weights():
    model = vae(12, 2, hidden=(6,), seed=1)
    model.decoder.net[0].bias.requires_grad_(False)
    values = with_weight_prior(partial(elbo, samples=3), 40)(model, X, generator=generator(1))
    log_pw = sum(Normal(0.0, 1.0).log_prob(w).sum() for w in model.parameters() if w.requires_grad)
    torch.testing.assert_close(values - elbo(model, X, 3, generator(1)), (log_pw / 40).expand(6), rtol=1e-4, atol=1e-4)


def test_an_objective_with_a_prior_takes_the_options_that_it_had():
    model = vae(12, 2, hidden=(6,), seed=1)
    with_prior = with_weight_prior(annealed, 1)  # one example is enough
    log_pw = sum(Normal(0.0, 1.0).log_prob(w).sum() for w in model.parameters())
    for beta in (0.0, 0.7):
        expected = annealed(model, X, beta, generator=generator(1)) + log_pw
        torch.testing.assert_close(with_prior(model, X, beta=beta, generator=generator(1)), expected)


def test_weight_prior_is_weight_decay():
    """Its slope is −w/N."""
    model = vae(12, 2, hidden=(6,), seed=1)
    objective = with_weight_prior(lambda m, x, generator=None: x.new_zeros(len(x)), 40)
    weights = list(model.parameters())
    for slope, weight in zip(torch.autograd.grad(objective(model, X).mean(), weights), weights, strict=True):
        torch.testing.assert_close(slope, -weight / 40)


def test_bad_options_are_refused():
    model = vae(12, 2, hidden=(6,))
    full = vae(12, 2, hidden=(6,), posterior="full-covariance")
    for call, words in (
        (lambda: free_bits(model, X, -0.1), "0 nats or more"),
        (lambda: free_bits(model, X, math.nan), "0 nats or more"),
        (lambda: free_bits(model, X, math.inf), "0 nats or more"),
        (lambda: free_bits(full, X, 0.1), "factorised Gaussian.*FullCovarianceNormal"),
        (lambda: annealed(model, X, -1.0), "beta must be"),
        (lambda: annealed(model, X, math.inf), "beta must be"),
        (lambda: with_weight_prior(elbo, 0), "at least 1, got 0"),
        (lambda: with_weight_prior(elbo, math.nan), "at least 1, got nan"),
    ):
        with pytest.raises(VbookError, match=words):
            call()
