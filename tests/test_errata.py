"""The errata's file, and the checks of chapter 2: the printed form fails a numerical check that the correct one passes."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from vbook.distributions import FactorizedNormal, FullCovarianceNormal
from vbook.errors import VbookError
from vbook.ledger import anchors, errata, has_test, read_errata
from vbook.models import LinearGaussian
from vbook.results.target import COMPANIONS

ROOT = Path(__file__).resolve().parent.parent
F64 = dict(dtype=torch.float64)
SIGMA = torch.tensor([0.5, 1.7, 1.3], **F64)
MU = torch.tensor([0.1, -0.4, 0.7], **F64)
EPS = torch.tensor([1.2, -0.3, 0.8], **F64)
LOG_2PI = math.log(2 * math.pi)


def tell_apart(printed, correct, truth):
    """``correct`` equals ``truth`` to nine digits and ``printed`` is off by more than a hundredth."""
    printed, correct, truth = (torch.as_tensor(value, **F64) for value in (printed, correct, truth))
    torch.testing.assert_close(correct, truth, rtol=1e-9, atol=1e-9)
    assert (printed - truth).abs().max() > 0.01, "the printed form passes as well"


def covariance(q, points):
    """Covariance of q's draws for noise of mean 0 and covariance I, which ±√Z e_i are exactly."""
    z = q.transport(points)
    return (z - z.mean(0)).T @ (z - z.mean(0)) / len(points)


def sphere(n):
    return math.sqrt(n) * torch.cat([torch.eye(n, **F64), -torch.eye(n, **F64)])


def test_eq_2_4_scale():
    q = FactorizedNormal(MU, SIGMA)
    tell_apart(torch.diag(SIGMA), torch.diag(SIGMA**2), covariance(q, sphere(3)))
    densities = [MultivariateNormal(MU, torch.diag(v)).log_prob(MU + 1) for v in (SIGMA, SIGMA**2)]
    tell_apart(*densities, q.log_prob(MU + 1))


def test_eq_2_13_sum_or_mean():
    """(2.65) with all of x and z enumerated: three data points over {0, 1, 2}, a binary z, tables for p and q."""
    g = torch.Generator().manual_seed(0)
    data = torch.tensor([0, 2, 2])
    log_p = torch.randn(3, 2, generator=g, **F64).flatten().log_softmax(0).reshape(3, 2)  # log p(x, z)
    log_q = torch.randn(3, 2, generator=g, **F64).log_softmax(1)  # log q(z|x)
    empirical = torch.bincount(data, minlength=3) / torch.tensor(3.0, **F64)
    joint = empirical[:, None] * log_q.exp()
    seen = empirical > 0
    kl = (joint * (joint.log() - log_p))[seen].sum()
    constant = (empirical * empirical.log())[seen].sum()  # minus the entropy of the data
    bounds = (log_q.exp() * (log_p - log_q)).sum(1)[data]
    tell_apart(-bounds.sum() + constant, -bounds.mean() + constant, kl)


def test_eq_2_44_brackets():
    truth = FactorizedNormal(MU, SIGMA).log_prob(MU + SIGMA * EPS)
    log_noise = Normal(0.0, 1.0).log_prob(EPS)
    for i in range(3):
        tell_apart(log_noise.sum() - SIGMA[i].log(), (log_noise - SIGMA.log()).sum(), truth)


def test_sec_2_6_1_covariances():
    lower = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-0.8, 0.0, 0.0]], **F64)  # L_32 = 0
    q = FullCovarianceNormal(MU, SIGMA, lower)
    sigma, tril = covariance(q, sphere(3)), q.scale_tril
    below = torch.tril_indices(3, 3, -1)
    tell_apart(tril[below[0], below[1]], (tril @ tril.T)[below[0], below[1]], sigma[below[0], below[1]])
    assert tril[2, 1] == 0 and abs(sigma[2, 1]) > 0.5


