"""Thesis (2.58)–(2.70), sections 2.8 and 2.9: divergences by quadrature or counting against the package's densities."""

import math

import pytest
import torch
from exact import F64, STEP, generator, within
from exact import close as near
from torch import nn
from torch.distributions import Categorical, MultivariateNormal, kl_divergence

from vbook.bounds import elbo, elbo_analytic_kl, log_weights
from vbook.distributions import FactorizedNormal, as_multivariate_normal
from vbook.models import LinearGaussian, vae
from vbook.objectives import annealed, free_bits
from vbook.training import warmup

XS = torch.linspace(-9, 9, 1501, **F64)[:, None]
DX = 18 / 1500
Z = torch.linspace(-9, 9, 6001, **F64)
DOTS = torch.tensor([-1.6, -1.4, 0.5, 1.9], **F64)
H = 0.2  # the width of a data point
SLOPE, SHIFT, T, NOISE = 0.5, 0.1, 0.3, 0.6


def line(w=1.3, b=0.2, slope=SLOPE, shift=SHIFT, t=T):
    """p(x|z) = N(wz + b, s²), q(z|x) = N(slope x + shift, t²), one dimension each."""
    return LinearGaussian(
        torch.tensor([[w]], **F64),
        torch.tensor([b], **F64),
        NOISE,
        lambda x: FactorizedNormal(slope * x + shift, torch.full_like(x, t)),
    )


@pytest.fixture
def plane():
    """log p(x) and p(z|x) with two observed dimensions against the formulas written out: on a line transposes don't show."""
    u, v, s2 = 0.9, -0.4, NOISE**2
    model = LinearGaussian(torch.tensor([[u], [v]], **F64), torch.tensor([0.2, 0.1], **F64), NOISE)
    x, y = 0.7, -0.3  # the point minus the bias
    det = s2 * (u**2 + v**2 + s2)
    square = ((v**2 + s2) * x**2 - 2 * u * v * x * y + (u**2 + s2) * y**2) / det
    at = torch.tensor([[0.9, -0.2]], **F64)
    near(model.log_px(at).detach(), [-math.log(2 * math.pi) - 0.5 * math.log(det) - 0.5 * square])
    near(model.posterior(at).mean.detach(), [[(u * x + v * y) / (u**2 + v**2 + s2)]])


def log_data(x):
    """log q_D(x) of (2.60) with N(x_i, h²) for the peaks."""
    return FactorizedNormal(DOTS[:, None], torch.full((4, 1), H, **F64)).log_prob(x[:, None]).logsumexp(1) - math.log(4)


def of_x(values):
    """The average over q_D(x), by quadrature."""
    return (log_data(XS).exp() * values).sum() * DX


def marginal_kl(model):
    return of_x(log_data(XS) - model.log_px(XS)).detach()


def joint_kl(model):
    """(2.63) by quadrature over x and z, from the densities that define the two joints."""
    z = torch.linspace(-5, 5, 401, **F64)[:, None, None]
    with torch.no_grad():
        log_q = log_data(XS) + model.encode(XS).log_prob(z.expand(401, 1501, 1))
        log_p = model.prior().log_prob(z) + model.decode(z.expand(401, 1501, 1)).log_prob(XS)
        return (log_q.exp() * (log_q - log_p)).sum() * DX / 40


def gaussian_log_px(w, b, x):
    """log N(x; b, w² + s²) in one dimension, written out."""
    v = w**2 + NOISE**2
    return -0.5 * (math.log(2 * math.pi * v) + (x - b) ** 2 / v)


def test_eq_2_58_and_2_59_the_mean_over_the_data_is_an_expectation(plane):
    """Repeated points count as often as they occur; the sum over points is N times as much."""
    points = torch.tensor([[0.5], [1.9], [0.5], [-1.4]], **F64)
    log_px = line().log_px(points).detach()
    weights, places = torch.tensor([0.5, 0.25, 0.25], **F64), torch.tensor([0.5, 1.9, -1.4], **F64)
    expectation = (weights * gaussian_log_px(1.3, 0.2, places)).sum()
    near(log_px.mean(), expectation)
    near(log_px.sum(), 4 * expectation)


def test_eq_2_60_the_peaks_limit():
    """As h goes to 0 the average over the mixture becomes the mean over its centres."""
    near(of_x(torch.ones(1501, **F64)), 1.0)
    average = of_x(line().log_px(XS).detach())
    near(average, gaussian_log_px(1.3, 0.2, DOTS).mean() - 0.5 * H**2 / (1.3**2 + NOISE**2))


