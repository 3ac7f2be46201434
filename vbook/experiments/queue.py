"""``vbook reproduce``: a queue of experiments within a time budget; each record is written as soon as it is measured."""

import contextlib
import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from vbook import paths
from vbook.devices import check_device
from vbook.errors import VbookError
from vbook.experiments.carrying import carrying
from vbook.experiments.keeping import check_places, keep
from vbook.experiments.registry import Experiment, Outcome, experiments, find, run
from vbook.experiments.spread import chains, in_words, outcomes
from vbook.experiments.together import interrupts_ignored
from vbook.loaded import moved
from vbook.noise import check_seed
from vbook.profiles import check_profile
from vbook.results import Record, read_record, record_path, targets


def reproduce(
    ids,
    profile: str,
    *,
    seed=0,
    device="cpu",
    data_root=None,
    budget_seconds=None,
    force=False,
    jobs: int = 1,
    scheduler: str | None = None,
    say=print,
) -> dict[str, str]:
    """Run the experiments ``ids`` (all when empty) at ``profile`` and commit their records; returns what became of each.

    All of them run in the order of their worth: those that answer most targets first, among equals those never measured, then
    the shorter. An experiment whose complete record still matches its code, data and settings is left alone unless ``force``; a
    record that was made with local changes matches nothing. When the budget is spent a training stops at a checkpoint, from
    which the next call goes on, and the rest stays ``not run``, as it does once the package's files have changed since they were
    imported: the records would be those of another code. What another call is measuring at the moment is left to it.

    With more than one of ``jobs`` the experiments that don't need each other run side by side, on one thread each; with the
    address of a Dask ``scheduler``, on the workers of its cluster, which must have the same code and data. Raises VbookError,
    before anything runs, for unknown ids and profiles, broken records, and folders that can't be written.
    """
    check_profile(profile), check_seed(seed), check_device(device)
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise VbookError(f"jobs must be a positive integer, got {jobs!r}")
    if paths.root() is None:
        raise VbookError("records are written into the book's checkout; clone the repository to reproduce them")
    named = map(find, [ids] if isinstance(ids, str) else ids)
    chosen = list({one.id: one for one in named}.values()) or by_worth(profile)
    for one in chosen:
        _complete(f"{one.id}.{profile}")
        check_places(f"{one.id}.{profile}", paths.book("weights"))
    _try_to_write()
    queue = _Queue(chosen, profile, seed, device, data_root, budget_seconds, force, say)
    try:
        if jobs == 1 and scheduler is None:
            queue.run_here()
        else:
            queue.run_elsewhere(jobs, scheduler)
    finally:
        for lock in queue.locks.values():
            lock.close()
    return {f"{one.id}.{profile}": queue.fate[one.id] for one in chosen if one.id in queue.fate}


def by_worth(profile: str) -> list[Experiment]:
    """All experiments, those first whose records at ``profile`` answer most of the targets; then the new, then the short ones."""

    def worth(one: Experiment) -> tuple:
        record_id = f"{one.id}.{profile}"
        answers = sum((target.get("record") or "").rpartition("/")[0] == record_id for target in targets().values())
        before = _complete(record_id)
        return -answers, before is not None, before.wall_time_s if before else 0.0

    return sorted(experiments().values(), key=worth)


