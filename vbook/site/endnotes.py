"""Where the numbers of a printed page come from: small marks at the numbers, and a line for each record and source below."""

import html
from dataclasses import dataclass, field

from vbook.errors import VbookError
from vbook.results import Record, format_like, resolve, targets
from vbook.results.files import find_record

BLOCKS = ["p", "li", "dd", "figcaption", "summary"]  # in one of these, or in a table, a mark holds until the next one
INTRODUCTION = (
    "A line for each record: data, seeds, length, device, PyTorch, day and commit, then the standard errors of the numbers that "
    "stand here. A number without a mark has the source of the number before it."
)


@dataclass
class _Note:
    """A line: its number, what it says, and what it says of each of its numbers."""

    number: int
    line: str
    details: dict[str, None] = field(default_factory=dict)  # in order, each once


def add_endnotes(soup, article, slug: str) -> None:
    """Mark the numbers of ``article``, in place, and list their sources at its end under ids that begin with ``slug``.

    A reported number whose source stands beside it already gets no mark. Raises VbookError where a number isn't what its record
    or target says now: the site is older than they are.
    """
    notes: dict[str, _Note] = {}
    last = None, None
    for node in article.select(".vbook-number[data-from]"):
        reference, text = node["data-from"], node.get_text()
        block = node.find_parent("table") or node.find_parent(BLOCKS) or article
        _check(reference, text)
        if _said_beside(reference, node):
            last = block, None
            continue
        key, line, detail = _source(reference, text)
        if _error_beside(node):
            detail = ""
        note = notes.setdefault(key, _Note(len(notes) + 1, line))
        note.details[detail] = None
        if last != (block, key):
            node.insert_after(_mark(soup, slug, note.number))
        last = block, key
    if notes:
        article.append(_listed(soup, slug, notes.values()))


def _check(reference: str, text: str) -> None:
    right = format_like(resolve(reference).value, text)
    if text != right:
        raise VbookError(f"the site says {text} where {reference} says {right}; build it again (vbook build)")


def _said_beside(reference: str, node) -> bool:
    """Whether the row or the paragraph of a reported number says who reports it, and under which protocol."""
    kind, _, name = reference.partition(":")
    beside = node.find_parent("tr") or node.find_parent(BLOCKS)
    if kind != "target" or beside is None:
        return False
    words = " ".join(beside.get_text().split())
    return all(" ".join(targets()[name][part].split()) in words for part in ("source", "protocol"))


def _error_beside(node) -> bool:
    """Whether what follows a number is its error."""
    following = node.next_sibling
    return isinstance(following, str) and following.lstrip().startswith("±")


def _source(reference: str, text: str) -> tuple[str, str, str]:
    """What a number shares a line with, the line, and what the line says of this number (HTML)."""
    kind, _, name = reference.partition(":")
    if kind == "target":
        target = targets()[name]
        what, colon, shared = target["protocol"].rpartition(": ")  # the cells of a table share the latter
        line = html.escape(f"Reported: {target['source']}: {shared}")
        return line, line, html.escape(f"{what}{colon}{text} {target['unit']}")
    record_id, _, metric = name.rpartition("/")
    record = find_record(record_id)
    return record_id, _line(record), _error(record.metrics[metric], text)


def _line(record: Record) -> str:
    """The run of a record in one line of HTML."""
    length = f"{record.steps:,} steps in {record.wall_time_s:,.0f} s" if record.steps else f"{record.wall_time_s:,.0f} s"
    parts = [
        record.data["title"],
        f"seed{'s' * (len(record.seeds) > 1)} {', '.join(map(str, record.seeds))}",
        f"{length} on {record.device}",
        f"PyTorch {record.versions.get('torch', '?')}",
        record.date[:10],
        f"commit {record.commit[:9]}{' with local changes' * bool(record.dirty)}" if record.commit else None,
        f"good for {record.carried[-1]['commit'][:9]} by {record.carried[-1]['witness']}" if record.carried else None,
        f"partial: {record.reason}" if record.status != "complete" else None,
    ]
    return f"<code>{html.escape(record.id)}</code>: {html.escape('; '.join(part for part in parts if part))}"


def _error(entry: dict, text: str) -> str:
    """A measured number with its standard error; nothing where it has none."""
    error = entry.get("standard_error")
    if error is None:
        return ""
    return html.escape(f"{text} ± {error:.2g} {entry['unit']} over {entry.get('n', 0):,} {entry.get('over', 'data points')}")


def _mark(soup, slug: str, number: int):
    mark = soup.new_tag("sup", attrs={"class": "edition-mark"})
    link = soup.new_tag("a", attrs={"href": f"#{slug}--from-{number}"})
    link.string = f"[{number}]"  # a bare number behind a number would be read as its power
    mark.append(link)
    return mark


def _listed(soup, slug: str, notes) -> object:
    """The section with the lines."""
    from bs4 import BeautifulSoup

    lines = []
    for note in notes:
        details = "; ".join(detail for detail in note.details if detail)
        lines.append(f'<li id="{slug}--from-{note.number}">{note.line}{f"; {details}" if details else ""}.</li>')
    made = (
        f'<section class="edition-sources" id="{slug}--from"><h2>Where the numbers come from</h2>'
        f"<p>{INTRODUCTION}</p><ol>{''.join(lines)}</ol></section>"
    )
    return BeautifulSoup(made, "html.parser").section
