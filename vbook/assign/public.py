"""What the public checks say, task by task, in the student's own environment; needs neither a master nor a sandbox."""

import io
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from vbook.assign.cells import CELL, define, not_begun, run_cell
from vbook.assign.master import PREFIX, graded
from vbook.assign.opening import own
from vbook.assign.release import ANSWER
from vbook.errors import VbookError
from vbook.pipeline.notebook import tags

PATIENCE = 10.0  # seconds until a cell that still runs is named
_TASK = re.compile(r"`(\w+)`, (\d+) points?\b")
_EXPECTS = re.compile(r"^\s*(expect\(|assert )", re.MULTILINE)


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
    cells = own(path)["cells"]
    checks, defining = _by_metadata(cells)
    if not checks:
        checks, defining = _by_text(cells)
    if not checks:  # nothing runs then: it may be a chapter, which takes minutes
        raise VbookError(f"{path}: no public checks in it; is it an assignment?")
    namespace = {"__name__": "__main__", "get_ipython": lambda: None, "display": lambda *args, **options: None}
    found = []
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        if number in defining:
            define(cell["source"], namespace)
            continue
        with _named_if_slow(f"cell {number}"), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            failed = run_cell(cell["source"], f"{CELL} {number}>", namespace)
        if number in checks:
            task, points = checks[number]
            found.append(Public(task, points, _says(failed, task)))
        elif failed and not _says_not_begun(cell, failed):
            found.append(Public(f"cell {number}", 0, _says(failed, "")))
    return found


def _by_metadata(cells: list[dict]) -> tuple[dict[int, tuple[str, int]], set[int]]:
    """Numbers of the public checks, with task and points, and of the cells of which only definitions count."""
    checks = {}
    for cell, known in graded({"cells": cells}):
        if cell["cell_type"] == "code" and known.get("grade") and not known.get("solution"):
            checks[id(cell)] = known["grade_id"].removeprefix(PREFIX), known.get("points", 0)
    numbered = [(number, cell, tags(cell)) for number, cell in enumerate(cells, 1)]
    defining = {number for number, _, there in numbered if isinstance(there, list) and "experiment" in there}
    return {number: checks[id(cell)] for number, cell, _ in numbered if id(cell) in checks}, defining


def _by_text(cells: list[dict]) -> tuple[dict[int, tuple[str, int]], set[int]]:
    """``_by_metadata`` of a notebook that lost it: a check is code that expects something of a task announced above it.

    What stands behind the first of them, and not between a task's text and its check, may be an experiment.
    """
    checks, defining, announced = {}, set(), {}
    for number, cell in enumerate(cells, 1):
        text = cell["source"]
        if cell["cell_type"] == "markdown":
            announced |= {task: int(points) for task, points in _TASK.findall(text)} if "**Task" in text else {}
            continue
        about = [
            task for task in announced if re.search(rf"\b{task}\b", text) and not re.search(rf"\b(def|class) {task}\b", text)
        ]
        if about and _EXPECTS.search(text):
            checks[number] = about[0], announced.pop(about[0])
        elif checks and not announced:
            defining.add(number)
    return checks, defining


def _says_not_begun(cell: dict, failed: dict) -> bool:
    """Whether ``cell`` is a task's own and says that it isn't begun, as its check will."""
    return failed["type"] == "NotImplementedError" and f'raise NotImplementedError("{failed["text"]}")' in cell["source"]


def unanswered(path: Path) -> tuple[int, int]:
    """How many questions of the notebook at ``path`` have nothing in their cell yet, and how many there are."""
    cells = [cell["source"].strip() for cell, known in graded(own(path)) if known.get("grade") and known.get("solution")]
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
