"""The fastest way of running a step: what is chosen, that choosing leaves no trace, and that a resumed run keeps to it."""

import math
from functools import partial

import pytest
import torch

from tests.training.test_options import X, flat, small
from vbook.bounds import elbo
from vbook.errors import Diverged, VbookError
from vbook.objectives import annealed
from vbook.training import fit, steps, trial
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
    monkeypatch.setattr(steps, "compiled", lambda objective: objective)  # the trial's choice is what is tested
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
