"""Assignments as their authors write them: a master notebook with nbgrader's metadata and, beside it, the hidden checks."""

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vbook import paths
from vbook.errors import VbookError, nearest
from vbook.pipeline.notebook import read, tags

PREFIX = "check-"  # the public check of task "kl" is the cell "check-kl"


@dataclass(frozen=True)
class Check:
    """One hidden check: what it says of itself, its points, and the function that asks."""

    task: str
    says: str
    points: int
    run: Callable

    def cases(self, seed: str, assignment: str) -> np.random.Generator:
        """The check's own stream of random cases: no other check's length changes it."""
        text = "\0".join((seed, assignment, self.task, self.says))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:16]))


@dataclass
class Checks:
    """The hidden checks of an assignment, in order; ``allowed`` names modules of the book that answers may import too."""

    allowed: tuple[str, ...] = ()
    all: list[Check] = field(default_factory=list)

    def check(self, task: str, says: str, points: int):
        """Decorate ``function(ask, cases)``: it asks (see ``Session``), and raises CheckFailed for a wrong answer.

        ``says`` is shown to students: what must hold, in words that give no case away.
        """

        def register(function):
            self.all.append(Check(task, says, points, function))
            return function

        return register


@dataclass(frozen=True)
class Master:
    """An assignment: its notebook, its checks, its tasks as ``{id: points}``, and its questions left to a teacher."""

    name: str
    notebook: dict
    checks: Checks
    tasks: dict[str, int]
    questions: dict[str, int]


def names() -> list[str]:
    """The assignments there are, ``["A1", "A2", ...]``; none where only the wheel is installed, which has no masters."""
    return sorted(path.stem for path in _folder().glob("*.ipynb")) if paths.root() else []


def load(name: str) -> Master:
    """The assignment ``name``; VbookError when there is none, or when its notebook and its checks disagree."""
    if paths.root() is None:
        raise VbookError("masters of assignments are in a checkout of the book, never in the package: run this from one")
    if name not in names():
        raise VbookError(f"unknown assignment {name!r}{nearest(name, names())}")
    return assemble(name, read(place(name)), checks_of(place(name).with_suffix(".py")))


def place(name: str) -> Path:
    """Where the notebook of the assignment ``name`` lies in a checkout."""
    return _folder() / f"{name}.ipynb"


def checks_of(path: Path) -> Checks:
    """The ``checks`` of a file of hidden checks; VbookError when there is none."""
    if not path.is_file():
        raise VbookError(f"{path}: no such file; the hidden checks of an assignment lie beside its notebook")
    spec = importlib.util.spec_from_file_location(f"vbook_checks_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.checks


def assemble(name: str, notebook: dict, checks: Checks) -> Master:
    """A Master whose notebook and checks agree: every task has a solution, a public check, and hidden checks worth its points."""
    tasks, questions, solutions = {}, {}, set()
    for cell, known in graded(notebook):
        if known["solution"] and known["grade"]:
            questions[known["grade_id"]] = known["points"]
        elif known["grade"]:
            tasks[known["grade_id"].removeprefix(PREFIX)] = known["points"]
        elif known["solution"] and cell["cell_type"] == "code":
            solutions.add(known["grade_id"])
    hidden = {task: sum(check.points for check in checks.all if check.task == task) for task in tasks}
    wrong = [f"{task} has {tasks[task]} points in the notebook and {hidden[task]} in its checks" for task in tasks]
    wrong = [line for line, task in zip(wrong, tasks, strict=True) if tasks[task] != hidden[task]]
    wrong += [f"{task} has no solution cell" for task in tasks if task not in solutions]
    wrong += [f"{check.task} has no public check" for check in checks.all if check.task not in tasks]
    if wrong:
        raise VbookError(f"{name}: {'; '.join(dict.fromkeys(wrong))}")
    return Master(name, notebook, checks, tasks, questions)


def graded(notebook: dict) -> Iterator[tuple[dict, dict]]:
    """Cells with nbgrader's metadata, beside it."""
    for cell in notebook["cells"]:
        known = cell.get("metadata", {}).get("nbgrader")
        if isinstance(known, dict) and isinstance(known.get("grade_id"), str):
            yield cell, known


def only_defines(notebook: dict) -> tuple[set[str], set[str]]:
    """Of the cells that are not graded (public checks, experiments) the ids and the texts."""
    given = [
        (cell, known)
        for cell, known in graded(notebook)
        if cell["cell_type"] == "code" and (known["grade"] or "experiment" in tags(cell))
    ]
    return {known["grade_id"] for _, known in given}, {flat(cell["source"]) for cell, _ in given}


def flat(text: str) -> str:
    """``text`` on one line: what an editor did to its spaces doesn't count."""
    return " ".join(text.split())


def _folder() -> Path:
    return paths.root() / "chapters" / "assignments"
