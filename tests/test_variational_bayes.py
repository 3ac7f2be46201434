"""Variational Bayes over weights and latents against a model in which the joint posterior is Gaussian and known.

x = W z + A θ + noise with z ~ N(0, I), θ ~ N(0, I). With W = 0 it is Bayesian linear regression with N copies of the design A.
The best factorised q has the exact mean, and its precision is the (block) diagonal of the exact one.
"""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vbook.checks import check_within
from vbook.distributions import FactorizedNormal
from vbook.errors import VbookError
from vbook.models import vae
from vbook.training import fit
from vbook.variational_bayes import VariationalBayes, full_elbo, full_elbo_analytic_kl

F64 = dict(dtype=torch.float64)
N, D, P, S = 6, 3, 2, 0.8
A = torch.tensor([[1.0, 0.5], [0.3, 1.2], [-0.6, 0.4]], **F64)
X = torch.randn(N, D, generator=torch.Generator().manual_seed(0), **F64) + torch.tensor([1.0, 0.5, -0.5], **F64)
WEIGHTS = {"regression": torch.zeros(D, 1, **F64), "with latents": torch.tensor([[0.9], [-0.4], [0.5]], **F64)}
MODELS = pytest.mark.parametrize("w", WEIGHTS.values(), ids=list(WEIGHTS))
ESTIMATORS = pytest.mark.parametrize("estimator", [full_elbo, full_elbo_analytic_kl])


@pytest.fixture(autouse=True)
def unvalidated():
    """The many small distributions of these tests spend half of their time on checking their arguments."""
    torch.distributions.Distribution.set_default_validate_args(False)
    yield
    torch.distributions.Distribution.set_default_validate_args(__debug__)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Decoder(nn.Module):
    """p(x|z, θ) = N(W z + A θ, s² I); θ = (a, b) in two tensors, to see that they are put back in order."""

    def __init__(self, w):
        super().__init__()
        self.w, self.a, self.b = w, nn.Parameter(torch.zeros(1, **F64)), nn.Parameter(torch.zeros(1, 1, **F64))

    def forward(self, z):
        mean = z @ self.w.T + A[:, 0] * self.a + A[:, 1] * self.b[0]
        return Independent(Normal(mean, S), 1)


class Encoder(nn.Module):
    """q(z|x) = N(u (x − c), v²), linear."""

    def __init__(self, w, c):
        super().__init__()
        precision = 1 + w.square().sum() / S**2
        self.u = nn.Parameter(w[:, 0] / S**2 / precision)
        self.c, self.log_v = nn.Parameter(c), nn.Parameter(-0.5 * precision.log())

    def forward(self, x):
        mu = ((x - self.c) @ self.u)[:, None]
        return FactorizedNormal(mu, self.log_v.exp().expand_as(mu))


def exact(w):
    """Joint posterior of (θ, z_1, ..., z_N) and log p(X), from the Gaussian of everything."""
    design = torch.cat([A.repeat(N, 1), torch.block_diag(*[w] * N)], 1)  # (N D, P + N)
    precision = torch.eye(P + N, **F64) + design.T @ design / S**2
    mean = torch.linalg.solve(precision, design.T @ X.flatten() / S**2)
    evidence = MultivariateNormal(torch.zeros(N * D, **F64), design @ design.T + S**2 * torch.eye(N * D, **F64))
    return MultivariateNormal(mean, precision_matrix=precision), evidence.log_prob(X.flatten())


def best(w):
    """The model at the factorised optimum, in closed form."""
    posterior, _ = exact(w)
    mean, sd = posterior.mean, posterior.precision_matrix.diagonal().rsqrt()
    model = VariationalBayes(Encoder(w, A @ mean[:P]), Decoder(w), 1)
    model.loc.data, model.log_scale.data = mean[:P].clone(), sd[:P].log()
    return model


def off_optimum(w):
    model = best(w)
    model.loc.data += torch.tensor([0.3, -0.2], **F64)
    model.log_scale.data += torch.tensor([0.4, -0.5], **F64)
    model.encoder.c.data += 0.2
    model.encoder.log_v.data += 0.3
    return model


