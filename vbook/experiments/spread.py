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


def outcomes(tasks: Iterable[tuple[list[str], dict]], jobs: int, scheduler: str | None) -> Iterator[list[tuple[str, object]]]:
    """What ``measure`` returns for each of ``tasks``, (ids, settings), as soon as it is there; they are read as places free up.

    With the address of a Dask ``scheduler`` its workers do the work, as many as there are; a task whose worker is lost is given
    to another. VbookError when it can't be reached.
    """
    import joblib

    backend = dict(backend="dask", scheduler_host=scheduler) if scheduler else dict(backend="loky", n_jobs=jobs)
    try:
        with joblib.parallel_config(**backend):
            spread = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
            for found in spread(joblib.delayed(measure)(ids, settings) for ids, settings in tasks):
                yield [(id, _unpacked(what)) for id, what in found]
    except (OSError, TimeoutError, ValueError) as error:
        if scheduler is None:
            raise
        said = " ".join(str(error).split())
        raise VbookError(
            f"the Dask scheduler {scheduler!r} can't be used ({said}); is it running, and distributed installed?"
        ) from error


def measure(ids: list[str], settings: dict) -> list[tuple[str, bytes | str]]:
    """In another process, on one thread: the outcome of each experiment as bytes, or in words why there is none."""
    torch.set_num_threads(1)
    start, budget, found = time.monotonic(), settings["budget"], []
    for id in ids:
        left = None if budget is None else max(budget - (time.monotonic() - start), 1e-3)
        place = {"checkpoints": settings["folders"][id], "budget": left, "progress": False}
        try:
            outcome = run(find(id).id, *settings["arguments"], **place)
        except VbookError as error:
            found.append((id, str(error)))
            continue
        buffer = io.BytesIO()
        torch.save(outcome, buffer)
        found.append((id, buffer.getvalue()))
    return found


def _unpacked(what: bytes | str) -> Outcome | str:
    return what if isinstance(what, str) else torch.load(io.BytesIO(what), weights_only=False)  # from our own process
