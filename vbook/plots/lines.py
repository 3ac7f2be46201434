"""Curves with their names at their ends and bands for their uncertainty."""

from ..errors import VbookError
from .style import DASHES, LINES, PALETTE, SMALL, mix

_MARKERS = ("o", "s", "^", "D", "v")


def curves(ax, series: dict, k: float = 2.0) -> None:
    """Draw named curves: ``{name: (x, y)}`` or ``{name: (x, y, se)}``, each name at the right end of its line.

    ``se`` is the standard error of y; the band is y ± ``k`` standard errors. Curves differ by colour, by dash and, with at
    most 25 points, by marker. Set logarithmic axes before the call: the names are kept apart where they would overlap.
    Raises VbookError for unequal lengths, empty curves and more than five of them.
    """
    import numpy as np

    if len(series) > len(LINES):
        raise VbookError(f"{len(series)} curves in one figure can't be told apart; at most {len(LINES)}")
    ends = []
    for (name, values), color, dash, marker in zip(series.items(), LINES, DASHES, _MARKERS, strict=False):
        x, y, *se = (np.asarray(v, dtype=float) for v in values)
        if not 0 < len(x) == len(y) or any(len(s) != len(x) for s in se):
            raise VbookError(f"curve {name!r}: x, y and se need one length above 0, not {[len(v) for v in values]}")
        color = PALETTE[color]
        ax.plot(x, y, color=color, linestyle=dash, linewidth=1.8, marker=marker if len(x) <= 25 else None, markersize=4.5)
        if se:
            ax.fill_between(x, y - k * se[0], y + k * se[0], color=color, alpha=0.18, linewidth=0)
        ends.append((name, (x[-1], y[-1]), color))
    _label(ax, ends)


def _label(ax, ends) -> None:
    """Write each name beside its line's end, moved up or down by whole text heights where names would collide."""
    from matplotlib.transforms import Bbox

    box = Bbox(ax.get_position())
    height = box.height * ax.figure.get_figheight() * 72
    low, high = ax.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    at = [(ax.transData.transform(end)[1] - low) / (high - low) * height for _, end, _ in ends]
    for (name, end, color), old, new in zip(ends, at, spread(at, 1.25 * SMALL), strict=True):
        ax.annotate(
            name,
            end,
            xytext=(10, new - old),
            textcoords="offset points",
            va="center",
            color=mix(color, "ink", 0.35),
            fontsize=SMALL,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5)},
        )


def spread(positions: list[float], gap: float) -> list[float]:
    """Positions in the given order, moved as little as needed so that any two are at least ``gap`` apart.

    >>> spread([0.0, 1.0, 30.0], 10)
    [-4.5, 5.5, 30.0]
    """
    groups = []  # [mean position, indices from low to high]; a group's members stand one gap apart around its mean
    for i in sorted(range(len(positions)), key=positions.__getitem__):
        groups.append([positions[i], [i]])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (len(groups[-1][1]) + len(groups[-2][1])) / 2:
            members = groups[-2][1] + groups[-1][1]
            groups[-2:] = [[sum(positions[j] for j in members) / len(members), members]]
    placed = {i: mean + gap * (rank - (len(m) - 1) / 2) for mean, m in groups for rank, i in enumerate(m)}
    return [placed[i] for i in range(len(positions))]
