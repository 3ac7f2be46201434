"""``fit_many``: each copy is the run that ``fit`` makes of it alone, together or in turn."""

import contextlib
import math
import threading
from functools import partial

import numpy as np
import pytest
import torch

from vbook import checkpoints
from vbook.bounds import elbo, elbo_analytic_kl, iwae
from vbook.errors import VbookError
from vbook.models import vae
from vbook.models.vae import VAE
from vbook.objectives import annealed, free_bits, wake_sleep
from vbook.training import History, fit, fit_many, many

X = (torch.rand(70, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()
SEEDS, RATES = (3, 5, 8), (0.001, 0.01, 0.03)
KEY = torch.rand(12, generator=torch.Generator().manual_seed(9))  # tells one minibatch from another


def three(dtype=torch.float32, **options):
    return [vae(12, 2, hidden=(6,), seed=seed, **options).to(dtype) for seed in (1, 2, 3)]


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def alone(models, x, objective, values=None, **options):
    histories = []
    for k, model in enumerate(models):
        chosen = partial(objective, **{name: v[k] for name, v in (values or {}).items()})
        mine = {name: v[k] if isinstance(v, tuple) else v for name, v in options.items()}
        histories.append(fit(model, x, chosen, seed=SEEDS[k], **mine))
    return histories


OBJECTIVES = {
    "elbo": (elbo, {}),
    "analytic": (elbo_analytic_kl, {}),
    "iwae": (partial(iwae, samples=3), {}),
    "wake-sleep": (wake_sleep, {}),
    "betas": (annealed, {"beta": (0.5, 1.0, 2.0)}),
    "free bits": (free_bits, {"minimum": (0.0, 0.25, 1.0)}),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", {"name": "rmsprop", "momentum": 0.5}])
def test_weights_of_copies_trained_together_are_those_of_runs_alone(name, optimizer):
    """In float64 within 1e-10 after 100 steps; 70 data points in batches of 16 leave a short batch in each epoch."""
    objective, values = OBJECTIVES[name]
    settings = dict(steps=100, batch_size=16, optimizer=optimizer, lr=0.01)
    ours, theirs = three(torch.float64), three(torch.float64)
    found = fit_many(ours, X.double(), objective, seeds=SEEDS, options=values, together=True, **settings)
    expected = alone(theirs, X.double(), objective, values, **settings)
    for a, b in zip(ours, theirs, strict=True):
        assert (flat(a) - flat(b)).abs().max() < 1e-10
    for a, b in zip(found, expected, strict=True):
        assert a.column("train") == pytest.approx(b.column("train"), rel=1e-10)
        assert (a.steps, a.examples, [r["step"] for r in a.rows]) == (b.steps, b.examples, [r["step"] for r in b.rows])


@pytest.mark.parametrize("together", [True, False])
def test_losses_agree_in_single_precision_with_steps_of_their_own(together):
    """Relative 1e-5 over 100 steps, every step a row."""
    settings = dict(steps=100, batch_size=16, rows_at=range(1, 101), weight_decay=1 / 70)
    found = fit_many(three(), X, elbo, seeds=SEEDS, lr=RATES, together=together, **settings)
    expected = alone(three(), X, elbo, lr=RATES, **settings)
    for a, b in zip(found, expected, strict=True):
        assert a.column("train") == pytest.approx(b.column("train"), rel=1e-5)
    assert found[0].column("train") != pytest.approx(found[2].column("train"), rel=1e-3)


def test_rows_hold_what_evaluate_says_of_each_copy():
    models = three()
    histories = fit_many(models, X, evaluate=lambda m: {"sum": flat(m).sum().item()}, epochs=2, together=True)
    for model, history in zip(models, histories, strict=True):
        assert [row["epoch"] for row in history.rows] == [1, 2] and history.rows[-1]["sum"] == flat(model).sum().item()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("worst", [math.nan, math.inf])
def test_a_copy_that_diverges_does_not_stop_the_others(together, worst):
    """At its sixth step one data point spoils copy 1, which keeps the weights of step five; the others are as if alone."""
    models, expected = three(), three()
    fit(five := three()[1], X, elbo, seed=SEEDS[1], steps=5, batch_size=16)
    order = torch.Generator().manual_seed(SEEDS[1])
    torch.randperm(70, generator=order)  # the first epoch, five batches
    bad = X[torch.randperm(70, generator=order)[:16]].sum(0) @ KEY

    def fragile(model, x, generator, limit):
        hit = (torch.as_tensor(limit) > 1) & ((x.sum(0) @ KEY - bad).abs() < 1e-4)
        spoilt = torch.where(hit, worst, 0.0)
        return elbo(model, x, generator=generator) + torch.cat([spoilt.reshape(1), torch.zeros(len(x) - 1)])

    options = {"limit": (0.0, 2.0, 0.0)}
    settings = dict(steps=9, batch_size=16, rows_at=[4, 8])
    histories = fit_many(models, X, fragile, seeds=SEEDS, options=options, together=together, **settings)
    assert "step 6" in histories[1].failure and [row["step"] for row in histories[1].rows] == [4]
    assert (histories[1].steps, histories[1].examples) == (5, 70)  # an epoch: four batches of 16 and one of 6
    torch.testing.assert_close(flat(models[1]), flat(five), rtol=1e-4, atol=1e-6)
    for k in (0, 2):
        fit(expected[k], X, elbo, seed=SEEDS[k], **settings)
        assert histories[k].failure is None and [row["step"] for row in histories[k].rows] == [4, 8]
        torch.testing.assert_close(flat(models[k]), flat(expected[k]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda bound: bound.mean(), r"one bound a data point, \(16,\), got \(\)"),
        (lambda bound: bound[:1], r"one bound a data point, \(16,\), got \(1,\)"),
        (lambda bound: bound.detach(), "no weight that is trained has a say"),
        (lambda bound: 3.0, "a tensor of bounds, got float"),
    ],
)
def test_both_ways_ask_the_same_of_an_objective(together, answer, words):
    with pytest.raises(VbookError, match=words):
        fit_many(three(), X, lambda *args, **options: answer(elbo(*args, **options)), steps=2, batch_size=16, together=together)


def test_a_copy_that_has_diverged_stays_out():
    """Its bound is infinite at the third step alone; what it computes later is finite, and no business of anybody's."""
    calls = []

    def once(model, x, generator, limit):
        calls.append(None)
        wrong = (torch.as_tensor(limit) > 1) & (len(calls) == 6)  # the first three listen to what noise is drawn
        return elbo(model, x, generator=generator) + torch.where(wrong, math.inf, 0.0)

    models = three()
    histories = fit_many(models, X, once, options={"limit": (0.0, 2.0, 0.0)}, together=True, steps=8, batch_size=70, rows_at=[8])
    assert "step 3" in histories[1].failure and not histories[1].rows and histories[1].steps == 2
    fit(two := three()[1], X, elbo, seed=1, steps=2, batch_size=70)
    torch.testing.assert_close(flat(models[1]), flat(two), rtol=1e-4, atol=1e-6)
    assert [row["step"] for history in (histories[0], histories[2]) for row in history.rows] == [8, 8]


@pytest.mark.parametrize(("in_turn", "together", "expected"), [(3.0, 2.0, True), (2.0, 3.0, False)])
def test_a_trial_tells_the_faster_way(monkeypatch, in_turn, together, expected):
    """By the second round of each way, whatever the first took, on copies of the models."""
    clock, models, rounds = [0.0], three(), []
    monkeypatch.setattr(many.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        def run(copies, x, *args, steps, **options):
            assert all(a is not b for a, b in zip(copies, models, strict=True)) and (len(x), steps) == (70, many.TRIAL)
            clock[0] += seconds + (100 if name not in rounds else 0)
            rounds.append(name)
            return [many.CopyHistory() for _ in copies]

        return run

    monkeypatch.setattr(many, "_in_turn", way("in turn", in_turn))
    monkeypatch.setattr(many, "_together", way("together", together))
    assert many._together_is_faster(models, X, elbo, [], dict(batch_size=16)) is expected
    assert rounds == ["in turn", "together"] * 2


@pytest.mark.parametrize("faster", [True, False])
def test_on_a_cpu_the_faster_way_is_taken(monkeypatch, faster):
    taken = []
    monkeypatch.setattr(many, "_together_is_faster", lambda *args: faster)
    monkeypatch.setattr(many, "_together", lambda *args, **options: taken.append(True))
    monkeypatch.setattr(many, "_in_turn", lambda *args, **options: taken.append(False))
    fit_many(three(), X, steps=5)
    assert taken == [faster]


def test_a_trial_leaves_the_models_as_they_were():
    """The whole way, trial included, ends like one of the two ways without it."""
    ends = []
    for together in (None, True, False):
        models = three()
        fit_many(models, X, seeds=SEEDS, steps=5, together=together)
        ends.append(torch.stack([flat(model) for model in models]))
    assert torch.equal(ends[0], ends[1]) or torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("lr", [0.01, RATES])
def test_frozen_weights_stay_and_buffers_come_along(lr):
    def frozen():
        models = three()
        for model in models:
            model.encoder.requires_grad_(False)
        return models

    ours, theirs = frozen(), frozen()
    fit_many(ours, X, seeds=SEEDS, lr=lr, steps=10, batch_size=16, together=True)
    alone(theirs, X, elbo, lr=lr, steps=10, batch_size=16)
    for a, b, start in zip(ours, theirs, three(), strict=True):
        torch.testing.assert_close(flat(a), flat(b), rtol=1e-5, atol=1e-6)
        assert torch.equal(flat(a.encoder), flat(start.encoder))


def test_what_torch_func_can_not_batch_runs_in_turn():
    def branching(model, x, generator):
        bound = elbo(model, x, generator=generator)
        return bound if bound.mean().item() < 1e9 else -bound

    with pytest.raises(VbookError, match=r"torch.func can't train these models together .*; leave together out"):
        fit_many(three(), X, branching, steps=5, batch_size=16, together=True)

    def own_noise(model, x, generator):
        return elbo(model, x, generator=generator) + 0 * torch.randn(len(x), generator=generator)

    fit_many(three(), X, own_noise, steps=2, batch_size=16)
    with pytest.raises(VbookError, match=r"torch.func can't train these models together"):
        fit_many(three(), X, own_noise, steps=2, batch_size=16, together=True)
    with pytest.raises(VbookError, match="an option that is counted with, as samples is, can't differ between copies"):
        fit_many(three(), X, options={"samples": (2, 1, 1)}, steps=2, together=True)
    with pytest.raises(VbookError, match="together must be True, False or None, got 'no'"):
        fit_many(three(), X, branching, steps=5, together="no")
    models, expected = three(), three()
    fit_many(models, X, branching, seeds=SEEDS, steps=5, batch_size=16)
    alone(expected, X, elbo, steps=5, batch_size=16)
    assert all(torch.equal(flat(a), flat(b)) for a, b in zip(models, expected, strict=True))


@pytest.mark.parametrize("together", [True, False])
def test_ctrl_c_leaves_a_history_for_each_copy(together, monkeypatch):
    def interrupt(model, x, generator):
        raise KeyboardInterrupt

    histories = fit_many(three(), X, interrupt, epochs=1, together=together)
    assert len(histories) == 3 and all(h.interrupted and h.steps == 0 for h in histories)


def test_steps_that_end_inside_an_epoch_count_their_examples():
    for together in (True, False):
        assert [h.examples for h in fit_many(three(), X, steps=7, batch_size=16, together=together)] == [102] * 3


def test_global_state_is_untouched_and_the_same_seeds_give_the_same_runs():
    before = torch.random.get_rng_state()
    a, b = three(), three()
    for models in (a, b):
        fit_many(models, X, seeds=SEEDS, epochs=1, together=True)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(flat(x), flat(y)) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("together", [True, False])
def test_only_a_divergence_is_a_copys_own_affair(together):
    """A full disk, or a hook that fails, ends the whole run."""

    def evaluate(model):
        raise VbookError("no space left")

    with pytest.raises(VbookError, match="no space left"):
        fit_many(three(), X, epochs=1, evaluate=evaluate, together=together)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(lr=(0.1, 0.2)), "lr must hold one value for each of the 3 models, got 2"),
        (dict(seeds=(1,)), "seeds must hold one value"),
        (dict(options={"samples": (1, 2)}), "samples must hold one value"),
        (dict(lr=(0.1, 0.2, 0.0)), "lr must be a positive number, got 0"),
        (dict(epochs=0), "epochs must be a positive integer"),
        (dict(rows_at=[9]), "rows_at names step 9, but the run has the steps 1 to 1"),
        (dict(weight_decay=math.inf), "weight_decay must be 0 or more and finite"),
        (dict(seeds=(0, 1, -1)), "seed must be a whole number"),
        (dict(lr=lambda step: 0.1), "fit_many takes no schedule for lr"),
        (dict(optimizer="adm"), "did you mean 'adam'"),
        (dict(optimizer={"name": "sgd", "momentm": 0.9}), "did you mean 'momentum'"),
        (dict(seeds=3), "seeds must hold one value for each of the 3 models, got 3"),
        (dict(lr="0.1"), "lr must be a positive number, got '0.1'"),
        (dict(options=[0.1]), "options must map names of the objective's options"),
        (dict(objective=annealed, options={"beta": 0.5}), "beta must hold one value for each of the 3 models, got 0.5"),
        (dict(objective=annealed, options={"beta": (0.1, 0.2, "a")}), "beta must be a finite number for each model, got 'a'"),
        (
            dict(objective=annealed, options={"beta": (0.1, 0.2, 10**400)}),
            "beta must be a finite number for each model, got 1000",
        ),
        (dict(objective=annealed, options={"bta": (0.1, 0.2, 0.3)}), "no option 'bta'; did you mean 'beta'"),
        (dict(objective=None), "the objective must be a function"),
        (dict(save_every="a"), "save_every must be 0 or more"),
        (dict(checkpoint=5), "a checkpoint is the name of a file, got 5"),
        (dict(evaluate=1), "evaluate must be a function, got 1"),
        (dict(progress="no"), "progress must be True or False, got 'no'"),
        (dict(objective=annealed), "the objective needs a value for 'beta'"),
        (dict(checkpoint="a" * 300), "no checkpoint can be written there .File name too long"),
        (dict(checkpoint="a" * 254), "no checkpoint can be written there .File name too long"),
        (dict(objective=annealed, options={"beta": (0.1, 0.2, -1.0)}), "beta must be 0 or more and finite, got -1.0"),
        (dict(evaluate=lambda model: {"step": 1}), "evaluate names a column 'step'"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_bad_settings_are_refused(options, words, together):
    with pytest.raises(VbookError, match=words):
        fit_many(three(), X, **({"epochs": 1, "together": together} | options))


def test_values_of_the_copies_may_be_arrays_and_tensors():
    ends = []
    for made in (list, np.array, torch.tensor):
        models = three()
        options = {"beta": made([0.5, 1.0, 2.0])}
        fit_many(models, X, annealed, steps=3, lr=made([0.1, 0.01, 0.02]), seeds=made([1, 2, 3]), options=options, together=True)
        ends.append(torch.stack([flat(model) for model in models]))
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])


def test_what_is_no_list_of_models_is_named():
    model = three()[0]
    for models, words in (
        (model, "takes a list of models, got VAE; for one model there is fit"),
        ([model, model], r"models\[1\] shares weights with one before it"),
        ([model, VAE(model.encoder, three()[1].decoder, 2)], r"models\[1\] shares weights"),
        ([model, None], r"models\[1\] must be a module of PyTorch, got NoneType"),
        ([model, three()[1].double()], "weights of float64, the data are float32"),
        ([model, 3], r"models\[1\] must be a module of PyTorch, got int"),
        ([], "one value for each of the 0 models"),
    ):
        with pytest.raises(VbookError, match=words):
            fit_many(models, X, epochs=1)


def test_models_of_different_shapes_are_refused():
    models = three()
    for other in (vae(12, 3, hidden=(6,)), vae(12, 2, hidden=(6,), activation="relu"), vae(12, 2, hidden=(6, 6))):
        with pytest.raises(VbookError, match=r"of one architecture; .* in another"):
            fit_many([*models, other], X, epochs=1)
    assert torch.equal(flat(models[0]), flat(three()[0]))


class Cut(Exception):
    """Stands for a kill between two steps."""


def spoiling(model, x, generator, limit):
    """A bound that is no number wherever ``limit`` is above 1 and the minibatch holds the first data point."""
    hit = (torch.as_tensor(limit) > 1) & (x == X[0]).all(1).any()
    return elbo(model, x, generator=generator) + torch.where(hit, math.nan, 0.0)


RUNS = {
    "plain": dict(optimizer="adam"),
    "rates": dict(optimizer="adam", lr=RATES, weight_decay=0.1),
    "options": dict(objective=annealed, options={"beta": (0.2, 0.5, 1.0)}, optimizer="adagrad"),
    "one fails": dict(objective=spoiling, options={"limit": (0.0, 2.0, 0.0)}, optimizer="adam", rows_at=[2, 4, 9]),
}


def grid(way, together, **more):
    """Three copies over twelve steps, with their weights, rows, steps and failures."""
    options = dict(seeds=SEEDS, steps=12, batch_size=16, together=together) | RUNS[way] | more
    models, objective = three(), options.pop("objective", elbo)
    histories = fit_many(models, X, objective, **options)
    told = [(h.rows, h.steps, h.examples, h.failure) for h in histories]
    return [flat(model) for model in models], told, histories


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("way", RUNS)
def test_copies_that_were_cut_off_go_on_bit_for_bit(way, together, tmp_path, monkeypatch):
    """Cut before every save in turn, as by a kill, until the run comes to its end."""
    whole, told, _ = grid(way, together)
    saves, real = [0], checkpoints.Checkpoint.write

    def cut(self, state):
        saves[0] += 1
        if saves[0] % 3 == 0:
            raise Cut
        real(self, state)

    monkeypatch.setattr(checkpoints.Checkpoint, "write", cut)
    sittings, again = 0, None
    while again is None:
        sittings += 1
        with contextlib.suppress(Cut):
            weights, again, _ = grid(way, together, checkpoint=tmp_path / "grid.safetensors", save_every=0)
    assert sittings > 3 and all(torch.equal(a, b) for a, b in zip(weights, whole, strict=True))
    assert again == told and (way == "one fails") == any(failure for *_, failure in told)
    names = {"grid.safetensors"} if together else {f"grid-{k}.safetensors" for k in range(3)}
    assert {file.name for file in tmp_path.iterdir()} == names


@pytest.mark.parametrize("together", [True, False])
def test_a_budget_stops_all_copies_at_a_checkpoint(together, tmp_path):
    calls = 0
    while True:
        weights, told, histories = grid("rates", None if calls else together, checkpoint=tmp_path / "grid", budget=1e-9)
        calls += 1
        if not any(history.interrupted for history in histories):
            break
    # Each call takes a step; in turn, the call that ends a copy begins the next.
    assert calls == (12 if together else 34) and told == grid("rates", together)[1]
    assert all(torch.equal(a, b) for a, b in zip(weights, grid("rates", together)[0], strict=True))


@pytest.mark.parametrize("together", [True, False])
def test_a_copy_whose_last_update_spoils_its_weights_has_failed(together):
    def steep(model, x, generator):
        return 1_000 * elbo(model, x, generator=generator)

    seen = []
    options = dict(epochs=1, batch_size=70, optimizer="sgd", lr=(1e-9, 3e38, 1e-9), together=together)
    histories = fit_many(three(), X, steep, **options, evaluate=lambda model: (seen.append(flat(model)), {})[1])
    assert [bool(history.failure) for history in histories] == [False, True, False]
    assert not histories[1].rows or together is False
    assert all(torch.isfinite(weights).all() for weights in seen) or not together


@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_of_the_other_way_is_refused(first, tmp_path):
    grid("plain", first, checkpoint=tmp_path / "grid")
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(VbookError, match=f"copies trained {'together' if first else 'in turn'} have left a checkpoint there"):
        grid("plain", not first, checkpoint=tmp_path / "grid")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_copies_in_turn_share_one_budget(monkeypatch):
    """What the first has spent the second can't spend again."""
    clock, given = [0.0], []

    def slow(model, x, objective, *, budget, **options):
        given.append(budget)
        clock[0] += 4.0
        return History()

    monkeypatch.setattr(many.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(many, "fit", slow)
    fit_many(three(), X, epochs=1, together=False, budget=10)
    assert given == [10.0, 6.0, 2.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(lr=0.5), "copies is .* there and"),
        (dict(seeds=(3, 5, 9)), "copies is .* there and"),
        (dict(batch_size=8), "batch_size is 16 there and 8 here"),
        (dict(rows_at=[3]), r"rows_at is None there and \[3\] here"),
        (dict(objective=elbo_analytic_kl), "objective is elbo there"),
        (dict(steps=5), "has gone 12 steps, more than the 5 asked for"),
    ],
)
def test_a_checkpoint_of_other_copies_is_refused(change, words, tmp_path):
    file = tmp_path / "grid"
    grid("plain", True, checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(VbookError, match=words):
        grid("plain", True, checkpoint=file, **change)
    assert file.read_bytes() == before


def test_ctrl_c_in_the_trial_ends_the_run(monkeypatch):
    """The trial's own training answers with an interrupted history, as ``fit`` does; nothing is trained after it."""
    models = three()[:2]
    before = [flat(model).clone() for model in models]

    def interrupted(*args, **options):
        return [many.CopyHistory(interrupted=True)]

    monkeypatch.setattr(many, "_in_turn", interrupted)
    histories = fit_many(models, X, steps=3, batch_size=16)
    assert all(history.interrupted and history.steps == 0 for history in histories) and len(histories) == 2
    assert all(torch.equal(flat(model), weights) for model, weights in zip(models, before, strict=True))


def test_models_that_cannot_be_copied_are_trained_in_turn():
    models = three()[:2]
    for model in models:
        model.lock = threading.Lock()
    assert [history.steps for history in fit_many(models, X, steps=2, batch_size=16)] == [2, 2]
    with pytest.raises(VbookError, match="the models can't be copied"):
        fit_many(models, X, steps=2, batch_size=16, together=True)