def test_alg_2_log_determinant():
    tril = torch.tensor([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [-0.3, 0.9, 0.0]], **F64) + torch.diag(SIGMA)
    printed = -(0.5 * (EPS**2 + LOG_2PI + SIGMA.log())).sum()
    correct = -(0.5 * (EPS**2 + LOG_2PI) + SIGMA.log()).sum()
    tell_apart(printed, correct, MultivariateNormal(MU, scale_tril=tril).log_prob(MU + tril @ EPS))
    tell_apart(printed, correct, FullCovarianceNormal(MU, SIGMA, tril).log_prob(MU + tril @ EPS))


def test_alg_2_as_printed_lifts_the_bound_above_log_px():
    """With the exact posterior as q each draw gives log p(x), as printed more: the lower bound isn't one."""
    model = LinearGaussian(torch.tensor([[1.0], [-0.4]], **F64), torch.zeros(2, **F64), noise=0.5)
    x = torch.tensor([[0.9, -0.3]], **F64)
    posterior = model.posterior(x)
    sigma, eps = posterior.scale_tril.flatten(), EPS[:1]
    z = posterior.mean + sigma * eps
    log_joint = model.prior().log_prob(z) + model.decode(z).log_prob(x)
    printed = log_joint + (0.5 * (eps**2 + LOG_2PI + sigma.log())).sum()
    correct = log_joint + (0.5 * (eps**2 + LOG_2PI) + sigma.log()).sum()
    tell_apart(printed.detach(), correct.detach(), model.log_px(x).detach())


def test_alg_2_logarithms():
    """What the lines compute is a density's logarithm: only its exponential integrates, or sums, to one."""
    grid = torch.linspace(-12, 12, 4001, **F64)
    log_pz = -0.5 * (grid**2 + LOG_2PI)
    log_qz = FullCovarianceNormal(MU[:1], SIGMA[:1], torch.zeros(1, 1, **F64)).log_prob(grid[:, None])
    for log_density in (log_pz, log_qz):
        tell_apart(torch.trapezoid(log_density, grid), torch.trapezoid(log_density.exp(), grid), 1.0)
    x = torch.tensor([0.0, 1.0], **F64)
    log_px = x * math.log(0.3) + (1 - x) * math.log(0.7)
    tell_apart(log_px, log_px.exp(), Bernoulli(torch.tensor(0.3, **F64)).log_prob(x).exp())


@pytest.mark.parametrize("erratum", errata(), ids=lambda erratum: erratum.id)
def test_check_and_place_are_there(erratum):
    if erratum.check:
        assert has_test(erratum.check, ROOT), f"there is no {erratum.check}"
    if erratum.where is None:
        written = [path.name for path in (ROOT / "chapters").glob(f"{erratum.chapter:02d}-*.ipynb")]
        assert not written, f"{written[0]} is there: where in it?"
        return
    file, _, anchor = erratum.where.partition("#")
    if not (ROOT / file).is_file():
        pytest.skip(f"{file} is not written yet")
    assert anchor in anchors(json.loads((ROOT / file).read_text(encoding="utf-8")))


GOOD = dict(id="thesis/sec-1", kind="wording", place="p", printed="x", correct="y", why="z", where="f#b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(kind="typo"), "formula, wording, notation"),
        (dict(kind="formula"), "'thesis/sec-1': a formula needs a check"),
        (dict(why=...), r"missing \['why'\]"),
        (dict(reason="z"), r"unknown \['reason'\]"),
        (dict(id="thesis/wrong"), "errata.yml, 'thesis/wrong': names no place of the thesis"),
        (dict(id="thesis/alg-8"), "'thesis/alg-8': names no place of the thesis"),
        (dict(id="thesis/eq-10.1"), "'thesis/eq-10.1': names no place of the thesis"),
        (dict(id="these/sec-1"), "'these/sec-1': begins with none of thesis, adams"),
    ],
)
def test_a_bad_erratum_is_named(change, message):
    row = {key: value for key, value in (GOOD | change).items() if value is not ...}
    with pytest.raises(VbookError, match=message):
        read_errata(json.dumps([row]))


