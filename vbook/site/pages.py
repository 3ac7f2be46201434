"""The pages that are made from data, as directives that write Markdown: here coverage and the state of the book."""

from collections import Counter
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives

from vbook.errors import VbookError
from vbook.ledger import KINDS, Entry, Erratum, Ledger, Verdict, errata, ledger, verdicts
from vbook.ledger.entries import is_numbered
from vbook.ledger.verdicts import WORDS
from vbook.results.target import SOURCES, place_of
from vbook.site import places
from vbook.site.citations import References
from vbook.site.code_page import Code
from vbook.site.errata_page import Errata
from vbook.site.generated import DataPage, table
from vbook.site.results_page import Results
from vbook.site.theme import home, published
from vbook.site.widgets import prose_form

HEADINGS = {
    "section": "Sections",
    "definition": "Definitions",
    "identity": "Identities",
    "estimator": "Estimators",
    "algorithm": "Algorithms",
    "claim": "Claims in words",
    "figure": "Figures",
    "table": "Tables",
    "question": "Questions",
}


def setup_pages(app) -> None:
    """Register the directives and the ids that coverage and errata link to; called by ``vbook.site.setup``."""
    app.add_directive("vbook-state", State)
    app.add_directive("vbook-widget", Alive)
    app.add_directive("vbook-results", Results)
    app.add_directive("vbook-coverage", Coverage)
    app.add_directive("vbook-errata", Errata)
    app.add_directive("vbook-references", References)
    app.add_directive("vbook-code", Code)
    app.add_directive("vbook-editions", Editions)
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
        f"- {len(mistakes)} mistake{'s have' if len(mistakes) != 1 else ' has'} been found in the sources on the way: "
        "[errata](errata.md)."
    )


def coverage_table(known: Ledger) -> str:
    """What is covered of each chapter of the thesis and of each other source: its numbered equations, and everything."""
    rows, total = [], Counter()
    for name, entries in parts(known).items():
        chapter = name.rpartition(" ")[2] if name.startswith("The thesis") else ""
        closed = sum(entry.status == "closed" for entry in entries)
        total += Counter(closed=closed, entries=len(entries), equations=known.closed_equations(chapter) if chapter else 0)
        count = known.equations.get(chapter)
        rows.append([name, f"{known.closed_equations(chapter)} of {count}" if count else "–", f"{closed} of {len(entries)}"])
    count = sum(known.equations.values())
    rows.append(["**all**", f"**{total['equations']} of {count}**", f"**{total['closed']} of {total['entries']:,}**"])
    return table(["source", "numbered equations", "everything"], rows)


def parts(known: Ledger) -> dict[str, list[Entry]]:
    """The entries by chapter of the thesis, those that belong to none of them, then by source."""
    found: dict[str, list[Entry]] = {f"The thesis, chapter {chapter}": [] for chapter in sorted({*known.equations, "8"})}
    found |= {"The thesis as a whole": []} | {title: [] for source, title in SOURCES.items() if source != "thesis"}
    for entry in known.entries:
        source = entry.id.partition("/")[0]
        name = f"The thesis, chapter {place_of(entry.id)}" if is_numbered(entry.id) else "The thesis as a whole"
        found[name if source == "thesis" else SOURCES[source]].append(entry)
    return {name: entries for name, entries in found.items() if entries}


def open_tables(known: Ledger) -> str:
    """What is not in the book yet, folded part by part."""
    made = []
    for name, entries in parts(known).items():
        rows = [[entry.label, entry.kind, entry.title] for entry in entries if entry.status == "open"]
        if rows:
            body = table(["where", "what it is", "about"], rows)
            made.append(f"~~~~{{vbook-details}} {name}: {len(rows)} open\n:open: false\n\n{body}\n\n~~~~")
    return "\n\n".join(made)


def entries_tables(known: Ledger) -> str:
    """Every closed entry with its place, its code and its test, folded kind by kind."""
    parts = []
    for kind in KINDS:
        rows = [entry for entry in known.entries if entry.kind == kind and entry.status == "closed"]
        if rows:
            body = _filled(["where", "what", "code", "test"], [_entry(entry) for entry in rows])
            parts.append(f"~~~~{{vbook-details}} {HEADINGS[kind]}: {len(rows)}\n:open: false\n\n{body}\n\n~~~~")
    return "\n\n".join(parts)


def _filled(header: list[str], rows: list[list[str]]) -> str:
    """A table of the columns that say something."""
    columns = [column for column in zip(header, *rows, strict=True) if set(column[1:]) != {"–"}]
    header, *rows = map(list, zip(*columns, strict=True))
    return table(header, rows)


def _entry(entry: Entry) -> list[str]:
    code = f"`{entry.symbol.removeprefix('vbook.')}`" if entry.symbol else "–"
    test = f"`{entry.test.rpartition('::')[2].removeprefix('test_')}`" if entry.test else "–"
    return [f"[{entry.label}](../{entry.where})", entry.title, code, test]


class State(DataPage):
    """``{vbook-state}``: three lines for the home page."""

    def run(self) -> list[nodes.Node]:
        """The list."""
        return self.parse(state(ledger(), verdicts(), errata()))


class Editions(DataPage):
    """``{vbook-editions}``: where the published book is, and its two other forms."""

    def run(self) -> list[nodes.Node]:
        """The sentence."""
        address = published(home()[0])
        return self.parse(
            f"The published book is at <{address}>, beside it [the whole as a PDF]({address}/vbook.pdf), with page numbers, "
            "notes on where its numbers come from and still pictures in place of the widgets, and [as an archive]"
            f"({address}/vbook.zip), which opens from disk with everything alive."
        )


class Coverage(DataPage):
    """``{vbook-coverage} closed|open``: the counts and every closed entry, or the open ones."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The tables."""
        known = ledger()
        made = {"closed": f"{coverage_table(known)}\n\n{entries_tables(known)}", "open": open_tables(known)}
        if self.arguments[0] not in made:
            raise self.error(f"vbook-coverage takes closed or open, not {self.arguments[0]!r}")
        return [nodes.container("", *self.parse(made[self.arguments[0]]), classes=["vbook-coverage"])]


class Alive(DataPage):
    """``{vbook-widget} name`` with the picture and the words that stand in, and, as ``start``, what it shows first."""

    required_arguments = 1
    option_spec = dict.fromkeys(("picture", "alt", "start"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """The widget's own HTML; it asks no question here."""
        if missing := {"picture", "alt"} - set(self.options):
            raise self.error(f"vbook-widget needs {' and '.join(sorted(missing))}")
        self.follow()  # its weights may change
        file = Path(self.env.doc2path(self.env.docname)).parent / self.options["picture"]
        seen = self.env.temp_data.setdefault("vbook_widgets", Counter())
        start, alt = self.options.get("start", ""), self.options["alt"]
        try:
            html = prose_form(self.arguments[0], start, file, alt, self.env.docname, seen)
        except VbookError as error:
            raise self.error(str(error)) from error
        return [nodes.raw("", html, format="html")]
