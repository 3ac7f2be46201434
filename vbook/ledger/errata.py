"""``book/errata.yml``: what is printed wrong in a source, what is right, and the check that tells the two apart."""

import functools
from dataclasses import dataclass, fields

from vbook import paths
from vbook.errors import VbookError

KINDS = ("formula", "wording", "notation")


@dataclass(frozen=True)
class Erratum:
    """One mistake; ``printed``, ``correct`` and ``why`` are Markdown with formulas between dollar signs.

    ``place`` says where in the source, ``where`` is the book's ``<file>#<anchor>``. A ``formula`` has a ``check``: a pytest node
    id whose test fails for the printed form and passes for the correct one.
    """

    id: str
    kind: str
    place: str
    printed: str
    correct: str
    why: str
    where: str
    check: str | None = None


@functools.cache
def errata() -> tuple[Erratum, ...]:
    """The book's errata, in the order of the sources."""
    return read_errata(paths.book("errata.yml").read_text(encoding="utf-8"))


def read_errata(text: str) -> tuple[Erratum, ...]:
    """The errata in a YAML text; VbookError naming the entry when a field is missing or unknown, or a formula has no check.

    >>> read_errata("[]")
    ()
    """
    import yaml

    found = tuple(_erratum(row) for row in yaml.safe_load(text))
    names = [erratum.id for erratum in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise VbookError(f"errata.yml: {', '.join(sorted(twice))} stands twice")
    return found


def _erratum(row: dict) -> Erratum:
    known = {field.name for field in fields(Erratum)}
    missing, unknown = known - {"check"} - set(row), set(row) - known
    if missing or unknown:
        raise VbookError(f"errata.yml, {row.get('id')!r}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    erratum = Erratum(**row)
    if erratum.kind not in KINDS:
        raise VbookError(f"errata.yml, {erratum.id!r}: kind is one of {', '.join(KINDS)}, not {erratum.kind!r}")
    if erratum.kind == "formula" and not erratum.check:
        raise VbookError(f"errata.yml, {erratum.id!r}: a formula needs a check")
    return erratum