def test_they_stand_in_the_order_of_the_sources():
    order = ["thesis", *COMPANIONS]
    found = [(order.index(erratum.source), erratum.chapter) for erratum in errata()]
    assert found == sorted(found)


def test_an_erratum_may_not_stand_twice():
    with pytest.raises(VbookError, match="thesis/sec-1 stands twice"):
        read_errata(json.dumps([GOOD, GOOD]))


def test_eq_2_68_direction():
    """Two Gaussian marginals with known divergence; the encoder is off by a known amount. Printed: joint <= marginal."""
    model = LinearGaussian(torch.tensor([[1.2]], **F64), torch.zeros(1, **F64), noise=0.5)
    variance, x = 1.2**2 + 0.25, torch.linspace(-12, 12, 2401, **F64)[:, None]
    posterior = model.posterior(x)
    data = Normal(torch.tensor(0.3, **F64), 0.8)
    weight = data.log_prob(x[:, 0]).exp() * 0.01
    marginal = 0.5 * ((0.8**2 + 0.3**2) / variance - 1 - math.log(0.8**2 / variance))
    shifted = FactorizedNormal(posterior.mean + 0.4, posterior.stddev)  # its divergence is 0.4²/(2σ²) at every x
    inner = 0.5 * 0.4**2 / posterior.variance[0, 0]
    z = shifted.transport(sphere(1)[:, None])  # ±1 average a quadratic exactly
    log_p = (model.prior().log_prob(z) + model.decode(z).log_prob(x)).mean(0)
    entropy = 0.5 * math.log(2 * math.pi * math.e) + posterior.stddev[0, 0].log()
    joint = (weight * (data.log_prob(x[:, 0]) - entropy - log_p)).sum()
    tell_apart(marginal - inner.detach(), marginal + inner.detach(), joint.detach())
    assert joint >= marginal + 0.1 and not joint <= marginal


def test_sec_2_8_augmented_data():
    """At a fixed encoder the ELBO's slope in w is that of the log-likelihood of pairs (x, z) from q; under p's own it is zero."""
    x = torch.tensor([[1.4], [-0.8], [0.5]], **F64)
    model = LinearGaussian(torch.tensor([[0.7]], **F64), torch.zeros(1, **F64), noise=0.5)
    q = FactorizedNormal(0.6 * x, torch.full_like(x, 0.3))
    gap = torch.distributions.kl_divergence(MultivariateNormal(q.loc, torch.diag_embed(q.scale**2)), model.posterior(x))
    (truth,) = torch.autograd.grad((model.log_px(x) - gap).mean(), model.weight)
    pairs = q.transport(sphere(1)[:, None])  # (2, 3, 1)
    (of_pairs,) = torch.autograd.grad(model.decode(pairs).log_prob(x).mean(), model.weight)
    # Under p(x, z) itself x = wz + s·η: E[(x − wz) z]/s² = 0, whatever the data and the encoder.
    z, eta = torch.cartesian_prod(sphere(1)[:, 0], sphere(1)[:, 0]).T[..., None]
    own = model.decode(z).log_prob((0.7 * z + 0.5 * eta).detach())
    (of_model,) = torch.autograd.grad(own.mean(), model.weight)
    tell_apart(of_model, of_pairs, truth)


def test_sec_2_9_2_minus_infinity():
    """E_q[log p] for p = N(0, 1) against q = N(m, 1), m growing: −½(log 2π + 1 + m²), and the divergence is +m²/2."""
    grid = torch.linspace(-60, 60, 24_001, **F64)
    for m in (5.0, 20.0):
        q, log_p = Normal(m, 1.0).log_prob(grid), Normal(0.0, 1.0).log_prob(grid)
        average = (q.exp() * log_p).sum() * 0.005
        tell_apart(0.5 * (LOG_2PI + 1 + m**2), -0.5 * (LOG_2PI + 1 + m**2), average)
        tell_apart(-0.5 * m**2, 0.5 * m**2, (q.exp() * (q - log_p)).sum() * 0.005)


