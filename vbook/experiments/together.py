"""Several experiments side by side, one core each: small networks use two cores better as two runs than as two threads of one."""

import io
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from vbook.errors import VbookError
from vbook.experiments import registry
from vbook.experiments.registry import Outcome, arguments, run, shows


def run_all(*ids: str, profile="smoke", seed=0, device="cpu", data_root=None, progress=False) -> dict[str, Outcome]:
    """``run`` each of the experiments ``ids``, which must not need each other; later calls of ``run`` get the same Outcomes.

    On the CPU they run in processes of one thread each, at most as many as PyTorch would use threads; on a GPU, or with one
    thread, one after the other in this process. What has finished is kept when another fails; Ctrl-C ends them all.
    """
    keys = {id: arguments(registry.find(id).id, profile, seed, device, data_root) for id in ids}
    waiting = [id for id in ids if keys[id] not in registry.FINISHED]
    workers = min(len(waiting), torch.get_num_threads())
    if workers > 1 and torch.device(device).type == "cpu":
        _spread([keys[id] for id in waiting], workers, progress)
    return {id: run(*keys[id], progress) for id in ids}


def _spread(keys: list[tuple], workers: int, progress: bool) -> None:
    from joblib.externals.loky import ProcessPoolExecutor  # unlike the standard one it can end its workers
    from tqdm.auto import tqdm

    failed = []
    pool = ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        futures = {pool.submit(_apart, key): key for key in keys}
        for done in tqdm(as_completed(futures), total=len(keys), disable=not shows(progress), unit="experiment", leave=False):
            try:
                outcome = torch.load(io.BytesIO(done.result()), weights_only=False)  # our own bytes, from our own process
            except BrokenProcessPool:
                failed.append(VbookError(f"the process of {futures[done][0]} was killed, perhaps for want of memory"))
            except Exception as error:  # the others are still worth having
                failed.append(error)
            else:
                registry.remember(futures[done], outcome)
    finally:
        pool.shutdown(kill_workers=True)
    if failed:
        raise failed[0]


def _apart(key: tuple) -> bytes:
    """The outcome as bytes: nothing of it shares memory with this process, which may be gone when it is read."""
    buffer = io.BytesIO()
    torch.save(run(*key), buffer)
    return buffer.getvalue()
