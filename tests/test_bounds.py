"""The bounds against the linear-Gaussian model, where log p(x), the posterior and the ELBO have closed forms."""

import math
from itertools import pairwise

import pytest
import torch
from torch.distributions import kl_divergence

from vbook.bounds import elbo, elbo_analytic_kl, iwae, log_mean_exp, log_weights, terms
from vbook.distributions import FactorizedNormal, FullCovarianceNormal, as_multivariate_normal, draw
from vbook.errors import VbookError
from vbook.evaluation import log_px
from vbook.models import LinearGaussian, vae

W = torch.tensor([[1.0, 0.6], [0.2, 1.1], [-0.5, 0.8]], dtype=torch.float64)
B = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)
X = torch.tensor([[0.8, -0.3, 0.5], [-1.0, 0.4, 2.0]], dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_gaussian(posterior):
    """The model with a deliberately wrong q of the given family, and q's parameters."""
    loc = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([-0.5, 0.1], dtype=torch.float64, requires_grad=True)
    lower = torch.tensor([[0.0, 0.0], [0.4, 0.0]], dtype=torch.float64, requires_grad=True)

    def encode(x):
        mu, sigma = loc.expand(len(x), 2), log_scale.exp().expand(len(x), 2)
        return FactorizedNormal(mu, sigma) if factorized else FullCovarianceNormal(mu, sigma, lower.expand(len(x), 2, 2))

    factorized = posterior == "factorized"
    model = LinearGaussian(W.clone(), B.clone(), noise=0.7, encoder=encode)
    return model, [loc, log_scale] if factorized else [loc, log_scale, lower]


def exact_elbo(model, x):
    """(2.11): log p(x) minus the exact KL from q to the posterior."""
    return model.log_px(x) - kl_divergence(as_multivariate_normal(model.encode(x)), model.posterior(x))


FAMILIES = pytest.mark.parametrize("posterior", ["factorized", "full-covariance"])
ESTIMATORS = pytest.mark.parametrize("estimator", [elbo, elbo_analytic_kl])


@FAMILIES
@ESTIMATORS
def test_estimators_are_unbiased_around_log_px_minus_kl(estimator, posterior):
    """(2.10)-(2.11), (2.29), (2.77)."""
    model, _ = linear_gaussian(posterior)
    with torch.no_grad():
        values = estimator(model, X[:1].expand(20_000, 3), 1, generator())
        truth = exact_elbo(model, X)[0]
    assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(len(values))
    assert truth < model.log_px(X)[0] - 0.1, "the test needs a q with a gap"


@FAMILIES
@ESTIMATORS
def test_gradients_of_the_estimators_are_unbiased(estimator, posterior):
    """(2.30)-(2.32): every slope in theta and phi, averaged over 60 blocks of 200 draws, against autograd's closed form."""
    model, phi = linear_gaussian(posterior)
    leaves = [model.weight, model.bias, *phi]
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(exact_elbo(model, X[:1]).sum(), leaves)])
    g, rows = generator(1), []
    for _ in range(60):
        slopes = torch.autograd.grad(estimator(model, X[:1].expand(200, 3), 1, g).mean(), leaves)
        rows.append(torch.cat([s.flatten() for s in slopes]))
    slopes = torch.stack(rows)
    error = slopes.std(0) / math.sqrt(len(slopes))
    assert ((slopes.mean(0) - exact).abs() <= 4.5 * error + 1e-9).all()


def test_with_the_exact_posterior_every_draw_is_log_px():
    """(2.6): log p(x,z) - log q(z|x) is log p(x) for each z, so the bound is tight and has no variance."""
    model = LinearGaussian(W, B, noise=0.7)
    log_w = log_weights(model, X, 50)
    torch.testing.assert_close(log_w, model.log_px(X).expand(50, 2))


def test_gap_is_zero_only_for_the_posterior():
    """(2.9), (2.12): any other q lies strictly below."""
    model, _ = linear_gaussian("factorized")
    assert (exact_elbo(model, X) < model.log_px(X)).all()


def test_l1_importance_sampling_is_the_elbo_estimator():
    model, _ = linear_gaussian("factorized")
    torch.testing.assert_close(iwae(model, X, 1, generator(2)), elbo(model, X, 1, generator(2)))


