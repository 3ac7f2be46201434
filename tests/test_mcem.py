"""Monte Carlo EM against the closed-form maximum likelihood of the linear-Gaussian model, and its bookkeeping."""

import math

import pytest
import torch

from vbook import mcem
from vbook.errors import Diverged, VbookError
from vbook.hmc import Transition
from vbook.mcem import McemHistory, fit_mcem, log_joint
from vbook.models import LinearGaussian, vae
from vbook.models.linear_gaussian import probabilistic_pca

F64 = dict(dtype=torch.float64)
G = torch.Generator().manual_seed(0)
PLANE = torch.tensor([[1.5, 0.2], [-0.7, 1.0], [0.3, 0.9], [1.0, 0.4]], **F64)
X = torch.randn(200, 2, generator=G, **F64) @ PLANE.T + 0.6 * torch.randn(200, 4, generator=G, **F64) + 1.0
BEST = probabilistic_pca(X, 2)


def start(noise=BEST.noise):
    weight = 0.1 * torch.randn(4, 2, generator=torch.Generator().manual_seed(1), **F64)
    return LinearGaussian(weight, torch.zeros(4, **F64), noise)


def run(epochs=2, **options):
    model = start()
    return model, fit_mcem(model, X, epochs=epochs, **options)


def weights(model):
    return torch.cat([model.weight.detach().flatten(), model.bias.detach()])


def test_a_model_that_monte_carlo_em_cant_train_is_told():
    frozen = vae(12, 2, hidden=(6,), seed=1)
    frozen.decoder.requires_grad_(False)
    with pytest.raises(VbookError, match="the decoder has nothing to train"):
        fit_mcem(frozen, torch.rand(20, 12).round(), epochs=1)
    with pytest.raises(VbookError, match=r"a model with prior\(\) and decode\(z\), which Linear lacks"):
        fit_mcem(torch.nn.Linear(12, 2), torch.rand(20, 12).round(), epochs=1)


def test_a_prior_without_a_decoder_is_told():
    class Half(torch.nn.Linear):
        def prior(self):
            return BEST.prior()

    with pytest.raises(VbookError, match=r"a model with prior\(\) and decode\(z\), which Half lacks"):
        fit_mcem(Half(12, 2), torch.rand(20, 12).round(), epochs=1)


def test_jitter_reaches_the_chains_and_rows_have_the_step():
    (a, history), (b, _) = run(seed=4), run(seed=4, jitter=0.0)
    assert not torch.equal(a.weight, b.weight)
    assert history.rows[-1]["step_size"] == history.step_size != history.rows[0]["step_size"]


def test_log_joint_is_posterior_plus_evidence():
    """(2.2) and Bayes' rule, at any z."""
    z = torch.randn(len(X), 2, generator=torch.Generator().manual_seed(2), **F64)
    model = start()
    torch.testing.assert_close(log_joint(model, X)(z), model.posterior(X).log_prob(z) + model.log_px(X))


def test_it_reaches_the_maximum_likelihood():
    """Mean log p(x) within 0.02 nats of probabilistic PCA, the optimum for this noise; tuned on the way to 90 % acceptance."""
    model, rough = run(60, lr=0.2)
    fine = fit_mcem(model, X, epochs=40, lr=0.02, step_size=rough.step_size)
    with torch.no_grad():
        optimum, reached = BEST.log_px(X).mean().item(), model.log_px(X).mean().item()
        begun = start().log_px(X).mean().item()
    assert begun < optimum - 1
    assert optimum - 0.02 < reached <= optimum
    late = fine.column("acceptance")[10:]
    assert 0.88 < sum(late) / len(late) < 0.92


def test_the_step_is_tuned_to_the_target():
    late = run(120, lr=1e-12, updates=1, target=0.6)[1].column("acceptance")[90:]
    assert 0.55 < sum(late) / len(late) < 0.65


def test_chains_sample_the_posterior():
    """With a rate of almost 0 the decoder stands still; chains standardised by the exact posterior are N(0, I)."""
    model, history = run(30, lr=1e-12, updates=1)
    posterior = model.posterior(X)
    root = torch.linalg.cholesky(posterior.precision_matrix[0])  # precision = R Rᵀ, so Rᵀ(z - mean) ~ N(0, I)
    standard = ((history.chains - posterior.mean) @ root).detach()
    n = len(X)
    assert (standard.mean(0).abs() < 4 / math.sqrt(n)).all()
    assert ((standard.T @ standard / n - torch.eye(2)).abs() < 4 * math.sqrt(2 / n)).all()
    assert history.chains.shape == (n, 2)


def test_chains_persist_from_epoch_to_epoch():
    """A single leapfrog step of almost no length leaves each chain almost where it was, across epochs and shuffles."""
    options = dict(lr=1e-12, leapfrogs=1, step_size=1e-9)
    one, ten = (run(epochs, **options)[1].chains for epochs in (1, 10))
    torch.testing.assert_close(one, ten, atol=1e-6, rtol=0)


