"""Pixels: the fixed draw is what it says, and pixels that break a protocol are counted and refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vbook.data import binarize, check_pixels
from vbook.data.pixels import apply_protocol, fixed_draw, fixed_order
from vbook.errors import VbookError


@given(st.integers(1, 300))
def test_fixed_order_is_a_permutation(count):
    assert sorted(fixed_order(count)) == list(range(count))


def test_keys_give_different_orders_and_the_same_key_the_same():
    assert (fixed_order(100, 1) == fixed_order(100, 1)).all()
    assert (fixed_order(100, 1) != fixed_order(100, 2)).any()


@pytest.mark.parametrize("scale, dtype", [(255, np.uint8), (800, np.uint16)])
def test_fixed_draw_has_the_level_as_its_probability(scale, dtype):
    probabilities = np.array([0, 0.1, 0.5, 0.9, 1])
    levels = np.rint(np.tile(probabilities * scale, (40_000, 1))).astype(dtype)
    binary = fixed_draw(levels, scale, 3)
    p = levels[0] / scale
    assert set(np.unique(binary)) == {0, 1}
    assert (np.abs(binary.mean(0) - p) <= 4 * np.sqrt(p * (1 - p) / len(levels))).all()  # 0 and 1 exactly


def test_fixed_draw_does_not_depend_on_the_rows_that_follow():
    levels = np.full((2500, 8), 100, np.uint8)
    assert (fixed_draw(levels, 255, 1)[:1500] == fixed_draw(levels[:1500], 255, 1)).all()


def test_protocols():
    levels = np.array([[0, 127, 128, 255]], np.uint8)
    assert apply_protocol("real", levels, 255)[1] == 255
    assert apply_protocol("dynamic", levels, 255)[0] is levels
    binary, scale = apply_protocol("threshold", levels, 255)
    assert binary.tolist() == [[0, 0, 1, 1]] and scale == 1
    published = np.array([[0, 1]], np.uint8)
    assert apply_protocol("static", published, 1)[0] is published


def test_threshold_at_the_middle_of_even_scales_is_black():
    assert apply_protocol("threshold", np.array([[400, 401]], np.uint16), 800)[0].tolist() == [[0, 1]]


def test_binarize_is_unbiased_and_follows_its_generator():
    x = torch.rand(50, generator=torch.Generator().manual_seed(0)).expand(20_000, 50)
    draws = binarize(x, torch.Generator().manual_seed(1))
    assert check_pixels(draws, binary=True) is draws
    error = (x[0] * (1 - x[0]) / len(x)).sqrt()
    assert ((draws.mean(0) - x[0]).abs() < 4.5 * error).all()
    assert torch.equal(draws, binarize(x, torch.Generator().manual_seed(1)))
    assert not torch.equal(draws, binarize(x, torch.Generator().manual_seed(2)))
    with pytest.raises(VbookError, match=r"takes x for probabilities, but it lies in \[.*, 2"):
        binarize(255 * x)


@pytest.mark.parametrize(
    "x, options, words",
    [
        (torch.tensor([[0.0, -0.2, 1.5]]), {}, "2 of 3 pixels lie outside [0, 1], from -0.2 to 1.5"),
        (torch.tensor([[0.0, 255.0]]), {}, "divide levels by 255 first"),
        (torch.tensor([[0.0, float("nan")]]), {}, "1 of 2 pixels are NaN or infinite"),
        (torch.tensor([[0.0, float("inf")]]), {}, "1 of 2 pixels are NaN or infinite"),
        (torch.tensor([[0.0, -float("inf")]]), {}, "1 of 2 pixels are NaN or infinite"),
        (torch.tensor([[0.0, 0.5, 1.0]]), {"binary": True}, "1 of 3 pixels are neither 0 nor 1"),
        (torch.zeros(2, 3, 3), {}, "shape (N, D), one flat image a row, and N, D ≥ 1; got (2, 3, 3)"),
        (torch.zeros(0, 4), {}, "N, D ≥ 1"),
        (torch.zeros(2, 9), {"shape": (28, 28)}, "images of 28×28 have 784 pixels each, but x has 9 columns"),
        (torch.zeros(2, 9, dtype=torch.uint8), {}, "got torch.uint8"),
        (np.zeros((2, 9)), {}, "must be a tensor of floating-point numbers"),
    ],
)
def test_bad_pixels_are_counted_and_refused(x, options, words):
    with pytest.raises(VbookError) as error:
        check_pixels(x, **options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_good_pixels_pass():
    x = torch.tensor([[0.0, 1.0]])
    assert check_pixels(x, binary=True, shape=(1, 2)) is x
