"""Thesis 2.10 and 2.10.1, (2.71)–(2.73): wake-sleep, linear autoencoders, the regulariser, and the score function.

Both sides of each formula are computed in different ways: integrals over z as sums over a grid, discrete z by enumeration, the
linear-Gaussian model by its moments.
"""

import itertools
import math

import pytest
import torch
from exact import F64, GRID, STEP, X, average, close, generator, log_joint, phi, solvable, within
from torch.distributions import MultivariateNormal, kl_divergence

from vbook.bounds import log_weights, terms
from vbook.distributions import FactorizedBernoulli, FactorizedNormal, as_multivariate_normal, simulate
from vbook.models.linear_gaussian import LinearGaussian, probabilistic_pca
from vbook.objectives import wake_sleep
from vbook.score import score_function

TALL = torch.tensor([[1.0, 0.2], [0.1, 0.8], [0.5, 0.5]], **F64)
EYE2, EYE3 = torch.eye(2, **F64), torch.eye(3, **F64)


class Bits:
    """Three binary latents, four binary pixels: every average is a finite sum."""

    def __init__(self, scale=0.7):
        self.weights = [(scale * torch.randn(s, generator=generator(5), **F64)).requires_grad_() for s in ((4, 3), (3, 4))]

    def prior(self):
        return FactorizedBernoulli(torch.full((3,), -0.3, **F64))

    def encode(self, x):
        return FactorizedBernoulli(x @ self.weights[0])

    def decode(self, z):
        return FactorizedBernoulli(z @ self.weights[1])


def corners(n):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), **F64)


def slopes(objective, leaves, blocks):
    return torch.stack([flat(torch.autograd.grad(objective().mean(), leaves)) for _ in range(blocks)])


def flat(gradients):
    return torch.cat([g.flatten() for g in gradients])


def one_draw_elbo(model, x, samples=()):
    """log p(x, z) − log q(z|x) at the first draws of generator(11)."""
    with torch.no_grad():
        z = simulate(model.encode(x), generator(11), samples)
        return model.prior().log_prob(z) + model.decode(z).log_prob(x) - model.encode(x).log_prob(z)


def test_eq_2_71_reconstruction_and_regularisation():
    """The first term averages to E_q[log p(x|z)] and the other two to −KL(q(z|x)||p(z)); together they are the ELBO."""
    model = solvable(*phi())
    with torch.no_grad():
        log_q, prior = model.encode(X).log_prob(GRID), model.prior().log_prob(GRID)
        found = terms(model, X.expand(20_000, 2), 1, generator(1))
        reconstruction, kl = average(log_q, model.decode(GRID).log_prob(X)), average(log_q, log_q - prior)
        within(found["log_px_z"][0], reconstruction)
        within((found["log_pz"] - found["log_qz_x"])[0], -kl)
        within(log_weights(model, X.expand(20_000, 2), 1, generator(2))[0], reconstruction - kl)
        close(reconstruction - kl, average(log_q, log_joint(model, GRID) - log_q))
    loc, log_scale = phi()
    close(kl, 0.5 * (loc**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).detach()[0])


def dreams():
    """The model with weights w W, and its two objectives averaged exactly: over data of second moment C, and over dreams."""
    scale, var = torch.tensor([0.6, 0.9], **F64), 0.64
    c = TALL @ TALL.T + var * EYE3

    def wake(w, a):
        miss = EYE3 - w * TALL @ a
        return -0.5 * ((miss @ c @ miss.T).trace() + w**2 * (TALL**2 * scale**2).sum()) / var

    def sleep(w, a):
        miss = EYE2 - w * a @ TALL
        return -0.5 * ((miss @ miss.T + var * a @ a.T).diagonal() / scale**2).sum()

    return scale, var, c, wake, sleep


