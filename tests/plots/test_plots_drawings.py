"""The schematic drawings: every word large enough, inside the sheet and free of the others; the computed parts right."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.text import Text

from vbook.plots import draw_families, draw_flow, draw_maps, draw_reparameterization, svg_text
from vbook.plots.maps import NOISE, decode, posterior

DRAWINGS = [draw_maps, draw_flow, draw_reparameterization, draw_families]
SYMBOLS = {
    draw_families: [r"q_\phi(\mathbf{z}|\mathbf{x})", r"f_\theta(\mathbf{z})", r"G(\mathbf{z})", "f^{-1}"],
    draw_maps: [r"p_\theta(\mathbf{z})", r"p_\theta(\mathbf{x}|\mathbf{z})", r"q_\phi(\mathbf{z}|\mathbf{x})"],
    draw_flow: [r"\log\,p_\theta(\mathbf{x}|\mathbf{z})", r"\log\,p_\theta(\mathbf{z})", r"\log\,q_\phi(\mathbf{z}|\mathbf{x})"],
    draw_reparameterization: [
        r"\sim q_\phi(\mathbf{z}|\mathbf{x})",
        r"=g(\boldsymbol{\epsilon},\phi,\mathbf{x})",
        r"\nabla_{\!\phi} f",
    ],
}


def texts(fig):
    return [t for t in fig.findobj(Text) if t.get_text().strip() and t.get_visible() and t.axes and t in t.axes.texts]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_words_are_large_inside_and_apart(draw):
    fig = draw()
    svg_text(fig)
    words = texts(fig)
    boxes = [t.get_window_extent() for t in words]
    assert min(t.get_fontsize() for t in words) >= 13
    assert all(0 <= b.x0 and b.x1 <= fig.bbox.width and 0 <= b.y0 and b.y1 <= fig.bbox.height for b in boxes)
    hits = [
        (words[i].get_text(), words[j].get_text()) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])
    ]
    assert hits == []


@pytest.mark.parametrize("draw", DRAWINGS)
def test_symbols_are_the_thesis_ones(draw):
    words = " ".join(t.get_text() for t in texts(draw()))
    assert [s for s in SYMBOLS[draw] if s not in words] == []


@pytest.mark.parametrize("draw", DRAWINGS)
def test_svg_is_well_formed_small_and_repeatable(draw):
    text = svg_text(draw())
    root = ElementTree.fromstring(text)
    assert (root.get("width"), root.get("viewBox").split()[2]) == ("640", "460.8")
    assert len(text) < 80_000
    assert svg_text(draw()) == text


def test_posterior_agrees_with_importance_sampling():
    x = decode(np.array([[1.5, 0.0]]))
    _grid, log_p, mean, cov = posterior(x)
    z = np.random.default_rng(0).normal(size=(400_000, 2))
    w = np.exp(-0.5 * ((decode(z) - x) ** 2).sum(1) / NOISE**2)
    w /= w.sum()
    sampled = w @ z
    spread = (w[:, None] * (z - sampled)).T @ (z - sampled)
    size = 1 / (w**2).sum()  # effective number of samples
    error = 5 * np.sqrt(np.diag(cov) / size)
    assert size > 1000
    assert (np.abs(sampled - mean) < error).all()
    assert np.abs(spread - cov).max() < 0.1 * np.abs(cov).max()
    assert log_p.max() == 0
