"""``book/ledger.yml``: one entry for each thing of a source that the book has to answer for."""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_type_hints

from vbook.errors import VbookError, nearest
from vbook.results.lists import check_fields, check_once, read_list
from vbook.results.target import SOURCES, check_place

PLACED = ("section", "definition", "figure", "table", "question")  # need a place in the book
TESTED = ("identity", "estimator", "algorithm", "claim")  # need a symbol and a test as well
KINDS = PLACED + TESTED
# An equation has a number, in the thesis with its chapter's; an algorithm of the thesis too. Other places may have a name.
ID = (
    r"thesis/eq-\d+\.\d+|thesis/(alg|rq|table)-\d([\w.-]*\w)?"
    r"|thesis/(sec|claim|display|fig)-[\w.-]*\w|(adams|compound-vae|replication|assignment)/(eq|sec|claim|fig|table|alg|q)-[\w.-]*\w"
)


@dataclass(frozen=True)
class Entry:
    """One section, equation, algorithm, figure or claim of a source.

    ``where`` is ``<file>#<anchor>``, ``symbol`` a dotted name in the package, ``test`` a pytest node id without parameters, and
    ``line`` a piece of the symbol's source that computes the formula, for symbols that do much else.
    """

    id: str
    kind: str
    title: str
    status: str
    where: str | None = None
    symbol: str | None = None
    test: str | None = None
    line: str | None = None

    @property
    def label(self) -> str:
        """What readers call it: ``algorithm 1``, ``figure 2.1``, an equation's number alone, else the section that it stands in.

        >>> [Entry(f"thesis/{name}", "claim", "t", "open").label for name in ("eq-2.10", "table-5.1", "claim-2.7-tightens")]
        ['(2.10)', 'table 5.1', 'section 2.7']
        """
        kind, _, number = self.id.rpartition("/")[2].partition("-")
        names = {"eq": "({})", "alg": "algorithm {}", "fig": "figure {}", "table": "table {}"}
        names |= {"q": "question {}", "rq": "research question {}"}
        return names.get(kind, "section {}").format(number.partition("-")[0])


@dataclass(frozen=True)
class Ledger:
    """All entries of the book's ledger."""

    entries: tuple[Entry, ...]

    @property
    def equations(self) -> dict[str, int]:
        """How many numbered equations each chapter of the thesis has."""
        return dict(sorted(Counter(chapter for chapter, _ in self._numbered()).items()))

    def closed_equations(self, chapter: str) -> int:
        """How many numbered equations of a thesis chapter are closed."""
        return sum(of == chapter and entry.status == "closed" for of, entry in self._numbered())

    def _numbered(self) -> Iterator[tuple[str, Entry]]:
        for entry in self.entries:
            if number := re.fullmatch(r"thesis/eq-(\d+)\.\d+", entry.id):
                yield number[1], entry


@functools.cache
def ledger() -> Ledger:
    """The book's ledger."""
    return read_ledger()


def read_ledger(text: str | None = None) -> Ledger:
    """The Ledger in ``book/ledger.yml``, or in a YAML ``text``.

    VbookError naming the entry for a kind, a field or a proof that is missing or unknown.

    >>> read_ledger("- {id: thesis/eq-1.3, kind: identity, title: t, status: open}").equations
    {'1': 1}
    """
    entries = tuple(map(_entry, read_list("ledger.yml", text)))
    check_once("ledger.yml", [entry.id for entry in entries])
    return Ledger(entries)


def is_numbered(id: str) -> bool:
    """Whether ``id`` names a place of the thesis by a number that begins with its chapter's, or an algorithm.

    >>> is_numbered("thesis/sec-2.9.2"), is_numbered("thesis/rq-1"), is_numbered("adams/eq-1")
    (True, False, False)
    """
    return bool(re.match(r"thesis/(?!rq)[a-z]+-(?:fig-)?\d", id))


def _entry(row) -> Entry:
    kinds = get_type_hints(Entry)
    needed = {name: kinds.pop(name) for name in ("id", "kind", "title", "status")}
    check_fields("ledger.yml", row.get("id") if isinstance(row, dict) else row, row, needed, kinds, "ledger entry")
    entry = Entry(**row)
    if is_numbered(entry.id) or not re.fullmatch(ID, entry.id, re.ASCII) or entry.id.partition("/")[0] not in SOURCES:
        check_place("ledger.yml", entry.id)
    if not re.fullmatch(ID, entry.id, re.ASCII):
        raise VbookError(f"ledger.yml, {entry.id!r}: an id is <source>/<kind>-<place>, such as thesis/eq-2.10")
    if entry.kind not in KINDS:
        raise VbookError(f"ledger.yml, {entry.id!r}: unknown kind {entry.kind!r}{nearest(entry.kind, KINDS)}")
    if entry.status not in ("open", "closed"):
        raise VbookError(f"ledger.yml, {entry.id!r}: status is open or closed, not {entry.status!r}")
    needed = ("where", "symbol", "test") if entry.kind in TESTED else ("where",)
    if entry.status == "closed" and (lacking := [name for name in needed if not getattr(entry, name)]):
        raise VbookError(f"ledger.yml, {entry.id!r}: a closed {entry.kind} needs {' and '.join(lacking)}")
    return entry