def test_wake_and_sleep_have_no_common_objective():
    """The package follows both slopes without bias, and their mixed derivatives differ: no function has these two slopes."""
    scale, var, c, wake, sleep = dreams()
    w, a = torch.tensor(0.8, **F64).requires_grad_(), torch.tensor([[0.5, 0.1, 0.2], [-0.2, 0.6, 0.1]], **F64).requires_grad_()

    def encode(x):
        return FactorizedNormal(x @ a.T, scale.expand(len(x), 2))

    model = LinearGaussian(TALL, torch.zeros(3, **F64), math.sqrt(var), encode)
    data = math.sqrt(3) * torch.cat([s * torch.linalg.cholesky(c).T for s in (1, -1)])  # second moment C
    close(data.T @ data / 6, c)
    g, rows = generator(4), []
    for _ in range(100):
        model.weight.data = (w * TALL).detach()
        model.weight.grad = a.grad = None
        wake_sleep(model, data.repeat(30, 1), g).mean().backward()
        rows.append(torch.cat([(model.weight.grad * TALL).sum()[None], a.grad.flatten()]))
    close(wake_sleep(model, data, generator(11)).detach(), one_draw_elbo(model, data))
    slopes_w = [torch.autograd.grad(f(w, a), w, create_graph=True)[0] for f in (wake, sleep)]
    (exact_a,) = torch.autograd.grad(sleep(w, a), a)
    within(torch.stack(rows), torch.cat([slopes_w[0].detach()[None], exact_a.flatten()]))
    mixed = [torch.autograd.grad(slope, a)[0] for slope in slopes_w]  # d²/dw dA of each objective
    assert (mixed[0] - mixed[1]).abs().max() > 0.3


def test_wake_sleep_ends_at_the_moments_of_the_posterior():
    """The factorised Gaussian with the posterior's means and marginal variances has no sleep slope, the ELBO's widths do."""
    model = LinearGaussian(TALL, torch.zeros(3, **F64), 0.8)
    cov = model.posterior(X.new_zeros(1, 3)).covariance_matrix[0].detach()
    gain = (cov @ TALL.T / 0.64).requires_grad_()
    means = {}
    for name, variance in (("moments", cov.diagonal()), ("slice", 1 / torch.linalg.inv(cov).diagonal())):
        log_scale = (0.5 * variance.log()).requires_grad_()
        model.encoder = lambda x, s=log_scale: FactorizedNormal(x @ gain.T, s.exp().expand(len(x), 2))
        g = generator(2)
        rows = slopes(lambda g=g: wake_sleep(model, torch.zeros(400, 3, **F64), g), [gain, log_scale], 50)
        means[name] = rows.mean(0)[6:]
        if name == "moments":
            within(rows, torch.zeros(8, **F64))
        else:
            within(rows[:, 6:], cov.diagonal() / variance - 1)
    assert (means["slice"] > 0.05).all(), "sleep widens a q that is as narrow as the ELBO's"


def test_wake_sleep_with_binary_latents():
    """Both directions against the sums over all z and all dreams (x', z')."""
    model, x = Bits(), torch.tensor([[1.0, 0.0, 1.0, 1.0]], **F64)
    z, pixels = corners(3), corners(4)[:, None]
    q = model.encode(x).log_prob(z).exp().detach()
    joint = model.prior().log_prob(z) + model.decode(z).log_prob(x)
    dream = (model.prior().log_prob(z) + model.decode(z).log_prob(pixels)).exp().detach()  # (16, 8)
    exact = torch.autograd.grad((dream * model.encode(pixels).log_prob(z)).sum(), model.weights[:1])
    exact += torch.autograd.grad((q * joint).sum(), model.weights[1:])
    close(wake_sleep(model, x, generator(11)).detach(), one_draw_elbo(model, x))
    g = generator(3)
    within(slopes(lambda: wake_sleep(model, x.expand(500, 4), g), model.weights, 80), flat(exact))


def test_the_posterior_without_noise_is_a_point():
    """p(z|x) = N(W'x − ε M⁻¹W'x, ε M⁻¹), which goes to δ(z − W'x)."""
    x = torch.tensor([[2.6, 1.2, 2.0]], **F64)
    target = torch.linalg.lstsq(TALL, (x - 0.3).T).solution.T  # W'(x − b), without W'
    for variance in (1.0, 0.1, 1e-3, 1e-10):
        posterior = LinearGaussian(TALL, torch.full((3,), 0.3, **F64), math.sqrt(variance)).posterior(x)
        rest = torch.linalg.inv(TALL.T @ TALL / variance + EYE2)
        close(posterior.mean, target - target @ rest, atol=1e-7)
        torch.testing.assert_close(posterior.covariance_matrix[0], rest, rtol=1e-6, atol=0)
    close(posterior.mean, target, atol=1e-8)
    assert posterior.stddev.max() < 1e-4


