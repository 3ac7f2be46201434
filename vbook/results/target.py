"""The numbers that the sources report, with who reports them and under which protocol (``book/targets.yml``)."""

import functools

from vbook import paths
from vbook.errors import VbookError

FIELDS = {"id", "value", "unit", "direction", "protocol", "mark", "source"}
OPTIONAL = {"spread", "note", "record"}


@functools.cache
def targets() -> dict[str, dict]:
    """All targets by id; each has the keys of ``FIELDS`` and may have those of ``OPTIONAL``.

    ``direction`` is ``higher``, ``lower`` or ``equal``; ``mark`` says where the number comes from (S stated in the source, C the
    authors' code, R a public re-implementation, F read off a figure, O our own earlier measurement); ``record`` names the
    ``<record id>/<metric>`` that answers it.
    """
    import yaml

    entries = yaml.safe_load(paths.book("targets.yml").read_text(encoding="utf-8")) or []
    found = {}
    for entry in entries:
        missing, unknown = FIELDS - entry.keys(), entry.keys() - FIELDS - OPTIONAL
        if missing or unknown:
            raise VbookError(f"targets.yml, {entry.get('id')!r}: missing {sorted(missing)}, unknown {sorted(unknown)}")
        if entry["id"] in found:
            raise VbookError(f"targets.yml: {entry['id']!r} stands twice")
        found[entry["id"]] = entry
    return found
