"""The pages that are made from data: results, coverage, errata and the state of the book, as directives that write Markdown."""

import datetime
from collections import Counter

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from vbook.ledger import KINDS, Entry, Erratum, Ledger, Verdict, errata, ledger, verdicts
from vbook.ledger.verdicts import WORDS, changed
from vbook.results import Record, format_like, records, significant
from vbook.results.references import MINUS
from vbook.site import places

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


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; bars inside cells are escaped.

    >>> print(table(["a", "b"], [["1", "p(x|z)"]]))
    | a | b |
    |---|---|
    | 1 | p(x\\|z) |
    """
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("|" + "|".join(cell if cell == "---" else f" {cell} " for cell in line) + "|" for line in lines)


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


def results_table(judged: list[Verdict]) -> str:
    """Target, record and verdict side by side, one row a target."""
    rows = []
    for one in judged:
        target, printed = one.target, str(one.target["value"]).replace("-", MINUS)
        ours, measured = "–", "–"
        if one.record:
            name = f"{one.record.id}/{one.metric}"
            ours = f"[{format_like(one.record.metrics[one.metric]['mean'], printed)}](record:{name}) {target['unit']}"
            measured = f"{one.record.profile}, {one.record.device}, {day(one.record)}"
        where = f"{target['protocol']}. *{target['source']}*"
        # The verdict next: on a phone the last columns lie off screen, and failures must not.
        rows.append([where, said(one), f"[{printed}](target:{target['id']}) {target['unit']}", ours, measured])
    return table(["what is reported, and by whom", "verdict", "reported", "ours", "measured"], rows)


def said(one: Verdict) -> str:
    """The verdict in words, with the distance; whatever isn't a success is in bold."""
    if one.word in ("reproduced", "not run"):
        return one.word if one.word == "reproduced" else "**not run**"
    distance = f"{significant(abs(one.difference), 2)} {one.target['unit']}"
    if one.target["unit"] == "times":  # a factor differs by a factor
        ratio = 1 + one.difference / one.target["value"]
        distance = f"a factor of {significant(max(ratio, 1 / ratio), 2)}, {'smaller' if ratio < 1 else 'larger'}"
    if one.word == "better":
        return f"better by {distance}"
    if one.word in ("short", "different"):
        return f"**{one.word} by {distance}**"
    stale = "measured with local changes" if one.record.dirty else "the experiment has changed since"
    reason = one.record.reason if one.word == "partial" else stale
    return f"**{one.word}: {reason}**"


def runs_table(known: dict[str, Record]) -> str:
    """Which experiment has a record at which profile, and whether it ever ran on a GPU."""
    from vbook.experiments import experiments

    rows = []
    for name, experiment in experiments().items():
        made = {profile: known.get(f"{name}.{profile}") for profile in ("laptop", "paper")}
        gpu = any(record and not record.device.startswith("CPU") for record in made.values())
        rows.append([f"`{name}`: {experiment.title}", *(_run(record) for record in made.values()), "yes" if gpu else "never"])
    return table(["experiment", "laptop", "paper", "on a GPU"], rows)


def _run(record: Record | None) -> str:
    if record is None:
        return "**not run**"
    return f"{day(record)}, {record.wall_time_s:,.0f}\N{NO-BREAK SPACE}s{doubt(record)}"


def doubt(record: Record) -> str:
    """What keeps a record from being the result of today's code, in bold after a comma; nothing where nothing does."""
    if record.status != "complete":
        return f", **partial: {record.reason}**"
    if record.dirty:
        return ", **measured with local changes**"
    return ", **stale: the experiment has changed since**" if changed(record) else ""


def day(record: Record) -> str:
    """The day of a record, such as ``21 Nov 2026``, which no line break splits."""
    return datetime.date.fromisoformat(record.date[:10]).strftime("%d %b %Y").lstrip("0").replace(" ", "\N{NO-BREAK SPACE}")


def own_table(known: dict[str, Record], judged: list[Verdict]) -> str:
    """What was measured and no source reports, a table for each record."""
    from vbook.experiments import experiments

    answered = {(one.record.id, one.metric) for one in judged if one.record}
    tables = []
    for record in known.values():
        if record.experiment not in experiments() or record.profile == "smoke":
            continue
        rows = []
        for metric, entry in record.metrics.items():
            if (record.id, metric) not in answered:
                error = entry.get("standard_error")
                spread = significant(error, 2) if error else ""
                # A linked number keeps the record's digits before the point; the tables of a chapter round there too.
                rounded = "1" if float(entry["mean"]).is_integer() else significant(entry["mean"], 4)  # a count has no decimals
                value = format_like(entry["mean"], spread or rounded)
                number = f"[{value}](record:{record.id}/{metric}){f' ± {spread}' if spread else ''}"
                rows.append([f"`{metric}`", f"{number} {entry['unit']}"])
        if rows:
            title = experiments()[record.experiment].title
            tables.append(f"**`{record.id}`**: {title}{doubt(record)}\n\n{table(['metric', 'value'], rows)}")
    return "\n\n".join(tables) or "None yet."


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


class _Page(SphinxDirective):
    """A directive that writes Markdown from data; its page is read again at every build."""

    def parse(self, text: str) -> list[nodes.Node]:
        """The Markdown as nodes."""
        self.env.note_reread()
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.env.docname), self.content_offset, holder)
        for found in holder.findall(nodes.table):
            found["classes"].append("vbook-listing")
        return holder.children


class State(_Page):
    """``{vbook-state}``: three lines for the home page."""

    def run(self) -> list[nodes.Node]:
        """The list."""
        return self.parse(state(ledger(), verdicts(), errata()))


class Results(_Page):
    """``{vbook-results} targets|runs|own``: one of the three tables of the results page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table."""
        judged = verdicts()
        made = {
            "targets": lambda: results_table(judged),
            "runs": lambda: runs_table(records()),
            "own": lambda: own_table(records(), judged),
        }
        if self.arguments[0] not in made:
            raise self.error(f"vbook-results takes one of {', '.join(made)}, not {self.arguments[0]!r}")
        return self.parse(made[self.arguments[0]]())


class Coverage(_Page):
    """``{vbook-coverage}``: the counts, then every entry."""

    def run(self) -> list[nodes.Node]:
        """The tables."""
        return self.parse(f"{coverage_table(ledger())}\n\n{entries_tables(ledger())}")


class Errata(_Page):
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