def toy():
    g = generator(8)
    mix = torch.linalg.qr(torch.randn(5, 5, generator=g, **F64))[0]
    return torch.randn(200, 5, generator=g, **F64) * torch.tensor([3.0, 2.0, 0.7, 0.5, 0.4], **F64) @ mix + 1


def test_pca_is_the_most_likely_linear_gaussian_model():
    """No gradient at probabilistic PCA, in W, b and s; nothing near it is likelier; its plane is that of the singular vectors."""
    x = toy()
    model = probabilistic_pca(x, 2)
    log_noise = torch.tensor(model.noise, **F64).log()
    w, b, log_s = (v.detach().clone().requires_grad_() for v in (model.weight, model.bias, log_noise))

    def likelihood(w, b, log_s):
        return MultivariateNormal(b, w @ w.T + (2 * log_s).exp() * torch.eye(5, **F64)).log_prob(x).mean()

    best = likelihood(w, b, log_s)
    close(flat(torch.autograd.grad(best, (w, b, log_s))), torch.zeros(16, **F64), atol=1e-8)
    close(model.log_px(x).mean(), best)
    with torch.no_grad():
        for seed in range(20):
            step = [0.1 * torch.randn(v.shape, generator=generator(seed), **F64) for v in (w, b, log_s)]
            assert likelihood(*(v + s for v, s in zip((w, b, log_s), step, strict=True))) < best
    principal = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:2]
    close(w - principal.T @ (principal @ w), torch.zeros(5, 2, **F64))


