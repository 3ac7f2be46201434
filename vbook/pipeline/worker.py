"""Runs one notebook through papermill in a process of its own: ``python -m vbook.pipeline.worker job.json``.

It leaves the index of the running cell in ``progress`` beside the job and ends, kernel included, when its standard input closes:
a runner that was killed outright leaves nothing running, nor its scratch folder.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

from vbook import paths
from vbook.pipeline import notebook

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute(job: dict, report=lambda cell: None) -> dict | None:
    """Run ``job["notebook"]`` with ``job["parameters"]`` into ``job["output"]``; None, or what went wrong and in which cell.

    ``report`` is called with the index of each cell before it runs. A failed run leaves the notebook, as far as it came, in the
    output.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.engines import NBClientEngine, papermill_engines

    class Reporting(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **options):
            started = nb_man.cell_start

            def cell_start(cell, cell_index=None, **more):
                report(cell_index)
                started(cell, cell_index, **more)

            nb_man.cell_start = cell_start
            ran.append(nb_man.nb)
            # papermill would write the whole notebook before and after each cell; execute_notebook writes it at the end anyway.
            nb_man.save = lambda **more: None
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    ran = []
    papermill_engines.register("vbook", Reporting)
    try:
        papermill.execute_notebook(
            job["notebook"],
            job["output"],
            parameters=job["parameters"],
            engine_name="vbook",
            kernel_name=job["kernel"],
            language="python",
            request_save_on_cell_execute=False,
            progress_bar=False,
            cwd=job["cwd"],
        )
    except papermill.PapermillExecutionError as error:
        lines = [line for text in error.traceback for line in _ANSI.sub("", text).splitlines()]
        return {"cell": error.cell_index, "ename": error.ename, "evalue": _ANSI.sub("", error.evalue), "lines": lines}
    except OSError as error:  # of its output: what fails in a cell is papermill's own error
        Path(job["output"]).unlink(missing_ok=True)
        return {"cell": None, "ename": "VbookError", "evalue": _elsewhere(ran, job, error), "lines": []}
    except DeadKernelError:
        return {"cell": None, "ename": "DeadKernelError", "evalue": "the kernel died, perhaps for want of memory", "lines": []}
    return None


def _elsewhere(ran: list, job: dict, error: OSError) -> str:
    """Save the notebook where its copy would go, for the scratch folder doesn't take it; a sentence on what happened."""
    full = f"the temporary folder {Path(job['output']).parent} can't be written ({error.strerror}); TMPDIR names another"
    try:
        with paths.atomic_write(Path(job["spare"]), "w") as file:
            file.write(notebook.dumps(notebook.joined(ran[-1])))
    except OSError:
        return f"{full}. Nor can the folder of the executed copies: what has run is lost"
    return f"{full}. As far as it came: {job['spare']}"


def end_tree(pid: int) -> None:
    """Kill process ``pid`` and everything it has started, and wait until they are gone."""
    import psutil

    try:
        top = psutil.Process(pid)
        tree = [*top.children(recursive=True), top]  # the top last: it may be this very process
    except psutil.NoSuchProcess:
        return
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=10)


def clean_up(scratch: Path) -> None:
    """End all that this process has started, then remove its scratch folder, which nobody else is left to do."""
    import psutil

    for child in psutil.Process().children():
        end_tree(child.pid)
    shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):  # the folder of all tasks, where this was the last of them
        scratch.parent.rmdir()


def main(path: Path) -> None:
    """Run the job described in the JSON file ``path``; what became of it is written beside it as ``result.json``."""

    leaving = threading.Event()

    def end_with_parent():
        while os.read(0, 1024):  # not sys.stdin: a lock held there at exit is fatal
            pass
        leaving.set()
        clean_up(path.parent)
        end_tree(os.getpid())

    threading.Thread(target=end_with_parent, daemon=True).start()

    def report(cell: int) -> None:
        with contextlib.suppress(OSError):  # no more than a place to look at
            path.with_name("progress").write_text(str(cell))

    outcome = execute(json.loads(path.read_text()), report)
    while leaving.is_set():  # nobody waits for the outcome: the other thread ends this process when it has cleaned up
        time.sleep(1)
    cost = {"peak_bytes": peak_memory(), "threads": int(os.environ["OMP_NUM_THREADS"])}
    path.with_name("cost.json").write_text(json.dumps(cost))
    path.with_name("result.json").write_text(json.dumps(outcome))


def peak_memory() -> int:
    """The largest memory, in bytes, that any child process of this one held that has ended; 0 where the system doesn't say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
