"""Experiments spread over processes of this machine, through joblib, or over the workers of a Dask cluster."""

import io
import os
import re
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import torch

from vbook.errors import VbookError
from vbook.experiments import registry
from vbook.experiments.registry import Experiment, Outcome, find, run
from vbook.experiments.together import end_with, interrupts_ignored
from vbook.loaded import moved


def chains(experiments: list[Experiment]) -> list[list[Experiment]]:
    """The experiments in groups that share an input: each is for one process, so that no input is trained twice.

    The groups come in the order of their first members.
    """
    groups: list[tuple[set[str], list[Experiment]]] = []
    for one in experiments:
        ids, members = {one.id, *(other.id for other in one.inputs())}, [one]
        for group in [group for group in groups if group[0] & ids]:
            groups.remove(group)
            ids, members = group[0] | ids, group[1] + members
        groups.append((ids, members))
    place = {one.id: k for k, one in enumerate(experiments)}
    return sorted((sorted(members, key=lambda one: place[one.id]) for _, members in groups), key=lambda group: place[group[0].id])


LOST = "its process was killed, or ended with another's, perhaps for want of memory; run again, it goes on from its checkpoints"
WAIT = 20  # seconds for a scheduler, and its first worker, to answer


def outcomes(tasks: Iterable[tuple[list[str], dict]], jobs: int, scheduler: str | None) -> Iterator[list[tuple[str, object]]]:
    """What ``measure`` returns for each of ``tasks``, (ids, settings), as soon as it is there; they are read as places free up.

    With the address of a Dask ``scheduler`` its workers do the work, as many as there are; a task whose worker is lost is given
    to another. On this machine the loss of a process is told, and the rest goes on. VbookError when there is no such scheduler.
    """
    for found in _on_cluster(iter(tasks), scheduler) if scheduler else _here(iter(tasks), jobs):
        yield [(id, _unpacked(what)) for id, what in found]


def _here(waiting: Iterator, jobs: int) -> Iterator[list[tuple[str, bytes | str]]]:
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    flying: list[list[str]] = []

    def started():
        for ids, settings in waiting:
            flying.append(ids)
            yield joblib.delayed(measure)(ids, settings | {"parent": os.getpid()})

    while True:
        try:
            for found in joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")(started()):
                flying.remove([id for id, _ in found])
                yield found
            return
        except BrokenProcessPool:
            yield [(id, LOST) for ids in flying for id in ids]
            flying.clear()


def _on_cluster(waiting: Iterator, scheduler: str) -> Iterator[list[tuple[str, bytes | str]]]:
    """Through Dask's own client: joblib's never comes back from a task that its worker doesn't survive."""
    if not re.fullmatch(r"(\w+://)?[^/\s]+:\d+/?|inproc://.+", scheduler):  # Dask would try for long, and end in a traceback
        raise VbookError(f"a scheduler's address is host:port, such as tcp://10.0.0.1:8786, not {scheduler!r}")
    try:
        from distributed import Client, KilledWorker, as_completed

        client = Client(scheduler, timeout=WAIT, set_as_default=False)
        client.wait_for_workers(1, timeout=WAIT)
    except (ImportError, OSError, TimeoutError, ValueError) as error:
        hint = "is it running with a worker, and vbook[cluster] installed?"
        raise VbookError(f"the Dask scheduler {scheduler!r} can't be used ({' '.join(str(error).split())}); {hint}") from error
    with client:
        flying, done = {}, as_completed(loop=client.loop)

        def fill():
            for ids, settings in islice(waiting, max(sum(client.ncores().values()), 1) - len(flying)):
                future = client.submit(measure, ids, settings, pure=False)
                flying[future] = ids
                done.add(future)

        fill()
        for future in done:
            ids = flying.pop(future)
            try:
                yield future.result()
            except KilledWorker:
                yield [(id, LOST) for id in ids]
            except Exception as error:
                yield [(id, in_words(error)) for id in ids]
            fill()


def in_words(error: BaseException) -> str:
    """What went wrong; what was not written for users in one line, after the type of the error."""
    return str(error) if isinstance(error, VbookError) else f"{type(error).__name__}: {' '.join(str(error).split())}"


def measure(ids: list[str], settings: dict) -> list[tuple[str, bytes | str]]:
    """In another process, on one thread: the outcome of each experiment as bytes, or in words why there is none."""
    torch.set_num_threads(1)
    start, budget, found = time.monotonic(), settings["budget"], []
    if settings.get("parent") == os.getppid():
        end_with(os.getppid())
    registry.FINISHED.clear()  # a worker outlives the commands that it works for
    with interrupts_ignored():  # a terminal sends them to all processes; the one that asked ends the others
        for id in ids:
            left = None if budget is None else max(budget - (time.monotonic() - start), 1e-3)
            place = {"checkpoints": settings["folders"][id], "budget": left, "progress": False}
            buffer = io.BytesIO()
            try:
                if moved():
                    raise VbookError("files of the package have changed since this worker began; start it anew")
                torch.save(run(find(id).id, *settings["arguments"], **place), buffer)
                found.append((id, buffer.getvalue()))
            except (Exception, SystemExit) as error:  # of one experiment: the others have nothing to do with it
                found.append((id, in_words(error)))
    return found


def _unpacked(what: bytes | str) -> Outcome | str:
    try:
        return what if isinstance(what, str) else torch.load(io.BytesIO(what), weights_only=False)  # from our own process
    except (Exception, SystemExit) as error:  # it names a class, say, that only the worker has
        return f"its outcome can't be read ({in_words(error)})"
