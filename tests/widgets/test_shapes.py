"""The shapes of q and the floor of free bits: what the widget's script computes, against closed forms, SciPy and vbook."""

import functools
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, optimize
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

import vbook.widgets
from vbook.distributions import FactorizedNormal, FullCovarianceNormal, as_multivariate_normal, standard_normal
from vbook.models.linear_gaussian import LinearGaussian
from vbook.objectives import free_bits
from vbook.site.vendor import node
from vbook.widgets.bundle import STATIC
from vbook.widgets.shapes import QUESTION, QUESTION2

MODELS = {"sum": ((1, 1), (0, 0, 0)), "product": ((0, 0), (0, 0.5, 0)), "ring": ((0, 0), (1, 0, 1))}


def in_javascript(body: str):
    """What ``body``, JavaScript with the functions of shapes.js as ``s``, returns."""
    shapes = json.dumps((STATIC / "shapes.js").as_uri())
    script = f"import * as s from {shapes}; console.log(JSON.stringify((() => {{ {body} }})()));"
    command = [node(), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def mean_of_x(name, z1, z2):
    return {"sum": z1 + z2, "product": z1 * z2, "ring": z1**2 + z2**2}[name]


@functools.cache
def fitted(name, x, s, full, start=(1.8, 0.3)):
    call = f"const f = s.climbElbo(s.SHAPE_MODELS.{name}, {x}, {s}, {json.dumps(full)}, {list(start)});"
    return in_javascript(f"{call} return {{ ...f, logPx: s.gridPosterior(s.SHAPE_MODELS.{name}, {x}, {s}).logPx }};")


def as_q(found):
    (mean, (a, b, c)) = found["mean"], found["L"]
    L = torch.tensor([[a, 0], [b, c]], dtype=torch.float64)
    return FullCovarianceNormal(torch.tensor(mean, dtype=torch.float64), L.diagonal(), L)


def linear(s):
    return LinearGaussian(torch.ones(1, 2).double(), torch.zeros(1).double(), s)


@pytest.mark.parametrize(("x", "s"), [(1.5, 0.15), (-2.0, 0.8), (0.0, 1.5)])
def test_the_sum_has_its_closed_forms(x, s):
    model, given = linear(s), torch.tensor([[x]]).double()
    posterior = model.posterior(given)
    for full in (True, False):
        climbed = fitted("sum", x, s, full)
        assert climbed["logPx"] == pytest.approx(model.log_px(given).item(), abs=1e-6)
        closed = in_javascript(f"return s.linearBest(s.SHAPE_MODELS.sum, {x}, {s}, {json.dumps(full)})")
        for found in (climbed, closed):
            gap = kl_divergence(as_multivariate_normal(as_q(found)), posterior).item()
            assert climbed["logPx"] - found["elbo"] == pytest.approx(gap, abs=1e-6)
        precision = posterior.precision_matrix[0].detach()
        best = posterior.covariance_matrix[0].detach() if full else torch.diag(1 / precision.diagonal())
        assert torch.allclose(as_q(closed).covariance_matrix, best, atol=1e-12)
        assert torch.allclose(as_q(climbed).covariance_matrix, best, atol=1e-6)
        assert torch.allclose(as_q(closed).loc, posterior.mean[0].detach(), atol=1e-12)


@pytest.mark.parametrize("name", ["product", "ring"])
def test_the_grid_gives_scipys_integral(name):
    x, s = 1.2, 0.5

    def joint(z2, z1):
        rest = (x - mean_of_x(name, z1, z2)) / s
        return math.exp(-0.5 * (rest**2 + z1**2 + z2**2)) / (s * (2 * math.pi) ** 1.5)

    truth, _ = integrate.dblquad(joint, -6, 6, -6, 6, epsabs=1e-7)
    assert in_javascript(f"return s.gridPosterior(s.SHAPE_MODELS.{name}, {x}, {s}).logPx") == pytest.approx(
        math.log(truth), abs=1e-5
    )


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ["product", "ring"])
def test_the_elbo_in_closed_form_is_that_of_many_draws(name, full):
    x, s = 1.5, 0.4
    found = fitted(name, x, s, full)
    q = as_q(found)
    z = q.transport(torch.randn(400_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    likelihood = Normal(mean_of_x(name, z[:, 0], z[:, 1]), s).log_prob(torch.tensor(x).double())
    values = likelihood + standard_normal(2, z).log_prob(z) - q.log_prob(z)
    error = values.std().item() / len(values) ** 0.5
    assert abs(found["elbo"] - values.mean().item()) < 4 * error
    assert error < 0.005


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ["product", "ring"])
def test_the_gap_is_the_divergence_and_no_neighbour_of_q_is_better(name, full):
    x, s = 1.5, 0.4
    found = fitted(name, x, s, full)
    axis = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    log_joint = Normal(mean_of_x(name, z[:, 0], z[:, 1]), s).log_prob(torch.tensor(x).double()) + standard_normal(2, z).log_prob(
        z
    )
    log_q, cell = as_q(found).log_prob(z), (axis[1] - axis[0]) ** 2
    gap = (log_q.exp() * (log_q - (log_joint - found["logPx"]))).sum() * cell
    assert found["logPx"] - found["elbo"] == pytest.approx(gap.item(), abs=1e-4)
    a, b, c = found["L"]
    best = [*found["mean"], math.log(a), math.log(c), b][: 5 if full else 4]
    model = f"s.SHAPE_MODELS.{name}, {x}, {s}"

    rng = np.random.default_rng(0)
    near = [best, *(np.array(best) + 0.05 * rng.standard_normal((200, len(best)))).tolist()]
    values = in_javascript(f"return {json.dumps(near)}.map((p) => s.gaussianElbo({model}, p).value)")
    assert values[0] == pytest.approx(found["elbo"], abs=1e-9)
    assert max(values[1:]) < values[0]


def gaps(name, x, s):
    return [(f := fitted(name, x, s, full))["logPx"] - f["elbo"] for full in (False, True)]


def test_the_first_answer_is_true_the_gap_grows_as_the_noise_falls():
    found = [gaps("sum", 1.5, s)[0] for s in (1.5, 0.8, 0.4, 0.15)]
    expected = [math.log1p(1 / s**2) - 0.5 * math.log1p(2 / s**2) for s in (1.5, 0.8, 0.4, 0.15)]
    assert found == pytest.approx(expected, abs=1e-6)
    assert found == sorted(found) and found[-1] > 30 * found[0]
    assert [option["text"] for option in QUESTION["options"] if option["right"]] == ["It grows"]
    assert gaps("sum", -2.0, 0.4)[0] == pytest.approx(found[2], abs=1e-5)  # and x doesn't matter


def test_on_the_ring_slanting_gains_nothing_and_on_the_product_it_does():
    for x, s in ((2.5, 0.3), (1.0, 0.6)):
        factorised, full = gaps("ring", x, s)
        assert full == pytest.approx(factorised, abs=1e-6)
    factorised, full = gaps("product", 1.5, 0.3)
    assert factorised - full > 0.4
    assert full > math.log(2)  # half of the posterior lies on the other branch


def test_the_lines_hold_the_shares_of_the_mass_that_they_promise():
    body = """const g = s.gridPosterior(s.SHAPE_MODELS.sum, 1, 0.8), [high, low] = s.massLevels(g, [0.8647, 0.3935]);
    return [high, low, s.contourLines(g, low), s.gridPosterior(s.SHAPE_MODELS.sum, 1, 0.8).density.reduce((a, b) => a + b)]"""
    high, low, lines, _ = in_javascript(body)
    posterior = linear(0.8).posterior(torch.ones(1, 1).double())
    peak = posterior.log_prob(posterior.mean).exp().item()
    assert [high / peak, low / peak] == pytest.approx([math.exp(-0.5), math.exp(-2)], rel=0.02)
    ends = torch.tensor(lines).reshape(-1, 2).double()
    assert len(ends) > 100
    assert torch.allclose(posterior.log_prob(ends).exp(), torch.tensor(low).double(), rtol=0.02)


VARIANCES = [6.0, 0.5]


@pytest.mark.parametrize("full", [False, True])
def test_the_ellipse_of_q_lies_k_deviations_from_its_mean(full):
    found = fitted("product", 1.5, 0.6, full)
    q = as_q(found)
    for k in (1, 2):
        points = torch.tensor(in_javascript(f"return s.ellipsePoints({json.dumps(found)}, {k}, 36)"), dtype=torch.float64)
        shift = points - q.mean
        far = (shift * torch.linalg.solve(q.covariance_matrix, shift.T).T).sum(1)  # (z − μ)ᵀ Σ⁻¹ (z − μ)
        torch.testing.assert_close(far, torch.full((37,), float(k) ** 2, dtype=torch.float64))
        assert torch.pdist(points[:-1]).min() > 0.01  # all the way round
    assert len(in_javascript(f"return s.ellipsePoints({json.dumps(found)}, 1)")) == 91  # what is drawn looks round


def optimum(floor, variances=VARIANCES):
    return in_javascript(f"return s.freeBits({variances}, 1, {floor})")


@pytest.mark.parametrize("floor", [0.0, 0.2, 0.5, 1.3])
def test_free_bits_optimum_is_the_one_that_a_search_finds(floor):
    found = optimum(floor)
    for V, latent in zip(VARIANCES, found["latents"], strict=True):

        def terms(p, V=V):
            w, a, log_t = p
            t2 = math.exp(2 * log_t)
            return -(V * (1 - w * a) ** 2 + w * w * t2) / 2, 0.5 * (a * a * V + t2 - 1) - log_t

        def loss(p):
            return p[3] - terms(p[:3])[0]  # p[3] >= cost and >= floor: the maximum without its kink

        limits = [{"type": "ineq", "fun": lambda p: p[3] - terms(p[:3])[1]}, {"type": "ineq", "fun": lambda p: p[3] - floor}]
        best = optimize.minimize(loss, [0.5, 0.4, -0.3, 1.0], constraints=limits, options={"ftol": 1e-12, "maxiter": 500})
        assert best.success
        at = [latent["w"], latent["a"], math.log(latent["t"])]
        assert terms(at) == pytest.approx((latent["explained"], latent["kl"]), abs=1e-12)
        assert latent["explained"] - max(floor, latent["kl"]) == pytest.approx(-best.fun, abs=1e-6)
        assert latent["kl"] >= floor


class Line(nn.Module):
    """The line model with two latents as ``free_bits`` takes it."""

    def __init__(self, latents):
        super().__init__()
        self.w, self.a, self.t = (nn.Parameter(torch.tensor([z[key] for z in latents]).double()) for key in "wat")

    def prior(self):
        return standard_normal(2, self.w)

    def encode(self, x):
        return FactorizedNormal(self.a * x, self.t.expand_as(x))

    def decode(self, z):
        return Independent(Normal(self.w * z, 1.0), 1)


def test_free_bits_of_vbook_has_that_value_and_no_slope_along_the_floor():
    floor, found = 0.5, optimum(0.5)
    model = Line(found["latents"])
    x = torch.cartesian_prod(*(torch.tensor([-(v**0.5), v**0.5]).double() for v in VARIANCES))  # variances exactly V
    values = free_bits(model, x, floor, samples=200_000, generator=torch.Generator().manual_seed(0))
    expected = sum(z["explained"] - max(floor, z["kl"]) for z in found["latents"]) - math.log(2 * math.pi)
    assert values.mean().item() == pytest.approx(expected, abs=0.01)
    slope = torch.autograd.grad(values.mean(), [model.w])[0]
    assert slope.abs().max().item() < 0.01
    # The first latent is above the floor: there the objective is the ELBO, and level in the encoder, too.
    a, t = (
        torch.autograd.grad(free_bits(model, x, floor, 200_000, torch.Generator().manual_seed(0)).mean(), [p])[0][0]
        for p in (model.a, model.t)
    )
    assert max(abs(a.item()), abs(t.item())) < 0.05


def test_the_second_answer_is_true_the_elbo_is_lower():
    lost = [optimum(0)["elbo"] - optimum(floor)["elbo"] for floor in (0.25, 0.5, 1.0)]
    expected = [floor - 0.5 * 0.5 * (1 - math.exp(-2 * floor)) for floor in (0.25, 0.5)]
    assert lost[:2] == pytest.approx(expected, abs=1e-12)
    assert 0 < lost[0] < lost[1] < lost[2]
    assert optimum(0)["latents"][1]["kl"] == 0 and optimum(0.5)["latents"][1]["kl"] == 0.5
    assert optimum(0.5)["latents"][0]["kl"] == pytest.approx(0.5 * math.log(6))
    assert [option["text"] for option in QUESTION2["options"] if option["right"]] == ["It is lower"]


def test_the_widget_has_a_picture_and_words():
    widget = vbook.widgets.posterior_shapes()
    data, notes = widget._repr_mimebundle_()
    assert data["application/vnd.vbook.widget+json"]["name"] == "posterior-shapes"
    assert len(data["image/png"]) > 4000
    assert "dashed circle" in notes["image/png"]["alt"] and "$" not in widget.alt
    assert (Path(STATIC) / "widgets" / "posterior-shapes.js").is_file()
