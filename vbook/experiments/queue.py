"""``vbook reproduce``: a queue of experiments within a time budget; each record is written as soon as it is measured."""

import shutil
import time
from pathlib import Path

import torch

from vbook import paths
from vbook.devices import check_device
from vbook.errors import VbookError
from vbook.experiments.carrying import carrying
from vbook.experiments.keeping import keep
from vbook.experiments.registry import experiments, find, run
from vbook.loaded import moved
from vbook.noise import check_seed
from vbook.profiles import check_profile
from vbook.results import read_record, record_path


def reproduce(
    ids, profile: str, *, seed=0, device="cpu", data_root=None, budget_seconds=None, force=False, say=print
) -> dict[str, str]:
    """Run the experiments ``ids`` (all when empty) at ``profile`` and commit their records; returns what became of each.

    An experiment whose complete record still matches its code and settings is left alone unless ``force``; a record that was made
    with local changes matches nothing. When the budget is spent a training stops at a checkpoint, from which the next call goes
    on, and the rest stays ``not run``, as it does once the package's files have changed since they were imported: the records
    would be those of another code. Raises VbookError, before anything runs, for unknown ids and profiles, broken records, and
    folders that can't be written.
    """
    check_profile(profile), check_seed(seed), check_device(device)
    if paths.root() is None:
        raise VbookError("records are written into the book's checkout; clone the repository to reproduce them")
    queue = [find(id) for id in ids] or list(experiments().values())
    for chosen in queue:
        _complete(f"{chosen.id}.{profile}")
    _try_to_write()
    start, fate = time.monotonic(), {}
    for chosen in queue:
        record_id = f"{chosen.id}.{profile}"
        old = _complete(record_id)
        if moved():
            fate[record_id] = "not run: files of the package have changed since this command began; run it again"
        elif not force and old and old.dirty is False and old.experiment_digest == chosen.digest(chosen.profiles[profile]):
            fate[record_id] = f"up to date{_other(old, seed, device)}"
        elif budget_seconds is not None and time.monotonic() - start >= budget_seconds:
            fate[record_id] = "not run: the budget is spent"
        else:
            left = None if budget_seconds is None else budget_seconds - (time.monotonic() - start)
            folder = _checkpoints(chosen, profile, seed, device)
            outcome = run(chosen.id, profile, seed, device, data_root, progress=True, checkpoints=folder, budget=left)
            if outcome.interrupted:  # part of a run is no result; what is in its checkpoints is not lost
                why = "interrupted" if left is None or time.monotonic() - start < budget_seconds else "the budget is spent"
                fate[record_id] = (
                    f"{why}{'; the complete record stays' if old else ''}; run again, it goes on from its checkpoints"
                )
            else:
                shelf = record_path(record_id).parent
                with carrying(shelf):
                    record = keep(outcome, shelf, paths.book("weights"))
                shutil.rmtree(folder, ignore_errors=True)  # only now: had the record not been written, all would be lost
                fate[record_id] = f"{record.status} in {record.wall_time_s:.0f} s"
        say(f"{record_id}: {fate[record_id]}")
        if fate[record_id].startswith("interrupted"):
            break
    return fate


def _other(old, seed: int, device: str) -> str:
    """What sets a record that is up to date apart from the one that was asked for, if anything."""
    said = [f"seed {old.seeds[0]}"] if old.seeds[0] != seed else []
    said += [old.device] if old.device.startswith("CPU") != (torch.device(device).type == "cpu") else []
    return f", measured with {' on '.join(said)}; --force replaces it" if said else ""


def _try_to_write() -> None:
    for folder in (paths.book("results"), paths.book("weights")):
        try:
            paths.try_to_write(folder)
        except OSError as error:
            raise VbookError(f"{folder}: no record could be written there ({error.strerror})") from error


def _checkpoints(chosen, profile: str, seed: int, device: str) -> Path:
    """Where its trainings keep their checkpoints: a folder of its own for each state of code and settings."""
    digest = chosen.digest(chosen.profiles[profile]).partition(":")[2]
    return paths.build("checkpoints", f"{chosen.id}.{profile}.seed{seed}.{torch.device(device).type}.{digest[:12]}")


def _complete(record_id: str):
    """The committed record if it is complete, else None."""
    path = record_path(record_id)
    record = read_record(path) if path.is_file() else None
    return record if record and record.status == "complete" else None