def test_eq_2_61_and_2_62_the_divergence_is_minus_the_log_likelihood_plus_a_constant(plane):
    """Between two models the constant drops out: exactly for counts, and with peaks of any width for a density."""
    counts = torch.tensor([0.25, 0.0, 0.5, 0.25], **F64)
    table = torch.randn(4, generator=generator(3), **F64).softmax(0)
    entropy = Categorical(counts).entropy()
    near(kl_divergence(Categorical(counts), Categorical(table)), -table[[0, 2, 2, 3]].log().mean() - entropy)
    one, other = line(1.3, 0.2), line(0.7, -0.4)
    difference = of_x(gaussian_log_px(1.3, 0.2, XS[:, 0]) - gaussian_log_px(0.7, -0.4, XS[:, 0]))
    near(marginal_kl(one) - marginal_kl(other), -difference)


def test_eq_2_63_to_2_65_the_joint_divergence_is_minus_the_elbo_plus_a_constant():
    model = line()
    constant = of_x(log_data(XS))
    with torch.no_grad():
        g = generator(4)
        pick = torch.randint(4, (40_000,), generator=g)
        x = DOTS[pick, None] + H * torch.randn(40_000, 1, generator=g, **F64)
        within(elbo(model, x, 2, g), constant - joint_kl(model))
        within(log_weights(model, x, 1, g)[0], constant - joint_kl(model))


def test_eq_2_66_and_2_67_the_decomposition(plane):
    """The joint divergence by quadrature, the posterior's by torch's KL between Gaussians."""
    for model in (line(), line(0.8, -0.2, 0.2, -0.3, 0.5)):
        inner = kl_divergence(as_multivariate_normal(model.encode(XS)), model.posterior(XS))
        near(joint_kl(model), marginal_kl(model) + of_x(inner).detach())


def test_eq_2_68_the_joint_divergence_is_the_larger_one(plane):
    """An upper bound for any encoder, and equal for the exact posterior."""
    for slope in (-0.5, 0.5, 1.0):
        for t in (0.2, 0.6):
            model = line(slope=slope, t=t)
            assert joint_kl(model) > marginal_kl(model) + 1e-3
    s2 = 1.3**2 + NOISE**2
    exact = line(slope=1.3 / s2, shift=-1.3 * 0.2 / s2, t=NOISE / math.sqrt(s2))
    x = XS[::300]
    near(exact.posterior(x).mean.detach(), exact.encode(x).mean)
    near(joint_kl(exact), marginal_kl(exact))


def test_the_augmented_view_fitting_theta_is_regression_on_pairs(plane):
    """At a fixed encoder the w and b of least squares on pairs (x, z) leave the mean ELBO without slope."""
    second, first = of_x(XS[:, 0] ** 2), of_x(XS[:, 0])
    mean_z = SLOPE * first + SHIFT
    mean_zz = SLOPE**2 * second + 2 * SLOPE * SHIFT * first + SHIFT**2 + T**2
    mean_xz = SLOPE * second + SHIFT * first
    w = (mean_xz - first * mean_z) / (mean_zz - mean_z**2)
    model = line(w.item(), (first - w * mean_z).item())
    inner = kl_divergence(as_multivariate_normal(model.encode(XS)), model.posterior(XS))
    bound = of_x(model.log_px(XS) - inner)
    for slope in torch.autograd.grad(bound, [model.weight, model.bias]):
        near(slope.flatten(), [0.0])


def test_figure_2_4_an_encoder_narrower_than_the_posterior_broadens_the_model(plane):
    """At the best w and a, Var_p(x) = s sqrt(V) / t: broader than the data or narrower, as t decides."""
    x = DOTS[:, None] - DOTS.mean()
    v = (x**2).mean().item()
    for t, broader in ((0.2, True), (0.5, False)):
        w2 = NOISE * math.sqrt(v) / t - NOISE**2
        w = math.sqrt(w2)
        a = torch.tensor(w / (w2 + NOISE**2), **F64, requires_grad=True)
        model = line(w, 0.0, a, 0.0, t)
        inner = kl_divergence(as_multivariate_normal(model.encode(x)), model.posterior(x))
        slopes = torch.autograd.grad((model.log_px(x) - inner).mean(), [model.weight, a])
        near(torch.stack([s.squeeze() for s in slopes]), [0.0, 0.0])
        variance = w2 + NOISE**2
        near(model.log_px(torch.zeros(1, 1).double()).detach(), [-0.5 * math.log(2 * math.pi * variance)])
        assert (variance > v) == broader


