"""Several experiments side by side, one core each: small networks use two cores better as two runs than as two threads of one."""

import atexit
import contextlib
import functools
import io
import os
import signal
import threading
import time
import weakref
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool

import torch

from vbook.errors import VbookError
from vbook.experiments import registry
from vbook.experiments.registry import BEGUN, Outcome, arguments, run


def start(*ids: str, profile="smoke", seed=0, device="cpu", data_root=None) -> None:
    """Begin to ``run`` the experiments ``ids``, which must not need each other, and return at once; ``run`` waits for its own.

    They run in processes of one thread each, at most as many as PyTorch would use threads (one at ``smoke``), and end with this
    process, which keeps to one thread itself until the last of them has been waited for: two that wait for each other on a core
    that others use take twice the time of one. On a GPU nothing begins before ``run``. Called again, it begins what has failed
    since, and ends runs of the same experiments with other settings.
    """
    keys = [arguments(id, profile, seed, device, data_root) for id in ids]
    for key in [key for key in BEGUN if key[0] in ids and key not in keys]:
        if key in BEGUN:  # not ended with another
            BEGUN[key].end()
    new = [key for key in keys if key not in registry.FINISHED and (key not in BEGUN or BEGUN[key].failed())]
    if new and torch.device(device).type == "cpu":
        threads = max([torch.get_num_threads(), *(other.threads for other in BEGUN.values())])
        one = profile == "smoke"  # a process takes longer to be ready than a smoke run to be done
        _begin(new, 1 if one else min(len(new), threads), threads)


class _Wait:
    """Call it to wait for the outcome of one experiment that runs in another process, with a clock or without."""

    def __init__(self, key: tuple, pool, threads: int):
        self.key, self.pool, self.threads, self.future = key, pool, threads, pool.submit(_apart, key)

    def __call__(self, progress: bool) -> Outcome:
        from tqdm import tqdm

        try:
            with tqdm(
                desc=f"waiting for {self.key[0]}", disable=not progress, bar_format="{desc} {elapsed}", leave=False
            ) as clock:
                while not wait([self.future], timeout=1).done:
                    clock.refresh()
            return torch.load(io.BytesIO(self.future.result()), weights_only=False)  # our own bytes, from our own process
        except BrokenProcessPool:
            raise VbookError(
                f"the process of {self.key[0]} was killed, perhaps for want of memory; asked again, it runs in this process"
            ) from None
        except KeyboardInterrupt:
            self.end()
            raise
        finally:
            if not BEGUN:
                torch.set_num_threads(self.threads)

    def failed(self) -> bool:
        """Whether the run has ended in an error."""
        return self.future.done() and self.future.exception() is not None

    def end(self) -> None:
        """End the processes of this experiment and of those begun with it."""
        for key in [key for key, other in BEGUN.items() if other.pool is self.pool]:
            del BEGUN[key]
        if not BEGUN:
            torch.set_num_threads(self.threads)
        self.pool.shutdown(kill_workers=True)


def _begin(keys: list[tuple], workers: int, threads: int) -> None:
    from joblib.externals.loky.process_executor import ProcessPoolExecutor  # unlike the standard one it can end its workers

    pool = ProcessPoolExecutor(workers, initializer=_alone, initargs=(os.getpid(),))
    with interrupts_ignored():  # which the processes inherit: one may come before they have got to `_alone`
        BEGUN.update({key: _Wait(key, pool, threads) for key in keys})
    torch.set_num_threads(1)
    still = weakref.ref(pool)  # so that its processes end when all that they ran has been waited for

    def end():
        if pool := still():
            pool.shutdown(kill_workers=True)

    # At its exit Python would wait for all that is left to do, in hooks that run before those of `atexit`; the last comes first.
    getattr(threading, "_register_atexit", atexit.register)(end)


@contextlib.contextmanager
def interrupts_ignored():
    """For a moment; elsewhere than in the main thread Python doesn't allow it, and nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _alone(parent: int) -> None:
    """Prepare a process for one experiment after the other: one thread, and no life beyond its parent's."""
    torch.set_num_threads(1)
    os.nice(10)  # the reader's cells come first
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Jupyter sends it to all processes of a kernel, whichever cell is interrupted
    end_with(parent)


@functools.cache
def end_with(parent: int) -> None:
    """From now on this process ends when its parent does, however that ends."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _apart(key: tuple) -> bytes:
    """The outcome as bytes: nothing of it shares memory with this process, which may be gone when it is read."""
    buffer = io.BytesIO()
    torch.save(run(*key), buffer)
    return buffer.getvalue()
