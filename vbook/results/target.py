"""The numbers that the sources report, with who reports them and under which protocol (``book/targets.yml``)."""

import functools
import re

from vbook.errors import VbookError
from vbook.results.kinds import is_a
from vbook.results.lists import check_fields, check_once, read_list

FIELDS = {"id": str, "value": float, "unit": str, "direction": str, "protocol": str, "mark": str, "source": str}
OPTIONAL = {"spread": float, "tolerance": float, "note": str, "record": str}
SHARED = {"unit": str, "direction": str, "tolerance": float}  # of a whole table, or of one of its columns
TABLE = {"table": str, "title": str, "protocol": str, "mark": str, "source": str, "columns": dict, "rows": dict}
DIRECTIONS = ("higher", "lower", "equal", "none")  # none: for scale alone, such as seconds on the source's machine
MARKS = {
    "S": "stated in the source",
    "C": "from the authors' code or result files",
    "R": "from a public re-implementation",
    "F": "read off a figure",
    "O": "derived or measured by us",
}
# The companion documents, and the chapter that retells each.
RECORD = re.compile(r"[\w-]+\.(laptop|paper)/\w+")
COMPANIONS = {"adams": 10, "compound-vae": 11, "replication": 12, "assignment": 13}
CHAPTERS = 13
OF_THESIS = range(1, 10)
# Algorithms are counted through the thesis; these are the chapters they stand in.
ALGORITHMS = dict(zip(range(1, 8), (2, 2, 3, 3, 5, 7, 7), strict=True))
SOURCES = {
    "thesis": "The thesis",
    "adams": "Exploiting uncertainty of the loss landscape",
    "compound-vae": "Compound VAE",
    "replication": "The replication of AEVB",
    "assignment": "The assignment on deep generative models",
}


@functools.cache
def targets() -> dict[str, dict]:
    """All targets by id; each has the keys of ``FIELDS`` and may have those of ``OPTIONAL``.

    ``direction`` is one of ``DIRECTIONS``; ``mark`` says where the number comes from (``MARKS``); ``spread`` is what
    the source states of the scatter between its runs, ``tolerance`` a difference that counts as none (how well a figure can be
    read); ``record`` names the ``<record id>/<metric>`` that answers it. The cells of a printed table are one entry of the file;
    their ids are ``<table>/<row>/<column>``, and they have ``table``, its ``title``, ``row``, ``column``, ``row_title`` and
    ``column_title`` besides.
    """
    found = []
    for entry in read_list("targets.yml"):
        found += _cells(entry) if isinstance(entry, dict) and "table" in entry else [_checked(entry)]
    check_once("targets.yml", [target["id"] for target in found])
    return {target["id"]: target for target in found}


def source_of(target: dict) -> str:
    """Which of the five sources a target belongs to: ``thesis``, ``adams``, ``compound-vae``, ``replication``, ``assignment``."""
    return target["id"].partition("/")[0]


def chapter_of(target: dict) -> int | None:
    """The chapter of the book that answers a target; None for the record of an experiment that is none of the book's.

    >>> [chapter_of({"id": name}) for name in ("thesis/table-5.B.2/bottom-up-linear/d4", "adams/table-2/lr-b128/adam-e3")]
    [5, 10]
    """
    if answered := re.match(r"(?:ch|chapter-)(\d\d)", target.get("record") or ""):
        return int(answered[1])
    if "id" not in target:
        return None
    return place_of(target["id"])


def place_of(id: str) -> int:
    """The chapter of the book that an id such as ``thesis/eq-2.5`` or ``adams/sec-7`` belongs to.

    VbookError for ids that begin with no source, and for places of the thesis that don't exist.

    >>> place_of("thesis/alg-3"), place_of("thesis/table-5.B.2"), place_of("replication/fig-1")
    (3, 5, 12)
    """
    source, _, rest = id.partition("/")
    if source not in SOURCES:
        raise VbookError(f"{id!r}: begins with none of thesis, {', '.join(COMPANIONS)}")
    if not rest or rest.endswith("/"):
        raise VbookError(f"{id!r}: names nothing in its source, as thesis/table-5.1/… does")
    if source in COMPANIONS:
        return COMPANIONS[source]
    found = re.match(r"([a-z]+)-(?:fig-)?(\d+)", rest)
    kind, number = found.groups() if found else ("", "0")
    chapter = ALGORITHMS.get(int(number)) if kind == "alg" else int(number)
    if chapter not in OF_THESIS:
        raise VbookError(f"{id!r}: names no place of the thesis, as thesis/table-5.1/… does")
    return chapter