def lively():
    """A VAE whose first two latents cost little and whose third costs more than a nat."""
    model = vae(12, 3, hidden=(8,), seed=2).double()
    with torch.no_grad():
        model.encoder.net[-1].bias.copy_(torch.tensor([0.1, 0.2, 1.5, 0.0, 0.0, -1.0]))
    return model, (torch.rand(6, 12, generator=generator()) < 0.3).double()


def costs_by_quadrature(q):
    """KL(N(μ, σ²)||N(0, 1)) of every entry as an integral; (B, Z)."""
    z = Z[:, None, None]
    log_q = -0.5 * ((z - q.loc) / q.scale) ** 2 - q.scale.log() - 0.5 * math.log(2 * math.pi)
    return (log_q.exp() * (log_q + 0.5 * z**2 + 0.5 * math.log(2 * math.pi))).sum(0) * STEP


def test_eq_2_69_and_2_70_free_bits():
    model, x = lively()
    q = model.encode(x)
    z = q.loc + q.scale * torch.randn(2, 6, 3, generator=generator(1), **F64)
    explained, costs = model.decode(z).log_prob(x).mean(), costs_by_quadrature(q)
    for lam in (0.0, 0.3, 5.0):
        charge = sum(max(lam, c.item()) for c in costs.mean(0))
        near(free_bits(model, x, lam, 2, generator(1)).mean().detach(), explained.detach() - charge, atol=1e-7)


@pytest.mark.parametrize("lam", [0.3, 5.0])
def test_free_bits_below_lambda_nothing_pulls_and_above_all_of_it(lam):
    """With a decoder that ignores z, the slope is that of the costs above λ alone."""
    model, x = lively()
    nn.init.zeros_(model.decoder.net[0].weight)
    leaves = list(model.encoder.parameters())
    costs = costs_by_quadrature(model.encode(x)).mean(0)
    above = costs > lam
    assert above.tolist() == ([False, False, True] if lam == 0.3 else [False] * 3)
    expected = torch.autograd.grad(-(costs * above).sum(), leaves)
    got = torch.autograd.grad(free_bits(model, x, lam, 1, generator()).mean(), leaves)
    for a, b in zip(got, expected, strict=True):
        near(a, b, atol=1e-7)


def test_free_bits_takes_the_maximum_of_the_mean():
    """Two points and two latents with costs 0, 1.6 and 0.8, 0.4; λ = 0.5 charges 1.5, point by point it would be 1.7."""
    costs = torch.tensor([[0.0, 1.6], [0.8, 0.4]], **F64)

    class Fixed:
        def encode(self, x):
            return FactorizedNormal((2 * costs).sqrt(), torch.ones(2, 2, **F64))

        def prior(self):
            return FactorizedNormal(torch.zeros(2, **F64), torch.ones(2, **F64))

        def decode(self, z):
            return FactorizedNormal(torch.zeros(2, 1, **F64), torch.full((2, 1), 1 / math.sqrt(2 * math.pi), **F64))

    near(free_bits(Fixed(), torch.zeros(2, 1, **F64), 0.5, 1, generator()).mean(), -1.5)


def test_free_bits_push_up_to_lambda_where_the_elbo_pushes_down_to_zero():
    """Noise above the data's variance: the slope in the encoder's a changes sign where the cost is λ; at λ = 0 it is negative."""
    x = (DOTS - DOTS.mean())[:, None].repeat(2500, 1)
    v = (x**2).mean().item()
    for lam, cost, rises in ((0.3, 0.29, True), (0.3, 0.31, False), (0.0, 0.29, False), (0.0, 0.31, False)):
        a = torch.tensor(math.sqrt(2 * cost / v), **F64, requires_grad=True)
        w = a.item() * v / (a.item() ** 2 * v + 1)  # the best w for this a
        weight, bias = torch.tensor([[w]], **F64), torch.zeros(1, **F64)
        model = LinearGaussian(weight, bias, math.sqrt(1.2 * v), lambda x, a=a: FactorizedNormal(a * x, torch.ones_like(x)))
        (slope,) = torch.autograd.grad(free_bits(model, x, lam, 4, generator(1)).mean(), a)
        exact = w * v * (1 - w * a.item()) / (1.2 * v) - (cost > lam) * a.item() * v
        near(slope, exact, atol=0.03)
        assert abs(exact) > 0.1 and (slope > 0) == rises


