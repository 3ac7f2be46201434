"""The look of every figure: one palette, one set of fonts and sizes, no global state.

Colours follow Okabe and Ito (told apart with any kind of colour vision). In drawings each keeps one meaning: blue is the
encoder (phi, q), vermillion the generative model (theta, p), purple what is random, green the gradient.
"""

from contextlib import contextmanager

from ..errors import VbookError

PALETTE = {
    "ink": "#1b1f24",
    "grey": "#56606b",
    "light": "#dfe4e9",
    "paper": "#ffffff",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
}
# Orange and sky are for areas only: as lines they have too little contrast on white (2.2 : 1).
LINES = ("blue", "vermillion", "green", "purple", "ink")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))

# 12 points on a page 6.4 inches wide are still 9 pixels high where a phone shows the figure 360 pixels wide.
TEXT, SMALL = 12, 11
FONT, MATH_FONT = "DejaVu Sans", "cm"

_RC = {
    "font.family": FONT,
    "mathtext.fontset": MATH_FONT,
    "font.size": TEXT,
    "text.color": PALETTE["ink"],
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": PALETTE["grey"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.labelsize": TEXT + 1,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": TEXT,
    "axes.axisbelow": True,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    # Text as outlines: the drawing looks the same on every machine; a fixed salt gives the same ids on every run.
    "svg.fonttype": "path",
    "svg.hashsalt": "vbook",
}


@contextmanager
def context():
    """Matplotlib's settings of the book, for the length of a ``with`` block; the reader's own come back after it."""
    from matplotlib import style

    with style.context(_RC, after_reset=True):
        yield


def mix(color: str, toward: str, amount: float) -> str:
    """The colour ``amount`` of the way from one colour to another, as ``#rrggbb``; palette names or hex codes.

    >>> mix("#000000", "paper", 0.5)
    '#808080'
    """
    a, b = (rgb(c) for c in (color, toward))
    return "#" + "".join(f"{round(255 * ((1 - amount) * u + amount * v)):02x}" for u, v in zip(a, b, strict=True))


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue in [0, 1] of a palette name or a hex code.

    >>> rgb("paper")
    (1.0, 1.0, 1.0)
    """
    code = PALETTE.get(color, color).lstrip("#")
    return tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))


def figure(width: float = 6.4, height: float = 3.6, nrows: int = 1, ncols: int = 1, **subplots):
    """A figure in the book's style and its axes: ``(fig, ax)``, or an array of axes when there are several.

    ``width`` and ``height`` are in inches (100 pixels of the page each); further arguments go to ``Figure.subplots``.
    The figure is not known to pyplot, so that a notebook doesn't draw it a second time. Raises VbookError for sizes <= 0.

    >>> fig, axes = figure(ncols=2)
    >>> axes.shape
    (2,)
    """
    if min(width, height, nrows, ncols) <= 0:
        raise VbookError(f"a figure needs sizes above 0, not {width} x {height} inches with {nrows} x {ncols} axes")
    import numpy as np
    from matplotlib.figure import Figure

    with context():
        fig = Figure(figsize=(width, height), layout="constrained")
        axes = fig.subplots(nrows, ncols, **subplots)
        for ax in np.ravel(axes):
            _dress(ax)
    return fig, axes


def _dress(ax) -> None:
    """Fix on the axes what matplotlib would otherwise look up later, when our settings are gone."""
    from cycler import cycler

    ax.set_prop_cycle(
        cycler(color=[PALETTE[c] for c in LINES]) + cycler(linestyle=list(DASHES)) + cycler(linewidth=[1.8] * len(LINES))
    )
    ax.tick_params(which="both", labelsize=SMALL, width=0.8, color=PALETTE["grey"], labelcolor=PALETTE["ink"])
    ax.grid(True, axis="y", color=PALETTE["light"], linewidth=0.8)