def climbed(objective, parameters):
    search = torch.optim.LBFGS(parameters, max_iter=150, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe")

    def loss():
        search.zero_grad()
        value = -objective()
        value.backward()
        return value

    search.step(loss)
    return objective().item()


def start(seed):
    g, shapes = generator(seed), ((5, 2), (5,), (), (2, 5), (2,), (2,))
    return [(0.3 * torch.randn(shape, generator=g, **F64)).requires_grad_() for shape in shapes]


def test_a_linear_vae_and_a_linear_autoencoder_find_the_principal_plane():
    """The ELBO of a linear VAE reaches probabilistic PCA's likelihood, with orthogonal columns; squared error finds the plane."""
    x = toy()
    best = probabilistic_pca(x, 2)
    w, b, log_s, a, c, log_scale = start(0)

    def bound():
        mean, var = x @ a.T + c, (2 * log_scale).exp()
        miss = (x - mean @ w.T - b).square().sum(1) + (w**2 * var).sum()
        log_px_z = -0.5 * miss / (2 * log_s).exp() - 5 * (log_s + 0.5 * math.log(2 * math.pi))
        return (log_px_z - 0.5 * (mean**2 + var - 1 - 2 * log_scale).sum(1)).mean()

    q = FactorizedNormal(x @ a.T + c, log_scale.exp().expand(200, 2))
    model = LinearGaussian(w.detach(), b.detach(), log_s.exp().item())
    close(bound().detach(), (model.log_px(x) - kl_divergence(as_multivariate_normal(q), model.posterior(x))).mean().detach())
    close(climbed(bound, [w, b, log_s, a, c, log_scale]), best.log_px(x).mean().detach(), atol=1e-6)
    columns = (w.T @ w).detach()
    assert abs(columns[0, 1]) < 1e-3 * columns.diagonal().min()
    plain = start(10)

    def minus_error():
        return -(x - (x @ plain[3].T + plain[4]) @ plain[0].T - plain[1]).square().sum(1).mean()

    error = -climbed(minus_error, plain[:2] + plain[3:5])
    close(error, 3 * best.noise**2, atol=1e-6)  # s² is the mean of the three eigenvalues left out
    principal = torch.linalg.qr(best.weight.detach())[0]
    for found in (w.detach(), plain[0].detach()):
        close(found - principal @ (principal.T @ found), torch.zeros(5, 2, **F64), atol=1e-3)


def test_eq_2_72_the_gradient_is_the_average_of_f_times_the_score():
    """For a fixed f and for the ELBO's own f, integrals over the grid; the package's average follows."""
    parameters = phi()
    model = solvable(*parameters)
    log_q = model.encode(X).log_prob(GRID)
    joint = log_joint(model, GRID).detach()
    for f, scored in ((torch.sin(GRID[..., 0]) + joint, None), (joint - log_q, joint - log_q.detach())):
        left = flat(torch.autograd.grad(average(log_q, f).sum(), parameters, retain_graph=True))
        held = (log_q.detach().exp() * (f if scored is None else scored)).squeeze(1)
        right = flat(torch.autograd.grad((held * log_q.squeeze(1)).sum() * STEP, parameters, retain_graph=True))
        close(right, left, atol=1e-8)
    assert left.abs().min() > 0.1
    close(score_function(model, X, 2, generator(11)).detach(), one_draw_elbo(model, X, (2,)).mean(0))
    g = generator(6)
    within(slopes(lambda: score_function(model, X.expand(500, 2), 2, g), parameters, 100), left)


@pytest.mark.parametrize("samples, baseline", [(1, "none"), (3, "leave-one-out")])
def test_eq_2_73_each_draw(samples, baseline):
    """The slopes of (2.73), by hand at the package's own draws; with the baseline the sample covariance of f and the score."""
    loc, log_scale = phi()
    model = solvable(loc, log_scale)
    value = score_function(model, X, samples, generator(11), baseline)
    close(value.detach(), one_draw_elbo(model, X, (samples,)).mean(0))
    found = flat(torch.autograd.grad(score_function(model, X, samples, generator(7), baseline).sum(), (loc, log_scale)))
    with torch.no_grad():
        eps = torch.randn(samples, 1, 1, generator=generator(7), **F64)
        z = loc + log_scale.exp() * eps
        f = (log_joint(model, z) - model.encode(X).log_prob(z)).flatten()
        score = torch.stack([(eps / log_scale.exp()).flatten(), (eps**2 - 1).flatten()])
        if baseline == "none":
            close(found, (f * score).mean(1))
        else:
            close(found, torch.cov(torch.cat([f[None], score]))[0, 1:])


@pytest.mark.parametrize("samples, baseline", [(1, "none"), (3, "leave-one-out")])
def test_score_function_with_binary_latents(samples, baseline):
    """In φ and θ against the slope of the ELBO summed over all z; the value is the ELBO estimate."""
    model, x, z = Bits(), torch.tensor([[1.0, 0.0, 1.0, 1.0]], **F64), corners(3)
    value = score_function(model, x, samples, generator(11), baseline)
    close(value.detach(), one_draw_elbo(model, x, (samples,)).mean(0))
    log_q = model.encode(x).log_prob(z)
    bound = (log_q.exp() * (model.prior().log_prob(z) + model.decode(z).log_prob(x) - log_q)).sum()
    exact, g = flat(torch.autograd.grad(bound, model.weights)), generator(2)
    within(slopes(lambda: score_function(model, x.expand(500, 4), samples, g, baseline), model.weights, 80), exact)


def test_variance_of_the_score_function_grows_with_the_dimension():
    """Posterior N(0, I), q = N(m, σ²I), the slope by μ_1: closed forms, and a factor over reparameterisation that isn't fixed."""
    m, s, draws, factors = 0.5, 0.8, 5, {}
    c1, c2 = -m * s, (1 - s**2) / 2
    mean, var = math.log(s) - m**2 / 2 + c2, c1**2 + 2 * c2**2
    for dim, blocks in ((1, 6000), (40, 1500)):
        rows = torch.full((blocks, dim), m, **F64, requires_grad=True)
        q = FactorizedNormal(rows, torch.full_like(rows, s))
        model = LinearGaussian(torch.zeros(1, dim, **F64), torch.zeros(1, **F64), 1.0, lambda x, q=q: q)
        constant = -0.5 * math.log(2 * math.pi)  # log p(x|z), for x = 0 and every z
        centred = 3 * c1**2 + 10 * c2**2 + (dim - 1) * var
        total = dim * mean + constant
        plain = ((centred + 4 * total * c2 + total**2) / s**2 - m**2) / draws
        pairs = draws * (draws - 1)
        loo = centred / s**2 / draws + (dim * var / s**2 - (draws - 2) * m**2) / pairs
        for baseline, theory in (("none", plain), ("leave-one-out", loo)):
            value = score_function(model, torch.zeros(blocks, 1, **F64), draws, generator(dim), baseline).sum()
            (slope,) = torch.autograd.grad(value, rows, retain_graph=True)
            within(slope[:, 0], torch.tensor(-m, **F64))
            within((slope[:, 0] + m) ** 2, torch.tensor(theory, **F64))
        factors[dim] = loo / (s**2 / draws)
    assert factors[1] < 3 and factors[40] > 20
