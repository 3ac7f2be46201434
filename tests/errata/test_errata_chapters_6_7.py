"""Errata of the thesis's chapters 6 and 7: what is printed fails, what is right passes."""

import numpy as np
import pytest
import torch
from forms import grid, kl_normal, log_normal, tell_apart

X, Y, S = np.array([0.7, -1.2, 0.4]), np.array([0.5, -1.1, 0.9]), 0.8  # y = w x + noise, w ~ N(0, 1)


def log_evidence(x, y):
    """log p(y|x) of all pairs with w integrated out: one Gaussian."""
    covariance = np.outer(x, x) + S**2 * np.eye(len(x))
    return -0.5 * (y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(2 * np.pi * covariance)[1])


def test_sec_6_2_the_evidence_is_no_sum():
    """Bound plus divergence, for a q of our choice: the evidence of all data. With w integrated out, they aren't independent."""
    m, t = 0.3, 0.5
    fit = sum(log_normal(y, m * x, S) - 0.5 * (x * t / S) ** 2 for x, y in zip(X, Y, strict=True))
    precision = 1 + (X**2).sum() / S**2
    total = fit - kl_normal(m, t) + kl_normal(m, t, (X * Y).sum() / S**2 / precision, precision**-0.5)
    by_point = sum(log_evidence(X[[i]], Y[[i]]) for i in range(3))
    tell_apart(by_point, log_evidence(X, Y), total)


def test_sec_6_2_2_one_noise_for_the_minibatch():
    """Draws of (6.3) with M = 2, one ε for both: its variance is that of (6.5) for the shared noise."""
    g, many, size = np.random.default_rng(0), 400_000, 2
    picked = g.integers(3, size=(many, size))

    def loss(noise):
        return log_normal(Y[picked], (0.3 + 0.5 * noise) * X[picked], S)

    terms, own = loss(g.standard_normal((many, 1))), loss(g.standard_normal((many, size)))
    by_formula = {}
    for name, drawn in (("printed", own), ("correct", terms)):
        by_formula[name] = drawn.var() / size + (size - 1) / size * np.cov(drawn.T)[0, 1]
    tell_apart(by_formula["printed"], by_formula["correct"], terms.mean(1).var(), tolerance=3e-3)
    assert abs(np.cov(own.T)[0, 1]) < 5 * own.var() / np.sqrt(many)  # an ε of its own for each: no covariance left


def test_sec_6_a_range_of_floating_point():
    for number, bits in ((np.float32, 8), (np.float64, 11)):
        kind = np.finfo(number)
        truth = np.log2([float(kind.tiny), float(kind.max)])
        correct = np.array([2 - 2 ** (bits - 1), 2 ** (bits - 1)])
        tell_apart([-bits, bits], correct, truth, tolerance=1e-6)
        assert number(2.0**-20) > 0 and number(2.0**20) < np.inf


def test_eq_6_11_entropy_of_the_sign():
    """-KL less its value at α = 0.01, from the density of w; without the sign the entropy of log|w| misses more as α grows."""
    w, width = grid(13, 130_001)
    w = w + width / 3  # never at 0

    def entropies(alpha):
        q, mirrored = np.exp(log_normal(w, 1, alpha**0.5)), np.exp(log_normal(-w, 1, alpha**0.5))
        negative_kl = -(q * (log_normal(w, 1, alpha**0.5) + np.log(np.abs(w)))).sum() * width
        seen = (w > 0) & (q + mirrored > 1e-200)
        q, mirrored, size = q[seen], mirrored[seen], w[seen]
        both = q + mirrored
        of_size = -(both * np.log(both * size)).sum() * width  # log|w| has the density both·|w|
        share = q / both
        bits = -share * np.log(share) - (1 - share) * np.log(np.where(share < 1, 1 - share, 1))
        return negative_kl, of_size, of_size + (both * bits).sum() * width

    here, before = entropies(1.0), entropies(0.01)
    truth, printed, correct = (a - b for a, b in zip(here, before, strict=True))
    tell_apart(printed, correct, truth, tolerance=2e-3)
    assert truth - printed == pytest.approx(0.356, abs=2e-3)


