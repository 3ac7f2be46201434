"""``fit``: the right ascent, the same run for the same seed, and a clear stop for everything that can go wrong."""

import math

import pytest
import torch

from vbook.bounds import elbo
from vbook.errors import VbookError
from vbook.models import LinearGaussian, vae
from vbook.training import OPTIMIZERS, fit

G = torch.Generator().manual_seed(0)
X = (torch.rand(60, 12, generator=G) < 0.3).float()


def small():
    return vae(12, 2, hidden=(6,), seed=1)


def run(**options):
    model = small()
    history = fit(model, X, **({"epochs": 2, "batch_size": 16} | options))
    return model, history


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_is_the_plain_loop(optimizer):
    """Algorithm 1 written out with PyTorch's own optimiser gives the same weights."""
    model, _ = run(optimizer=optimizer, lr=0.01, seed=3)
    plain = small()
    step = {"adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad, "sgd": torch.optim.SGD}[optimizer](plain.parameters(), 0.01)
    shuffle, noise = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3 + 0x5EED)
    for _ in range(2):
        for rows in torch.randperm(60, generator=shuffle).split(16):
            q = plain.encode(X[rows])
            z = q.loc + q.scale * torch.randn(1, len(rows), 2, generator=noise)
            bound = plain.decode(z).log_prob(X[rows]) + plain.prior().log_prob(z) - q.log_prob(z)
            step.zero_grad()
            (-bound.mean()).backward()
            step.step()
    torch.testing.assert_close(weights(model), weights(plain), rtol=1e-5, atol=1e-7)


def test_fit_climbs_to_the_maximum_likelihood_of_a_solvable_model():
    """With the exact posterior as encoder the ELBO is log p(x), whose maximum in b is the sample mean."""
    x = torch.randn(500, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 2
    model = LinearGaussian(torch.ones(3, 1, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), noise=1.0)

    before = model.log_px(x).mean().item()
    fit(model, x, lambda m, batch, generator: m.log_px(batch), epochs=60, batch_size=100, lr=0.05)
    assert model.log_px(x).mean().item() > before + 1
    torch.testing.assert_close(model.bias.detach(), x.mean(0), atol=0.06, rtol=0)


def test_same_seed_same_run_and_the_global_state_is_untouched():
    before = torch.random.get_rng_state()
    (a, ha), (b, hb), (c, _) = run(seed=4), run(seed=4), run(seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(weights(a), weights(b)) and ha.rows == hb.rows
    assert not torch.equal(weights(a), weights(c))


def test_history_counts_steps_examples_and_rows():
    seen = []
    _, history = run(evaluate=lambda m: {"valid": -1.5}, on_epoch=lambda m, row: seen.append(row["epoch"]))
    assert (history.steps, history.examples, len(history.rows), seen) == (8, 120, 2, [1, 2])
    assert history.column("valid") == [-1.5, -1.5] and not history.interrupted
    assert repr(history).startswith("History(2 epochs, 8 steps, train bound -")


def test_train_column_is_the_mean_over_the_examples_of_the_epoch():
    """Also when the last batch is short: 60 = 3 * 16 + 12 (a mean of batch means would differ)."""
    bounds = iter([1.0, 1.0, 1.0, 6.0])
    _, history = run(epochs=1, objective=lambda m, b, generator: weights_of(m) * 0 + next(bounds) * torch.ones(len(b)))
    assert history.rows[0]["train"] == pytest.approx((48 * 1.0 + 12 * 6.0) / 60)


def weights_of(model):
    return sum(p.sum() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(epochs=0), "epochs must be a positive integer, got 0"),
        (dict(batch_size=-1), "batch_size must be a positive integer, got -1"),
        (dict(batch_size=1.5), "batch_size must be a positive integer"),
        (dict(lr=0.0), "lr must be a positive number, got 0"),
        (dict(lr=math.nan), "lr must be a positive number"),
        (dict(optimizer="adm"), "did you mean 'adam'"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(options, words):
    model = small()
    with pytest.raises(VbookError, match=words):
        fit(model, X, **({"epochs": 1} | options))
    assert torch.equal(weights(model), weights(small()))


@pytest.mark.parametrize("x", [torch.zeros(0, 12), torch.zeros(12)])
def test_bad_shapes_are_refused(x):
    with pytest.raises(VbookError, match=r"shape \(N, D\)"):
        fit(small(), x, epochs=1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_are_not_finite_are_refused(value):
    x = X.clone()
    x[7, 3] = value
    with pytest.raises(VbookError, match=r"1 of 60 data points .* number 7"):
        fit(small(), x, epochs=1)


@pytest.mark.parametrize(
    ("break_model", "term"),
    [
        (lambda m: m.decoder.net[-1].bias.data.fill_(math.nan), r"log p\(x\|z\)"),
        (lambda m: m.encoder.net[-1].bias.data[:2].fill_(math.inf), r"log p\(x\|z\)|log p\(z\)"),
        (lambda m: m.encoder.net[-1].bias.data[2:].fill_(-math.inf), r"log q\(z\|x\)"),
    ],
)
def test_a_bound_that_is_not_finite_stops_with_step_and_term(break_model, term):
    model, calls = small(), []

    def objective(m, batch, generator):
        calls.append(1)
        if len(calls) == 3:
            break_model(m)
        return elbo(m, batch, generator=generator)

    with pytest.raises(VbookError, match=rf"step 3: ({term}) is not finite \(16 of 16 data points"):
        fit(model, X, objective, epochs=1, batch_size=16)


def test_ctrl_c_returns_the_history_so_far():
    def interrupt(model, row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    _, history = run(epochs=5, on_epoch=interrupt)
    assert history.interrupted and len(history.rows) == 2 and history.steps == 8


def test_grey_pixels_still_train_but_binary_checks_are_the_datas():
    """fit takes any finite tensor; protocols are held by vbook.data."""
    assert fit(small(), torch.full((8, 12), 0.5), epochs=1).steps == 1
