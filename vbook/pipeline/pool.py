"""Notebooks in parallel processes: a scratch folder, a kernel of this very Python and a clean environment for each."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vbook import paths
from vbook.pipeline import notebook
from vbook.pipeline.worker import end_tree

KERNEL = "vbook-run"


@dataclass(frozen=True)
class Task:
    """A notebook to run: its ``name``, the notebook itself, the ``parameters`` to inject, and the threads it may use.

    ``spare`` is where it goes as far as it came when the scratch folder can't be written.
    """

    name: str
    nb: dict
    parameters: dict
    threads: int
    spare: Path = Path("unsaved.ipynb")


@dataclass(frozen=True)
class Result:
    """What came of a task; its files in ``scratch`` (``output.ipynb``, ``records/``) last until the callback returns.

    ``error`` is None or a dictionary with ``cell`` (index in the notebook, None if unknown), ``ename``, ``evalue`` and ``lines``.
    """

    name: str
    scratch: Path
    seconds: float
    error: dict | None


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(tasks: list[Task], workers: int, progress: Callable[[str, int | None], None], done: Callable[[Result], None]):
    """Run ``tasks``, ``workers`` at a time; ``done`` gets each Result, ``progress`` each running cell a few times a second.

    When it is interrupted (an exception in a callback, Ctrl-C), every process and kernel ends before the exception goes on.
    """
    with tempfile.TemporaryDirectory(prefix="vbook-", ignore_cleanup_errors=True) as folder:
        waiting, running = list(tasks), {}
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    task = waiting.pop(0)
                    with paths.blamed(folder):
                        running[task.name] = (task, *_start(task, Path(folder) / task.name))
                time.sleep(0.05)
                for name, (task, process, began) in list(running.items()):
                    scratch = Path(folder) / name
                    if process.poll() is None:
                        progress(name, _original(_read(scratch / "progress"), task))
                    else:
                        del running[name]
                        process.stdin.close()
                        done(Result(name, scratch, time.monotonic() - began, _error(scratch, process.returncode, task)))
        finally:
            for _, process, _ in running.values():
                end_tree(process.pid)
                process.communicate()


def _start(task: Task, scratch: Path) -> tuple[subprocess.Popen, float]:
    for folder in ("cwd", "records", "runtime", "ipython", f"share/kernels/{KERNEL}"):
        (scratch / folder).mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "vbook", "language": "python"}
    (scratch / "share/kernels" / KERNEL / "kernel.json").write_text(json.dumps(spec))
    notebook.write(task.nb, scratch / "input.ipynb")
    job = {
        "notebook": str(scratch / "input.ipynb"),
        "output": str(scratch / "output.ipynb"),
        "parameters": task.parameters,
        "spare": str(task.spare.absolute()),
        "kernel": KERNEL,
        "cwd": str(scratch / "cwd"),
    }
    (scratch / "job.json").write_text(json.dumps(job))
    with open(scratch / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "vbook.pipeline.worker", str(scratch / "job.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=scratch / "cwd",
            env=environment(scratch, task.threads),
            start_new_session=True,  # Ctrl-C reaches the runner alone, which then ends its processes in order
        )
    return process, time.monotonic()


def environment(scratch: Path, threads: int) -> dict[str, str]:
    """The environment of a run: the caller's, without what would make outputs depend on the user's own settings."""
    env = {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "PYTHONSTARTUP")}
    env |= {
        "VBOOK_RECORDS": str(scratch / "records"),
        "JUPYTER_PATH": str(scratch / "share"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "TQDM_DISABLE": "1",
    }
    if "VBOOK_DATA" in env:
        env["VBOOK_DATA"] = os.path.abspath(env["VBOOK_DATA"])
    if paths.root() is not None:
        env["PYTHONPATH"] = os.pathsep.join([str(paths.root()), *filter(None, [env.get("PYTHONPATH")])])
    return env


def _read(file: Path) -> int | None:
    text = file.read_text() if file.is_file() else ""
    return int(text) if text.isdecimal() else None


def _original(cell: int | None, task: Task) -> int | None:
    """The index of a cell before papermill put a cell of its own behind the parameters."""
    if cell is None or not task.parameters:
        return cell
    injected = 1 + next(i for i, c in enumerate(task.nb["cells"]) if "parameters" in notebook.tags(c))
    return cell - (cell >= injected)


def _error(scratch: Path, code: int, task: Task) -> dict | None:
    result = scratch / "result.json"
    if result.is_file() and code == 0:
        error = json.loads(result.read_text())
        return error and error | {"cell": _original(error["cell"], task)}
    lines = (scratch / "stderr").read_text(errors="replace").splitlines()
    if shutil.disk_usage(scratch).free < 2**16:
        full = f"the temporary folder {scratch.parent} is full; make room, or name another in TMPDIR"
        if task.spare.is_file() and task.spare.stat().st_mtime >= (scratch / "job.json").stat().st_mtime:
            full += f". As far as it came: {task.spare}"
        return {"cell": None, "ename": "VbookError", "evalue": full, "lines": []}
    ended = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return {"cell": _original(_read(scratch / "progress"), task), "ename": "the runner", "evalue": ended, "lines": lines}