def test_kl_annealing_weighs_the_cost_with_a_beta_that_rises():
    model, x = lively()
    q = model.encode(x)
    z = q.loc + q.scale * torch.randn(6, 3, generator=generator(1), **F64)
    explained, cost = model.decode(z).log_prob(x), costs_by_quadrature(q).sum(1)
    ramp = warmup(2)
    for step, beta in enumerate((0.0, 0.5, 1.0, 1.0), 1):
        near(annealed(model, x, ramp(step), generator=generator(1)).detach(), (explained - beta * cost).detach(), atol=1e-7)
    z = q.loc + q.scale * torch.randn(2, 6, 3, generator=generator(2), **F64)
    explained = model.decode(z).log_prob(x).sum(0) / 2
    near(annealed(model, x, 0.3, 2, generator(2)).detach(), (explained - 0.3 * cost).detach(), atol=1e-7)


def test_the_collapsed_state_has_no_slope():
    """A decoder that ignores z: the encoder feels minus the slope of the cost alone, and at q = p nothing at all."""
    model, x = lively()
    nn.init.zeros_(model.decoder.net[0].weight)
    leaves = list(model.encoder.parameters())
    value = elbo_analytic_kl(model, x, 2, generator())
    near(value, model.decode(torch.zeros(6, 3, **F64)).log_prob(x) - costs_by_quadrature(model.encode(x)).sum(1), atol=1e-7)
    got = torch.autograd.grad(value.mean(), leaves)
    cost = torch.autograd.grad(-costs_by_quadrature(model.encode(x)).sum(1).mean(), leaves)
    for a, b in zip(got, cost, strict=True):
        near(a, b, atol=1e-7)
    assert max(slope.abs().max() for slope in got) > 0.05
    nn.init.zeros_(model.encoder.net[-1].weight)
    nn.init.zeros_(model.encoder.net[-1].bias)
    first = model.decoder.net[0].weight
    rows = []
    for k in range(100):
        value = elbo_analytic_kl(model, x, 1, generator(k)).mean()
        *still, decoder = torch.autograd.grad(value, [*leaves, first])
        for slope in still:
            near(slope, torch.zeros_like(slope), atol=1e-12)
        rows.append(decoder.flatten())
    within(torch.stack(rows), 0.0, 4.5)


@pytest.mark.parametrize(("ratio", "saddle"), [(0.5, True), (0.9, True), (1.2, False)])
def test_the_collapsed_state_is_a_saddle_as_long_as_the_noise_is_below_the_variance(ratio, saddle):
    """The curvature of the mean ELBO of the line model in w and a around 0 against its formula."""
    x = (DOTS - DOTS.mean())[:, None]
    v = (x**2).mean()
    noise = math.sqrt(ratio * v)

    def bound(p):
        bias = torch.tensor([0.3], **F64)
        model = LinearGaussian(torch.zeros(1, 1, **F64), bias, noise, lambda x: FactorizedNormal((x - 0.3) * p[1], 1 + 0 * x))
        del model.weight
        model.weight = p[0].reshape(1, 1)
        q = model.encode(x + 0.3)
        two = torch.stack([q.transport(torch.ones_like(x)), q.transport(-torch.ones_like(x))])  # exact for a quadratic
        explained = model.decode(two).log_prob(x + 0.3).mean(0)
        return (explained - kl_divergence(q, model.prior())).mean()

    near(bound(torch.zeros(2, **F64)), -0.5 * math.log(2 * math.pi * ratio * v) - 0.5 / ratio)
    curvature = torch.autograd.functional.hessian(bound, torch.zeros(2, **F64))
    s2 = ratio * v
    near(curvature, torch.tensor([[-1 / s2, v / s2], [v / s2, -v]], **F64))
    assert (torch.linalg.eigvalsh(curvature)[-1] > 0) == saddle


def test_the_encoders_signal_drowns_near_the_collapsed_state():
    """One-draw slopes by the encoder's a at w = 0.1, a = 0.05: (2.29) is far noisier than the bound with the KL integrated."""
    x = (DOTS - DOTS.mean())[:, None].repeat(2500, 1)
    v = (x**2).mean().item()
    noise = math.sqrt(0.8 * v)
    exact = 0.1 * v * (1 - 0.1 * 0.05) / (0.8 * v) - 0.05 * v
    ratios = []
    for f in (elbo, elbo_analytic_kl):
        a = torch.full_like(x, 0.05).requires_grad_()
        model = LinearGaussian(
            torch.tensor([[0.1]], **F64), torch.zeros(1, **F64), noise, lambda x, a=a: FactorizedNormal(a * x, torch.ones_like(x))
        )
        (slopes,) = torch.autograd.grad(f(model, x, 2, generator(1)).sum(), a)
        within(slopes, exact)
        ratios.append(abs(exact) / slopes.std().item())
    assert ratios[0] < 0.03 and ratios[1] > 50 * ratios[0]


