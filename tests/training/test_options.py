"""Schedules, averages of weights, early stopping, binarisation and the hook of each step, against the same written out."""

import math
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from vbook.bench.machine import compiler
from vbook.bounds import elbo
from vbook.errors import Diverged, VbookError
from vbook.mcem import fit_mcem
from vbook.models import vae
from vbook.objectives import annealed, free_bits
from vbook.training import decay, fit, warmup
from vbook.training.optimizers import OPTIMIZERS, describe_optimizer, optimizer_for
from vbook.training.steps import _mode

X = (torch.rand(60, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()
GREY = torch.rand(60, 12, generator=torch.Generator().manual_seed(1))


def small(seed=1):
    return vae(12, 2, hidden=(6,), seed=seed)


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def by_hand(x, objective, steps, lr, values=lambda step: {}, binarize=False, seed=4):
    """The weights after each step of plain gradient ascent, with the generators that ``fit`` documents."""
    model, trace = small(), []
    shuffle, noise, pixels = (torch.Generator().manual_seed(seed + k) for k in (0, 0x5EED, 0xB175))
    order = []
    for step in range(1, steps + 1):
        order = order or list(torch.randperm(len(x), generator=shuffle).split(16))
        batch = x[order.pop(0)]
        batch = torch.bernoulli(batch, generator=pixels) if binarize else batch
        model.zero_grad()
        objective(model, batch, generator=noise, **values(step)).mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                p += lr(step) * p.grad
        trace.append(flat(model))
    return trace


def test_the_rate_follows_its_schedule():
    rate = decay(0.05, halflife=3)
    model = small()
    fit(model, X, steps=6, batch_size=16, seed=4, optimizer="sgd", lr=rate)
    torch.testing.assert_close(flat(model), by_hand(X, elbo, 6, rate)[-1], rtol=1e-5, atol=1e-7)
    assert (flat(model) - by_hand(X, elbo, 6, lambda step: 0.05)[-1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("objective", "name", "schedule"), [(annealed, "beta", warmup(4)), (free_bits, "minimum", decay(1.0, 2))]
)
def test_an_option_of_the_objective_follows_its_schedule(objective, name, schedule):
    model, told = small(), []

    def listening(*args, **options):
        told.append(options[name])
        return objective(*args, **options)

    fit(model, X, listening, steps=6, batch_size=16, seed=4, optimizer="sgd", lr=0.05, schedules={name: schedule})
    assert told == [schedule(step) for step in range(1, 7)]
    expected = by_hand(X, objective, 6, lambda step: 0.05, lambda step: {name: schedule(step)})[-1]
    torch.testing.assert_close(flat(model), expected, rtol=1e-5, atol=1e-7)


def test_pixels_are_drawn_anew_for_each_minibatch():
    model, batches = small(), []

    def listening(m, batch, generator):
        batches.append(batch)
        return elbo(m, batch, generator=generator)

    fit(model, GREY, listening, steps=8, batch_size=16, seed=4, optimizer="sgd", lr=0.05, binarize=True)
    torch.testing.assert_close(flat(model), by_hand(GREY, elbo, 8, lambda step: 0.05, binarize=True)[-1], rtol=1e-5, atol=1e-7)
    assert all(((b == 0) | (b == 1)).all() for b in batches)
    assert abs(torch.cat(batches).mean() - GREY.mean()) < 4 * 0.5 / (120 * 12) ** 0.5


def test_the_average_is_the_weighted_mean_of_the_weights_so_far():
    seen = []
    options = dict(batch_size=16, seed=4, optimizer="sgd", lr=0.05, evaluate=lambda m: seen.append(flat(m)) or {}, rows_at=[2, 5])
    history = fit(small(), X, steps=5, average=0.7, **options)
    trace = by_hand(X, elbo, 5, lambda step: 0.05)
    for found, steps in ((seen[0], 2), (seen[1], 5), (flat(history.averaged), 5)):
        shares = [0.7 ** (steps - s) for s in range(1, steps + 1)]
        mean = sum(share * weights for share, weights in zip(shares, trace, strict=False)) / sum(shares)
        torch.testing.assert_close(found, mean, rtol=1e-5, atol=1e-6)
    assert not any(p.requires_grad for p in history.averaged.parameters())
    assert fit(small(), X, steps=1).averaged is None


def test_the_average_of_a_model_that_cant_be_copied_is_refused():
    model = small()
    model.lock = threading.Lock()
    with pytest.raises(VbookError, match=r"average keeps a copy of the model, which can't be copied: .*lock"):
        fit(model, X, epochs=1, average=0.9)


def test_training_stops_when_the_watched_column_no_longer_rises_and_keeps_the_best():
    values, kept = iter([1.0, 3.0, 2.0, 3.0, 2.9, 9.0]), []

    def evaluate(model):
        kept.append(flat(model))
        return {"valid": next(values)}

    model = small()
    history = fit(model, X, epochs=6, batch_size=16, evaluate=evaluate, patience=3)
    assert history.column("valid") == [1.0, 3.0, 2.0, 3.0, 2.9] and history.stopped and not history.interrupted
    assert torch.equal(flat(model), kept[1])


def test_training_that_rises_to_its_end_has_not_stopped():
    values = iter(range(9))
    history = fit(small(), X, epochs=3, evaluate=lambda m: {"valid": next(values)}, patience=1)
    assert len(history.rows) == 3 and not history.stopped
    with pytest.raises(VbookError, match="patience watches the column 'valid', but the rows have epoch, step, train"):
        fit(small(), X, epochs=1, patience=1)


def test_a_first_value_that_is_no_number_does_not_stand_for_ever():
    for seen in ([math.nan, 1.0, 3.0, 2.0, 2.5, 9.0], [1.0, 3.0, math.nan, 2.0, 9.0]):
        values = iter(seen)
        history = fit(small(), X, epochs=6, evaluate=lambda m, values=values: {"valid": next(values)}, patience=2)
        assert history.stopped and len(history.rows) == len(seen) - 1
    history = fit(small(), X, epochs=6, evaluate=lambda m: {"valid": math.nan}, patience=2)
    assert history.stopped and len(history.rows) == 3  # that it never gets better is known all the same


def test_each_step_is_told_with_its_bound():
    told = []
    history = fit(small(), X, epochs=1, batch_size=16, on_step=lambda step, bound: told.append((step, bound.item())))
    assert [step for step, _ in told] == [1, 2, 3, 4]
    mean = sum(bound * n for (_, bound), n in zip(told, (16, 16, 16, 12), strict=True)) / 60
    assert history.rows[0]["train"] == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(lr=math.inf), "lr must be a positive number, got inf"),
        (dict(average=1.0), "average must lie between 0 and 1"),
        (dict(patience=0), "patience must be a positive integer"),
        (dict(mode="fast"), "unknown mode 'fast'"),
        (dict(mode="graph"), "for data on a CUDA device"),
        (dict(lr=lambda step: -0.1), "the schedule of lr must give a finite number of at least 0, got -0.1 at step 1"),
        (dict(lr=lambda step: math.nan), "the schedule of lr must give a finite number of at least 0, got nan at step 1"),
        (dict(lr=lambda step: None), "the schedule of lr must give a finite number of at least 0, got None at step 1"),
        (dict(lr=lambda step: 0.1 - step / 20, batch_size=16), "at least 0, got .* at step 3"),
        (dict(weight_decay=math.inf), "weight_decay must be 0 or more and finite, got inf"),
        (dict(rows_at=[1, 2]), "rows_at names step 2, but the run has the steps 1 to 1"),
        (dict(rows_at=[0]), "rows_at names step 0"),
        (dict(rows_at=np.array([1, 2])), "rows_at names step 2, but the run has the steps 1 to 1"),
        (dict(rows_at=map(int, [1])), "rows_at must hold steps, as a list or a set does, got <map"),
        (dict(rows_at=np.array(3)), r"rows_at must hold steps, as a list or a set does, got array\(3\)"),
        (dict(progress="no"), "progress must be True or False, got 'no'"),
        (dict(rows_at=2), "rows_at must hold steps, as a list or a set does, got 2"),
        (dict(rows_at=["a"]), r"rows_at must hold whole numbers, .* got \['a'\]"),
        (dict(rows_at=[0.5]), r"rows_at must hold whole numbers, .* got \[0.5\]"),
        (dict(optimizer=None), "unknown optimizer None; known: adagrad, adam, rmsprop, sgd"),
        (dict(optimizer=["adam"]), r"unknown optimizer \['adam'\]"),
        (dict(optimizer=torch.optim.Adam(small().parameters())), "unknown optimizer 'Adam'; did you mean 'adam'"),
        (dict(optimizer=torch.optim.Adam), "unknown optimizer <class"),
        (dict(optimizer={}), "unknown optimizer None"),
        (dict(optimizer={"name": "sgd", "momntum": 0.9}), "optimizer sgd has no option 'momntum'; did you mean 'momentum'"),
        (dict(optimizer={"name": "adam", "maximize": True}), "optimizer adam has no option 'maximize'"),
        (dict(optimizer={"name": "adam", 3: 4}), "optimizer adam has no option 3"),
        (dict(optimizer={"name": "sgd", "momentum": -1}), r"optimizer sgd\(momentum=-1.0\): Invalid momentum value"),
        (dict(optimizer={"name": "sgd", "momentum": "0.9"}), "optimizer sgd: momentum must be a finite number, got '0.9'"),
        (dict(optimizer={"name": "sgd", "momentum": True}), "optimizer sgd: momentum must be a finite number, got True"),
        (dict(optimizer={"name": "sgd", "nesterov": True}), r"optimizer sgd\(nesterov=True\): Nesterov momentum requires"),
        (dict(optimizer={"name": "adam", "eps": 10**400}), "optimizer adam: eps must be a finite number, got 1000"),
        (dict(optimizer={"name": "adam", "eps": 1 + 2j}), "optimizer adam: eps must be a finite number"),
        (dict(optimizer={"name": "adam", "amsgrad": 1}), "optimizer adam: amsgrad must be True or False, got 1"),
        (dict(optimizer={"name": "adam", "betas": (0.9, math.nan)}), "optimizer adam: betas must be a pair of finite numbers"),
        (dict(optimizer={"name": "adam", "betas": (0.9,)}), r"optimizer adam: betas must be a pair .*, got \(0.9,\)"),
        (dict(optimizer={"name": "adam", "betas": (0.9, True)}), r"betas must be a pair of finite numbers, got \(0.9, True\)"),
        (dict(optimizer={"name": "adam", "betas": 0.9}), "optimizer adam: betas must be a pair of finite numbers, got 0.9"),
        (dict(optimizer={"name": "adagrad", "initial_accumulator_value": 1e300}), "without overflow"),
        (dict(optimizer="rmsprop", lr=1e300), "lr, weight_decay or an option of the optimizer is too large for torch.float32"),
        (dict(optimizer="rmsprop", weight_decay=1e300), "is too large for torch.float32"),
        (dict(optimizer={"name": "rmsprop", "alpha": 1.5}), "optimizer rmsprop: alpha must be at least 0 and below 1, got 1.5"),
        (dict(lr=10**400), "lr must be a positive number, got 1000"),
        (dict(lr=np.float32(0.1)), r"lr must be a positive number, got np.float32\(0.1\); .item\(\) makes it a number of Python"),
        (dict(weight_decay=np.float32(0.1)), r"got np.float32\(0.1\); .item\(\) makes it a number of Python's own"),
        (dict(lr=decay), r"the schedule of lr is called with the step; the function given takes \(start"),
        (dict(lr=lambda: 0.1), r"the schedule of lr is called with the step; the function given takes \(\)"),
        (dict(schedules={"beta": decay}, objective=annealed), "the schedule of beta is called with the step; the function"),
        (dict(lr=lambda step: 1 / (2 - step), batch_size=16), r"lr has nothing for step 2 \(ZeroDivisionError"),
        (dict(lr=lambda step: 10.0 ** (200 * step), batch_size=16), "has nothing for step 2 .OverflowError|not finite"),
        (dict(binarize="no"), "binarize must be True or False, got 'no'"),
        (dict(budget=10**400), "a budget is a time such as 90s"),
        (dict(weight_decay=10**400), "weight_decay must be 0 or more and finite, got 1000"),
        (dict(lr=lambda step: 10**400), "the schedule of lr must give a finite number of at least 0, got 1000"),
        (dict(lr=lambda step: 1j), "the schedule of lr must give a finite number of at least 0, got 1j"),
        (dict(lr=lambda step: torch.tensor(1j)), "the schedule of lr must give a finite number of at least 0, got tensor"),
        (dict(lr=lambda step: torch.ones(2)), "the schedule of lr must give a finite number of at least 0, got tensor"),
        (dict(lr=lambda step: [0.1, 0.1][step], batch_size=16), r"schedule of lr has nothing for step 2 \(IndexError"),
        (dict(lr=lambda step: {1: 0.1}[step], batch_size=16), r"schedule of lr has nothing for step 2 \(KeyError"),
        (dict(objective=None), "the objective must be a function of model, x and generator, got None"),
        (dict(objective=lambda model, x: x.sum(1)), "the objective must take the keyword generator"),
        (dict(save_every="a"), "save_every must be 0 or more and finite, got 'a'"),
        (dict(save_every=-1), "save_every must be 0 or more and finite, got -1"),
        (dict(checkpoint=5), "a checkpoint is the name of a file, got 5"),
        (dict(checkpoint="a\0b"), "a checkpoint is the name of a file, got 'a"),
        (dict(checkpoint="a" * 300), "no checkpoint can be written there .File name too long"),
        (dict(objective=lambda *a, **o: None), "the objective must give a tensor of bounds, got NoneType"),
        (dict(objective=lambda *a, **o: elbo(*a, **o).detach()), "no weight that is trained has a say in the objective"),
        (dict(evaluate=3), "evaluate must be a function, got 3"),
        (dict(evaluate=lambda: {}), r"evaluate is called with the model; the function given takes \(\)"),
        (dict(on_step=lambda step: None), r"on_step is called with the step and the bound; the function given takes \(step\)"),
        (dict(objective=annealed), "the objective needs a value for 'beta'"),
        (dict(evaluate=lambda model: {"v": 1}, patience=1, watch=["v"]), r"patience watches the column \['v'\]"),
        (dict(on_step="a"), "on_step must be a function, got 'a'"),
        (dict(on_epoch=[]), r"on_epoch must be a function, got \[\]"),
        (dict(evaluate=lambda model: {"train": 1.0}), "evaluate names a column 'train', but a row has its own train"),
        (dict(evaluate=lambda model: {1: 1.0}), "evaluate names a column 1, but a column's name is a text"),
        (dict(evaluate=lambda model: {"valid": "a"}, patience=1), "'valid', which must hold numbers, got 'a'"),
        (dict(lr=lambda step: "0.1"), "the schedule of lr must give .*, got '0.1' at step 1"),
        (dict(budget="a"), "a budget is a time such as 90s, 25m or 1h30m, not 'a'"),
        (dict(schedules=["beta"]), "schedules must map names of the objective"),
        (dict(schedules={"beta": lambda step: None}, objective=annealed), "schedule of beta must give .*, got None at step 1"),
        (dict(schedules={"beat": warmup(3)}, objective=annealed), "no option 'beat'; did you mean 'beta'"),
        (dict(schedules={"beta": warmup(3)}), "no option 'beta'; known: samples"),
        (dict(batch_size=100.0), "batch_size must be a positive integer, got 100.0"),
        (dict(weight_decay="0.1"), "weight_decay must be 0 or more"),
        (dict(weight_decay=None), "weight_decay must be 0 or more"),
        (dict(weight_decay=True), "weight_decay must be 0 or more"),
        (dict(average="a"), "average must lie between 0 and 1, got 'a'"),
        (dict(schedules={"beta": 0.5}, objective=annealed), "the schedule of beta must be a function of the step, got 0.5"),
        (dict(evaluate=lambda model: None), "evaluate must return a dict of numbers, got NoneType"),
        (dict(seed=True), "seed must be a whole number"),
        (dict(seed="x"), "seed must be a whole number from 0 to 2.62 - 1, got 'x'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(VbookError, match=words):
        fit(small(), X, **({"epochs": 1} | options))


def test_options_that_say_the_same_are_the_same(tmp_path):
    same = [{"name": "adam", "betas": [0.9, 0.999]}, {"name": "adam", "eps": 1e-8, "amsgrad": False}, "adam"]
    ends = [fit(small(), X, epochs=2, optimizer=kind, checkpoint=tmp_path / f"{k}").rows for k, kind in enumerate(same)]
    assert ends[0] == ends[1] == ends[2]
    fit(small(), X, epochs=2, optimizer="adam", checkpoint=tmp_path / "0")  # begun with the first, and no other run
    assert describe_optimizer({"name": "sgd", "momentum": 1}) == describe_optimizer({"name": "sgd", "momentum": 1.0})


def test_a_model_without_an_encoder_is_told():
    with pytest.raises(VbookError, match=r"the objective needs a model with encode\(\), which Linear lacks"):
        fit(nn.Linear(12, 2), X, epochs=1)


def test_a_batch_may_be_larger_than_the_data():
    ends = [fit(small(), X, epochs=2, batch_size=size).rows for size in (60, 61, 2**63)]
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("call", [lambda: warmup(True), lambda: decay(True, 1), lambda: decay(10**400, 1)])
def test_a_schedule_is_made_of_numbers(call):
    with pytest.raises(VbookError, match="must be"):
        call()


def test_a_schedule_may_give_any_single_number():
    def ends(lr):
        model = small()
        fit(model, X, epochs=2, lr=lr)
        return flat(model)

    for kind in (np.float64, torch.tensor, lambda rate: torch.tensor([rate])):
        assert torch.equal(ends(lambda step, kind=kind: kind(0.125 / step)), ends(lambda step: 0.125 / step))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(weight_prior="no"), "weight_prior must be True or False, got 'no'"),
        (dict(target="a"), "target must be at least 0 and below 1, got 'a'"),
        (dict(jitter=1.0), "jitter must be at least 0 and below 1, got 1.0"),
        (dict(step_size="a"), "step_size must be a positive number, got 'a'"),
        (dict(rows_at=np.array([9])), "rows_at names step 9"),
        (dict(checkpoint=5), "a checkpoint is the name of a file, got 5"),
        (dict(save_every=None), "save_every must be 0 or more and finite, got None"),
    ],
)
def test_options_of_monte_carlo_em_that_make_no_sense_are_refused(options, words):
    with pytest.raises(VbookError, match=words):
        fit_mcem(small(), X, **({"epochs": 1} | options))