def test_first_minibatch_is_one_transition_and_five_adagrad_updates():
    """Written out with PyTorch's optimiser at the samples that the run found."""
    model, history = run(1, batch_size=200, lr=0.05)
    plain = start()
    adagrad = torch.optim.Adagrad([plain.weight, plain.bias], 0.05)
    for _ in range(5):
        adagrad.zero_grad()
        residual = X - history.chains @ plain.weight.T - plain.bias
        (residual.square().sum(-1).mean() / (2 * plain.noise**2)).backward()
        adagrad.step()
    torch.testing.assert_close((model.weight, model.bias), (plain.weight, plain.bias))


def test_the_m_step_climbs_the_mean_over_the_minibatch():
    """Adagrad's steps are the same for a sum, so look at the slope itself, at the chains that the run found."""
    model, slopes = start(), []
    model.weight.register_hook(lambda slope: slopes.append(slope.clone()))
    history = fit_mcem(model, X, epochs=1, batch_size=200, updates=1)
    plain = start()
    residual = X - history.chains @ plain.weight.T - plain.bias
    torch.testing.assert_close(slopes[-1], (-(residual.T @ history.chains) / (len(X) * plain.noise**2)).detach())


def test_the_weight_prior_pulls_by_w_over_n(monkeypatch):
    """One plain gradient step with the prior and one without: lr w/N apart, N the data set's size and not the batch's."""
    monkeypatch.setattr(
        mcem, "optimizer_for", lambda name, weights, lr, decay, device: torch.optim.SGD(weights, lr, weight_decay=decay)
    )

    def after_one_batch(**options):
        model = start()
        model.bias.data += 0.7
        fit_mcem(model, X, steps=1, updates=1, batch_size=50, lr=0.5, **options)
        return model

    plain, pulled, model = after_one_batch(), after_one_batch(weight_prior=True), start()
    torch.testing.assert_close(plain.weight - pulled.weight, 0.5 * model.weight / len(X))
    torch.testing.assert_close(plain.bias - pulled.bias, 0.5 * (model.bias + 0.7) / len(X))


def test_history_counts_updates_chains_and_rows():
    seen = []
    _, history = run(
        2, batch_size=80, updates=4, evaluate=lambda m: {"valid": -1.5}, on_epoch=lambda m, row: seen.append(row["epoch"])
    )
    assert (history.steps, history.examples, len(history.rows), seen) == (2 * 3 * 4, 400, 2, [1, 2])
    assert history.column("valid") == [-1.5, -1.5] and not history.interrupted and history.seconds > 0
    assert history.seconds < 600  # and not the clock's own reading
    _, twice = run(2, transitions=2, lr=1e-9)
    assert all(0.5 < rate <= 1 for rate in twice.column("acceptance"))


def test_train_column_is_the_mean_log_joint_before_the_updates():
    _, history = run(1, batch_size=200, lr=0.05)
    assert history.rows[0]["train"] == pytest.approx(log_joint(start(), X)(history.chains).mean().item())


def test_as_many_minibatches_give_the_same_run_as_epochs():
    """200 = 80 + 80 + 40: two epochs are six minibatches; the fourth is the first of epoch 2. ``steps`` counts no updates."""
    seen = {}
    by_epochs, whole = run(2, batch_size=80, lr=0.05)
    run(2, batch_size=80, lr=0.05, rows_at=[4], on_epoch=lambda m, row: seen.update(weights=weights(m), row=row))
    six, history = run(None, steps=6, batch_size=80, lr=0.05)
    assert torch.equal(weights(six), weights(by_epochs)) and history.rows == whole.rows
    assert torch.equal(history.chains, whole.chains)
    four, history = run(None, steps=4, batch_size=80, lr=0.05)
    assert torch.equal(weights(four), seen["weights"]) and (history.steps, history.examples) == (20, 280)
    assert [(row["epoch"], row["step"]) for row in history.rows] == [(1, 15)]
    assert (seen["row"]["epoch"], seen["row"]["step"]) == (2, 20)


def test_rows_at_counts_minibatches_and_averages_since_the_row_before():
    """Chains and decoder that hardly move: log p(x, z) of the very minibatches between the rows, every proposal accepted."""
    asked = []
    options = dict(batch_size=80, lr=1e-12, leapfrogs=1, step_size=1e-9, updates=2, seed=3)
    _, history = run(None, steps=6, rows_at=[1, 3, 5], evaluate=lambda m: asked.append(1) or {"valid": len(asked)}, **options)
    assert [(row["epoch"], row["step"], row["valid"]) for row in history.rows] == [(1, 2, 1), (1, 6, 2), (2, 10, 3)]
    shuffle = torch.Generator().manual_seed(3)
    first, second = (torch.randperm(200, generator=shuffle).split(80) for _ in range(2))
    joint = log_joint(start(), X)(history.chains).detach()
    expected = [joint[rows].mean().item() for rows in (first[0], torch.cat(first[1:]), torch.cat(second[:2]))]
    assert history.column("train") == pytest.approx(expected, rel=1e-6)
    assert history.column("acceptance") == [1, 1, 1] and (history.steps, history.examples) == (12, 400)


