"""Blocks that fold and notes in the margin: the directives that ``vbook.site.details`` writes, and the code cells that
``transform`` marks."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class vbook_details(nodes.General, nodes.Element):
    """A block that folds; attribute ``open``."""


class vbook_summary(nodes.Part, nodes.TextElement):
    """The line of a folded block that always shows."""


class vbook_aside(nodes.General, nodes.Element):
    """A note beside the text."""


class Details(SphinxDirective):
    """``{vbook-details} Summary`` with any content."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"open": directives.unchanged}  # noqa: RUF012 (docutils reads it from the class)

    def run(self) -> list[nodes.Node]:
        """The block as a node, its summary and content parsed as Markdown."""
        inline, messages = self.state.inline_text(self.arguments[0], self.lineno)
        block = vbook_details("", vbook_summary("", "", *inline), open=self.options.get("open") == "true")
        block += messages
        self.state.nested_parse(self.content, self.content_offset, block)
        return [block]


class Aside(SphinxDirective):
    """``{vbook-aside}`` with any content."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The note, its content parsed as Markdown."""
        note = vbook_aside()
        self.state.nested_parse(self.content, self.content_offset, note)
        return [note]


def visit_aside(translator, node) -> None:
    """Open the note."""
    translator.body.append('<div class="vbook-aside margin" role="note">')


def depart_aside(translator, node) -> None:
    """Close the note."""
    translator.body.append("</div>\n")


def collect(app, doctree) -> None:
    """Fold the code cells that are marked so: all of a solution, only the source of parameters and setup."""
    for cell in list(doctree.findall(nodes.container)):
        fold = cell.get("cell_metadata", {}).get("vbook_fold") if cell.get("nb_element") == "cell_code" else None
        if fold:
            inside, rest = (cell.children, []) if fold["whole"] else (cell.children[:1], cell.children[1:])
            block = vbook_details("", vbook_summary("", fold["title"]), *inside, open=False)
            cell.children = []
            cell += [block, *rest]


def visit_details(translator, node) -> None:
    """Open the block."""
    solution = " vbook-solution" if node[0].astext().lower().startswith("solution") else ""
    place = f' id="{node["ids"][0]}"' if node["ids"] else ""
    translator.body.append(f'<details class="vbook-details{solution}"{place}{" open" if node["open"] else ""}>')


def depart_details(translator, node) -> None:
    """Close the block and the box of its content."""
    translator.body.append("</div></details>\n")


def visit_summary(translator, node) -> None:
    """Open the summary."""
    translator.body.append("<summary><span>")


def depart_summary(translator, node) -> None:
    """Close the summary and open the box of the content."""
    translator.body.append('</span></summary><div class="vbook-details-body">')