def test_seeds_may_be_numpys():
    ends = [fit(small(), X, epochs=1, seed=seed).rows for seed in (3, np.int64(3), 3.0)]
    assert ends[0] == ends[1] == ends[2]


def test_rows_may_be_asked_for_by_any_whole_numbers():
    histories = [fit(small(), X, steps=4, rows_at=at) for at in ([2, 4], {4, 2}, np.array([2, 4]), torch.tensor([4, 2]))]
    assert all([row["step"] for row in history.rows] == [2, 4] for history in histories)
    assert len({history.rows[-1]["train"] for history in histories}) == 1


def test_a_callable_that_hides_its_arguments_is_an_objective_too():
    class Whole:
        def __call__(self, *args, **options):
            return elbo(*args, **options)

    assert fit(small(), X, Whole(), epochs=1).rows == fit(small(), X, elbo, epochs=1).rows


@pytest.mark.parametrize("train", [fit, fit_mcem])
def test_model_and_data_of_different_types_are_named(train):
    with pytest.raises(VbookError, match=r"weights of float32, the data are float64: call x.to\(torch.float32\)"):
        train(small(), X.double(), epochs=1)
    with pytest.raises(VbookError, match=r"weights of float64, the data are float32: call x.to\(torch.float64\)"):
        train(small().double(), X, epochs=1)
    with pytest.raises(VbookError, match="the model must be a module of PyTorch, got NoneType"):
        train(None, X, epochs=1)