@pytest.mark.parametrize(
    ("options", "words"),
    [(dict(), "not neither"), (dict(epochs=1, steps=1), "not both"), (dict(steps=0), "steps must be a positive integer, got 0")],
)
def test_a_run_needs_exactly_one_length(options, words):
    with pytest.raises(VbookError, match=words):
        fit_mcem(start(), X, **options)


def test_same_seed_same_run_and_the_global_state_is_untouched():
    before = torch.random.get_rng_state()
    (a, ha), (b, hb), (c, _) = run(seed=4), run(seed=4), run(seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(a.weight, b.weight) and ha.rows == hb.rows
    assert not torch.equal(a.weight, c.weight)


def test_a_bernoulli_decoder_learns_and_its_encoder_stays():
    x = (torch.rand(60, 12, generator=torch.Generator().manual_seed(3)) < torch.linspace(0.05, 0.6, 12)).float()
    model, before = vae(12, 2, hidden=(6,), seed=1), vae(12, 2, hidden=(6,), seed=1)
    history = fit_mcem(model, x, epochs=15, batch_size=30, lr=0.05, weight_prior=True)
    assert history.rows[-1]["train"] > history.rows[0]["train"] + 0.5
    for p, q in zip(model.encoder.parameters(), before.encoder.parameters(), strict=True):
        assert torch.equal(p, q)


def test_ctrl_c_returns_the_history_so_far():
    def interrupt(model, row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    _, history = run(5, on_epoch=interrupt)
    assert history.interrupted and len(history.rows) == 2 and history.chains.shape == (200, 2)


def test_the_history_says_what_its_column_is():
    _, history = run(2, lr=0.05)
    assert repr(history) == f"McemHistory(2 epochs, 20 updates, log p(x, z) {history.rows[-1]['train']:.1f} nats)"
    assert repr(McemHistory()) == "McemHistory(0 epochs, 0 updates)"


def test_a_likelihood_that_is_not_finite_stops_the_run():
    def spoil(model, row):
        model.bias.data.fill_(1e200)  # its square overflows

    with pytest.raises(VbookError, match=r"update 11: log p\(x\|z\) is not finite \(100 of 100"):
        run(2, on_epoch=spoil)


@pytest.mark.parametrize(
    "options", [dict(epochs=0), dict(updates=0), dict(leapfrogs=1.5), dict(transitions=0), dict(batch_size=0), dict(lr=0.0)]
)
def test_bad_settings_are_refused(options):
    with pytest.raises(VbookError, match=f"{next(iter(options))} must be a positive"):
        run(**options)


def test_data_that_are_not_finite_are_refused():
    with pytest.raises(VbookError, match="1 of 1 data points"):
        fit_mcem(start(), torch.full((1, 4), math.nan, **F64), epochs=1)


def test_the_step_is_tuned_fast_at_first(monkeypatch):
    """By 1/√t, and never by less than a tenth: the target moves with the decoder."""
    rates, x = [], (torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    monkeypatch.setattr(mcem, "tune", lambda step_size, acceptance, target, rate: (rates.append(rate), step_size)[1])
    fit_mcem(vae(6, 2, hidden=(3,), seed=0), x, steps=121, batch_size=10, leapfrogs=1, updates=1)
    assert rates[:4] == [1.0, 2**-0.5, 3**-0.5, 0.5] and rates[99] == rates[120] == 0.1 < rates[98]


@pytest.mark.parametrize(
    "changed",
    [dict(batch_size=40), dict(transitions=2), dict(leapfrogs=3), dict(updates=2), dict(lr=0.01), dict(seed=1),
     dict(step_size=0.2), dict(target=0.8), dict(jitter=0.3), dict(weight_prior=True), dict(rows_at=[50])],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_a_checkpoint_is_for_its_own_settings(changed, tmp_path):
    """And for its own method: what ``fit`` has kept isn't Monte Carlo EM's."""
    options = dict(epochs=1, batch_size=50, transitions=1, leapfrogs=2, updates=1, lr=0.02, checkpoint=tmp_path / "em")
    fit_mcem(start(), X, **options)
    with pytest.raises(VbookError, match=next(iter(changed))):
        fit_mcem(start(), X, **(options | changed))


def test_a_training_that_diverges_says_at_which_update(monkeypatch):
    """With three updates a sweep, the second one of the second sweep is number five."""
    calls = []

    class Spoilt(LinearGaussian):
        def decode(self, z):
            calls.append(z)
            return super().decode(z + 1e200 if len(calls) == 5 else z)

    still = Transition(torch.zeros(200, 2, **F64), torch.ones(200, dtype=torch.bool), torch.ones(200, **F64))
    monkeypatch.setattr(mcem, "hmc_step", lambda *_: still)
    with pytest.raises(Diverged, match=r"update 5: .*200 of 200 data points") as told:
        fit_mcem(Spoilt(torch.ones(4, 2, **F64), torch.zeros(4, **F64), 0.6), X, epochs=3, batch_size=200, updates=3)
    assert told.value.step == 5
