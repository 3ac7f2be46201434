"""Errata of the thesis's chapter 5, on flows: what is printed fails, what is right passes."""

import numpy as np
import pytest
import torch
from forms import grid, kl_normal, log_normal, tell_apart

from vbook.results.target import targets

F64 = dict(dtype=torch.float64)
MU0, SIGMA0, NOISE = (
    torch.tensor([0.4, -0.2, 0.7], **F64),
    torch.tensor([0.5, 1.6, 0.8], **F64),
    torch.tensor([0.3, -1.1, 0.6], **F64),
)
MIX = torch.tensor([[0.0, 0.0, 0.0], [0.9, 0.0, 0.0], [-0.4, 0.7, 0.0]], **F64)


def autoregressive(z):
    """μ and σ whose i-th elements depend on the earlier elements of z alone."""
    return torch.sin(MIX @ z), torch.exp(torch.tanh(MIX @ z + 0.5))


def log_density(transform, noise):
    """log q at the image of the noise, by autograd's Jacobian: what every formula has to equal."""
    jacobian = torch.autograd.functional.jacobian(transform, noise)
    return (log_normal(noise.numpy()).sum() - torch.linalg.slogdet(jacobian).logabsdet).item()


def base(noise):
    return MU0 + SIGMA0 * noise


def step(z):
    mu, sigma = autoregressive(z)
    return mu + sigma * z


def test_eq_5_5_sign_and_constant():
    """(5.4) with x, z and u enumerated, against minus the divergence less the entropy of the data."""
    g = np.random.default_rng(0)
    q_x = np.array([0.5, 0.3, 0.2])
    q = g.dirichlet(np.ones(4), size=3).reshape(3, 2, 2)  # q(u, z|x)
    p = g.dirichlet(np.ones(12)).reshape(3, 2, 2)
    objective = (q_x[:, None, None] * q * (np.log(p) - np.log(q))).sum()
    joint = q_x[:, None, None] * q
    divergence = (joint * np.log(joint / p)).sum()
    entropy = -(q_x * np.log(q_x)).sum()
    tell_apart(divergence, -divergence - entropy, objective)
    tell_apart(-divergence, -divergence - entropy, objective)  # the minus sign alone isn't enough


def test_eq_5_14_order_of_the_factors():
    first = torch.autograd.functional.jacobian(step, NOISE)
    second = torch.autograd.functional.jacobian(lambda z: torch.flip(z, (0,)) * z[0].exp(), step(NOISE))
    truth = torch.autograd.functional.jacobian(lambda z: torch.flip(step(z), (0,)) * step(z)[0].exp(), NOISE)
    tell_apart(first @ second, second @ first, truth)
    assert torch.isclose(torch.linalg.det(first @ second), torch.linalg.det(truth))  # determinants don't mind


def test_eq_5_17_planar_flow_must_not_fold():
    """Along w the flow is a -> a + wᵀu·tanh(a). For wᵀu = -2.5 three points meet, and the density of (5.16) is that of one."""
    at, (a, width) = 0.3, grid(9, 360_001)
    found = {}
    for slope in (-2.5, -0.9):
        image = a + slope * np.tanh(a)
        near = np.abs(image - at) < 0.01
        truth = np.exp(log_normal(a))[near].sum() * width / 0.02  # mass that lands near the point, per length
        crossings = np.flatnonzero(np.diff(np.sign(image - at)))
        one = max(crossings, key=lambda k: log_normal(a[k]))
        stretch = np.abs(1 + slope * (1 - np.tanh(a[one]) ** 2))
        found[slope] = np.exp(log_normal(a[one])) / stretch / truth, len(crossings)
    tell_apart(found[-2.5][0], found[-0.9][0], 1.0, tolerance=2e-3)
    assert (found[-2.5][1], found[-0.9][1]) == (3, 1)
    u, w = np.array([-3.0, 0.0]), np.array([2.0, 1.0])
    assert np.linalg.det(np.eye(2) + np.outer(u, w)) == pytest.approx(-5.0)  # at a = 0, where tanh' = 1


def test_eq_5_23_the_first_gaussian():
    """The mean and the covariance of μ0 + σ0 ε, by points whose mean is 0 and covariance I."""
    points = np.sqrt(3) * torch.cat([torch.eye(3, **F64), -torch.eye(3, **F64)])
    z = base(points)
    tell_apart(torch.zeros(3), MU0, z.mean(0))
    tell_apart(torch.diag(SIGMA0), torch.diag(SIGMA0**2), (z - MU0).T @ (z - MU0) / 6)


