"""Several experiments side by side, one core each: small networks use two cores better as two runs than as two threads of one."""

import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

from vbook.errors import VbookError
from vbook.experiments import registry
from vbook.experiments.registry import Outcome, arguments, run, shows


def run_all(*ids: str, profile="smoke", seed=0, device="cpu", data_root=None, progress=False) -> dict[str, Outcome]:
    """``run`` each of the experiments ``ids``, which must not need each other; later calls of ``run`` get the same Outcomes.

    On the CPU they run in processes of one thread each, at most as many as PyTorch would use threads; on a GPU, or with one
    thread, one after the other in this process. An error of one is raised when the others are done; Ctrl-C ends them all.
    """
    keys = {id: arguments(registry.find(id).id, profile, seed, device, data_root) for id in ids}
    waiting = [id for id in ids if keys[id] not in registry.FINISHED]
    workers = min(len(waiting), torch.get_num_threads())
    if workers > 1 and torch.device(device).type == "cpu":
        _spread([keys[id] for id in waiting], workers, progress)
    return {id: run(*keys[id], progress) for id in ids}


def _spread(keys: list[tuple], workers: int, progress: bool) -> None:
    from tqdm.auto import tqdm

    failed = None
    context = multiprocessing.get_context("spawn")  # PyTorch's threads don't survive a fork
    with ProcessPoolExecutor(workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        futures = {pool.submit(_apart, key): key for key in keys}
        try:
            for done in tqdm(as_completed(futures), total=len(keys), disable=not shows(progress), unit="experiment", leave=False):
                try:
                    outcome = torch.load(io.BytesIO(done.result()), weights_only=False)  # our own bytes, from our own process
                except VbookError as error:
                    failed = error
                else:
                    registry.remember(futures[done], outcome)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(pool._processes.values()):
                process.terminate()
            raise
    if failed:
        raise failed


def _apart(key: tuple) -> bytes:
    """The outcome as bytes: nothing of it shares memory with this process, which may be gone when it is read."""
    buffer = io.BytesIO()
    torch.save(run(*key), buffer)
    return buffer.getvalue()
