"""What the pages that are made from data share: Markdown tables, and a directive that is read again at every build."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; bars inside cells are escaped.

    >>> print(table(["a", "b"], [["1", "p(x|z)"]]))
    | a | b |
    |---|---|
    | 1 | p(x\\|z) |
    """
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("|" + "|".join(cell if cell == "---" else f" {cell} " for cell in line) + "|" for line in lines)


class Page(SphinxDirective):
    """A directive that writes Markdown from data; its page is read again at every build."""

    def parse(self, text: str) -> list[nodes.Node]:
        """The Markdown as nodes."""
        self.env.note_reread()
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.env.docname), self.content_offset, holder)
        for found in holder.findall(nodes.table):
            found["classes"].append("vbook-listing")
        return holder.children
