"""Where records and the weights that pages need are put."""

import contextlib
import dataclasses
import os
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.results import Record, save_record
from vbook.results.weights import save_weights


def records_folder() -> Path | None:
    """The folder that $VBOOK_RECORDS names, if any; VbookError, before anything is trained, if nothing can be written there."""
    if not (name := os.environ.get("VBOOK_RECORDS")):
        return None
    try:
        paths.try_to_write(Path(name).resolve())
    except OSError as error:
        raise VbookError(f"$VBOOK_RECORDS names {name}, where nothing can be written ({error.strerror})") from error
    return Path(name)


def keep(outcome, records: Path, weights: Path) -> Record:
    """Write the record of ``outcome`` into ``records`` and the weights that pages need, if it has any, into ``weights``."""
    record = outcome.record
    # All are written before the first is put in its place, and the record, which vouches for the weights, comes last.
    with contextlib.ExitStack() as last, contextlib.ExitStack() as files:
        if outcome.architecture and record.profile != "smoke":
            names = record.experiment, record.profile
            artefacts = save_weights(outcome.model, *names, outcome.architecture, weights, files)
            record = outcome.record = dataclasses.replace(record, artefacts=artefacts)
        save_record(record, records, last)
    return record
