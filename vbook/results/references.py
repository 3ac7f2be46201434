"""From ``record:<id>/<metric>`` or ``target:<id>`` to a number and the sentence that says where it comes from."""

import re
from dataclasses import dataclass
from decimal import Decimal

from vbook.errors import VbookError, nearest
from vbook.results.files import find_record
from vbook.results.record import Record
from vbook.results.target import targets

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Quantity:
    """A number with its unit, its standard error if it was measured, and one sentence of provenance."""

    value: float
    unit: str
    provenance: str
    standard_error: float | None = None


def resolve(reference: str) -> Quantity:
    """The Quantity behind ``record:<record id>/<metric>`` or ``target:<target id>``; VbookError when there is none."""
    kind, _, name = reference.partition(":")
    if kind == "target":
        return _target(name)
    if kind == "record":
        return _measured(*name.rpartition("/")[::2])
    raise VbookError(f"{reference!r}: a reference starts with 'record:' or 'target:'")


def format_like(value: float, text: str) -> str:
    """``value`` with as many decimals as the number in ``text`` has (one where there is none) and a true minus sign.

    >>> format_like(-101.2713, "−101.3"), format_like(12345.6, "1,000")
    ('−101.3', '12,346')
    """
    number = re.search(r"\d[\d,]*(\.\d+)?", text)
    decimals = 1 if number is None else len((number[1] or ".")[1:])
    comma = "," if number and "," in number[0] else ""
    return f"{value:{comma}.{decimals}f}".replace("-", MINUS)


def plain(value: float) -> str:
    """As it was written, without an exponent.

    >>> plain(-80.0), plain(1e-05)
    ('−80.0', '0.00001')
    """
    return f"{Decimal(str(value)):f}".replace("-", MINUS)


def _target(name: str) -> Quantity:
    known = targets()
    if name not in known:
        raise VbookError(f"no target {name!r}{nearest(name, known)}")
    entry = known[name]
    return Quantity(entry["value"], entry["unit"], f"{entry['source']}: {entry['protocol']}")


def _measured(record_id: str, metric: str) -> Quantity:
    record = find_record(record_id)
    if metric not in record.metrics:
        raise VbookError(f"record {record_id!r} has no metric {metric!r}{nearest(metric, record.metrics)}")
    entry = record.metrics[metric]
    return Quantity(entry["mean"], entry["unit"], _provenance(record, entry), entry.get("standard_error"))


def _provenance(record: Record, entry: dict) -> str:
    error = entry.get("standard_error")
    over = f"(standard error over {entry.get('n', 0):,} {entry.get('over', 'data points')})"
    parts = [
        f"± {error:.2g} {entry['unit']} {over}" if error is not None else None,
        record.data["title"],
        f"profile {record.profile}",
        f"seed{'s' * (len(record.seeds) > 1)} {', '.join(map(str, record.seeds))}",
        f"{record.steps:,} steps in {record.wall_time_s:,.0f} s on {record.device}",
        f"torch {record.versions.get('torch', '?')}",
        record.date[:10],
        f"commit {record.commit[:9]}{' with local changes' * bool(record.dirty)}" if record.commit else None,
        f"good for the code of {record.carried[-1]['commit'][:9]} by {record.carried[-1]['witness']}" if record.carried else None,
        f"partial: {record.reason}" if record.status != "complete" else None,
    ]
    return ", ".join(part for part in parts if part)
