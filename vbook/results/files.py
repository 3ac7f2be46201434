"""A record by its id, and the files that it vouches for: read only if they are what was measured."""

import hashlib

from vbook import paths
from vbook.errors import VbookError, nearest
from vbook.results.record import Record, read_record, record_path, records


def find_record(record_id: str) -> Record:
    """The committed record ``<experiment>.<profile>``; VbookError, with the nearest, where there is none."""
    if not record_path(record_id).is_file():
        raise VbookError(f"no record {record_id!r}{nearest(record_id, records())}")
    return read_record(record_path(record_id))


def vouched(entry: dict, folder: str) -> bytes:
    """The content of the file of ``book/<folder>`` that a record's ``entry`` names; VbookError for none, or another digest."""
    path = paths.book(folder, entry["file"])
    if not path.is_file():
        raise VbookError(f"{entry['file']} is missing from book/{folder}")
    blob = path.read_bytes()
    if (found := hashlib.sha256(blob).hexdigest()) != entry["sha256"]:
        raise VbookError(f"{entry['file']}: sha256 {found}, but the record names {entry['sha256']}")
    return blob