def test_iwae_rises_with_l_and_stays_below_log_px():
    model, _ = linear_gaussian("factorized")
    with torch.no_grad():
        log_w = log_weights(model, X[:1].expand(20_000, 3), 32, generator(3))
    estimates = [log_mean_exp(log_w[:size]) for size in (1, 2, 8, 32)]
    assert all(b.mean() > a.mean() for a, b in pairwise(estimates))
    for values in estimates:
        assert_no_alarm(values, model.log_px(X)[0])


def test_importance_sampling_converges_to_log_px():
    """(2.57) within four of its own standard errors, and the error shrinks as 1/sqrt(L), also for an image of many pixels."""
    model, _ = linear_gaussian("full-covariance")
    with torch.no_grad():
        small, large = (log_px(log_weights(model, X[:1], size, generator(4))) for size in (1000, 64_000))
        far = log_px(log_weights(model, X[:1], 1000, generator(4)) - 600)  # e^(-600) twice is 0 in double precision
    torch.testing.assert_close(torch.stack(far), torch.stack([small[0] - 600, small[1]]))
    assert (large[0] - model.log_px(X[:1])).abs() < 4 * large[1]
    assert (small[1] / large[1]).item() == pytest.approx(8, rel=0.25)


def assert_no_alarm(values, log_px_exact):
    """The bound as an alarm: no estimate may lie more than four standard errors above the exact log p(x)."""
    error = values.std() / math.sqrt(len(values))
    assert values.mean() < log_px_exact + 4 * error + 1e-9, "an ELBO above log p(x): some log-density is wrong"


@pytest.mark.parametrize("kept", [0.0, 0.5], ids=["forgotten", "halved as printed in algorithm 2"])
def test_the_alarm_rings_for_a_wrong_log_determinant(kept):
    """With the exact posterior as q every draw gives log p(x); a log-determinant forgotten or halved lifts it above."""
    model = LinearGaussian(W, B, noise=0.7)
    q = FullCovarianceNormal(model.posterior(X[:1]).mean, *scale_and_lower(model.posterior(X[:1]).scale_tril))
    z = draw(q, 100, generator(5))
    right = model.decode(z).log_prob(X[:1]) + model.prior().log_prob(z) - q.log_prob(z)
    wrong = right - (1 - kept) * q.scale.log().sum(-1)
    assert_no_alarm(right[:, 0], model.log_px(X[:1]))
    with pytest.raises(AssertionError, match="ELBO above log p"):
        assert_no_alarm(wrong[:, 0], model.log_px(X[:1]))


def scale_and_lower(tril):
    return tril.diagonal(dim1=-2, dim2=-1), tril


def test_terms_add_up_to_the_elbo():
    model = vae(12, 3, hidden=(8,))
    x = torch.randint(0, 2, (5, 12)).float()
    t = terms(model, x, 4, generator(6))
    assert all(value.shape == (4, 5) for value in t.values())
    torch.testing.assert_close((t["log_px_z"] + t["log_pz"] - t["log_qz_x"]).mean(0), elbo(model, x, 4, generator(6)))


def test_bound_of_a_vae_lies_below_its_enumerated_log_likelihood():
    """A Bernoulli VAE with one latent, its integral by quadrature: the 2^4 pictures sum to 1; ELBO <= IWAE <= log p(x)."""
    model = vae(4, 1, hidden=(6,), seed=3).double()
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    z = torch.linspace(-9, 9, 2001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        log_joint = model.decode(z[:, None]).log_prob(pictures) + model.prior().log_prob(z)[:, None]
        log_p = log_joint.logsumexp(0) + math.log(18 / 2000)
        bound = elbo(model, pictures, 4000, generator(7))
        tighter = iwae(model, pictures, 4000, generator(7))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-6)
    assert (bound < log_p).all() and (bound < tighter).all()
    torch.testing.assert_close(tighter, log_p, atol=0.05, rtol=0)


def test_log_mean_exp_of_tiny_weights():
    assert log_mean_exp(torch.tensor([-2000.0, -2000.0])).item() == -2000
    assert log_mean_exp(torch.tensor([-math.inf, 0.0])).item() == pytest.approx(-math.log(2))


def test_samples_below_one_are_refused():
    with pytest.raises(VbookError, match="at least 1"):
        elbo(vae(4, 1, hidden=(2,)), torch.zeros(1, 4), samples=0)


def test_a_generator_is_one_of_torchs():
    with pytest.raises(VbookError, match=r"generator must be a torch\.Generator, got 0"):
        elbo(vae(4, 2, (3,)), torch.ones(2, 4), generator=0)
