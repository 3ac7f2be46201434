"""The look: enough contrast in both modes, nothing global touched, nothing heavy imported."""

import subprocess
import sys

import pytest

from vbook.errors import VbookError
from vbook.plots import LINES, PALETTE, context, figure, mix
from vbook.plots.style import DASHES, rgb

GROUNDS = {"white": "#ffffff", "dark": "#121212", "dark card": "#14181e"}


def inverted(color):
    """The colour after the page's dark-mode filter: invert(1) hue-rotate(180deg), as the CSS specification defines them."""
    r, g, b = (1 - c for c in rgb(color))
    turned = (-0.574 * r + 1.43 * g + 0.144 * b, 0.426 * r + 0.43 * g + 0.144 * b, 0.426 * r + 1.43 * g - 0.856 * b)
    return "#" + "".join(f"{round(255 * min(max(c, 0), 1)):02x}" for c in turned)


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_measure_knows_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", LINES)
def test_lines_stand_out(name, ground):
    color = PALETTE[name] if ground == "white" else inverted(name)
    assert contrast(color, GROUNDS[ground]) >= 3


@pytest.mark.parametrize("ground", GROUNDS)
def test_words_can_be_read(ground):
    def least(color):
        return contrast(color if ground == "white" else inverted(color), GROUNDS[ground])

    assert least(PALETTE["ink"]) >= 7
    assert min(least(mix(name, "ink", 0.35)) for name in LINES) >= 4.5  # names at the ends of curves
    assert least(PALETTE["grey"]) >= 4.5


def test_every_line_has_a_dash_of_its_own():
    assert len(set(DASHES)) == len(set(LINES)) == len(LINES)


def test_nothing_global_changes():
    import matplotlib

    before = dict(matplotlib.rcParams)
    _fig, ax = figure()
    ax.plot([0, 1], [0, 1])
    with pytest.raises(ZeroDivisionError), context():
        assert matplotlib.rcParams["svg.hashsalt"] == "vbook"
        _ = 1 / 0
    assert dict(matplotlib.rcParams) == before


def test_the_readers_own_style_stays_out_of_ours():
    from matplotlib import style

    from vbook.plots import png_bytes

    def draw():
        fig, ax = figure()
        ax.plot([0, 1], [0, 1])
        ax.set(xlabel="epoch", ylabel="ELBO (nats)")
        return png_bytes(fig)

    plain = draw()
    theirs = {"xtick.direction": "in", "ytick.major.size": 20, "axes.spines.left": False, "font.family": "serif"}
    with style.context(["dark_background", theirs]):
        assert draw() == plain


def test_pyplot_knows_no_figure():
    import matplotlib.pyplot as plt

    figure()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("sizes", [{"width": 0}, {"height": -1}, {"ncols": 0}])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(VbookError, match="sizes above 0"):
        figure(**sizes)


def test_import_is_light():
    code = (
        "import sys, vbook.plots as p; assert 'show' in dir(p); print([m for m in sys.modules if m in ('matplotlib', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_an_attribute_error():
    import vbook.plots

    with pytest.raises(AttributeError, match="draw_mpas"):
        _ = vbook.plots.draw_mpas
    assert all(getattr(vbook.plots, name) is not None for name in vbook.plots.__all__)
