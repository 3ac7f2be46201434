"""How tall a section will be, so that a browser can leave it out until the reader comes near and the page keeps its length."""

from docutils import nodes

from vbook.site.directive import vbook_aside, vbook_details
from vbook.site.figures import vbook_picture

# Pixels on a wide screen, fitted to the pages of chapters 2 and 12
CHARACTER, LINE, EQUATION, FOLDED, ROW, WIDGET = 0.45, 22, 71, 64, 38, 750


def height(node: nodes.Node) -> float:
    """About how many pixels of a wide screen ``node`` takes; a phone takes a tenth more.

    >>> height(nodes.paragraph("", "x" * 1000)), height(nodes.literal_block("", "a\\nb"))
    (470.0, 84)
    """
    if isinstance(node, nodes.math_block):
        return EQUATION
    if isinstance(node, nodes.literal_block):
        return LINE * len(node.astext().splitlines()) + 40
    if isinstance(node, vbook_picture):
        return node["size"][1] or 300
    if isinstance(node, nodes.raw):
        return WIDGET if "data-vbook-widget" in node.astext() else 0
    if isinstance(node, vbook_aside):
        return 0  # in the margin
    if isinstance(node, nodes.table):
        return ROW * len(list(node.findall(nodes.row)))
    if isinstance(node, vbook_details) and not node.get("open"):
        return FOLDED
    if isinstance(node, nodes.TextElement):
        formulas = sum(len(formula.get("tex", "")) for formula in node.findall(nodes.math))
        return CHARACTER * (len(node.astext()) + formulas) + 20
    return sum(height(part) for part in node.children)


def visit_section(translator, node) -> None:
    """Open a section; one inside another says how tall it is."""
    translator.section_level += 1
    style = {"style": f"contain-intrinsic-block-size:auto {height(node):.0f}px"} if translator.section_level > 1 else {}
    translator.body.append(translator.starttag(node, "section", **style))


def depart_section(translator, node) -> None:
    """Close it."""
    translator.section_level -= 1
    translator.body.append("</section>\n")
