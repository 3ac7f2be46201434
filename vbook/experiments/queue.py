"""``vbook reproduce``: a queue of experiments within a time budget; each record is written as soon as it is measured."""

import time

from vbook import paths
from vbook.errors import VbookError
from vbook.experiments.registry import experiments, find, keep, run
from vbook.profiles import check_profile
from vbook.results import read_record, record_path


def reproduce(
    ids, profile: str, *, seed=0, device="cpu", data_root=None, budget_seconds=None, force=False, say=print
) -> dict[str, str]:
    """Run the experiments ``ids`` (all when empty) at ``profile`` and commit their records; returns what became of each.

    An experiment whose complete record still matches its code and settings is left alone unless ``force``. When the budget is
    spent the rest stays ``not run``. Raises VbookError for unknown ids and profiles before anything runs.
    """
    check_profile(profile)
    if paths.root() is None:
        raise VbookError("records are written into the book's checkout; clone the repository to reproduce them")
    queue = [find(id) for id in ids] or list(experiments().values())
    start, fate = time.monotonic(), {}
    for chosen in queue:
        record_id = f"{chosen.id}.{profile}"
        if not force and _current(chosen, profile):
            fate[record_id] = "up to date"
        elif budget_seconds is not None and time.monotonic() - start >= budget_seconds:
            fate[record_id] = "not run: the budget is spent"
        else:
            outcome = run(chosen.id, profile, seed, device, data_root, progress=True)
            record = keep(outcome, record_path(record_id).parent, paths.book("weights"))
            fate[record_id] = f"{record.status} in {record.wall_time_s:.0f} s"
        say(f"{record_id}: {fate[record_id]}")
        if fate[record_id].startswith("partial"):
            break
    return fate


def _current(chosen, profile: str) -> bool:
    path = record_path(f"{chosen.id}.{profile}")
    if not path.is_file():
        return False
    record = read_record(path)
    return record.status == "complete" and record.experiment_digest == chosen.digest(chosen.profiles[profile])