def test_sec_2_9_2_variance_is_no_law():
    """At the optimum the model's variance is s·sqrt(V)/t: here below V, and V itself for the exact posterior."""
    x = torch.tensor([[-1.7], [-1.3], [1.3], [1.7]], **F64)
    v, s = (x**2).mean().item(), 0.5
    for t, narrower in ((0.6, True), (s / math.sqrt(v), False)):
        variance = s * math.sqrt(v) / t
        w = torch.tensor([[math.sqrt(variance - s**2)]], **F64)
        model = LinearGaussian(w, torch.zeros(1, **F64), noise=s)
        slope = (w / variance).requires_grad_()
        q = FactorizedNormal(x @ slope.T, torch.full_like(x, t))
        gap = torch.distributions.kl_divergence(MultivariateNormal(q.loc, torch.diag_embed(q.scale**2)), model.posterior(x))
        for gradient in torch.autograd.grad((model.log_px(x) - gap).mean(), [model.weight, slope]):
            torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-9)
        assert variance < 0.8 * v if narrower else abs(variance - v) < 1e-9


def test_sec_2_10_infomax():
    """I(X; Z) and H(X|Z) of an enumerated joint distribution, before and after the encoder sharpens."""
    g = torch.Generator().manual_seed(0)
    p_x = torch.tensor([0.4, 0.3, 0.2, 0.1], **F64)
    logits = torch.randn(4, 3, generator=g, **F64)
    mutual, left = [], []
    for sharpness in (0.5, 3.0):
        joint = p_x[:, None] * (sharpness * logits).softmax(1)
        independent = p_x[:, None] * joint.sum(0)
        mutual.append((joint * (joint / independent).log()).sum())
        left.append(-(joint * (joint / joint.sum(0)).log()).sum())
    rise = left[1] - left[0]
    tell_apart(rise, -rise, mutual[1] - mutual[0])
    decoders = torch.randn(100, 4, 3, generator=g, **F64).log_softmax(1)
    assert ((joint * decoders).sum((1, 2)) <= -left[1]).all(), "the expected log-likelihood bounds -H(X|Z) from below"


