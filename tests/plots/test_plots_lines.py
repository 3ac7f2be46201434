"""Curves: bands at the stated width, told apart without colour, names that don't collide."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from vbook.errors import VbookError
from vbook.plots import curves, figure
from vbook.plots.lines import spread

X = np.arange(1.0, 11.0)


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=6), st.floats(0.1, 50))
def test_spread_keeps_distance_and_order(positions, gap):
    placed = spread(positions, gap)
    order = sorted(range(len(positions)), key=positions.__getitem__)
    assert all(placed[b] - placed[a] >= gap - 1e-6 for a, b in pairwise(order))
    assert sum(placed) == pytest.approx(sum(positions), abs=1e-6)


def test_spread_leaves_alone_what_is_far_apart():
    assert spread([50.0, 0.0], 10) == [50.0, 0.0]


def test_band_is_k_standard_errors_wide():
    _fig, ax = figure()
    curves(ax, {"bound": (X, 0 * X, np.full(10, 0.5))}, k=3)
    low, high = ax.collections[0].get_paths()[0].get_extents().intervaly
    assert (low, high) == pytest.approx((-1.5, 1.5))


def test_curves_differ_without_colour():
    _fig, ax = figure()
    curves(ax, {name: (X, X + i) for i, name in enumerate("abcde")})
    looks = {(line.get_marker(), str(line._unscaled_dash_pattern)) for line in ax.lines}
    assert len({marker for marker, _ in looks}) == len({dash for _, dash in looks}) == 5


def test_names_of_close_curves_do_not_overlap():
    fig, ax = figure()
    curves(ax, {name: (X, X / 1000 + i / 1e4) for i, name in enumerate(("first", "second", "third"))} | {"far": (X, -X)})
    fig.draw_without_rendering()
    boxes = [Text.get_window_extent(t) for t in ax.texts]  # without the line that leads to it
    assert [t.get_text() for t in ax.texts] == ["first", "second", "third", "far"]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert all(0 <= b.x0 and b.x1 <= fig.bbox.width for b in boxes)
    assert boxes[0].y0 < boxes[1].y0 < boxes[2].y0


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"a": (X, X[:3])}, "one length above 0"),
        ({"a": ([], [])}, "one length above 0"),
        ({"a": (X, X, X[:2])}, "one length above 0"),
        ({str(i): (X, X) for i in range(6)}, "at most 5"),
    ],
)
def test_wrong_series_are_refused(series, message):
    _fig, ax = figure()
    with pytest.raises(VbookError, match=message):
        curves(ax, series)