def exact_bound(model, w):
    """log p(X) − KL(q(θ) Π q(z_i|x_i) || p(θ, z|X)), differentiable in φ."""
    posterior, evidence = exact(w)
    q_theta, q = model.weights(), model.encode(X)
    mean, sd = torch.cat([q_theta.loc, q.loc[:, 0]]), torch.cat([q_theta.scale, q.scale[:, 0]])
    return evidence - kl_divergence(MultivariateNormal(mean, scale_tril=torch.diag(sd)), posterior)


def trained(model):
    return [model.loc, model.log_scale, *model.encoder.parameters()]


@MODELS
@ESTIMATORS
@pytest.mark.parametrize("where", [best, off_optimum])
def test_the_bound_is_the_evidence_minus_the_kl(w, estimator, where):
    """(2.78)-(2.81): in expectation, over the noise and over minibatches of two."""
    model, g = where(w), generator(1)
    with torch.no_grad():
        values = torch.stack([estimator(model, X[torch.randperm(N, generator=g)[:2]], N, 1, g).mean() for _ in range(250)])
        truth, evidence = exact_bound(model, w), exact(w)[1]
    check_within(values.mean(), truth, values.std() / math.sqrt(len(values)))
    assert truth < evidence - 0.01, "the test needs a gap"


@MODELS
@ESTIMATORS
def test_slopes_are_unbiased(w, estimator):
    """In φ: the parameters of q(θ) and q(z|x), away from the optimum."""
    model, g = off_optimum(w), generator(2)
    truth = torch.autograd.grad(exact_bound(model, w), trained(model))
    rows = []
    for _ in range(150):
        slopes = torch.autograd.grad(estimator(model, X, N, 1, g).mean(), trained(model))
        rows.append(torch.cat([s.flatten() for s in slopes]))
    rows = torch.stack(rows)
    error = rows.std(0) / math.sqrt(len(rows))
    check_within(rows.mean(0), torch.cat([t.flatten() for t in truth]), error + 1e-9, sigmas=4.5)


@MODELS
def test_the_optimum_has_the_exact_mean_and_the_diagonal_of_the_precision(w):
    """There the exact bound is flat, and training q(θ) and q(z|x) from elsewhere arrives there"""
    optimum = best(w)
    slopes = torch.autograd.grad(exact_bound(optimum, w), trained(optimum))
    assert all(slope.abs().max() < 1e-9 for slope in slopes)
    model = off_optimum(w)
    for lr in (0.05, 0.01, 0.002):
        fit(model, X, partial(full_elbo_analytic_kl, n=N, samples=2), epochs=120, batch_size=N, lr=lr)
    scale = optimum.weights().scale.detach()
    assert ((model.loc - optimum.loc).abs() < 0.15 * scale).all()
    assert (model.log_scale - optimum.log_scale).abs().max() < 0.1
    assert exact_bound(model, w) > exact_bound(optimum, w) - 0.02


def test_near_the_posterior_the_sampled_form_has_the_lower_variance():
    """2.C.1 promises less variance of the analytic form; here −log q(θ) and log p(X|θ) cancel, and it has more."""
    model = best(WEIGHTS["with latents"])
    with torch.no_grad():
        spread = [
            torch.stack([f(model, X, N, 1, g).mean() for _ in range(300)]).std()
            for f, g in ((full_elbo, generator(3)), (full_elbo_analytic_kl, generator(3)))
        ]
    assert spread[0] < 0.9 * spread[1]


def test_one_draw_is_the_formula():
    """(2.86) written out; θ is drawn first, then z."""
    w = WEIGHTS["with latents"]
    model = off_optimum(w)
    g = generator(4)
    zeta, eps = torch.randn(1, P, generator=g, **F64)[0], torch.randn(1, N, 1, generator=g, **F64)[0]
    q, sd = model.encode(X), model.log_scale.exp()
    theta, z = model.loc + sd * zeta, q.loc + q.scale * eps
    local = Normal(z @ w.T + A @ theta, S).log_prob(X).sum(1)
    local = local + (Normal(0, 1).log_prob(z) - Normal(q.loc, q.scale).log_prob(z))[:, 0]
    expected = 50 * local + (Normal(0, 1).log_prob(theta) - Normal(model.loc, sd).log_prob(theta)).sum()
    torch.testing.assert_close(full_elbo(model, X, 50, 1, generator(4)), expected)
    two = full_elbo(model, X, 50, 2, generator(4))
    g = generator(4)
    torch.testing.assert_close(two, (full_elbo(model, X, 50, 1, g) + full_elbo(model, X, 50, 1, g)) / 2)


