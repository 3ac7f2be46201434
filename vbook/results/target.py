"""The numbers that the sources report, with who reports them and under which protocol (``book/targets.yml``)."""

import functools

from vbook import paths
from vbook.errors import VbookError
from vbook.results.record import is_a

FIELDS = {"id": str, "value": float, "unit": str, "direction": str, "protocol": str, "mark": str, "source": str}
OPTIONAL = {"spread": float, "note": str, "record": str}
DIRECTIONS = ("higher", "lower", "equal")


@functools.cache
def targets() -> dict[str, dict]:
    """All targets by id; each has the keys of ``FIELDS`` and may have those of ``OPTIONAL``.

    ``direction`` is ``higher``, ``lower`` or ``equal``; ``mark`` says where the number comes from (S stated in the source, C the
    authors' code, R a public re-implementation, F read off a figure, O our own earlier measurement); ``record`` names the
    ``<record id>/<metric>`` that answers it.
    """
    import yaml

    try:
        entries = yaml.safe_load(paths.book("targets.yml").read_text(encoding="utf-8")) or []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VbookError(f"targets.yml can't be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise VbookError("targets.yml: a list of targets belongs there")
    found = {}
    for entry in entries:
        _check(entry)
        if entry["id"] in found:
            raise VbookError(f"targets.yml: {entry['id']!r} stands twice")
        found[entry["id"]] = entry
    return found


def _check(entry) -> None:
    if not isinstance(entry, dict):
        raise VbookError(f"targets.yml: {entry!r} is no target, which has {', '.join(FIELDS)}")
    missing, unknown = FIELDS.keys() - entry.keys(), entry.keys() - FIELDS.keys() - OPTIONAL.keys()
    if missing or unknown:
        raise VbookError(f"targets.yml, {entry.get('id')!r}: missing {sorted(missing)}, unknown {sorted(map(str, unknown))}")
    wrong = [key for key, kind in (FIELDS | OPTIONAL).items() if key in entry and not is_a(entry[key], kind)]
    if wrong or entry["direction"] not in DIRECTIONS:
        key = wrong[0] if wrong else "direction"
        raise VbookError(f"targets.yml, {entry['id']!r}: {entry[key]!r} is no {key} that a target can have")
