"""The fastest way of running a step: what is chosen, that choosing leaves no trace, and that a resumed run keeps to it."""

import itertools
import math
import threading
from functools import partial

import pytest
import torch
from torch import nn

from tests.training.test_options import X, flat, small
from vbook.bench.machine import compiler
from vbook.bounds import elbo
from vbook.errors import Diverged, VbookError
from vbook.models import vae
from vbook.objectives import annealed
from vbook.training import fit, fit_many, steps, trial
from vbook.training.steps import Steps


@pytest.fixture
def slow(monkeypatch):
    """A clock on which each step takes the time that its mode is given; records which modes were tried."""
    clock, cost, real = [0.0], {}, Steps.__call__

    def step(self, *args):
        clock[0] += cost.setdefault(self.mode, 1.0)
        return real(self, *args)

    monkeypatch.setattr(Steps, "__call__", step)
    monkeypatch.setattr(trial.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(steps, "compiled", lambda objective, kind: objective)  # the trial's choice is what is tested
    return cost


@pytest.mark.parametrize("choice", ["eager", "compiled"])
def test_the_fastest_mode_is_taken_and_its_trial_leaves_no_trace(slow, choice):
    slow[choice] = 0.5
    options = dict(steps=30, batch_size=16, lr=lambda step: 0.01 / step, binarize=True)
    a, b = small(), small()
    first, second = fit(a, X, mode="fastest", **options), fit(b, X, mode=choice, **options)
    assert first.mode == second.mode == choice and set(slow) == {"eager", "compiled"}
    assert torch.equal(flat(a), flat(b)) and first.rows == second.rows


def test_a_run_in_the_fastest_mode_goes_on_in_the_one_it_began_with(slow, tmp_path):
    slow["compiled"] = 0.5
    options = dict(steps=10, batch_size=16, checkpoint=tmp_path / "run", mode="fastest")
    assert fit(small(), X, budget=1e-9, **options).interrupted
    slow["eager"] = 0.1
    assert fit(small(), X, **options).mode == "compiled" and fit(small(), X, steps=10, mode="fastest").mode == "eager"
    with pytest.raises(VbookError, match="mode is compiled there and eager here"):
        fit(small(), X, **options | {"mode": "eager"})


def test_the_fastest_mode_without_a_compiler_is_eager(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/c++")
    with torch._inductor.config.patch({"cpp.cxx": (None, "/nowhere/c++")}):
        assert fit(small(), X, partial(annealed, beta=0.25), steps=1, mode="fastest").mode == "eager"


def test_what_is_wrong_with_a_run_is_said_by_the_run_and_not_by_its_trial():
    with pytest.raises(Diverged, match="step 1: "):
        fit(small(), X, lambda *args, **options: elbo(*args, **options) * math.nan, steps=3, mode="fastest")


def test_one_slow_round_decides_nothing(slow, monkeypatch):
    """The median of the rounds counts: the first of the eager ones is disturbed, and eager is the faster mode all the same."""
    slow["compiled"] = 2.0
    seconds, calls = trial._seconds, itertools.count()
    monkeypatch.setattr(trial, "_seconds", lambda *args: seconds(*args) + (100.0 if next(calls) == 2 else 0.0))
    assert fit(small(), X, steps=1, mode="fastest").mode == "eager"


@pytest.mark.parametrize("bad", range(1, 60, 8))
def test_a_trial_that_goes_wrong_ends_no_run(slow, bad):
    """Whichever step of the trial it is at."""
    calls = itertools.count()

    def objective(*args, **options):
        return elbo(*args, **options) * (math.nan if next(calls) == bad else 1.0)

    slow["compiled"] = 0.5
    assert fit(small(), X, objective, steps=3, batch_size=16, mode="fastest").mode == "eager"


def test_a_model_that_cannot_be_copied_is_trained_eagerly():
    model = small()
    model.lock = threading.Lock()
    assert fit(model, X, steps=2, mode="fastest").mode == "eager"


def test_an_objective_that_draws_from_the_generator_itself_is_trained_eagerly():
    def objective(model, x, generator):
        return elbo(model, x, generator=generator) + 0 * torch.randn(len(x), generator=generator)

    assert fit(small(), X, objective, steps=2, mode="fastest").mode == "eager"
    with pytest.raises(VbookError, match=r"mode 'compiled' is for objectives that draw through vbook\.noise"):
        fit(small(), X, objective, steps=2, mode="compiled")


def test_the_trial_leaves_the_global_random_numbers_alone(slow):
    weights = {}
    for mode in ("fastest", "eager"):
        model = small()
        model.encoder = nn.Sequential(nn.Dropout(0.5), model.encoder)
        torch.manual_seed(3)
        fit(model, X, steps=5, mode=mode)
        weights[mode] = flat(model)
    assert torch.equal(weights["fastest"], weights["eager"])


def test_a_checkpoint_of_many_is_refused_in_words(tmp_path):
    fit_many([small(), small(2)], X, steps=2, together=True, checkpoint=tmp_path / "many")
    with pytest.raises(VbookError, match="a checkpoint of another run"):
        fit(small(), X, steps=2, checkpoint=tmp_path / "many", mode="fastest")


def test_ctrl_c_in_the_trial_ends_the_run(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "_seconds", interrupted)
    history = fit(small(), X, steps=2, mode="fastest")
    assert history.interrupted and history.steps == 0


def test_the_trial_counts_in_the_time_of_the_run(slow):
    history = fit(small(), X, steps=4, mode="fastest", budget=10_000.0)
    assert history.seconds == 2 * 10 * (1 + trial.ROUNDS) + 4
    assert fit(small(), X, steps=4, mode="fastest", budget=121.5).steps == 2


@pytest.mark.skipif(not compiler(), reason="no C++ compiler")
def test_networks_of_many_sizes_are_each_compiled():
    """PyTorch compiles one piece of code for so many shapes and then runs it eagerly without a word."""
    torch._dynamo.reset()
    limit = "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"  # PyTorch 2.6's name
    with torch._dynamo.config.patch({limit: 1}):
        for width in (5, 7):
            torch._dynamo.utils.counters.clear()
            fit(vae(12, 2, hidden=(width,)), X[:32], steps=2, batch_size=16, mode="compiled")
            assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.skipif(not compiler(), reason="no C++ compiler")
def test_a_compiled_run_goes_on_bit_for_bit(tmp_path):
    whole, parts = small(), small()
    fit(whole, X, steps=9, batch_size=16, mode="compiled")
    options, sittings = dict(steps=9, batch_size=16, mode="compiled", checkpoint=tmp_path / "run"), 0
    while fit(parts := small(), X, budget=1e-9, **options).interrupted:
        sittings += 1
        steps.compiled.cache_clear()  # as in a process of its own
    assert sittings == 8 and torch.equal(flat(whole), flat(parts))
