"""Means, standard errors, importance-sampled likelihoods and effective sample sizes against formulas and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, MultivariateNormal, Normal

from vbook import evaluation
from vbook.bounds import elbo
from vbook.errors import VbookError
from vbook.evaluation import (
    Estimate,
    all_log_weights,
    effective_sample_size,
    evaluate,
    fit_gaussian,
    log_px,
    log_px_reciprocal,
    per_datapoint,
    quotient,
    sandwich,
    summarize,
)
from vbook.models import LinearGaussian, vae

F64 = dict(dtype=torch.float64)
X = (torch.rand(50, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()
MODEL = vae(12, 2, hidden=(6,), seed=1)


def test_summarize_is_mean_and_standard_error():
    e = summarize(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert (e.mean, e.n) == (2.5, 4) and e.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)
    assert str(e) == "2.5 ± 0.6" and e.metric() == {"mean": 2.5, "standard_error": e.standard_error, "n": 4, "unit": "nats"}
    assert math.isnan(summarize(torch.tensor([1.0])).standard_error)
    assert summarize(torch.tensor([1.0, 3.0])).standard_error == pytest.approx(1.0)


def test_the_error_of_a_quotient_is_its_spread_over_repetitions():
    g = torch.Generator().manual_seed(3)
    a, b = Estimate(-6.0, 0.05, 40), Estimate(2.0, 0.02, 30)
    found = quotient(a, b)
    draws = (a.mean + a.standard_error * torch.randn(200_000, generator=g)) / (
        b.mean + b.standard_error * torch.randn(200_000, generator=g)
    )
    assert (found.mean, found.n) == (-3.0, 30)
    assert found.standard_error == pytest.approx(draws.std().item(), rel=0.02)


def test_evaluate_does_not_depend_on_how_often_it_is_called_and_builds_no_graph():
    a, b = evaluate(MODEL, X, seed=3), evaluate(MODEL, X, seed=3)
    assert a == b and a != evaluate(MODEL, X, seed=4)
    assert not per_datapoint(MODEL, X).requires_grad
    with pytest.raises(VbookError, match="batch_size must be a positive integer, got 0"):
        per_datapoint(MODEL, X, batch_size=0)
    with pytest.raises(VbookError, match="samples must be a positive integer, got 0"):
        all_log_weights(MODEL, X, 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda bound: bound.mean(), r"one bound a data point, \(7,\), got \(\)"),
        (lambda bound: bound[:, None], r"got \(7, 1\)"),
        (lambda bound: bound.mean().item(), "must give a tensor of bounds, got float"),
    ],
)
def test_a_bound_gives_one_value_a_data_point(answer, words):
    with pytest.raises(VbookError, match=words):
        evaluate(MODEL, X, lambda *args, **options: answer(elbo(*args, **options)), batch_size=7)


def test_out_of_memory_names_what_the_caller_can_lower(monkeypatch):
    def hungry(*_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(evaluation, "log_weights", hungry)
    with pytest.raises(VbookError, match=r"lower chunk \(now 40\)"):
        all_log_weights(MODEL, X, 8, chunk=40)


def test_batches_cover_every_row_in_order():
    marks = per_datapoint(MODEL, X, lambda m, x, generator: x.sum(1), batch_size=7)
    assert torch.equal(marks, X.sum(1))


def test_chunks_do_not_change_the_shape_and_cover_every_row():
    log_w = all_log_weights(MODEL, X, 8, chunk=40)
    assert log_w.shape == (8, 50) and not log_w.requires_grad
    again = all_log_weights(MODEL, X, 4000)
    torch.testing.assert_close(again.mean(0), elbo(MODEL, X, 4000).detach(), atol=0.5, rtol=0)


def test_log_px_of_known_weights():
    log_w = torch.tensor([1.0, 3.0], dtype=torch.float64).log()[:, None] - 500
    estimate, error = log_px(log_w)
    assert estimate.item() == pytest.approx(math.log(2) - 500)
    assert error.item() == pytest.approx(math.sqrt(2) / (math.sqrt(2) * 2))  # sd(w) = sqrt 2, mean 2, L = 2
    assert math.isnan(log_px(log_w[:1])[1].item())


def test_each_data_point_has_an_estimate_and_an_error_of_its_own():
    log_w = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 10.0]], dtype=torch.float64).log().T - torch.tensor([0.0, 20.0])
    together = log_px(log_w)
    for k in range(2):
        for whole, alone in zip(together, log_px(log_w[:, k : k + 1]), strict=True):
            torch.testing.assert_close(whole[k : k + 1], alone)


def test_delta_method_error_is_the_spread_over_repetitions():
    g = torch.Generator().manual_seed(5)
    log_w = 0.5 * torch.randn(200, 3000, generator=g, dtype=torch.float64)
    estimate, error = log_px(log_w)
    assert error.mean().item() == pytest.approx(estimate.std().item(), rel=0.08)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_effective_sample_size_lies_between_one_and_l(values):
    log_w = torch.tensor(values, dtype=torch.float64)
    w = (log_w - log_w.max()).exp()
    ess = effective_sample_size(log_w)
    assert 1 - 1e-9 <= ess <= len(values) + 1e-9
    torch.testing.assert_close(ess, w.sum() ** 2 / w.square().sum())


W = torch.tensor([[1.0, 0.6], [0.2, 1.1], [-0.5, 0.8]], dtype=torch.float64)
GAUSSIAN = LinearGaussian(W, torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64), noise=0.7)
POINTS = torch.tensor([[0.8, -0.3, 0.5], [-1.0, 0.4, 2.0]], dtype=torch.float64)


def misfit(x):
    """A density that is shifted and narrower than the posterior, and the posterior itself."""
    posterior = GAUSSIAN.posterior(x)
    return MultivariateNormal(posterior.mean + 0.1, scale_tril=0.85 * posterior.scale_tril), posterior


def standard(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@torch.no_grad()
def both_estimates(x, samples):
    """Importance samples from q through (2.57), posterior samples through the reciprocal: (B,) each."""
    q, posterior = misfit(x)
    z = q.loc + standard((samples, len(x), 2), 1) @ q.scale_tril[0].T
    below = log_px(GAUSSIAN.prior().log_prob(z) + GAUSSIAN.decode(z).log_prob(x) - q.log_prob(z))[0]
    z = posterior.mean + standard((samples, len(x), 2), 2) @ posterior.scale_tril[0].T
    return below, log_px_reciprocal(GAUSSIAN, x, z, q)


def test_reciprocal_and_importance_sampling_enclose_log_px():
    """With four samples, over 20,000 repetitions: one biased down, the other up, each by more than six standard errors."""
    below, above = both_estimates(POINTS[:1].expand(20_000, 3), 4)
    truth = GAUSSIAN.log_px(POINTS[:1]).item()
    for values, sign in ((below, -1), (above, 1)):
        assert sign * (values.mean() - truth) > 6 * values.std() / math.sqrt(len(values))
    assert above.mean() - below.mean() < 0.2


def test_reciprocal_is_unbiased_for_one_over_px():
    _, above = both_estimates(POINTS[1:].expand(20_000, 3), 4)
    ratio = (GAUSSIAN.log_px(POINTS[1:]) - above).exp()
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(len(ratio))


def test_reciprocal_converges_for_each_point():
    z = GAUSSIAN.posterior(POINTS).mean + standard((40_000, 2, 2), 3) @ GAUSSIAN.posterior(POINTS).scale_tril[0].T
    q, posterior = misfit(POINTS)
    ratio = (q.log_prob(z) - posterior.log_prob(z)).exp()
    error = ratio.std(0) / (ratio.mean(0) * 200)
    assert ((log_px_reciprocal(GAUSSIAN, POINTS, z, q) - GAUSSIAN.log_px(POINTS)).abs() < 4 * error).all()
    exact = log_px_reciprocal(GAUSSIAN, POINTS, z[:3], posterior)
    torch.testing.assert_close(exact, GAUSSIAN.log_px(POINTS).detach())
    assert not exact.requires_grad


def test_reciprocal_wants_samples_for_each_point():
    with pytest.raises(VbookError, match=r"\(L, B, Z\) expected"):
        log_px_reciprocal(GAUSSIAN, POINTS, torch.zeros(10, 2, dtype=torch.float64), misfit(POINTS)[0])


def test_fit_gaussian_has_the_mean_and_covariance_of_each_points_draws():
    z = standard((9, 4, 3), 6) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 2.0, 1.0], [0.3, 0.0, 0.7]], dtype=torch.float64) + 2
    q = fit_gaussian(z)
    assert q.batch_shape == (4,) and q.event_shape == (3,)
    torch.testing.assert_close(q.mean, z.mean(0))
    torch.testing.assert_close(q.covariance_matrix, torch.stack([torch.cov(z[:, b].T) for b in range(4)]))


def no_encoder(x):
    raise AssertionError("the sandwich asks no encoder")


def gaussian_images(n):
    """A solvable model whose encoder refuses, ``n`` data points from it, and their log p(x)."""
    model = LinearGaussian(W, GAUSSIAN.bias.detach(), 0.7, encoder=no_encoder)
    x = standard((n, 2), 7) @ W.T + model.bias.detach() + 0.7 * standard((n, 3), 8)
    return model, x, model.log_px(x).detach()


def test_the_sandwich_encloses_log_px_on_average():
    """With twelve draws the low estimate lies below and the high one above, each by more than four standard errors.

    The high one has heavy tails (one Gaussian fitted to a stuck chain makes it jump), so 2,000 points leave it at 3 to 4 standard
    errors, depending on the seed; 10,000 put it at 9 to 11.
    """
    model, x, truth = gaussian_images(10_000)
    low, high = sandwich(model, x, draws=12)
    assert low.shape == high.shape == (10_000,) and not low.requires_grad and not high.requires_grad
    for gap in (truth - low, high - truth):
        assert gap.mean() > 4 * gap.std() / math.sqrt(len(gap))


def test_the_sandwich_closes_on_log_px():
    """With a hundred draws each mean over 40 points is within four standard errors (0.006 and 0.009), and no point is far off."""
    model, x, truth = gaussian_images(40)
    for estimate in sandwich(model, x, draws=100, seed=1):
        error = estimate - truth
        assert abs(error.mean()) < 4 * error.std() / math.sqrt(len(error)) and error.std() < 0.08


def test_the_sandwich_is_the_same_for_the_same_seed():
    model, x, _ = gaussian_images(5)
    before = torch.random.get_rng_state()
    a, b, c = (sandwich(model, x, draws=6, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    assert not torch.equal(a[0], c[0]) and not torch.equal(a[1], c[1])


def test_each_chain_of_the_sandwich_starts_at_the_best_of_256_draws_from_the_prior(monkeypatch):
    model, x, _ = gaussian_images(70)
    real, seen = evaluation.sample, {}

    def watched(log_density, z, draws, **options):
        seen.update(start=z, draws=draws, warm_up=options["warm_up"])
        return real(log_density, z, draws, **options)

    monkeypatch.setattr(evaluation, "sample", watched)
    real_draw = evaluation.draw
    monkeypatch.setattr(evaluation, "draw", lambda q, samples, g: seen.update(low=samples) or real_draw(q, samples, g))
    sandwich(model, x, draws=5, warm_up=2, seed=9)
    z = standard((256, 2), 9)
    misses = (x - (z @ W.T + model.bias.detach())[:, None]).square().sum(-1)  # (256, 70)
    torch.testing.assert_close(seen["start"], z[misses.argmin(0)])
    assert (seen["draws"], seen["warm_up"], seen["low"]) == (10, 2, 5)


def test_draws_that_span_too_little_are_named():
    z = torch.randn(10, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z[:, 1] = z[:1, 1]  # a chain that never moved
    with pytest.raises(VbookError, match="the draws of 1 of 3 data points vary in fewer than 2 directions"):
        fit_gaussian(z)
    with pytest.raises(VbookError, match="over 2 latents needs at least 3 draws, got 2"):
        fit_gaussian(z[:2])


def test_no_chain_that_moved_once_passes_by_rounding():
    """In single precision the Cholesky decomposition of a singular covariance often succeeds."""
    z = torch.randn(2, 500, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(VbookError, match="the draws of 500 of 500 data points vary in fewer than 3 directions"):
        fit_gaussian(z[[0, 0, 0, 1, 1, 1, 1]])
    near = torch.randn(50, 500, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, 3)
    assert fit_gaussian(near + 0.01 * torch.randn(50, 500, 3, generator=torch.Generator().manual_seed(2))).batch_shape == (500,)


def test_each_chain_of_the_sandwich_has_its_own_step():
    """Two posteriors, one 300 times as wide: a common step would leave one of them without moves, and the estimates far apart."""

    class TwoWidths:
        def prior(self):
            return Independent(Normal(torch.zeros(1, **F64), 1.0), 1)

        def decode(self, z):  # the second data point measures z 300 times as well as the first
            return Independent(Normal(z * torch.tensor([[1.0], [300.0]], **F64), 1.0), 1)

    x = torch.tensor([[0.3], [120.0]], **F64)
    truth = Normal(0.0, torch.tensor([2.0, 90_001.0], **F64).sqrt()).log_prob(x[:, 0])
    for estimate in sandwich(TwoWidths(), x, draws=200, warm_up=200):
        torch.testing.assert_close(estimate, truth, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (255 * torch.ones(4, 6), r"a Bernoulli likelihood takes x for probabilities, but its values lie in \[255, 255\]"),
        (torch.ones(4, 6, dtype=torch.float64), "weights of float32, the data are float64"),
        (np.ones((4, 6)), "x must be a tensor"),
        (torch.full((4, 6), math.nan), "4 of 4 data points hold NaN"),
        (torch.ones(4, 5), r"does not fit data points of shape \(5,\)"),
        (torch.ones(0, 6), "at least one data point"),
    ],
)
def test_images_that_a_model_does_not_take_are_named(x, words):
    model = vae(6, 2, hidden=(4,))
    for judge in (evaluate, lambda model, x: all_log_weights(model, x, 3)):
        with pytest.raises(VbookError, match=words):
            judge(model, x)