def test_a_model_with_nothing_to_train_is_named():
    with pytest.raises(VbookError, match="nothing to train: it has no weights, or all of them are frozen"):
        fit(small().requires_grad_(False), X, epochs=1)


@pytest.mark.parametrize("x", [None, torch.tensor(1.0), X.numpy()])
def test_what_is_no_table_of_data_is_named(x):
    for train in (fit, fit_mcem):
        with pytest.raises(VbookError, match="x must"):
            train(small(), x, epochs=1)


def test_probabilities_of_pixels_lie_between_0_and_1():
    with pytest.raises(VbookError, match=r"binarize takes x for probabilities, but its values lie in \[0, 2\]"):
        fit(vae(12, 2, hidden=(6,), likelihood="gaussian"), 2 * X, epochs=1, binarize=True)
    with pytest.raises(VbookError, match=r"a Bernoulli likelihood takes x for probabilities, but its values lie in \[0, 5\]"):
        fit(small(), 5 * X, epochs=1)


def test_a_rate_that_warms_up_begins_at_nothing():
    model = small()
    fit(model, X, steps=1, lr=warmup(4))
    assert torch.equal(flat(model), flat(small()))
    fit(model, X, steps=2, lr=warmup(4))
    assert not torch.equal(flat(model), flat(small()))


