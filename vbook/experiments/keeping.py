"""Where records and the weights that pages need are put."""

import contextlib
import dataclasses
import fcntl
import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.results import Record, save_record
from vbook.results.kinds import is_a
from vbook.results.pictures import save_pictures
from vbook.results.record import PARTS, check_record, written
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


NOTE_EVERY = 10.0  # seconds between two notes of how long a run has taken


@dataclass
class Sitting:
    """One of the sittings in which a run is measured: seconds in those before, and whether any had local changes, if known."""

    earlier: float
    dirty: bool | None
    start: float = field(default_factory=lambda: time.perf_counter())

    def seconds(self) -> float:
        """The time in all sittings so far."""
        return self.earlier + time.perf_counter() - self.start


def worst(*dirty: bool | None) -> bool | None:
    """What is known of several codes together: True if one has local changes, else None if that of one isn't known.

    >>> worst(False, None, True), worst(False, None), worst(False, False)
    (True, None, False)
    """
    return True if True in dirty else None if None in dirty else False


@contextlib.contextmanager
def sitting(folder: Path | None, code: dict, device: str):
    """A ``Sitting`` of a run with checkpoints in ``folder``, which belongs to it alone until the block ends.

    ``code`` has the ``dirty`` and the ``package_digest`` of this process. Sittings of other packages, and checkpoints of which
    nobody knows whose they are, count as local changes. A sitting that was killed counts up to its last note (``NOTE_EVERY``).
    VbookError where another process is at it, and where an earlier sitting was on another ``device`` or number of threads.
    """
    dirty, earlier = code.get("dirty"), 0.0
    if folder is None:
        yield Sitting(earlier, dirty)
        return
    with _alone(folder):
        file = folder / "sittings.json"
        before = _sittings(file)
        if before and before["device"] != device:
            raise VbookError(
                f"{folder}: holds a run begun on {before['device']}, and this is {device}; go on there (OMP_NUM_THREADS sets the "
                "threads), or delete the folder to begin anew"
            )
        if before:
            earlier = before["seconds"]
            dirty = worst(dirty, before["dirty"], before["package"] != code.get("package_digest"))
        elif any(folder.rglob("*.safetensors")):
            dirty = True
        now = Sitting(earlier, dirty)
        with _noted(now, file, {"dirty": dirty, "package": code.get("package_digest"), "device": device}):
            yield now


@contextlib.contextmanager
def _noted(now: Sitting, file: Path, about: dict):
    """Keeps in ``file``, beside what is to say ``about`` the sitting, its seconds so far."""
    ended = threading.Event()

    def note():
        with written(file, "w") as out:
            json.dump({"seconds": now.seconds()} | about, out)

    def notes():
        while not ended.wait(NOTE_EVERY):
            with contextlib.suppress(VbookError):  # a full disk: the note before stays
                note()

    note()
    thread = threading.Thread(target=notes, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(VbookError):
            note()


def _sittings(file: Path) -> dict | None:
    """What is known of the sittings so far; None where there was none, or nobody can tell."""
    kinds = {"seconds": float, "dirty": bool | None, "package": str | None, "device": str}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        whole = all(is_a(found[name], kind) for name, kind in kinds.items()) and found["seconds"] >= 0
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return {name: found[name] for name in kinds} if whole else None


@contextlib.contextmanager
def _alone(folder: Path):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "in-use", "w")
    except OSError as error:
        raise VbookError(f"{folder}: no checkpoint can be written there ({error.strerror or error})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VbookError(f"{folder}: another process is measuring this; wait until it has ended") from None
        except OSError as error:
            raise VbookError(f"{folder}: can't be locked ({error.strerror or error})") from error
        yield


def check_places(record_id: str, weights: Path) -> None:
    """VbookError where a folder stands in the place of the weights of a record: better told before hours of training."""
    for part in PARTS:
        if (file := Path(weights) / f"{record_id}.{part}.safetensors").is_dir():
            raise VbookError(f"{file} is a folder, where weights are to be written; remove it")


def keep(outcome, records: Path, weights: Path) -> Record:
    """Write the record of ``outcome`` into ``records`` and the weights that pages need, if it has any, into ``weights``.

    Of a network without an ``architecture`` to rebuild it from, one too big for pages, the record keeps what it has drawn.
    """
    record = outcome.record
    check_record(record)
    # All are written before the first is put in its place, and the record, which vouches for the weights, comes last.
    with contextlib.ExitStack() as last, contextlib.ExitStack() as files:
        if outcome.architecture and record.profile != "smoke":
            names = record.experiment, record.profile
            artefacts = save_weights(outcome.model, *names, outcome.architecture, weights, files)
            record = outcome.record = dataclasses.replace(record, artefacts=artefacts)
        elif outcome.drawings and record.profile != "smoke":
            pictures = save_pictures(outcome.drawings, record.id, outcome.shape, records, files)
            record = outcome.record = dataclasses.replace(record, pictures=pictures)
        save_record(record, records, last)
    return record
