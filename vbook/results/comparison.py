"""The table of an experiment in a chapter: source, our record, this run, side by side."""

import html
import math
from dataclasses import dataclass

from vbook.errors import VbookError
from vbook.results.record import Record, record_path
from vbook.results.references import MINUS, resolve
from vbook.results.target import targets

NONE = "–"
TIMES = ("s", "of the time")  # units of what no two runs agree on


@dataclass(frozen=True, repr=False)
class Comparison:
    """Rows of (what, source, record, this run), drawn as an HTML table whose cells carry their provenance."""

    rows: list
    header: tuple

    def __add__(self, other: "Comparison") -> "Comparison":
        """The rows of both in one table; VbookError where their columns are not the same."""
        if self.header != other.header:
            raise VbookError(f"tables with the columns {self.header} and {other.header} don't go into one")
        return Comparison(self.rows + other.rows, self.header)

    def __repr__(self) -> str:
        cells = [self.header, *[tuple(text for text, _ in row) for row in self.rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        body = "".join(f"<tr>{''.join(_cell(k, *cell) for k, cell in enumerate(row))}</tr>" for row in self.rows)
        return f'<table class="vbook-comparison"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def compare(outcome, rows, record_profile: str = "laptop") -> Comparison:
    """Set targets, the committed record at ``record_profile`` and this ``outcome`` side by side.

    ``rows`` are ``(label, metric)`` or ``(label, metric, target id)``. This run is rounded to three digits (what survives another
    processor), and at the smoke profile its column says that it ran on the embedded data. Without any target there is no
    column of sources. Raises VbookError for unknown names and for records that can't be read.
    """
    record: Record = outcome.record
    table = []
    for label, metric, *target in rows:
        if metric not in record.metrics:
            raise VbookError(f"{record.id} has no metric {metric!r}; it has {', '.join(record.metrics)}")
        recorded = _recorded(f"{record.experiment}.{record_profile}", metric)
        table.append([(label, ""), _source(*target), recorded, _measured(record, metric)])
    header = ["", "source", "our record", _this_run(record)]
    if all(len(row) == 2 for row in rows):
        table, header = [[*row[:1], *row[2:]] for row in table], header[:1] + header[2:]
    return Comparison(table, tuple(header))


def _this_run(record: Record) -> str:
    mark = ", interrupted" if record.status != "complete" else ""
    stand_in = f", {record.data['name']}: not a result" if record.profile == "smoke" else ""
    return f"this run ({record.profile}{stand_in}{mark})"


def significant(value: float, digits: int = 3) -> str:
    """``value`` rounded to ``digits`` significant digits, without an exponent and with a true minus sign.

    >>> significant(-101.27), significant(0.012345), significant(12345.0)
    ('−101', '0.0123', '12300')
    """
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - int(f"{rounded:e}".rpartition("e")[2]))
    return f"{rounded:.{decimals}f}".replace("-", MINUS)


def _source(target: str | None = None) -> tuple[str, str]:
    if target is None:
        return NONE, "the sources print no number"
    if target not in targets():
        raise VbookError(f"no target {target!r} in targets.yml")
    return significant(targets()[target]["value"], 4), resolve(f"target:{target}").provenance


def _recorded(record_id: str, metric: str) -> tuple[str, str]:
    if not record_path(record_id).is_file():
        return NONE, f"no record {record_id} yet"
    quantity = resolve(f"record:{record_id}/{metric}")
    return _with_error(quantity.value, quantity.standard_error), quantity.provenance


def _measured(record: Record, metric: str) -> tuple[str, str]:
    entry = record.metrics[metric]
    if record.profile == "smoke" and entry["unit"] in TIMES:  # a page must come out the same twice
        return NONE, "differs from run to run; shown at the other profiles"
    text = _with_error(entry["mean"], 0) if entry.get("standard_error") == 0 else significant(entry["mean"])
    return text, f"{record.data['title']}, profile {record.profile}, seed {record.seeds[0]}"


def _with_error(value: float, error: float | None) -> str:
    """``value ± error``: the error to two digits, the value to the same place; four digits where the error is not known.

    >>> _with_error(-101.603, 0.267), _with_error(26286.3, 1224.2), _with_error(5.0, None), _with_error(5.0, 0.0)
    ('−101.60 ± 0.27', '26,300 ± 1,200', '5.000', '5')
    """
    if error == 0:
        return f"{value:g}".replace("-", MINUS)
    if error is None:
        return significant(value, 4)
    place = 1 - math.floor(math.log10(float(f"{error:.1e}")))  # of the second digit that is not rounded away
    value, error = round(value, place), round(error, place)
    return f"{value:,.{max(place, 0)}f} ± {error:,.{max(place, 0)}f}".replace("-", MINUS)


def _cell(column: int, text: str, provenance: str) -> str:
    if column == 0:
        return f'<th scope="row">{html.escape(text)}</th>'
    title = f' title="{html.escape(provenance, quote=True)}"' if provenance else ""
    return f"<td{title}>{html.escape(text)}</td>"
