"""Submissions made from masters: changed in named places, graded as a teacher would."""

import copy
from functools import cache
from pathlib import Path

import pytest

from vbook import cli
from vbook.assign import sandbox
from vbook.assign.grading import Graded, grade_one
from vbook.assign.master import Master, graded, load
from vbook.assign.release import student_copy
from vbook.pipeline.notebook import dumps

SEED = "a teacher's seed"


def call(capsys, *args) -> tuple[int, str, str]:
    """Exit code, output and errors of ``vbook assign`` with ``args``."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(arg) for arg in ("assign", *args)])
    return (end.value.code or 0, *capsys.readouterr())


def grade_class(capsys, folder: Path, *students: str) -> tuple[int, str, str]:
    """``call`` of a grading of ``folder/in``, where ``students`` join those who are there, into ``folder/A1.csv``."""
    for student in students:
        (folder / "in" / student).mkdir(parents=True, exist_ok=True)
    return call(capsys, "grade", "A1", folder / "in", "--csv", folder / "A1.csv")


@cache
def master(name: str = "A1") -> Master:
    return load(name)


def points(name: str = "A1") -> tuple[int, int]:
    """Points by machine and by hand."""
    return sum(master(name).tasks.values()), sum(master(name).questions.values())


def changed(*changes: tuple[str, str, str], name: str = "A1") -> dict:
    """The master's notebook with ``(grade_id, old, new)`` replaced in cells; each ``old`` has to stand there exactly once.

    An empty ``old`` appends ``new`` to the cell.
    """
    notebook = copy.deepcopy(master(name).notebook)
    cells = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in notebook["cells"]}
    for cell, old, new in changes:
        source = cells[cell]["source"]
        if old:
            assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {cell}"
            cells[cell]["source"] = source.replace(old, new)
        else:
            cells[cell]["source"] = f"{source}\n{new}"
    return notebook


def appended(notebook: dict, *sources: str) -> dict:
    """``notebook`` with further code cells at its end."""
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    return notebook | {"cells": [*notebook["cells"], *(blank | {"id": f"new-{k}", "source": s} for k, s in enumerate(sources))]}


def blank(*tasks: str, name: str = "A1") -> dict:
    """The master's notebook with ``tasks`` as they are handed out."""
    notebook = copy.deepcopy(master(name).notebook)
    stubs = {known["grade_id"]: cell["source"] for cell, known in graded(student_copy(master(name)))}
    for cell, known in graded(notebook):
        if known["grade_id"] in tasks:
            cell["source"] = stubs[known["grade_id"]]
    return notebook


def write(folder: Path, student: str, notebook: dict, name: str = "A1") -> Path:
    """``folder/student/name.ipynb``."""
    path = folder / student / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(dumps(notebook), encoding="utf-8")
    return path


def grade(folder: Path, notebook: dict, name: str = "A1", seed: str = SEED) -> Graded:
    """The result of ``notebook``, run in the sandbox."""
    one = master(name)
    path = write(folder, f"student-{len(list(folder.iterdir()))}", notebook, name)
    with sandbox.staged(one.checks.allowed) as stage:
        return grade_one(one, "student", path, stage, seed)


def lost(result: Graded) -> dict[str, int]:
    """Points lost, by task; tasks that lose none are left out."""
    found: dict[str, int] = {}
    for outcome in result.outcomes:
        if outcome.words:
            found[outcome.check.task] = found.get(outcome.check.task, 0) + outcome.check.points
    return found


def reasons(result: Graded, task: str) -> str:
    """What the feedback on ``task`` says."""
    return " ".join(outcome.words for outcome in result.outcomes if outcome.check.task == task and outcome.words)