def mean_log(alpha):
    """E[log|ε|] for ε ~ N(1, α): half the mean of log(non-central chi-square), a series over Poisson weights."""
    from scipy.special import digamma
    from scipy.stats import poisson

    k = np.arange(4000)
    return 0.5 * (poisson.pmf(k, 0.5 / alpha) @ digamma(0.5 + k) + np.log(2 * alpha))


def test_sec_6_c_the_bound_ends():
    """-E[log|ε|] >= 0 is false at α = 4, and true up to 2.42; the series against draws."""
    draws = np.log(np.abs(1 + 2 * np.random.default_rng(0).standard_normal(400_000)))
    error = draws.std() / np.sqrt(len(draws))
    assert abs(mean_log(4.0) - draws.mean()) < 5 * error
    assert -mean_log(4.0) < -0.15 and -draws.mean() + 5 * error < 0, "printed: never negative"
    assert all(-mean_log(alpha) >= 0 for alpha in np.linspace(0.01, 2.42, 50))
    assert -mean_log(2.43) < 0


def test_fig_6_c_1_two_constants():
    """With one constant for both, the polynomial meets the exact curve either at α = 1 or for α -> 0, not at both."""

    def polynomial(alpha):
        return 1.16145124 * alpha - 1.50204118 * alpha**2 + 0.58629921 * alpha**3

    def off(alpha):
        return polynomial(alpha) + mean_log(alpha)

    at_one, at_zero = off(1.0), off(1e-3)
    tell_apart(at_one, at_zero, 0.0, tolerance=1e-3)  # the constant of the limit
    assert at_one == pytest.approx(0.0372, abs=1e-4)
    shown = np.array([off(alpha) - at_one for alpha in np.linspace(0.0526, 1, 40)])
    assert np.abs(shown).max() < 0.010, "matched at α = 1, it is off by a hundredth on the domain that is shown"


