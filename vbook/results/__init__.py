"""Measured records, the sources' numbers, and the way from a number in prose to its provenance."""

from vbook.results.comparison import Comparison, compare, significant
from vbook.results.record import Record, new_record, read_record, record_path, records, save_record
from vbook.results.references import Quantity, format_like, resolve
from vbook.results.target import targets

__all__ = [
    "Comparison",
    "Quantity",
    "Record",
    "compare",
    "format_like",
    "new_record",
    "read_record",
    "record_path",
    "records",
    "resolve",
    "save_record",
    "significant",
    "targets",
]
