"""Errata of the thesis's chapters 1, 3 and 9: what is printed fails, what is right passes."""

import numpy as np
import torch
from forms import Line, grid, kl_normal, log_normal, tell_apart

P_Y, OFFSET, SLOPE, NOISE = np.array([0.4, 0.6]), np.array([-1.0, 1.0]), 0.9, 0.5  # x = offset[y] + slope·z + noise


def log_joint(x, z):
    """log p(x, y, z) for both labels, one row a label."""
    return np.log(P_Y)[:, None] + log_normal(z) + log_normal(x, OFFSET[:, None] + SLOPE * z, NOISE)


def test_sec_1_6_1_which_density_is_a_mixture():
    """z is one of two, p(x|z) is Gaussian: the mixture over z is a density in x; p(z|x) as a function of x isn't one."""
    x, width = grid()
    given = np.exp(log_normal(x, OFFSET[:, None], NOISE))
    mixture = P_Y @ given
    posterior = P_Y[:, None] * given / mixture
    tell_apart((posterior.sum(1) * width), mixture.sum() * width, 1.0)
    draws = np.random.default_rng(0)
    picked = draws.choice(2, size=200_000, p=P_Y)
    seen = np.mean(OFFSET[picked] + NOISE * draws.standard_normal(200_000) < 0.5)
    assert abs((mixture * (x < 0.5)).sum() * width - seen) < 5 * 0.5 / np.sqrt(200_000)
    np.testing.assert_allclose(posterior.sum(0), 1.0)  # a table over the values of z: no Gaussian in it


def test_eq_1_18_brackets():
    x, p = np.array([1.0, 0.0, 0.0]), np.array([0.2, 0.7, 0.6])
    probability = np.prod(np.where(x == 1, p, 1 - p))
    for j in range(3):
        printed = (x * np.log(p)).sum() + (1 - x[j]) * np.log(1 - p[j])
        correct = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum()
        tell_apart(printed, correct, np.log(probability))


def test_sec_3_3_1_the_encoder_needs_the_label():
    """The exact posterior over label and style on a grid; the best product of two marginals isn't it."""
    x = 0.3
    z, width = grid(8, 8001)
    truth = np.exp(log_joint(x, z))
    truth /= truth.sum() * width
    q_y, q_z = truth.sum(1) * width, truth.sum(0)
    precision = 1 + (SLOPE / NOISE) ** 2
    mean = SLOPE * (x - OFFSET) / NOISE**2 / precision
    given_label = np.exp(log_normal(z, mean[:, None], precision**-0.5))
    tell_apart(q_y[:, None] * q_z, q_y[:, None] * given_label, truth)


def test_eq_3_8_averages_over_the_style_too():
    """log p(x) less the divergence of q(y, z|x), by sums over a grid; the average over y alone still depends on z."""
    x, q_y, m, t = 0.3, np.array([0.7, 0.3]), np.array([0.8, -0.5]), 0.4
    z, width = grid()
    log_q = np.log(q_y)[:, None] + log_normal(z, m[:, None], t)
    log_p = log_joint(x, z)
    log_px = np.log(np.exp(log_p).sum() * width)
    truth = log_px - (np.exp(log_q) * (log_q - (log_p - log_px))).sum() * width
    labelled = log_normal(x, OFFSET + SLOPE * m, NOISE) - 0.5 * (SLOPE * t / NOISE) ** 2 + np.log(P_Y) - kl_normal(m, t)
    correct = (q_y * labelled).sum() - (q_y * np.log(q_y)).sum()
    of_z = q_y @ (log_p - log_q)
    for at in (-0.5, 0.0, 0.8):
        tell_apart(np.interp(at, z, of_z), correct, truth)
    assert of_z.max() > log_px + 1 > truth + 1, "the average over y alone is still a lower bound"


def test_eq_3_10_sign_of_the_classification_term():
    """Ascent on J + α·(the term), from q that knows nothing: J is flat in the classifier here, so the term alone decides."""
    x = torch.tensor([[-1.0, 1.0], [-0.5, 1.0], [0.7, 1.0], [1.2, 1.0]], dtype=torch.float64)
    y = torch.tensor([0, 0, 1, 1])
    accuracy, gained = {}, {}
    for name, sign in (("printed", -1.0), ("correct", 1.0)):
        weights = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        for _ in range(100):
            term = sign * (x @ weights).log_softmax(1)[range(4), y].mean()
            (slope,) = torch.autograd.grad(term, weights)
            weights = (weights + 0.5 * slope).detach().requires_grad_()
        logits = x @ weights
        accuracy[name] = (logits.argmax(1) == y).double().mean().item()
        gained[name] = logits.log_softmax(1)[range(4), y].mean().item() - np.log(0.5)
    tell_apart(accuracy["printed"], accuracy["correct"], 1.0)
    assert gained["printed"] < -1 and gained["correct"] > 0.3


def test_eq_9_2_bayes_rule():
    joint = np.array([[0.1, 0.25], [0.3, 0.05], [0.1, 0.2]])  # rows a, columns b
    a, b = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    given_b, given_a = joint / b, joint / a
    tell_apart(given_b * a / b, given_a * a / b, given_b)
    tell_apart((given_b * a / b).sum(0), (given_a * a / b).sum(0), 1.0)


def test_eq_9_7_one_posterior_for_each_data_point():
    """At the exact posteriors the objective of the M-step is log p(D); with one φ for all it can't get there."""
    model, data = Line(), np.array([-1.4, 0.3, 2.1])
    correct = sum(model.bound(x, *model.posterior(x)) for x in data)
    shared = max(sum(model.bound(x, m, t) for x in data) for m in np.linspace(-3, 3, 241) for t in np.linspace(0.1, 2, 96))
    tell_apart(shared, correct, model.log_px(data).sum())