def test_sec_2_10_components():
    """PCA's decoder, mixed by a matrix that its encoder undoes: the same error and span, other columns."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(50, 4, generator=g, **F64) * torch.tensor([3.0, 2.0, 0.7, 0.4], **F64)
    x = x - x.mean(0)
    components = torch.linalg.svd(x, full_matrices=False).Vh[:2].T
    mixing = torch.tensor([[1.0, 0.6], [0.0, 1.0]], **F64)
    decoder, encoder = components @ mixing, torch.linalg.inv(mixing) @ components.T
    best = torch.linalg.svdvals(x)[2:].square().sum()
    torch.testing.assert_close((x - x @ encoder.T @ decoder.T).square().sum(), best)
    directions = decoder / decoder.norm(dim=0)
    torch.testing.assert_close(components @ (components.T @ directions), directions)
    assert (directions - components).abs().max() > 0.3, "the columns are the components themselves"


def test_eq_2_75_one_variance_for_all():
    x = MU + SIGMA * EPS
    common = SIGMA.square().mean().sqrt()  # the nearest thing to one sigma: the same total variance
    printed = MultivariateNormal(MU, common**2 * torch.eye(3, **F64)).log_prob(x)
    correct = MultivariateNormal(MU, torch.diag(SIGMA**2)).log_prob(x)
    tell_apart(printed, correct, (Normal(0.0, 1.0).log_prob(EPS) - SIGMA.log()).sum())


def test_eq_2_87_estimates_a_looser_bound():
    """At a fixed θ, q(θ) a point: (2.86) averages to log p_θ(X) less the KL of the latents."""
    model = LinearGaussian(torch.tensor([[1.0], [-0.4]], **F64), torch.zeros(2, **F64), noise=0.5)
    x = torch.tensor([[0.9, -0.3], [0.2, 1.1]], **F64)
    q = MultivariateNormal(0.3 * x[:, :1], 0.6 * torch.eye(1, **F64))
    z = torch.linspace(-12, 12, 4001, **F64)[:, None, None]
    log_q = q.log_prob(z)
    local = model.decode(z).log_prob(x) + model.prior().log_prob(z) - log_q
    estimated = ((log_q.exp() * local).sum(0) * 24 / 4000).sum()  # the mean of (2.86) without its terms in θ
    printed = model.log_px(x).sum()
    tell_apart(printed.detach(), (printed - kl_divergence(q, model.posterior(x)).sum()).detach(), estimated.detach())


def test_eq_2_88_covariance():
    """σ²I as a matrix product is a vector, which as a covariance can only mean one width for all: here the mean one."""
    draws = FactorizedNormal(MU, SIGMA)
    tell_apart((SIGMA**2).mean() * torch.eye(3, **F64), torch.diag(SIGMA**2), covariance(draws, sphere(3)))
    assert (SIGMA**2 @ torch.eye(3, **F64)).ndim == 1


def test_eq_2_89_two_sums():
    """Three weights and one latent: with one J for both, the KL of two weights is lost."""
    terms = 0.5 * (1 + (SIGMA**2).log() - MU**2 - SIGMA**2)
    grid = torch.linspace(-14, 14, 8001, **F64)[:, None]
    log_q, log_p = (Normal(m, s).log_prob(grid) for m, s in ((MU, SIGMA), (torch.zeros(3, **F64), torch.ones(3, **F64))))
    tell_apart(terms[:1].sum(), terms.sum(), (log_q.exp() * (log_p - log_q)).sum() * 28 / 8000)
    model = LinearGaussian(torch.tensor([[1.0], [-0.4]], **F64), torch.zeros(2, **F64), noise=0.5)
    x, z = torch.tensor([[0.9, -0.3]], **F64), torch.tensor([[0.7]], **F64)
    given = model.decode(z).log_prob(x)
    joint = given + model.prior().log_prob(z)  # what p(x z) without its bar would be
    by_hand = sum(Normal(torch.tensor(m, **F64), 0.5).log_prob(torch.tensor(v, **F64)) for m, v in ((0.7, 0.9), (-0.28, -0.3)))
    tell_apart(joint.detach(), given.detach(), by_hand[None])


def test_sec_2_c_1_variance():
    """x = θ + noise with the exact posterior: each draw of (2.86) is log p(X); those of (2.89) have a known variance."""
    x, s = torch.tensor([0.9, -0.3, 1.4], **F64), 0.8
    precision = 1 + 3 / s**2
    loc, sd = x.sum() / s**2 / precision, precision**-0.5
    theta = loc + sd * torch.randn(200_000, generator=torch.Generator().manual_seed(0), **F64)
    log_px = Normal(theta[:, None], s).log_prob(x).sum(1)
    sampled = log_px + Normal(0.0, 1.0).log_prob(theta) - Normal(loc, sd).log_prob(theta)
    analytic = log_px + 0.5 * (1 + 2 * math.log(sd) - loc**2 - sd**2)
    evidence = MultivariateNormal(torch.zeros(3, **F64), s**2 * torch.eye(3, **F64) + 1).log_prob(x)
    tell_apart(analytic[:100], sampled[:100], evidence.expand(100))
    assert sampled.var() < 1e-12 < 0.01 < analytic.var()
    assert analytic.mean().item() == pytest.approx(evidence.item(), abs=5 * (analytic.var() / 200_000).sqrt().item())
