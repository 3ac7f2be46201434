"""The solvable model against quadrature (evidence and posterior) and its closed-form fit against scikit-learn and gradients."""

import math
from functools import partial

import pytest
import torch
from torch.distributions import kl_divergence

from vbook.bounds import elbo_analytic_kl
from vbook.distributions import as_multivariate_normal
from vbook.errors import VbookError
from vbook.models import LinearGaussian
from vbook.models.linear_gaussian import probabilistic_pca
from vbook.networks import GaussianEncoder
from vbook.training import fit

W = torch.tensor([[1.0], [-0.4]], dtype=torch.float64)
B = torch.tensor([0.2, 0.1], dtype=torch.float64)
X = torch.tensor([[0.9, -0.3], [-2.0, 1.0]], dtype=torch.float64)
GRID = torch.linspace(-10, 10, 4001, dtype=torch.float64)[:, None, None]


@pytest.fixture
def model():
    return LinearGaussian(W, B, noise=0.5)


def log_joint(model):
    return model.prior().log_prob(GRID) + model.decode(GRID).log_prob(X)  # (G, B)


def test_log_px_is_the_integral_over_z(model):
    """(1.13)."""
    integral = log_joint(model).logsumexp(0) + math.log(20 / 4000)
    torch.testing.assert_close(model.log_px(X), integral, rtol=1e-9, atol=1e-9)


def test_posterior_is_joint_over_evidence(model):
    """(1.19), at every point of the grid."""
    q = model.posterior(X)
    expected = log_joint(model) - model.log_px(X)
    torch.testing.assert_close(q.log_prob(GRID.expand(-1, 2, 1)), expected, rtol=1e-8, atol=1e-8)


def test_encode_is_the_posterior_unless_an_encoder_is_given(model):
    torch.testing.assert_close(model.encode(X).mean, model.posterior(X).mean)
    other = LinearGaussian(W, B, 0.5, encoder=lambda x: "q")
    assert other.encode(X) == "q"


@pytest.mark.parametrize(("weight", "noise"), [(W, 0.0), (W, -1.0), (W[:1], 0.5)])
def test_bad_parameters_are_refused(weight, noise):
    with pytest.raises(VbookError, match="expected"):
        LinearGaussian(weight, B, noise)


@pytest.fixture(scope="module")
def data():
    """200 points from a two-dimensional plane in five dimensions, with noise."""
    g = torch.Generator().manual_seed(0)
    z = torch.randn(200, 2, generator=g, dtype=torch.float64)
    weight = torch.tensor([[1.5, 0.2], [-0.7, 1.0], [0.3, 0.9], [0.0, -0.6], [1.0, 0.4]], dtype=torch.float64)
    return z @ weight.T + 0.5 * torch.randn(200, 5, generator=g, dtype=torch.float64) + torch.arange(5.0, dtype=torch.float64)


@pytest.mark.parametrize("z_dim", [1, 2, 4])
def test_closed_form_fit_is_that_of_scikit_learn(data, z_dim):
    """Its PCA divides the covariance by N - 1, ours by N: on data drawn together by that factor the two must agree."""
    from sklearn.decomposition import PCA

    model, n = probabilistic_pca(data, z_dim), len(data)
    drawn_together = data.mean(0) + (data - data.mean(0)) * math.sqrt((n - 1) / n)
    sklearn = PCA(z_dim).fit(drawn_together.numpy())
    assert model.log_px(data).mean().item() == pytest.approx(sklearn.score(data.numpy()), abs=1e-9)
    torch.testing.assert_close(model.log_px(data), torch.from_numpy(sklearn.score_samples(data.numpy())))
    assert model.noise**2 == pytest.approx(sklearn.noise_variance_)
    assert model.log_px(data).mean().item() > PCA(z_dim).fit(data.numpy()).score(data.numpy()), "N is the maximum, N - 1 is not"


def test_closed_form_fit_can_not_be_improved(data):
    """The slope of log p(x) vanishes in W, b and s, and every step away lowers it."""
    model = probabilistic_pca(data, 2)
    noise = torch.tensor(model.noise, dtype=torch.float64, requires_grad=True)

    def log_px(weight, bias, noise):
        return LinearGaussian.log_px(parameters(weight, bias, noise), data).mean()

    leaves = [model.weight, model.bias, noise]
    slopes = torch.autograd.grad(log_px(*leaves), leaves)
    assert all(slope.abs().max() < 1e-10 for slope in slopes)
    best, g = log_px(*leaves).item(), torch.Generator().manual_seed(1)
    assert best == pytest.approx(model.log_px(data).mean().item())
    for leaf in range(3):
        for _ in range(10):
            step = [torch.zeros_like(p) for p in leaves]
            step[leaf] = 0.02 * torch.randn(leaves[leaf].shape, generator=g, dtype=torch.float64)
            moved = log_px(*(p + d for p, d in zip(leaves, step, strict=True))).item()
            assert moved < best + 1e-12


def parameters(weight, bias, noise):
    """What ``log_px`` reads of a model, with the noise as a tensor."""
    from types import SimpleNamespace

    return SimpleNamespace(weight=weight, bias=bias, noise=noise)


def test_a_linear_vae_trained_from_random_weights_reaches_it(data):
    """2.10: with a linear encoder the posterior is matched exactly, the gap closes and the ELBO is the best log p(x)."""
    best = probabilistic_pca(data, 2)
    g = torch.Generator().manual_seed(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = GaussianEncoder(5, 2, hidden=()).double()
    weight = 0.1 * torch.randn(5, 2, generator=g, dtype=torch.float64)
    model = LinearGaussian(weight, torch.zeros(5, dtype=torch.float64), best.noise, encoder)
    for lr, steps in ((0.05, 600), (0.01, 200), (0.002, 200)):
        fit(model, data, partial(elbo_analytic_kl, samples=8), epochs=steps, batch_size=len(data), lr=lr)

    with torch.no_grad():
        optimum = best.log_px(data).mean().item()
        log_px = model.log_px(data)
        bound = (log_px - kl_divergence(as_multivariate_normal(model.encode(data)), model.posterior(data))).mean().item()
    assert bound < log_px.mean().item() < optimum
    assert bound == pytest.approx(optimum, abs=0.01)
    # The factorised q picks, of all rotations, one with orthogonal columns.
    columns = model.weight.detach().T @ model.weight.detach()
    assert abs(columns[0, 1]) < 0.05 * columns.diagonal().min()
    span, target = (torch.linalg.qr(m.weight.detach())[0] for m in (model, best))
    assert torch.linalg.svdvals(span.T @ target).min() > 0.999, "the same principal plane"


@pytest.mark.parametrize(
    ("x", "z_dim", "words"),
    [
        (torch.zeros(4), 1, "expected"),
        (torch.eye(3), 0, "expected"),
        (torch.eye(3), 3, "expected"),
        (torch.outer(torch.arange(5.0), torch.ones(3)), 1, "no more than 1 directions"),
        (torch.ones(5, 3), 1, "no more than 1 directions"),
        (torch.full((5, 3), math.nan), 1, "finite"),
    ],
)
def test_data_without_a_maximum_are_refused(x, z_dim, words):
    with pytest.raises(VbookError, match=words):
        probabilistic_pca(x, z_dim)