def test_the_bound_with_latents_lies_below_that_of_2_79():
    """(2.79) and (2.85) hold log p_θ(X) itself; (2.86) its bound: apart by N E KL(q(z|x) || p_θ(z|x)), which is not 0."""
    w = WEIGHTS["with latents"]
    model, g = best(w), generator(5)
    with torch.no_grad():
        theta = model.loc + model.log_scale.exp() * torch.randn(20_000, P, generator=g, **F64)
        marginal = MultivariateNormal(torch.zeros(D, **F64), w @ w.T + S**2 * torch.eye(D, **F64))
        log_px = sum(marginal.log_prob(x - theta @ A.T) for x in X)
        wider = log_px - kl_divergence(model.weights(), model.weight_prior())
        assert exact_bound(model, w) < wider.mean() - 4 * wider.std() / math.sqrt(len(wider))
        assert wider.mean() < exact(w)[1]


def test_a_bernoulli_vae_trains_and_leaves_the_given_decoder_alone():
    x = (torch.rand(60, 12, generator=generator(6)) < torch.linspace(0.05, 0.6, 12)).float()
    base, kept = vae(12, 2, hidden=(6,), seed=1), vae(12, 2, hidden=(6,), seed=1)
    model = VariationalBayes(base.encoder, base.decoder, 2)
    z = torch.randn(5, 2, generator=generator(7))
    torch.testing.assert_close(model.decode(z).log_prob(x[:5]), base.decode(z).log_prob(x[:5]))
    history = fit(model, x, partial(full_elbo_analytic_kl, n=60), epochs=20, batch_size=30, lr=0.01)
    assert history.rows[-1]["train"] > history.rows[0]["train"] + 10
    for p, q, r in zip(base.decoder.parameters(), kept.decoder.parameters(), model.decoder.parameters(), strict=True):
        assert torch.equal(p, q) and torch.equal(r, q)
        assert p.requires_grad and not r.requires_grad, "the given decoder can still be trained, its copy rests"


def test_weights_start_narrow():
    base = vae(12, 2, hidden=(6,), seed=1)
    q = VariationalBayes(base.encoder, base.decoder, 2).weights()
    torch.testing.assert_close(q.scale, torch.full_like(q.scale, 0.01))


def test_a_decoder_asked_with_weights_of_the_wrong_number_refuses():
    base = vae(12, 2, hidden=(6,), seed=1)
    model = VariationalBayes(base.encoder, base.decoder, 2)
    with pytest.raises(RuntimeError):
        model.decode(torch.zeros(1, 2), torch.zeros(3))


def test_one_data_point_is_a_data_set():
    model = best(WEIGHTS["with latents"])
    assert torch.isfinite(full_elbo(model, X[:1], 1, 1, generator(1))).all()


def test_all_noise_comes_from_the_generator():
    model, before = best(WEIGHTS["with latents"]), torch.random.get_rng_state()
    a, b, c = (full_elbo(model, X, N, 2, generator(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(before, torch.random.get_rng_state())


@ESTIMATORS
@pytest.mark.parametrize(("n", "samples", "words"), [(0, 1, "at least 1"), (5, 0, "at least 1")])
def test_bad_sizes_are_refused(estimator, n, samples, words):
    with pytest.raises(VbookError, match=words):
        estimator(best(WEIGHTS["regression"]), X, n, samples)


@pytest.mark.parametrize(("decoder", "scale"), [(nn.Identity(), 0.1), (nn.Linear(1, 2), 0.0)])
def test_a_decoder_without_weights_is_refused(decoder, scale):
    with pytest.raises(VbookError, match="decoder with weights"):
        VariationalBayes(nn.Identity(), decoder, 1, scale)
