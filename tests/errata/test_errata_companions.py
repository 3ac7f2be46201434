"""Errata of AdamS, Compound VAE and the assignment: what is printed fails, what is right passes."""

import numpy as np
import pytest
import torch
from forms import Line, grid, kl_normal, log_normal, tell_apart

from vbook.results.target import targets

RNG = np.random.default_rng(0)
LOSSES, GRADIENTS = 2 + 0.3 * RNG.standard_normal(30), RNG.standard_normal(30)


def spread_of_losses(losses):
    """Mean and standard deviation of the losses before each step, as algorithm 2 averages them."""
    r = s = 0.0
    for t, loss in enumerate(losses):
        seen = 1 - 0.9**t
        mean = r / seen if t else 0.0
        yield mean, np.sqrt(max(s / seen - mean**2, 0.0)) if t else 0.0
        r, s = 0.9 * r + 0.1 * loss, 0.9 * s + 0.1 * loss**2


def adam(gradients, eps=1e-8):
    """Where torch's Adam goes from 0 with these gradients and unit step size."""
    theta = torch.zeros(1, dtype=torch.float64)
    optimiser = torch.optim.Adam([theta], lr=1.0, eps=eps)
    for g in gradients:
        theta.grad = torch.tensor([float(g)], dtype=torch.float64)
        optimiser.step()
    return theta.item()


def test_adams_eta_zero_is_not_adam():
    """η = 0 in σ + λ(l − μ) leaves σ; in 1 + λ(l − μ)/σ it leaves 1. The first two steps, where σ is 0, are left out."""
    known = [(mean, sd) for mean, sd in spread_of_losses(LOSSES)][2:]
    loss, g = LOSSES[2:], GRADIENTS[2:]
    printed = adam([(sd + 0.0 * (l - mean)) * x for (mean, sd), l, x in zip(known, loss, g, strict=True)])
    correct = adam([(1 + 0.0 * (l - mean) / sd) * x for (mean, sd), l, x in zip(known, loss, g, strict=True)])
    tell_apart(printed, correct, adam(g))


def test_adams_is_unbiased_up_to_sigma():
    """Draws of λ: the averages of w·g and of w²·g², against g, against σ·g, and against (σ² + η²(l − μ)²)·g²."""
    sd, off, g, eta = 0.3, 0.5, 1.7, 0.4
    weight = sd + eta * RNG.standard_normal(1_000_000) * off
    tell_apart(g, sd * g, (weight * g).mean(), tolerance=2e-3)
    tell_apart(g**2, (sd**2 + (eta * off) ** 2) * g**2, ((weight * g) ** 2).mean(), tolerance=4e-3)


def test_adams_step_size_and_epsilon():
    """Small gradients and a small weight: Adam's ε = 1e-8 halves the steps; with an ε as small as the weight nothing changes."""
    g, weight = np.full(10, 1e-4), 1e-4
    tell_apart(adam(weight * g), adam(weight * g, eps=1e-8 * weight), adam(g))


def test_adams_claims_on_cifar():
    """The authors' own table: whether AdamCB is ahead of AdamUCB without dropout, and AdamS by 2 points with dropout."""
    known = targets()

    def accuracy(table, name, epoch):
        return known[f"adams/table-4/{table}/{name}-e{epoch}/valid-accuracy"]["value"]

    ahead = {
        (name, table): [accuracy(table, name, e) - accuracy(table, "adamucb", e) > 0 for e in (3, 20, 45)]
        for name in ("adamcb", "adams")
        for table in ("cnn-b128", "cnn-b16")
    }
    for table in ("cnn-b128", "cnn-b16"):
        assert not all(ahead["adamcb", table]), "printed: AdamCB consistently ahead of AdamUCB"
        assert ahead["adamcb", table][:2] == [True, True] and all(ahead["adams", table])
    gains = [accuracy("cnn-dropout-b128", name, 3) - accuracy("cnn-dropout-b128", "adam", 3) for name in ("adamcb", "adams")]
    assert gains == pytest.approx([1.64, 0.66]), "printed: about 2 for both"