@dataclass
class _Queue:
    """One call of ``reproduce``: what it was asked for, and the ``fate`` of each experiment so far."""

    chosen: list[Experiment]
    profile: str
    seed: int
    device: str
    data_root: object
    budget: float | None
    force: bool
    say: Callable[[str], None]
    fate: dict[str, str] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)
    locks: dict[str, contextlib.ExitStack] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def run_here(self) -> None:
        """One after the other in this process, with bars."""
        for one in self.chosen:
            if self.begin(one):
                arguments = (one.id, self.profile, self.seed, self.device, self.data_root)
                try:
                    outcome = run(*arguments, progress=True, checkpoints=self.folder(one), budget=self.left())
                except (Exception, SystemExit) as error:  # of one experiment: the others have nothing to do with it
                    outcome = in_words(error)
                self.end(one, outcome)
                if self.fate[one.id].startswith("interrupted"):
                    break

    def run_elsewhere(self, jobs: int, scheduler: str | None) -> None:
        """As many at a time as there are places; this process writes the records."""
        found = outcomes(self.tasks(), jobs, scheduler)
        try:
            for several in found:
                for id, outcome in several:
                    self.end(find(id), outcome)
        except KeyboardInterrupt:
            with interrupts_ignored():  # an impatient second one
                found.close()
            for one in self.chosen:
                self.fate.setdefault(one.id, "interrupted; run again, it goes on from its checkpoints")

    def tasks(self) -> Iterator[tuple[list[str], dict]]:
        """What is to be measured, asked for when a place is free."""
        for group in chains(self.chosen):
            ready = [one for one in group if self.begin(one)]
            if ready:
                folders = {one.id: self.folder(one) for one in ready}
                arguments = (self.profile, self.seed, self.device, self.data_root)
                yield [one.id for one in ready], {"arguments": arguments, "folders": folders, "budget": self.left()}

    def begin(self, one: Experiment) -> bool:
        """Whether it is to be measured now, by us alone; else its fate is said."""
        record_id = f"{one.id}.{self.profile}"
        lock = contextlib.ExitStack()
        file = paths.build("checkpoints", f"{one.id}.in-use")  # at any profile: one may carry another's record
        try:
            if not _locked(lock, file):
                return self._tell(one, "being measured by another call")
        except OSError as error:
            lock.close()
            return self._tell(one, f"failed: {file} can't be locked ({error.strerror})")
        try:
            old = _complete(record_id)
        except VbookError as error:  # broken since this command began
            lock.close()
            return self._tell(one, f"failed: {error}")
        if moved():
            why = "not run: files of the package have changed since this command began; run it again"
        elif not self.force and old and old.dirty is False and old.experiment_digest == one.digest(one.profiles[self.profile]):
            why = f"up to date{_other(old, self.seed, self.device)}"
        elif self.left() == 0:
            why = "not run: the budget is spent"
        else:
            self.locks[one.id], self.digests[one.id] = lock, one.digest(one.profiles[self.profile])
            return True
        lock.close()
        return self._tell(one, why)

    def end(self, one: Experiment, outcome: Outcome | str) -> None:
        """Write the record, if there is one, and say what became of it."""
        try:
            why = f"failed: {outcome}" if isinstance(outcome, str) else self.kept(one, outcome)
        except Exception as error:  # a full disk, a metric that is not finite, an outcome that is none
            kept = "; its trainings are kept, run again" if any(self.folder(one).glob("*.safetensors")) else ""
            why = f"failed: no record could be written ({in_words(error)}){kept}"
        self.locks.pop(one.id).close()
        self._tell(one, why)

    def kept(self, one: Experiment, outcome: Outcome) -> str:
        """Write the record of an outcome unless it is a part of a run, or of other code; returns what to say of it."""
        record_id = f"{one.id}.{self.profile}"
        if outcome.record.experiment_digest != self.digests[one.id]:  # a worker on another commit, or edited meanwhile
            return "failed: it was measured with other code than this command's; nothing is written"
        if outcome.interrupted:  # part of a run is no result; what is in its checkpoints is not lost
            why = "the budget is spent" if self.left() == 0 else "interrupted"
            stays = "; the complete record stays" if _complete(record_id) else ""
            return f"{why}{stays}; run again, it goes on from its checkpoints"
        shelf = record_path(record_id).parent
        with carrying(shelf):
            record = keep(outcome, shelf, paths.book("weights"))
        shutil.rmtree(self.folder(one), ignore_errors=True)  # only now: had the record not been written, all would be lost
        return f"{record.status} in {record.wall_time_s:.0f} s"

    def left(self) -> float | None:
        return None if self.budget is None else max(self.budget - (time.monotonic() - self.start), 0.0)

    def folder(self, one: Experiment) -> Path:
        """Where its trainings keep their checkpoints: a folder of its own for each state of code and settings."""
        digest = self.digests[one.id].partition(":")[2]
        kind = torch.device(self.device).type
        return paths.build("checkpoints", f"{one.id}.{self.profile}.seed{self.seed}.{kind}.{digest[:12]}")

    def _tell(self, one: Experiment, why: str) -> bool:
        self.fate[one.id] = why
        self.say(f"{one.id}.{self.profile}: {why}{self._ahead()}")
        return False

    def _ahead(self) -> str:
        """How much is still to come, by what earlier records took."""
        rest, before = [one for one in self.chosen if one.id not in self.fate], []
        for one in rest:
            with contextlib.suppress(VbookError):
                before += [record.wall_time_s for record in [_complete(f"{one.id}.{self.profile}")] if record]
        if not rest:
            return ""
        unknown = f" and {len(rest) - len(before)} of unknown length" if len(before) < len(rest) else ""
        return f" ({len(rest)} to go, up to {sum(before) / 60:.0f} min{unknown})"


def _locked(stack: contextlib.ExitStack, file: Path) -> bool:
    """Whether ``file`` could be taken; ``stack`` then holds it until it is closed, or the process ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = stack.enter_context(open(file, "w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stack.close()
        return False
    return True


def _other(old: Record, seed: int, device: str) -> str:
    """What sets a record that is up to date apart from the one that was asked for, if anything."""
    said = [f"seed {old.seeds[0]}"] if old.seeds[0] != seed else []
    said += [old.device] if old.device.startswith("CPU") != (torch.device(device).type == "cpu") else []
    return f", measured with {' on '.join(said)}; --force replaces it" if said else ""


def _try_to_write() -> None:
    for folder in (paths.book("results"), paths.book("weights"), paths.build("checkpoints")):
        try:
            paths.try_to_write(folder)
        except OSError as error:
            what = "checkpoint" if folder.name == "checkpoints" else "record"
            raise VbookError(f"{folder}: no {what} could be written there ({error.strerror})") from error


def _complete(record_id: str) -> Record | None:
    """The committed record if it is complete, else None."""
    path = record_path(record_id)
    record = read_record(path) if path.exists() else None
    return record if record and record.status == "complete" else None
