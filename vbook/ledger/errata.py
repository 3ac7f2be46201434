"""``book/errata.yml``: what is printed wrong in a source, what is right, and the check that tells the two apart."""

import functools
from dataclasses import dataclass
from typing import get_type_hints

from vbook.errors import VbookError
from vbook.results.lists import check_fields, check_once, read_list
from vbook.results.target import check_place, place_of

KINDS = ("formula", "wording", "notation")


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
        return place_of(self.id)


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
    check_place("errata.yml", erratum.id)
    if erratum.kind not in KINDS:
        raise VbookError(f"errata.yml, {erratum.id!r}: kind is one of {', '.join(KINDS)}, not {erratum.kind!r}")
    if erratum.kind == "formula" and not erratum.check:
        raise VbookError(f"errata.yml, {erratum.id!r}: a formula needs a check")
    return erratum