@pytest.mark.parametrize("answer", [lambda bound: bound.sum(), lambda bound: bound[:, None], lambda bound: bound[1:]])
def test_an_objective_gives_one_bound_a_data_point(answer):
    model = small()
    with pytest.raises(VbookError, match=r"one bound a data point, \(16,\), got"):
        fit(model, X, lambda *args, **options: answer(elbo(*args, **options)), epochs=1, batch_size=16)
    assert torch.equal(flat(model), flat(small()))


def test_a_graph_does_not_go_with_a_rate_that_only_adam_reads_from_the_device():
    models = {name: optimizer_for(name, small().parameters(), 0.1, 0.0, torch.device("cpu")) for name in OPTIMIZERS}
    chosen = {name: _mode(None, True, ascent, True) for name, ascent in models.items()}
    assert chosen == {"adam": "graph", "adagrad": "eager", "rmsprop": "eager", "sgd": "eager"}
    assert _mode("graph", True, models["adam"], True) == _mode("graph", True, models["sgd"], False) == "graph"
    with pytest.raises(VbookError, match="keeps the rate of its recording"):
        _mode("graph", True, models["sgd"], True)


@pytest.mark.parametrize("train", [fit, fit_mcem])
def test_data_of_another_width_are_named(train):
    with pytest.raises(VbookError, match=r"does not fit data points of shape \(9,\)"):
        train(small(), X[:, :9], epochs=1)