def _checked(entry) -> dict:
    if not isinstance(entry, dict):
        raise VbookError(f"targets.yml: {entry!r} is no target, which has {', '.join(FIELDS)}")
    _check_keys(entry, entry.get("id"), FIELDS, OPTIONAL, "target")
    _check_direction(entry, entry["id"])
    if entry["mark"] not in MARKS:
        raise VbookError(f"targets.yml, {entry['id']!r}: {entry['mark']!r} is no mark that a target can have")
    check_place("targets.yml", entry["id"])
    return entry


def check_place(file: str, id: str) -> None:
    """VbookError, naming the ``file``, where ``place_of`` finds none for ``id``."""
    try:
        place_of(id)
    except VbookError as error:
        raise VbookError(f"{file}, {error}") from None


def _cells(entry: dict) -> list[dict]:
    """The targets in a table: a number, a pair of number and spread, or nothing, for each row and column."""
    name = entry["table"]
    _check_keys(entry, name, TABLE, SHARED | {"note": str}, "table")
    cells = []
    for row, given in entry["rows"].items():
        _check_keys(given, f"{name}/{row}", {"what": str, "values": list}, {"records": dict}, "row")
        if len(given["values"]) != len(entry["columns"]):
            raise VbookError(
                f"targets.yml, '{name}/{row}': {len(given['values'])} values for the {len(entry['columns'])} columns"
            )
        answered = set(map(str, given.get("records") or {}))
        if wrong := [record for record in (given.get("records") or {}).values() if not is_a(record, str) or not record]:
            raise VbookError(f"targets.yml, '{name}/{row}': record {wrong[0]!r} is no <experiment>.<profile>/<metric>")
        if unknown := answered - entry["columns"].keys():
            raise VbookError(f"targets.yml, '{name}/{row}': a record for {sorted(unknown)}, which is no column")
        if empty := [c for c, v in zip(entry["columns"], given["values"], strict=True) if v is None and c in answered]:
            raise VbookError(f"targets.yml, '{name}/{row}': a record for {empty}, where the source has no number")
        for (column, about), value in zip(entry["columns"].items(), given["values"], strict=True):
            _check_keys(about, f"{name}, column {column}", {"what": str}, SHARED, "column")
            if value is None:
                continue
            value, *spread = value if isinstance(value, list) and len(value) == 2 else [value]
            cell = {key: entry[key] for key in ("mark", "source", "title", *SHARED, "note") if key in entry}
            cell |= {"id": f"{name}/{row}/{column}", "value": value, "table": name, "row": row, "column": column}
            cell |= {key: about[key] for key in SHARED if key in about} | ({"spread": spread[0]} if spread else {})
            cell["protocol"] = f"{given['what']}, {about['what']}: {entry['protocol']}"
            if record := (given.get("records") or {}).get(column):
                cell["record"] = record
            own = {key: cell.pop(key) for key in ("table", "row", "column", "title")}
            cells.append(_checked(cell) | own | {"row_title": given["what"], "column_title": about["what"]})
    return cells


def _check_keys(entry, name, needed: dict, optional: dict, what: str) -> None:
    check_fields("targets.yml", name, entry, needed, optional, what)
    for key in ("tolerance", "spread"):
        if entry.get(key, 0) < 0:
            raise VbookError(f"targets.yml, {name!r}: {key} {entry[key]} is below 0")
    if not RECORD.fullmatch(entry.get("record", "a.paper/b")):
        raise VbookError(f"targets.yml, {name!r}: record {entry['record']!r} is no <experiment>.<profile>/<metric>")


def _check_direction(entry: dict, name) -> None:
    if entry["direction"] not in DIRECTIONS:
        raise VbookError(f"targets.yml, {name!r}: {entry['direction']!r} is no direction that a target can have")
