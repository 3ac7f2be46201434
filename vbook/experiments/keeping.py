"""Where records and the weights that pages need are put."""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from vbook import paths
from vbook.errors import VbookError
from vbook.results import Record, save_record
from vbook.results.record import written
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


def sitting(folder: Path | None, code: dict | None = None) -> tuple[Callable[[], float], bool]:
    """Begin a sitting of a run with checkpoints in ``folder``: how to ask for the seconds in all sittings, and if all are clean.

    A sitting that was killed counts up to its last checkpoint. Clean are sittings of a package without local changes, the same
    in all of them; ``code`` has the ``dirty`` and the ``package_digest`` of this one. VbookError where an earlier sitting had
    another number of threads, which rounds otherwise.
    """
    start, earlier, threads = time.time(), 0.0, torch.get_num_threads()
    about = {"threads": threads, "package": (code or {}).get("package_digest"), "clean": not (code or {}).get("dirty")}
    if folder:
        file = folder / "sittings.json"
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))
            if before.get("threads", threads) != threads:
                raise VbookError(
                    f"{folder}: holds a run begun with {before['threads']} threads, and here are {threads}; "
                    f"set OMP_NUM_THREADS={before['threads']}, or delete the folder to begin anew"
                )
            last = max((path.stat().st_mtime for path in folder.rglob("*.safetensors")), default=0.0)
            earlier = before["seconds"] + max(last - before["began"], 0.0)
            about["clean"] = about["clean"] and before.get("clean", False) and before.get("package") == about["package"]
        with written(file, "w") as out:
            json.dump({"seconds": earlier, "began": start} | about, out)
    return lambda: earlier + time.time() - start, about["clean"]


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
