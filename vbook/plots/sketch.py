"""Parts of schematic drawings: a sheet of 640 pixels, nodes whose shape tells their kind, arrows, words.

Lengths are pixels of the page, with y downwards. Text has at least 13 points: 9 pixels where a phone shows the sheet.
"""

from .style import PALETTE, context, mix

WIDTH = 640
TEXT, SMALL, MATH = 14, 13, 17


def sheet(height: float):
    """An empty drawing of 640 x ``height`` pixels: ``(fig, ax)``."""
    from matplotlib.figure import Figure

    with context():
        fig = Figure(figsize=(WIDTH / 100, height / 100))
        ax = fig.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, WIDTH), ylim=(height, 0))
        ax.set_axis_off()
    return fig, ax


def words(ax, at, text: str, size: float = TEXT, color: str = "ink", **style):
    """Text centred on a point (or as ``ha`` and ``va`` say)."""
    look = {"ha": "center", "va": "center_baseline" if "\n" not in text else "center"} | style
    return ax.text(*at, text, fontsize=size, color=PALETTE.get(color, color), **look)


def node(ax, at, text: str, kind: str = "given", color: str = "ink", size=(56, 56), fontsize: float = MATH):
    """A node: ``given`` (box), ``computed`` (diamond) or ``random`` (circle with two rings)."""
    from matplotlib.patches import Circle, FancyBboxPatch, Polygon

    (x, y), (width, height) = at, size
    look = {"facecolor": mix(color, "paper", 0.88), "edgecolor": PALETTE[color], "linewidth": 1.6, "zorder": 3}
    if kind == "random":
        ax.add_patch(Circle(at, width / 2, **look))
        ax.add_patch(Circle(at, width / 2 - 4, fill=False, edgecolor=PALETTE[color], linewidth=0.9, zorder=3))
    elif kind == "computed":
        corners = [(x - width / 2, y), (x, y - height / 2), (x + width / 2, y), (x, y + height / 2)]
        ax.add_patch(Polygon(corners, closed=True, joinstyle="round", **look))
    else:
        radius = min(9, height / 4)
        box = f"round,pad=0,rounding_size={radius}"
        ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=box, **look))
    words(ax, at, text, size=fontsize, zorder=4)


def network(ax, at, text: str, color: str, size=(136, 112)):
    """A neural network: a trapezium, its narrow end on the right, where the latent variables are."""
    from matplotlib.patches import Polygon

    (x, y), (width, height) = at, size
    left, right = height / 2, height * 0.3
    corners = [(x - width / 2, y - left), (x + width / 2, y - right), (x + width / 2, y + right), (x - width / 2, y + left)]
    look = {"facecolor": mix(color, "paper", 0.82), "edgecolor": PALETTE[color], "linewidth": 1.6, "joinstyle": "round"}
    ax.add_patch(Polygon(corners, closed=True, zorder=3, **look))
    words(ax, at, text, size=SMALL, zorder=4, linespacing=1.35)


def arrow(ax, *path, color: str = "grey", bend: float = 0.0, width: float = 1.5, dashed: bool = False, head: bool = True):
    """An arrow along straight pieces, or from the first point to the second along an arc when ``bend`` is not 0."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    look = {"color": PALETTE[color], "linewidth": width, "linestyle": (0, (4, 2.2)) if dashed else "-", "zorder": 2}
    look |= {"arrowstyle": "-|>" if head else "-", "mutation_scale": 11 + 2.5 * width, "shrinkA": 0, "shrinkB": 0}
    look |= {"capstyle": "butt", "joinstyle": "miter"}
    if bend:
        ax.add_patch(FancyArrowPatch(*path, connectionstyle=f"arc3,rad={bend}", **look))
    else:
        ax.add_patch(FancyArrowPatch(path=Path(path), **look))
