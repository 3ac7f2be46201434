"""Experiments spread over processes of this machine, or over the workers of a Dask cluster, through joblib."""

import io
import time
from collections.abc import Iterable, Iterator

import torch

from vbook.errors import VbookError
from vbook.experiments.registry import Experiment, Outcome, find, run


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


def outcomes(tasks: Iterable[tuple[list[str], dict]], jobs: int, scheduler: str | None) -> Iterator[list[tuple[str, object]]]:
    """What ``measure`` returns for each of ``tasks``, (ids, settings), as soon as it is there; they are read as places free up.

    With the address of a Dask ``scheduler`` its workers do the work, as many as there are; a task whose worker is lost is given
    to another. On this machine the loss of a process is told, and the rest goes on. VbookError when there is no such scheduler.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    flying: list[list[str]] = []

    def started():
        for ids, settings in waiting:
            flying.append(ids)
            yield joblib.delayed(measure)(ids, settings)

    waiting, backend = iter(tasks), {"backend": "dask", "client": _client(scheduler)} if scheduler else {"n_jobs": jobs}
    while True:
        try:
            with joblib.parallel_config(**backend):
                for found in joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")(started()):
                    flying.remove([id for id, _ in found])
                    yield [(id, _unpacked(what)) for id, what in found]
            return
        except BrokenProcessPool:
            yield [(id, LOST) for ids in flying for id in ids]
            flying.clear()


def _client(scheduler: str):
    """A client of the Dask scheduler at an address."""
    try:
        from distributed import Client

        return Client(scheduler, timeout=20, set_as_default=False)
    except (ImportError, OSError, TimeoutError, ValueError) as error:
        hint = "is it running, and vbook[cluster] installed?"
        raise VbookError(f"the Dask scheduler {scheduler!r} can't be used ({' '.join(str(error).split())}); {hint}") from error


def measure(ids: list[str], settings: dict) -> list[tuple[str, bytes | str]]:
    """In another process, on one thread: the outcome of each experiment as bytes, or in words why there is none."""
    torch.set_num_threads(1)
    start, budget, found = time.monotonic(), settings["budget"], []
    for id in ids:
        left = None if budget is None else max(budget - (time.monotonic() - start), 1e-3)
        place = {"checkpoints": settings["folders"][id], "budget": left, "progress": False}
        try:
            outcome = run(find(id).id, *settings["arguments"], **place)
        except Exception as error:  # of one experiment: the others have nothing to do with it
            found.append((id, str(error) if isinstance(error, VbookError) else f"{type(error).__name__}: {error}"))
            continue
        buffer = io.BytesIO()
        torch.save(outcome, buffer)
        found.append((id, buffer.getvalue()))
    return found


def _unpacked(what: bytes | str) -> Outcome | str:
    return what if isinstance(what, str) else torch.load(io.BytesIO(what), weights_only=False)  # from our own process