def test_eq_5_26_the_chain_starts_at_z0():
    """(5.29) holds for the chain that starts at z0. Read as printed, from ε0, the chain knows nothing of μ0 and σ0."""
    z1 = step(base(NOISE))
    sigma1 = autoregressive(base(NOISE))[1]
    formula = log_normal(NOISE.numpy()).sum() - SIGMA0.log().sum().item() - sigma1.log().sum().item()
    tell_apart(log_density(step, NOISE), log_density(lambda e: step(base(e)), NOISE), formula)
    printed = log_normal(NOISE.numpy()).sum() - SIGMA0.log().sum().item() - autoregressive(NOISE)[1].log().sum().item()
    tell_apart(printed, formula, log_density(lambda e: step(base(e)), NOISE))
    assert (z1 - step(NOISE)).abs().max() > 0.1


def test_eq_5_29_the_noise_is_that_of_the_start():
    last, sigma1 = step(base(NOISE)), autoregressive(base(NOISE))[1]
    scales = (SIGMA0.log() + sigma1.log()).sum().item()
    printed, correct = log_normal(last.numpy()).sum() - scales, log_normal(NOISE.numpy()).sum() - scales
    tell_apart(printed, correct, log_density(lambda e: step(base(e)), NOISE))


def test_sec_5_4_the_sign_belongs_to_one_of_the_two_forms():
    """(5.29) subtracts log σ. A step of the form (5.19) divides by σ, and its log σ has to be added."""

    def whiten(z):
        mu, sigma = autoregressive(z)
        return (z - mu) / sigma

    log_sigma = autoregressive(NOISE)[1].log().sum().item()
    start = log_normal(NOISE.numpy()).sum()
    tell_apart(start - log_sigma, start + log_sigma, log_density(whiten, NOISE))
    tell_apart(start + log_sigma, start - log_sigma, log_density(step, NOISE))  # the other form, the other sign


def test_sec_5_b_5_mass_of_all_pixel_values():
    """A location near the edge and a wide scale: 256 bins of 1/256 leave out what lies below 0 and above 1."""
    edges, location, scale = np.arange(257) / 256, 0.1, 0.15
    cdf = 1 / (1 + np.exp(-(edges - location) / scale))
    bins = np.diff(cdf)
    whole = bins.copy()
    whole[0], whole[-1] = cdf[1], 1 - cdf[-2]
    tell_apart(bins.sum(), whole.sum(), 1.0)


def test_table_5_b_1_bits_of_what():
    """The same models stand in table 5.B.2, per dimension; a pixel of CIFAR-10 has three of those."""
    known = targets()
    pairs = [("bottom-up/scale-0", "bottom-up-linear"), ("bottom-up/scale-1", "bottom-up-iaf-1")]
    pairs += [("bidirectional/scale-0", "bidirectional-linear"), ("bidirectional/scale-1", "bidirectional-iaf-1")]
    for depth in ("d4", "d8"):
        for here, there in pairs:
            value = known[f"thesis/table-5.B.1/{depth}-{here}"]["value"]
            tell_apart(value / 3, value, known[f"thesis/table-5.B.2/{there}/{depth}"]["value"])


def test_sec_5_c_no_context():
    """Two latents, z2 = y2 + c·y1. The divergence from N(0, I) is that of y from one autoregressive prior only if c is fixed."""

    def of_z(m, t, c):  # q(z) has mean A m and covariance A T A', with A = [[1, 0], [c, 1]]
        shear = np.array([[1.0, 0.0], [c, 1.0]])
        mean, cov = shear @ m, shear @ np.diag(t**2) @ shear.T
        return 0.5 * (np.trace(cov) + mean @ mean - 2 - np.log(np.linalg.det(cov)))

    def of_y(m, t, c):  # the prior p(y) = N(y1; 0, 1) N(y2; -c y1, 1), which is that of every data point
        return kl_normal(m[0], t[0]) + kl_normal(m[1] + c * m[0], t[1]) + 0.5 * (c * t[0]) ** 2

    posteriors = [(np.array([0.5, -0.3]), np.array([0.4, 0.7])), (np.array([-1.0, 0.8]), np.array([0.6, 0.3]))]
    prior = 0.8
    fixed = [of_z(m, t, 0.8) for m, t in posteriors]
    by_context = [of_z(m, t, c) for (m, t), c in zip(posteriors, (0.8, -1.1), strict=True)]
    tell_apart(by_context, fixed, [of_y(m, t, prior) for m, t in posteriors])
