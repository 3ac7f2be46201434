"""Each erratum that is about a formula: the printed form fails a numerical check that the correct one passes."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal

from vbook.distributions import FactorizedNormal, FullCovarianceNormal
from vbook.errors import VbookError
from vbook.ledger import anchors, errata, has_test, read_errata
from vbook.models import LinearGaussian

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
    file, _, anchor = erratum.where.partition("#")
    if not (ROOT / file).is_file():
        pytest.skip(f"{file} is not written yet")
    assert anchor in anchors(json.loads((ROOT / file).read_text(encoding="utf-8")))


GOOD = dict(id="a", kind="wording", place="p", printed="x", correct="y", why="z", where="f#b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(kind="typo"), "formula, wording, notation"),
        (dict(kind="formula"), "'a': a formula needs a check"),
        (dict(why=...), r"missing \['why'\]"),
        (dict(reason="z"), r"unknown \['reason'\]"),
    ],
)
def test_a_bad_erratum_is_named(change, message):
    row = {key: value for key, value in (GOOD | change).items() if value is not ...}
    with pytest.raises(VbookError, match=message):
        read_errata(json.dumps([row]))


def test_an_erratum_may_not_stand_twice():
    with pytest.raises(VbookError, match="a stands twice"):
        read_errata(json.dumps([GOOD, GOOD]))
