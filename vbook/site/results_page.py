"""The results page: what the sources report beside what we measured, what ran, and our own numbers, with a filter over it."""

import base64
import datetime
import html
from collections import Counter

from docutils import nodes

from vbook.ledger import Verdict, verdicts
from vbook.ledger.verdicts import WORDS, changed
from vbook.results import Record, format_like, records, significant
from vbook.results.references import MINUS, plain
from vbook.results.target import MARKS, SOURCES, chapter_of, source_of
from vbook.site.generated import DataPage, table


def summary_table(judged: list[Verdict]) -> str:
    """How many numbers each source reports, and what became of them."""
    found = {one.word for one in judged}
    words = [word for word in ("not run", *WORDS[:-1]) if word in found]  # a narrow screen cuts the end off
    rows = []
    for source in SOURCES:
        counts = Counter(one.word for one in judged if source_of(one.target) == source)
        if counts:
            rows.append([SOURCES[source], str(counts.total()), *(str(counts[word] or "–") for word in words)])
    counts = Counter(one.word for one in judged)
    rows.append(["**all**", f"**{len(judged)}**", *(f"**{counts[word]}**" for word in words)])
    return table(["source", "numbers", *words], rows)


def groups(judged: list[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts that belong together, by heading: the cells of a printed table, or a source's single numbers for a chapter."""
    found: dict[str, list[Verdict]] = {}
    for one in judged:
        target = one.target
        name = f"{target['source']}: {target['title']}" if "table" in target else _single(target)
        found.setdefault(name[0].upper() + name[1:], []).append(one)
    return found


def _single(target: dict) -> str:
    return f"{SOURCES[source_of(target)]}, single numbers for chapter {chapter_of(target)}"


def group_table(members: list[Verdict]) -> str:
    """A printed table in its own shape, or a list of single numbers; below each number what became of it, if we measured it."""
    first = members[0].target
    if "table" not in first:
        return table(
            ["what is reported, and by whom", "reported"],
            [[f"{one.target['protocol']}. *{one.target['source']}*", _reported(one)] for one in members],
        )
    columns = dict.fromkeys((one.target["column"], one.target["column_title"], one.target["unit"]) for one in members)
    cells = {(one.target["row"], one.target["column"]): one for one in members}
    rows = [
        [title, *(_reported(cells[row, column]) if (row, column) in cells else "–" for column, _, _ in columns)]
        for row, title in dict.fromkeys((one.target["row"], one.target["row_title"]) for one in members)
    ]
    shared = first["protocol"].partition(": ")[2]
    notes = " ".join(
        [f"{shared[0].upper()}{shared[1:]}.", f"{MARKS[first['mark']].capitalize()}.", first.get("note", "")]
    ).strip()
    return f"{notes}\n\n{table(['', *(f'{title} ({unit})' for _, title, unit in columns)], rows)}"


def _reported(one: Verdict) -> str:
    """``-82.02 ± 0.08`` with a true minus, and the verdict if there is one."""
    target = one.target
    number = f"{target['value']:,}" if abs(target["value"]) >= 10_000 else str(target["value"])
    text = number.replace("-", MINUS) + (f" ± {target['spread']}" if "spread" in target else "")
    unit = "" if "table" in target else f" {target['unit']}"
    return f"{text}{unit}{'' if one.word == 'not run' else f'; {said(one)}'}"


def comparison_picture(heading: str, members: list[Verdict]) -> str:
    """The numbers of a group with ours beside theirs, as HTML; nothing where there are not two to compare on one scale."""
    measured = [one for one in members if one.record]
    if len(measured) < 2 or len({one.target["unit"] for one in measured}) > 1:
        return ""
    from vbook.plots.verdicts import draw_verdicts

    picture, (width, height) = draw_verdicts(measured)
    said_all = "; ".join(f"{one.target['protocol']}: {said(one).replace('*', '')}" for one in measured)
    words = html.escape(f"Ours beside theirs. {said_all}", quote=True)
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    caption = (
        f"{heading}: what is reported (rings) and what we measured (dots), in {measured[0].target['unit']}. "
        "Bars: two standard errors, or how well a figure can be read."
    )
    return (
        f'<figure class="vbook-figure tone-lines"><img src="{source}" width="{width}" height="{height}" alt="{words}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def kinds(one: Verdict) -> list[str]:
    """The classes by which a row can be filtered."""
    return [f"source-{source_of(one.target)}", f"chapter-{chapter_of(one.target)}", f"verdict-{one.word.replace(' ', '-')}"]


def filter_form(judged: list[Verdict]) -> str:
    """Three lists to choose from; the script of the page shows and answers them."""
    titles = {f"source-{name}": title for name, title in SOURCES.items()}
    parts = []
    for k, what in enumerate(("source", "chapter", "verdict")):
        counts = Counter(kinds(one)[k] for one in judged)
        order = sorted(counts, key=lambda name: int(name.partition("-")[2])) if what == "chapter" else counts
        names = {name: titles.get(name, name.partition("-")[2].replace("-", " ")) for name in order}
        options = "".join(
            f'<option value="{name}">{html.escape(title)} ({counts[name]})</option>' for name, title in names.items()
        )
        parts.append(f'<label>{what} <select name="{what}"><option value="">all</option>{options}</select></label>')
    return f'<form class="vbook-filter" hidden>{"".join(parts)}<output aria-live="polite"></output></form>'


def results_table(judged: list[Verdict]) -> str:
    """Target, record and verdict side by side, one row a target."""
    rows = []
    for one in judged:
        target, printed = one.target, plain(one.target["value"])
        ours, measured = "–", "–"
        if one.record:
            name = f"{one.record.id}/{one.metric}"
            mean = one.record.metrics[one.metric]["mean"]
            lost = mean and not float(format_like(mean, printed).replace(MINUS, "-").replace(",", ""))
            ours = f"[{significant(mean, 2) if lost else format_like(mean, printed)}](record:{name}) {target['unit']}"
            measured = f"{one.record.profile}, {one.record.device}, {day(one.record)}"
        where = f"{target['protocol']}. *{target['source']}*"
        # The verdict next: on a phone the last columns lie off screen, and failures must not.
        rows.append([where, said(one), f"[{printed}](target:{target['id']}) {target['unit']}", ours, measured])
    return table(["what is reported, and by whom", "verdict", "reported", "ours", "measured"], rows)


def said(one: Verdict) -> str:
    """The verdict in words, with the distance; whatever isn't a success is in bold."""
    if one.word in ("reproduced", "not judged", "not run"):
        return one.word if one.word != "not run" else "**not run**"
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


class Results(DataPage):
    """``{vbook-results} targets|runs|own``: one of the three parts of the results page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The tables."""
        judged = verdicts()
        made = {
            "targets": lambda: self.targets(judged),
            "runs": lambda: self.parse(runs_table(records())),
            "own": lambda: [nodes.container("", *self.parse(own_table(records(), judged)), classes=["vbook-own"])],
        }
        if self.arguments[0] not in made:
            raise self.error(f"vbook-results takes one of {', '.join(made)}, not {self.arguments[0]!r}")
        return made[self.arguments[0]]()

    def targets(self, judged: list[Verdict]) -> list[nodes.Node]:
        """The counts, what was measured with pictures, and every table of the sources, folded."""
        found = [*self.parse(summary_table(judged)), nodes.raw("", filter_form(judged), format="html")]
        measured = [one for one in judged if one.record]
        if measured:
            listing = self.parse(results_table(measured))
            rows = [row for part in listing for body in part.findall(nodes.tbody) for row in body.children]
            for row, one in zip(rows, measured, strict=True):
                row["classes"] += kinds(one)
            found += listing
        for heading, members in groups(judged).items():
            if picture := comparison_picture(heading, members):
                names = sorted({name for one in members if one.record for name in kinds(one)})
                found.append(nodes.container("", nodes.raw("", picture, format="html"), classes=["vbook-group", *names]))
            left = members if "table" in members[0].target else [one for one in members if not one.record]
            if left:
                count = f"{len(left)} number{'s' * (len(left) > 1)}, {sum(bool(one.record) for one in left) or 'none'} measured"
                text = f"~~~~{{vbook-details}} {heading}: {count}\n:open: false\n\n{group_table(left)}\n\n~~~~"
                names = sorted({name for one in left for name in kinds(one)})
                found.append(nodes.container("", *self.parse(text), classes=["vbook-group", *names]))
        return found
