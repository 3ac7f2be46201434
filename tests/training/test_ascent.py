"""``fit``: the right ascent, the same run for the same seed, and a clear stop for everything that can go wrong."""

import math

import pytest
import torch

from vbook.bounds import elbo
from vbook.errors import VbookError
from vbook.models import LinearGaussian, vae
from vbook.objectives import with_weight_prior
from vbook.training import fit
from vbook.training.loop import Batches, length
from vbook.training.optimizers import OPTIMIZERS

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
    kinds = {"adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}
    step = kinds[optimizer](plain.parameters(), 0.01)
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


def test_an_optimizer_may_have_options():
    """The name alone is the same bit for bit; momentum is the usual velocity, written out."""
    assert torch.equal(weights(run(optimizer={"name": "adam"}, seed=3)[0]), weights(run(seed=3)[0]))
    options = dict(lr=lambda step: 0.02 / step, weight_decay=0.1, seed=3)
    model, history = run(optimizer={"name": "sgd", "momentum": 0.9}, **options)
    plain, velocity, step = small(), torch.zeros_like(weights(small())), 0
    shuffle, noise = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3 + 0x5EED)
    for _ in range(2):
        for rows in torch.randperm(60, generator=shuffle).split(16):
            step += 1
            bound = elbo(plain, X[rows], generator=noise).mean()
            slope = torch.cat([g.flatten() for g in torch.autograd.grad(bound, list(plain.parameters()))])
            velocity = 0.9 * velocity + slope - 0.1 * weights(plain)
            torch.nn.utils.vector_to_parameters(weights(plain) + 0.02 / step * velocity, plain.parameters())
    assert history.steps == step == 8
    torch.testing.assert_close(weights(model), weights(plain), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_is_the_prior_on_the_weights(optimizer):
    """The slopes of with_weight_prior, so the same weights."""
    decayed, _ = run(optimizer=optimizer, lr=0.01, weight_decay=1 / 60)
    as_objective, _ = run(optimizer=optimizer, lr=0.01, objective=with_weight_prior(elbo, 60))
    torch.testing.assert_close(weights(decayed), weights(as_objective), rtol=1e-4, atol=1e-6)
    assert (weights(decayed) - weights(run(optimizer=optimizer, lr=0.01)[0])).abs().max() > 1e-5


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


def test_as_many_steps_give_the_same_weights_as_epochs():
    """Also in the middle of an epoch: 60 data points make 4 steps of 16, the sixth is the second of epoch 2."""
    before_step = []

    def watched(model, batch, generator):
        before_step.append(weights(model))
        return elbo(model, batch, generator=generator)

    by_epochs, _ = run(epochs=2, objective=watched)
    for steps, expected in ((8, weights(by_epochs)), (6, before_step[6])):
        model, history = run(epochs=None, steps=steps)
        assert torch.equal(weights(model), expected) and history.steps == steps
    assert not torch.equal(before_step[6], before_step[5])


def test_without_rows_at_only_whole_epochs_get_a_row():
    assert [(row["epoch"], row["step"]) for row in run(epochs=None, steps=6)[1].rows] == [(1, 4)]
    assert [(row["epoch"], row["step"]) for row in run(epochs=None, steps=8)[1].rows] == [(1, 4), (2, 8)]


def test_rows_at_names_the_steps_and_train_is_the_mean_since_the_row_before():
    """Bounds 1, 2, ..., 7 on batches of 16, 16, 16, 12, 16, 16, 16 data points; the seventh comes after the last row."""
    bounds, asked = iter(range(1, 8)), []

    def objective(model, batch, generator):
        return weights_of(model) * 0 + next(bounds) * torch.ones(len(batch))

    _, history = run(
        epochs=None,
        steps=7,
        rows_at=[1, 3, 6],
        objective=objective,
        evaluate=lambda m: {"k": len(asked)},
        on_epoch=lambda m, row: asked.append(row["step"]),
    )
    assert [(row["epoch"], row["step"], row["k"]) for row in history.rows] == [(1, 1, 0), (1, 3, 1), (2, 6, 2)]
    assert history.column("train") == pytest.approx([1.0, 2.5, (12 * 4 + 16 * 5 + 16 * 6) / 44])
    assert asked == [1, 3, 6] and (history.steps, history.examples) == (7, 108)


def minibatches(n, batch_size, steps):
    batches = Batches(n, batch_size, torch.Generator().manual_seed(0))
    return [batches[step] for step in range(steps)]


def test_every_epoch_goes_through_all_data_points_in_an_order_of_its_own():
    found = minibatches(10, 4, 8)
    assert [(epoch, len(rows), last) for epoch, rows, last in found] == [
        (1, 4, False),
        (1, 4, False),
        (1, 2, True),
        (2, 4, False),
        (2, 4, False),
        (2, 2, True),
        (3, 4, False),
        (3, 4, False),
    ]
    first, second = (torch.cat([rows for epoch, rows, _ in found if epoch == k]).tolist() for k in (1, 2))
    assert sorted(first) == sorted(second) == list(range(10)) and first != second


def test_a_batch_as_large_as_the_data_ends_an_epoch_with_each_step():
    assert [last for *_, last in minibatches(5, 5, 2)] == [True, True]
    assert (length(5, 5, 2, None), length(5, 8, 2, None), length(5, 4, 2, None), length(5, 4, None, 7)) == (2, 2, 4, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(), "as epochs or as steps, not neither"),
        (dict(epochs=1, steps=1), "as epochs or as steps, not both"),
        (dict(epochs=0, steps=1), "as epochs or as steps, not both"),
        (dict(steps=0), "steps must be a positive integer, got 0"),
        (dict(steps=1.5), "steps must be a positive integer, got 1.5"),
    ],
)
def test_a_run_needs_exactly_one_length(options, words):
    with pytest.raises(VbookError, match=words):
        fit(small(), X, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(epochs=0), "epochs must be a positive integer, got 0"),
        (dict(batch_size=-1), "batch_size must be a positive integer, got -1"),
        (dict(batch_size=1.5), "batch_size must be a positive integer"),
        (dict(batch_size="8"), "batch_size must be a positive integer, got '8'"),
        (dict(epochs=True), "epochs must be a positive integer, got True"),
        (dict(lr="fast"), "lr must be a positive number, got 'fast'"),
        (dict(lr=0.0), "lr must be a positive number, got 0"),
        (dict(lr=math.nan), "lr must be a positive number"),
        (dict(weight_decay=-0.1), "weight_decay must be 0 or more"),
        (dict(weight_decay=math.nan), "weight_decay must be 0 or more"),
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


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_single_bound_that_is_not_finite_is_enough(value):
    def objective(m, batch, generator):
        return elbo(m, batch, generator=generator) + torch.tensor([value] + [0.0] * (len(batch) - 1))

    with pytest.raises(VbookError, match=r"step 1: the objective is not finite .*\(1 of 16 data points"):
        fit(small(), X, objective, epochs=1, batch_size=16)


def test_ctrl_c_returns_the_history_so_far():
    def interrupt(model, row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    _, history = run(epochs=5, on_epoch=interrupt)
    assert history.interrupted and len(history.rows) == 2 and history.steps == 8


def test_grey_pixels_still_train_but_binary_checks_are_the_datas():
    """fit takes any finite tensor; protocols are held by vbook.data."""
    assert fit(small(), torch.full((8, 12), 0.5), epochs=1).steps == 1