def test_any_module_that_diverges_is_told_the_step():
    """One without an encoder has no terms of a bound to blame."""
    with pytest.raises(Diverged, match=r"step 1: the objective is not finite \(16 of 16 data points"):
        fit(nn.Linear(12, 1), X, lambda model, x, generator: model(x)[:, 0] / 0, steps=2, batch_size=16)


def test_a_model_that_is_not_finite_is_named_before_the_first_step():
    model = small()
    model.decoder.net[0].weight.data[0, 0] = math.nan
    with pytest.raises(VbookError, match=r"NaN or infinity in decoder.net.0.weight before"):
        fit(model, X, epochs=1)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), "can't allocate memory"]
)
def test_out_of_memory_says_what_to_lower(error):
    def hungry(model, batch, generator):
        raise error if isinstance(error, Exception) else RuntimeError(f"DefaultCPUAllocator: {error}: you tried 9 bytes")

    with pytest.raises(VbookError, match=r"out of memory .*: lower batch_size \(now 16\) or the samples; the data take"):
        fit(small(), X, hungry, epochs=1, batch_size=16)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: warmup(0), "at least 1, got 0"),
        (lambda: warmup(2.5), "whole number"),
        (lambda: warmup(math.inf), "whole number"),
        (lambda: decay(0.0, 3), "above 0, got 0.0 and 3"),
        (lambda: decay(1.0, 0), "above 0, got 1.0 and 0"),
        (lambda: decay(math.inf, 2), "finite numbers above 0, got inf and 2"),
        (lambda: decay("a", None), "above 0, got 'a' and None"),
        (lambda: warmup(None), "at least 1, got None"),
    ],
)
def test_bad_schedules_are_refused(make, words):
    with pytest.raises(VbookError, match=words):
        make()


def test_compiled_steps_see_the_same_noise():
    """Relative 1e-5 over 100 steps: the noise is drawn outside the compiled part, in the order of the plain loop."""
    if not compiler():
        pytest.skip("no C++ compiler")
    bounds = {}
    for mode in ("eager", "compiled"):
        seen = bounds[mode] = []
        fit(small(), X, steps=100, batch_size=16, mode=mode, on_step=lambda step, bound, seen=seen: seen.append(bound.item()))
    assert bounds["compiled"] == pytest.approx(bounds["eager"], rel=1e-5)


def test_without_a_compiler_the_message_says_so(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/c++")
    assert not compiler()
    nowhere = torch._inductor.config.patch({"cpp.cxx": (None, "/nowhere/c++")})
    with nowhere, pytest.raises(VbookError, match=r"mode 'compiled' needs a C\+\+ compiler, and none is found here"):
        fit(small(), X, partial(annealed, beta=0.5), steps=1, mode="compiled")
