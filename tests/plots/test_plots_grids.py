"""Grids of images and of the latent plane: where each picture stands, and which way is up."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from vbook.errors import VbookError
from vbook.plots import figure, images, latent_grid, manifold, png_bytes


def ink(fig):
    """How dark each pixel of the figure is on paper, in [0, 1]."""
    picture = Image.open(io.BytesIO(png_bytes(fig))).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    return 1 - np.asarray(paper.convert("L")) / 255


def drawn(ax):
    return np.asarray(ax.images[0].get_array())


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_latent_grid_takes_equal_shares_of_the_prior(n):
    z = latent_grid(n)
    assert z.shape == (n * n, 2)
    share = torch.distributions.Normal(0.0, 1.0).cdf(z).reshape(n, n, 2)
    middle = (torch.arange(n) + 0.5) / n
    torch.testing.assert_close(share[..., 0], middle.expand(n, n), atol=1e-6, rtol=0)
    torch.testing.assert_close(share[..., 1], middle.flip(0)[:, None].expand(n, n), atol=1e-6, rtol=0)


def test_latent_grid_needs_a_point():
    with pytest.raises(VbookError, match="n >= 1"):
        latent_grid(0)


@pytest.mark.parametrize(("axis", "where"), [(1, np.s_[:200, 200:400]), (0, np.s_[200:400, 400:])])
def test_manifold_runs_to_the_right_and_upwards(axis, where):
    fig, ax = figure(4, 4)
    manifold(ax, lambda z: (z[:, axis] > 0.7).float()[:, None].expand(-1, 4), shape=(2, 2), n=8)
    dark = ink(fig)
    assert dark[where].mean() > 0.35
    opposite = dark[::-1, ::-1]
    assert opposite[where].mean() < 0.1
    low, high = (ax.get_xlim(), ax.get_ylim())[axis]
    assert low < high


def test_manifold_ticks_stand_at_their_coordinate():
    _fig, ax = figure(4, 4)
    manifold(ax, lambda z: torch.zeros(len(z), 4), shape=(2, 2), n=4)
    places = dict(zip([t.get_text() for t in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert places["0"] == pytest.approx(0.5)
    assert places["\N{MINUS SIGN}1"] == pytest.approx(0.158655, abs=1e-5)


def test_images_run_row_by_row_and_ones_are_ink():
    _fig, ax = figure()
    x = torch.tensor([[0.25], [0.5], [1.0]]).expand(3, 4)
    images(ax, x, (2, 2), ncols=2)
    alpha = drawn(ax)[..., 3]
    assert alpha[0, 0] == pytest.approx(0.25)
    assert alpha[0, -1] == pytest.approx(0.5)
    assert alpha[-1, 0] == pytest.approx(1.0)
    assert alpha[-1, -1] == 0  # no fourth image
    assert alpha[:, 2].max() == 0  # the gap between the columns


def test_photographs_keep_brightness_and_colour():
    _fig, ax = figure()
    images(ax, torch.tensor([[1.0, 0.5, 0.0]]).repeat_interleave(4, dim=1), (3, 2, 2), ncols=1, ink=False)
    assert drawn(ax)[0, 0].tolist() == [1.0, 0.5, 0.0, 1.0]
    _fig, ax = figure()
    images(ax, torch.full((1, 4), 0.75), (2, 2), ncols=1, ink=False)
    assert drawn(ax)[0, 0].tolist() == [0.75, 0.75, 0.75, 1.0]


def test_titles_stand_above_their_columns():
    fig, ax = figure()
    images(ax, torch.ones(4, 4), (2, 2), ncols=2, titles=["a", "b"])
    fig.draw_without_rendering()
    a, b = (t.get_window_extent() for t in ax.texts)
    grid = ax.get_window_extent()
    assert a.x1 < grid.x0 + grid.width / 2 < b.x0
    assert a.y0 >= grid.y1 - 1


@pytest.mark.parametrize(
    ("x", "shape", "message"),
    [
        (torch.zeros(3, 5), (2, 2), r"need values \(B, 4\)"),
        (torch.zeros(4), (2, 2), r"need values \(B, 4\)"),
        (torch.zeros(3, 8), (2, 2, 2), "images of shape"),
        (torch.full((1, 4), 1.5), (2, 2), r"in \[0, 1\]"),
        (torch.full((1, 4), float("nan")), (2, 2), r"in \[0, 1\]"),
    ],
)
def test_wrong_images_are_refused(x, shape, message):
    _fig, ax = figure()
    with pytest.raises(VbookError, match=message):
        images(ax, x, shape)
