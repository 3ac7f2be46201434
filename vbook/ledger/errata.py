"""``book/errata.yml``: what is printed wrong in a source, what is right, and the check that tells the two apart."""

import functools
import re
from dataclasses import dataclass
from typing import get_type_hints

from vbook.errors import VbookError
from vbook.results.lists import check_fields, check_once, read_list
from vbook.results.target import COMPANIONS

KINDS = ("formula", "wording", "notation")
# Algorithms are counted through the thesis; these are the chapters they stand in.
ALGORITHMS = {f"alg-{number}": chapter for number, chapter in zip(range(1, 8), "2233577", strict=True)}


@dataclass(frozen=True)
class Erratum:
    """One mistake; ``printed``, ``correct`` and ``why`` are Markdown with formulas between dollar signs.

    ``place`` says where in the source, ``where`` is the book's ``<file>#<anchor>``, None while the chapter isn't written. A
    ``formula`` has a ``check``: a pytest node id whose test fails for the printed form and passes for the correct one.
    """

    id: str
    kind: str
    place: str
    printed: str
    correct: str
    why: str
    where: str | None = None
    check: str | None = None

    @property
    def source(self) -> str:
        """``thesis``, or which of the companions."""
        return self.id.partition("/")[0]

    @property
    def chapter(self) -> int:
        """The chapter of the book where it belongs.

        >>> [Erratum(name, *"kpcwy").chapter for name in ("thesis/fig-6.C.1", "thesis/alg-2-comments", "adams/sec-7")]
        [6, 2, 10]
        """
        if self.source in COMPANIONS:
            return COMPANIONS[self.source]
        label = self.id.partition("/")[2]
        numbered = re.match(r"(alg-\d)|[a-z]+-(\d+)", label)
        return int(ALGORITHMS[numbered[1]] if numbered[1] else numbered[2])


@functools.cache
def errata() -> tuple[Erratum, ...]:
    """The book's errata, in the order of the sources."""
    return read_errata()


def read_errata(text: str | None = None) -> tuple[Erratum, ...]:
    """The errata in ``book/errata.yml``, or in a YAML ``text``.

    VbookError naming the entry when a field is missing or unknown, or a formula has no check.

    >>> read_errata("[]")
    ()
    """
    found = tuple(map(_erratum, read_list("errata.yml", text)))
    check_once("errata.yml", [erratum.id for erratum in found])
    return found


def _erratum(row) -> Erratum:
    kinds = get_type_hints(Erratum)
    optional = {name: kinds.pop(name) for name in ("where", "check")}
    check_fields("errata.yml", row.get("id") if isinstance(row, dict) else row, row, kinds, optional, "erratum")
    erratum = Erratum(**row)
    if not re.match(rf"thesis/[a-z]+-\d|({'|'.join(COMPANIONS)})/.", erratum.id):
        raise VbookError(f"errata.yml, {erratum.id!r}: begins with a source and, for the thesis, a numbered place")
    if erratum.kind not in KINDS:
        raise VbookError(f"errata.yml, {erratum.id!r}: kind is one of {', '.join(KINDS)}, not {erratum.kind!r}")
    if erratum.kind == "formula" and not erratum.check:
        raise VbookError(f"errata.yml, {erratum.id!r}: a formula needs a check")
    return erratum
