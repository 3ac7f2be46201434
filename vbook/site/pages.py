"""The pages that are made from data: results, coverage, errata and the state of the book, as directives that write Markdown."""

from collections import Counter

from docutils import nodes

from vbook.ledger import KINDS, Entry, Erratum, Ledger, Verdict, errata, ledger, verdicts
from vbook.ledger.verdicts import WORDS
from vbook.site import places
from vbook.site.generated import Page, table
from vbook.site.results_page import Results

HEADINGS = {
    "section": "Sections",
    "definition": "Definitions",
    "identity": "Identities",
    "estimator": "Estimators",
    "algorithm": "Algorithms",
    "claim": "Claims in words",
    "figure": "Figures",
}


def setup_pages(app) -> None:
    """Register the directives and the ids that coverage and errata link to; called by ``vbook.site.setup``."""
    app.add_directive("vbook-state", State)
    app.add_directive("vbook-results", Results)
    app.add_directive("vbook-coverage", Coverage)
    app.add_directive("vbook-errata", Errata)
    app.connect("doctree-read", places.collect, priority=600)  # after the figures have their captions
    app.connect("env-updated", places.check)


def state(known: Ledger, judged: list[Verdict], mistakes: tuple[Erratum, ...]) -> str:
    """The state of the book in three lines."""
    covered = sum(known.closed_equations(chapter) for chapter in known.equations)
    counts = Counter(one.word for one in judged)
    said = ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
    return (
        f"- {covered} of the thesis's {sum(known.equations.values())} numbered equations are here: [coverage](coverage.md).\n"
        f"- {len(judged)} reported numbers have been looked up so far: {said}. [Results](results.md) has each of them.\n"
        f"- {len(mistakes)} mistake{'s have' if len(mistakes) != 1 else ' has'} been found in the thesis on the way: "
        "[errata](errata.md)."
    )


def coverage_table(known: Ledger) -> str:
    """Numbered equations covered, chapter by chapter."""
    rows = [[chapter, str(known.closed_equations(chapter)), str(count)] for chapter, count in known.equations.items()]
    rows.append(["**all**", *(f"**{sum(int(row[k]) for row in rows)}**" for k in (1, 2))])
    return table(["chapter of the thesis", "equations in the book", "equations in the thesis"], rows)


def entries_tables(known: Ledger) -> str:
    """Every closed entry with its place, its code and its test, folded kind by kind."""
    parts = []
    for kind in KINDS:
        rows = [entry for entry in known.entries if entry.kind == kind and entry.status == "closed"]
        if rows:
            body = table(["where", "what", "code", "test"], [_entry(entry) for entry in rows])
            parts.append(f"~~~~{{vbook-details}} {HEADINGS[kind]}: {len(rows)}\n:open: false\n\n{body}\n\n~~~~")
    return "\n\n".join(parts)


def _entry(entry: Entry) -> list[str]:
    code = f"`{entry.symbol.removeprefix('vbook.')}`" if entry.symbol else "–"
    test = f"`{entry.test.rpartition('::')[2].removeprefix('test_')}`" if entry.test else "–"
    return [f"[{entry.label}](../{entry.where})", entry.title, code, test]


def erratum_text(erratum: Erratum) -> str:
    """One erratum as a list of what is printed, what is right, and why."""
    lines = [
        f"- **Printed:** {erratum.printed}",
        f"- **Correct:** {erratum.correct}",
        f"- **Why:** {erratum.why.strip()}",
        f"- **In the book:** [where it is used](../{erratum.where})",
    ]
    if erratum.check:
        test = erratum.check.rpartition("::")[2]
        lines.append(f"- **Check:** `{test}` fails for the printed form and passes for the correct one")
    return "\n".join(lines)


class State(Page):
    """``{vbook-state}``: three lines for the home page."""

    def run(self) -> list[nodes.Node]:
        """The list."""
        return self.parse(state(ledger(), verdicts(), errata()))


class Coverage(Page):
    """``{vbook-coverage}``: the counts, then every entry."""

    def run(self) -> list[nodes.Node]:
        """The tables."""
        return self.parse(f"{coverage_table(ledger())}\n\n{entries_tables(ledger())}")


class Errata(Page):
    """``{vbook-errata}``: one section for each erratum."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        sections = []
        for erratum in errata():
            place = erratum.place[0].upper() + erratum.place[1:]
            section = nodes.section("", nodes.title("", place), ids=[nodes.make_id(erratum.id)])
            section += self.parse(erratum_text(erratum))
            sections.append(section)
        return sections
