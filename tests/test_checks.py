"""A check that holds prints one line; a check that doesn't fails, also for NaN and wrong shapes."""

import math

import pytest
import torch

from vbook.checks import CheckFailed, check, check_close, check_within
from vbook.errors import VbookError


def test_checks_that_hold_print_one_line(capsys):
    check_close(torch.tensor([1.0, 2.0]), [1.0, 2.00001], rel=1e-4, what="pair")
    check_within(0.0, 0.3, 0.1, what="mean")
    check(True, "it holds")
    assert capsys.readouterr().out == ("ok: pair (within 0.01 %)\nok: mean (within 4 standard errors)\nok: it holds\n")


@pytest.mark.parametrize("actual", [1.2, math.nan, math.inf, [1.0, 1.0, 9.0]])
def test_values_too_far_apart_fail(actual):
    with pytest.raises(CheckFailed, match="slope"):
        check_close(actual, 1.0, abs=0.1, what="slope")


def test_shapes_have_to_agree():
    with pytest.raises(CheckFailed, match=r"shape \(2,\) instead of \(3,\)"):
        check_close(torch.ones(2), torch.ones(3), abs=1.0)


@pytest.mark.parametrize("actual", [0.5, math.nan])
def test_estimates_too_many_errors_away_fail(actual):
    with pytest.raises(CheckFailed, match="standard errors away"):
        check_within(actual, 0.0, 0.1)


def test_a_check_without_a_tolerance_is_refused():
    with pytest.raises(VbookError, match="tolerance"):
        check_close(1.0, 1.0)


@pytest.mark.parametrize("condition", [False, torch.tensor(False), 0])
def test_a_false_condition_fails(condition):
    with pytest.raises(CheckFailed, match="does not hold: order"):
        check(condition, "order")
