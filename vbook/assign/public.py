"""What the public checks say, task by task, in the student's own environment; needs neither a master nor a sandbox."""

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from vbook.assign.cells import CELL, define, not_begun, run_cell
from vbook.assign.master import PREFIX, graded
from vbook.assign.opening import formed
from vbook.assign.release import ANSWER
from vbook.errors import VbookError
from vbook.pipeline.notebook import tags

PATIENCE = 10.0  # seconds until a cell that still runs is named


@dataclass(frozen=True)
class Public:
    """A task, its points, and what its public check says: ``"passes"``, ``"not begun"``, or what is wrong.

    A cell that fails though it is no check stands in the list too, as ``cell 7`` with no points.
    """

    name: str
    points: int
    says: str


def public_checks(path: Path) -> list[Public]:
    """Run the notebook at ``path`` as the grader would, experiments left out, and each public check in its place.

    Raises VbookError for a file that is no notebook or has no public checks.
    """
    cells = formed(path)["cells"]
    if not any(map(_is_check, cells)):  # nothing runs then: it may be a chapter, which takes minutes
        raise VbookError(f"{path}: no public checks in it; is it an assignment?")
    namespace = {"__name__": "__main__", "get_ipython": lambda: None, "display": lambda *args, **options: None}
    found = []
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        if "experiment" in tags(cell):
            define(cell["source"], namespace)
            continue
        with _named_if_slow(f"cell {number}"), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            failed = run_cell(cell["source"], f"{CELL} {number}>", namespace)
        if _is_check(cell):
            known = cell["metadata"]["nbgrader"]
            task = known["grade_id"].removeprefix(PREFIX)
            found.append(Public(task, known.get("points", 0), _says(failed, task)))
        elif failed and not _unfinished(cell, failed):
            found.append(Public(f"cell {number}", 0, _says(failed, "")))
    return found


def _is_check(cell: dict) -> bool:
    known = cell.get("metadata", {}).get("nbgrader", {})
    return cell["cell_type"] == "code" and bool(known.get("grade")) and not known.get("solution")


def _unfinished(cell: dict, failed: dict) -> bool:
    """Whether a task's own cell says that it isn't begun, as its check will."""
    known = cell["metadata"].get("nbgrader", {})
    return failed["type"] == "NotImplementedError" and not_begun(known.get("grade_id", ""), failed["text"]) == "not begun"


def unanswered(path: Path) -> tuple[int, int]:
    """How many questions of the notebook at ``path`` have nothing in their cell yet, and how many there are."""
    cells = [cell["source"].strip() for cell, known in graded(formed(path)) if known.get("grade") and known.get("solution")]
    return sum(text in ("", ANSWER) for text in cells), len(cells)


@contextmanager
def _named_if_slow(cell: str) -> Iterator[None]:
    """Say on stderr that ``cell`` still runs, once it has done so for PATIENCE."""
    words = f"vbook: {cell} still runs after {PATIENCE:g} s; if that is an endless loop, Ctrl-C goes on to the next cell"
    timer = threading.Timer(PATIENCE, print, [words], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _says(failed: dict | None, task: str) -> str:
    if failed is None:
        return "passes"
    if failed["type"] == "NotImplementedError":
        return not_begun(task, failed["text"])
    if failed["type"] == "CheckFailed":
        return failed["text"]
    place = f" in {failed['cell'].strip('<>')}, line {failed['line']}" if failed["cell"] else ""
    return f"{failed['type']}{place}: {failed['text']}"