def adam_steps(gradients, b1=0.9, b2=0.999, before=0):
    """The ratios of algorithm 6 (ε = 0) for a sequence of gradients after ``before`` steps without any."""
    m = v = 0.0
    for t, g in enumerate(gradients, before + 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        yield (m / (1 - b1**t)) / np.sqrt(v / (1 - b2**t))


def growing(b1, b2, steps):
    """The gradients that reach Cauchy–Schwarz's bound: each β2/β1 times the one before."""
    return (b2 / b1) ** np.arange(-steps, 1.0)


@pytest.mark.parametrize("t", [1, 3, 20])
def test_sec_7_2_the_efficient_form(t):
    """A step of torch's Adam against the folded form, which needs the uncorrected v (and ε√(1 − β2ᵗ))."""
    gradients = np.random.default_rng(0).standard_normal(t)
    theta = torch.zeros(1, dtype=torch.float64)
    optimiser = torch.optim.Adam([theta], lr=1.0, eps=1e-8)
    m = v = 0.0
    for g in gradients:
        before = theta.clone()
        theta.grad = torch.tensor([g])
        optimiser.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    rate = np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    printed, correct = rate * m / np.sqrt(v / (1 - 0.999**t)), rate * m / (np.sqrt(v) + 1e-8 * np.sqrt(1 - 0.999**t))
    tell_apart(printed, correct, (before - theta).item())


def test_sec_7_2_1_largest_step():
    """At the defaults (1 − β1 > √(1 − β2)): printed 3.16, reached 7.27, by gradients that grow by 1.11 a step."""
    reached = max(adam_steps(growing(0.9, 0.999, 150), before=20_000))
    by_cauchy = 0.1 / np.sqrt(0.001 * (1 - 0.81 / 0.999))
    tell_apart(0.1 / np.sqrt(0.001), by_cauchy, reached, tolerance=1e-6)
    assert reached == pytest.approx(7.27, abs=0.01)
    noise = np.random.default_rng(0).standard_normal((200, 150)) * growing(0.9, 0.999, 149)
    assert all(np.abs(list(adam_steps(row, before=20_000))).max() <= by_cauchy for row in noise)


def test_sec_7_2_1_sparsity_is_not_the_worst():
    """One gradient after zeros gives 3.16; gradients at every step give more than twice that."""
    (alone,) = adam_steps([1.0], before=20_000)
    dense = max(adam_steps(growing(0.9, 0.999, 150), before=20_000))
    assert alone == pytest.approx(3.162, abs=1e-3) and dense > 2.2 * alone, "printed: less sparse, smaller"


def test_sec_7_2_1_the_other_case():
    """1 − β1 = √(1 − β2), where less than 1 is printed: 2.35."""
    b1, b2 = 0.9, 0.99
    assert 1 - b1 == pytest.approx(np.sqrt(1 - b2))
    reached = max(adam_steps(growing(b1, b2, 400), b1, b2, before=5_000))
    tell_apart(1.0, (1 - b1) / np.sqrt((1 - b2) * (1 - b1**2 / b2)), reached, tolerance=1e-6)
    assert reached == pytest.approx(2.345, abs=1e-3)


def test_sec_7_2_1_no_bound_at_all():
    """β2 <= β1²: longer and longer runs of the worst gradients, larger and larger steps."""
    runs = [max(adam_steps(growing(0.95, 0.9, n), 0.95, 0.9, before=3_000)) for n in (100, 400, 1_600)]
    assert runs[0] > 1.5 and runs[1] > 2 * runs[0] and runs[2] > 4 * runs[1], "printed: at most 1"


def test_sec_7_3_which_decay_rate_matters():
    """ζ of (7.4) for a second moment that grows: another β1 leaves it as it is, a shorter memory β2 makes it small."""
    second = np.linspace(1.0, 4.0, 400)

    def zeta(b1, b2):
        m = v = 0.0
        for value in second:
            m, v = b1 * m + (1 - b1) * np.sqrt(value), b2 * v + (1 - b2) * value
        return abs(v - second[-1] * (1 - b2 ** len(second)))

    assert zeta(0.5, 0.99) == zeta(0.9, 0.99) > 0.5, "printed: β1 keeps it small"
    tell_apart(zeta(0.5, 0.99), zeta(0.9, 0.9), 0.0, tolerance=0.08, apart=0.5)


def test_sec_7_3_sparse_gradients_need_a_long_memory():
    """Gradients that are 1 in one step of a hundred: the spread of v̂ about 0.01, and the first step without correction."""
    g = np.random.default_rng(0)
    squares = (g.random((2_000, 3_000)) < 0.01).astype(float)
    spread = {}
    for b2 in (0.5, 0.999):
        weights = (1 - b2) * b2 ** np.arange(3_000)[::-1]
        estimates = squares @ weights / weights.sum()
        assert abs(estimates.mean() - 0.01) < 5 * estimates.std() / np.sqrt(2_000)
        spread[b2] = estimates.std() / 0.01
    assert spread[0.5] > 3 and spread[0.999] < 0.5, "printed: a small β2 is the reliable one"
    first = {b2: 0.1 / np.sqrt(1 - b2) for b2 in spread}  # m/√v of the first gradient, uncorrected
    assert first[0.5] < 1 < 3 < first[0.999], "printed: a small β2 makes the first steps large"


def test_sec_7_6_1_adamax_can_take_more():
    """Gradients that shrink by β2 a step keep u where it is: the step reaches (1 − β1)/(1 − β1/β2)."""
    for b2, reached in ((0.999, 1.009), (0.95, 1.9)):
        m = u = largest = 0.0
        for t, g in enumerate(b2 ** np.arange(300.0), 10_001):
            m, u = 0.9 * m + 0.1 * g, max(b2 * u, g)
            largest = max(largest, m / (1 - 0.9**t) / u)
        tell_apart(1.0, 0.1 / (1 - 0.9 / b2), largest, tolerance=1e-6, apart=0.008)
        assert largest == pytest.approx(reached, abs=1e-3)
