"""How tall a section will be, so that a browser can leave it out until the reader comes near and the page keeps its length."""

import math
from dataclasses import dataclass

from docutils import nodes

from vbook.site.directive import vbook_aside, vbook_details
from vbook.site.figures import vbook_picture

EQUATION, FOLDED, TITLE, WIDGET = 71, 64, 80, 750  # pixels


@dataclass(frozen=True)
class Screen:
    """What things take on a screen, in pixels, fitted to the pages of the book."""

    character: float  # of running text: its part of a line's height
    code: float  # a line of code
    columns: int  # characters of a table that stand side by side
    picture: float  # a picture's part of its full size


WIDE, NARROW = Screen(0.45, 22, 95, 1.0), Screen(0.72, 20, 44, 0.6)


def height(node: nodes.Node, screen: Screen = WIDE) -> float:
    """About how many pixels ``node`` takes on a ``screen``.

    >>> height(nodes.paragraph("", "x" * 1000)), height(nodes.literal_block("", "a\\nb"))
    (470.0, 84)
    """
    if isinstance(node, nodes.math_block):
        return EQUATION
    if isinstance(node, nodes.literal_block):
        return screen.code * len(node.astext().splitlines()) + 40
    if isinstance(node, vbook_picture):
        return (node["size"][1] or 300) * screen.picture
    if isinstance(node, nodes.raw):
        return WIDGET if "data-vbook-widget" in node.astext() else 0
    if isinstance(node, vbook_aside):
        return 0 if screen is WIDE else screen.character * len(node.astext()) + 40  # in the margin, or in the text
    if isinstance(node, nodes.row):
        return 16 + 22 * math.ceil(_characters(node) / screen.columns)
    if isinstance(node, vbook_details) and not node.get("open"):
        return FOLDED
    if isinstance(node, nodes.title):
        return TITLE
    if isinstance(node, nodes.TextElement):
        return screen.character * _characters(node) + 20
    return sum(height(part, screen) for part in node.children)


def _characters(node: nodes.Node) -> int:
    return len(node.astext()) + sum(len(formula.get("tex", "")) for formula in node.findall(nodes.math))


def visit_section(translator, node) -> None:
    """Open a section; one inside another says how tall it is."""
    translator.section_level += 1
    heights = f"--wide:{height(node):.0f}px;--narrow:{height(node, NARROW):.0f}px"
    style = {"style": heights} if translator.section_level > 1 else {}
    translator.body.append(translator.starttag(node, "section", **style))


def depart_section(translator, node) -> None:
    """Close it."""
    translator.section_level -= 1
    translator.body.append("</section>\n")
