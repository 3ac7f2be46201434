"""What sources report beside what we measured: a line for each number, rings for theirs and dots for ours."""

import math

from .output import CSS_DPI, png_bytes
from .style import PALETTE, figure


def draw_verdicts(judged) -> tuple[bytes, tuple[int, int]]:
    """The picture of ``Verdict``s in one unit, all with a record, as PNG bytes, and its width and height in pixels of a page.

    Bars are two standard errors of ours, and of theirs two spreads with the target's tolerance, as in the verdict.
    """
    fig, ax = figure(6.4, 0.9 + 0.42 * len(judged))
    for row, one in enumerate(judged):
        target, entry = one.target, one.record.metrics[one.metric]
        reach = math.hypot(2 * target.get("spread", 0.0), target.get("tolerance", 0.0))
        theirs = dict(fmt="o", color=PALETTE["ink"], markerfacecolor="none", markersize=9, capsize=3)
        ax.errorbar(target["value"], row, xerr=reach or None, label="reported" if not row else None, **theirs)
        error = 2 * (entry.get("standard_error") or 0.0)
        ours = dict(fmt="o", color=PALETTE["blue"], markersize=5, capsize=3)
        ax.errorbar(entry["mean"], row, xerr=error or None, label="ours" if not row else None, **ours)
    ax.set_yticks(range(len(judged)), [_label(one.target) for one in judged])
    ax.set_ylim(len(judged) - 0.4, -0.6)
    ax.set_xlabel(judged[0].target["unit"])
    ax.legend(frameon=False, fontsize=10, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    width, height = fig.get_size_inches() * CSS_DPI
    return png_bytes(fig), (round(width), round(height))


def _label(target: dict) -> str:
    if "table" in target:
        return f"{target['row_title']}, {target['column_title']}"
    return target["id"].partition("/")[2].replace("/", ", ").replace("-", " ")
