"""What the pages that are made from data share: Markdown tables, and directives that say when their page is read again."""

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

DATA = "data.digest"


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
    """A directive that writes Markdown; its page is read again at every build."""

    def follow(self) -> None:
        """Say when the page is read again."""
        self.env.note_reread()

    def parse(self, text: str) -> list[nodes.Node]:
        """The Markdown as nodes."""
        self.follow()
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.env.docname), self.content_offset, holder)
        for found in holder.findall(nodes.table):
            found["classes"].append("vbook-listing")
        return holder.children


class DataPage(Page):
    """A page of targets, records, ledger, errata and what the package makes of them, and of no chapter: read when they change."""

    def follow(self) -> None:
        """The page depends on the digest that ``build_site`` keeps beside Sphinx's files; without one it is read every time."""
        kept = Path(self.env.doctreedir).with_name(DATA)
        if kept.is_file():
            self.env.note_dependency(str(kept))
        else:
            super().follow()