def test_compound_weights_of_the_minibatches():
    """They have to add up to one, and the first ones have to be the heavy ones; 2^(n − i) itself overflows at n = 1875."""
    for n in (5, 60_000 // 32):
        i = np.arange(1, n + 1.0)
        correct = 2.0**-i / (1 - 2.0**-n)
        tell_apart(np.ones(n).sum(), correct.sum(), 1.0)
        assert (np.diff(correct) <= 0).all() and correct[:12].sum() > 0.999
    with pytest.raises(OverflowError):
        pow(2.0, 1_874)


def test_compound_maximises_a_bound_not_the_likelihood():
    """Encoders of fixed width 0.8: the w at which the three-term objective is best, and the one at which log p(x) is."""
    data, s, t = np.array([-1.7, -1.3, 1.3, 1.7]), 0.5, 0.8
    v = (data**2).mean()
    ws = np.linspace(0.3, 2.5, 2_201)
    model, slopes = Line(ws[:, None, None], s), np.linspace(0.1, 1.2, 111)[:, None]  # best w, best encoder, data
    bound = model.bound(data, slopes * data, t).mean(2).max(1)
    likelihood = model.log_px(data).mean((1, 2))
    tell_apart(ws[np.argmax(bound)], ws[np.argmax(likelihood)], np.sqrt(v - s**2), tolerance=1e-3, apart=0.1)


def test_compound_the_sum_in_the_table_is_another_bound():
    """z given the encoder's weight w is N(a + w x, t²), w is N(m, r²): the objective, the table's sum, the mixture's bound."""
    model, x, a, t, m, r = Line(), 0.9, 0.1, 0.35, 0.5, 0.4
    weights, width = grid(6, 6001)
    q_w = np.exp(log_normal(weights, m, r))
    kl_z, fit = kl_normal(a + weights * x, t), model.reconstruction(x, a + weights * x, t)
    objective = (q_w * (fit - kl_z - log_normal(weights, m, r) + log_normal(weights))).sum() * width
    table = (q_w * (fit - kl_z)).sum() * width
    tell_apart(table, table - kl_normal(m, r), objective)
    mixture = model.bound(x, a + m * x, np.hypot(t, r * x))  # w integrated out: a Gaussian too
    assert objective < table < mixture < model.log_px(x)


def test_assignment_1_4_log_of_the_mean():
    """Ten thousand draws from the prior, many times: the mean of the logs against the log of the mean and log p(x)."""
    model, x = Line(), 1.1
    log_p = model.log_px_given(x, np.random.default_rng(1).standard_normal((50, 10_000)))
    correct = np.log(np.exp(log_p).mean(1)).mean()
    tell_apart(log_p.mean(), correct, model.log_px(x), tolerance=5e-3, apart=1.0)
    assert log_p.mean() < model.log_px(x), "a lower bound, by Jensen"
    z, width = grid()
    evidence = (np.exp(log_normal(z) + model.log_px_given(x, z))).sum() * width
    tell_apart(evidence, np.log(evidence), model.log_px(x))  # the line before, with its log lost


def test_assignment_1_5_which_way_round():
    z, width = grid()
    log_q, log_p = log_normal(z, 0.7, 0.6), log_normal(z)
    printed, correct = ((np.exp(log_q) * sign * (log_q - log_p)).sum() * width for sign in (-1, 1))
    tell_apart(printed, correct, kl_normal(0.7, 0.6))


def test_assignment_1_10_signs_and_sums():
    """Two latents, x = z1 − z2 + noise; minus the bound, by a sum over a grid, against both ways to write the loss."""
    x, m, t, s = 0.4, np.array([0.5, -0.8]), np.array([0.6, 1.4]), 0.5
    z, width = grid(9, 901)
    log_q = log_normal(z, m[0], t[0])[:, None] + log_normal(z, m[1], t[1])
    log_p = log_normal(z)[:, None] + log_normal(z) + log_normal(x, z[:, None] - z, s)
    truth = (np.exp(log_q) * (log_q - log_p)).sum() * width**2
    fit = log_normal(x, m[0] - m[1], s) - 0.5 * (t**2).sum() / s**2
    regularisation = -0.5 * (np.log(t**2) - t**2 - m**2 + 1)
    tell_apart(regularisation.sum() + fit, regularisation.sum() - fit, truth)  # the sign of the reconstruction loss
    for samples in (1, 5):  # a sum to L over terms without an index: L times one of them
        tell_apart(samples * regularisation[0] - samples * fit, regularisation.sum() - fit, truth)


def test_assignment_2_4_the_generator_goes_up():
    """One logit θ of D(G(z)): a step that lowers log D(G(z)) convinces less, where the minimax loss wants more."""
    theta = torch.tensor(-3.0, dtype=torch.float64, requires_grad=True)
    minimax, heuristic = torch.log(1 - torch.sigmoid(theta)), torch.log(torch.sigmoid(theta))
    down, (up,) = torch.autograd.grad(minimax, theta)[0], torch.autograd.grad(heuristic, theta)
    tell_apart(torch.sign(-up), torch.sign(up), torch.sign(-down))
    assert up.abs() > 15 * down.abs(), "and it doesn't saturate"


def test_assignment_3_1_change_of_variables():
    """z = f(x) in two steps with z standard normal: the density has to integrate to one."""
    x, width = grid(6, 1201)
    h = np.stack(np.broadcast_arrays(2 * x[:, None] + np.sin(x), x))  # a determinant of 2
    z = np.stack([h[0], 1.5 * h[1] + h[0]])  # and one of 1.5
    log_z, dets = log_normal(z).sum(0), np.log([2.0, 1.5])
    printed, correct = log_z - dets.sum(), log_z + dets.sum()
    tell_apart(np.exp(printed).sum() * width**2, np.exp(correct).sum() * width**2, 1.0, tolerance=1e-6)
    product = log_z * -dets.sum()
    assert not abs(np.exp(product).sum() * width**2 - 1) < 0.01, "nor is it a product"