def test_exercise_2_7_the_best_linear_model_keeps_what_exceeds_the_noise():
    """Information of each latent: log(λ/s²)/2 nats above the water line, zero below; here from the model's own posterior."""
    values, s2 = torch.tensor([4.0, 1.0, 0.25], **F64), 0.5
    weight = torch.diag((values - s2).clamp(min=0).sqrt())
    model = LinearGaussian(weight, torch.zeros(3, **F64), math.sqrt(s2))
    x = math.sqrt(3) * torch.cat([torch.diag(values.sqrt()), -torch.diag(values.sqrt())])  # covariance diag(λ)
    posterior = model.posterior(x)
    costs = costs_by_quadrature(FactorizedNormal(posterior.mean, posterior.stddev)).mean(0).detach()
    near(costs, 0.5 * (values / s2).log().clamp(min=0), atol=1e-7)
    near(torch.autograd.grad(model.log_px(x).mean(), model.weight)[0], torch.zeros(3, 3))


def test_the_direction_of_the_divergence(plane):
    """Wasted mass m costs −log(1 − m) at most; forgotten mass costs without limit, through E_q[log p] → −∞."""
    model = line()
    whole = marginal_kl(model)
    for m in (0.5, 0.9):  # p mixed with nonsense far from the data
        near(of_x(log_data(XS) - (model.log_px(XS) + math.log(1 - m))).detach(), whole - math.log(1 - m))
    cross = [of_x(line(b=b).log_px(XS)).item() for b in (0.0, 10.0, 100.0)]
    assert cross[0] > cross[1] > cross[2] and cross[2] < -1000


def test_maximum_likelihood_makes_the_entropy_larger_by_the_divergence(plane):
    """The best Gaussian has the data's variance, not more; what exceeds the data's is its entropy."""
    first, second = of_x(XS[:, 0]), of_x(XS[:, 0] ** 2)
    variance = second - first**2
    model = line(math.sqrt(variance - NOISE**2), first.item())
    slopes = torch.autograd.grad(of_x(model.log_px(XS)), [model.weight, model.bias])
    near(torch.stack([s.squeeze() for s in slopes]), [0.0, 0.0])
    entropy = MultivariateNormal(first[None], variance[None, None]).entropy()
    near(entropy + of_x(log_data(XS)), marginal_kl(model))


def mixture(count):
    """log p(x) on XS of ``count`` line models with equal shares, each fitted to its part of the dots."""
    parts = DOTS.reshape(count, -1)
    variances = parts.var(1, correction=0) + H**2
    models = []
    for part, variance in zip(parts, variances, strict=True):
        model = line(b=part.mean().item())
        model.noise = H / 2
        model.weight.data.fill_((variance - model.noise**2).sqrt())
        models.append(model.log_px(XS).detach())
    return torch.stack(models).logsumexp(0) - math.log(count)


def test_a_flexible_encoder_and_a_flexible_model_each_take_a_part_of_the_blur(plane):
    """t free: the variance is the data's, the hump stays single; more humps: the misfit goes, and the mass between the data."""
    x = DOTS[:, None] - DOTS.mean()
    v = (x**2).mean().item()
    variances, gaps = {}, {}
    for flexible in (False, True):
        a, log_t = torch.tensor(0.5, **F64, requires_grad=True), torch.tensor(math.log(0.2), **F64, requires_grad=flexible)
        model = line(1.3, 0.0)
        model.encoder = lambda x, a=a, log_t=log_t: FactorizedNormal(a * x, log_t.exp() + 0 * x)
        leaves = [model.weight, a, log_t][: 2 + flexible]
        search = torch.optim.LBFGS(leaves, max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

        def loss(model=model, search=search):
            search.zero_grad()
            gap = kl_divergence(as_multivariate_normal(model.encode(x)), model.posterior(x))
            value = (gap - model.log_px(x)).mean()
            value.backward()
            return value

        search.step(loss)
        variances[flexible] = model.weight.item() ** 2 + NOISE**2
        gaps[flexible] = kl_divergence(as_multivariate_normal(model.encode(x)), model.posterior(x)).mean().item()
    assert variances[False] > 1.5 * v and gaps[False] > 0.1
    assert (variances[True], gaps[True]) == pytest.approx((v, 0), abs=1e-4)
    misfit = {count: of_x(log_data(XS) - mixture(count)).item() for count in (1, 2, 4)}
    between = {count: mixture(count)[(XS[:, 0] > -0.9) & (XS[:, 0] < 0)].exp().sum().item() * DX for count in (1, 2, 4)}
    assert misfit[1] > 2.5 * misfit[2] > 0.5 and misfit[4] == pytest.approx(0, abs=1e-9)
    assert between[1] > 0.2 and between[2] < 0.03 and between[4] < 0.004
