"""Grade a folder of submissions: each notebook runs in a worker of its own, and this side compares."""

import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from vbook.assign import sandbox
from vbook.assign.answers import answers
from vbook.assign.cells import CELL
from vbook.assign.master import Check, Master, flat, graded, only_defines
from vbook.assign.opening import belongs, opened
from vbook.assign.session import Session, Trouble
from vbook.checks import CheckFailed
from vbook.errors import VbookError

NOTHING = "nothing to run"


@dataclass(frozen=True)
class Outcome:
    """What one check found: ``words`` is None when it holds; ``begun`` is False where the answer is still to be written."""

    check: Check
    words: str | None
    begun: bool = True

    @property
    def points(self) -> int:
        return 0 if self.words else self.check.points


@dataclass
class Graded:
    """One student's result. ``answers`` are the texts that a teacher marks, by question; ``path`` is where they stand."""

    student: str
    outcomes: list[Outcome] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    path: Path | None = None

    def points(self, task: str | None = None) -> int:
        """Points of ``task``, or of all tasks."""
        return sum(outcome.points for outcome in self.outcomes if task in (None, outcome.check.task))


def submissions(folder: Path, name: str) -> list[tuple[str, Path]]:
    """Students and their notebooks, ``folder/<student>/<name>.ipynb``; VbookError where there is no student.

    Hidden folders, as ``.ipynb_checkpoints``, are no students.
    """
    if not folder.is_dir():
        raise VbookError(f"{folder}: no such folder; submissions are FOLDER/<student>/{name}.ipynb")
    places = [place for place in sorted(folder.iterdir()) if place.is_dir() and not place.name.startswith(".")]
    found = [(place.name, place / f"{name}.ipynb") for place in places]
    if not found:
        raise VbookError(f"{folder}: no submissions; they are FOLDER/<student>/{name}.ipynb")
    return found


def grade_all(master: Master, folder: Path, seed: str, unsafe: bool = False) -> Iterator[Graded]:
    """Each student's result, in the order of their names. Raises VbookError without a sandbox, unless ``unsafe``."""
    if not unsafe and (trouble := sandbox.missing()):
        raise VbookError(f"no sandbox for the answers here: {trouble}. {sandbox.HELP}")
    with sandbox.staged(master.checks.allowed) as stage:
        for student, path in submissions(Path(folder), master.name):
            yield grade_one(master, student, path, stage, seed, unsafe)


def grade_one(master: Master, student: str, path: Path, stage: Path, seed: str, unsafe: bool = False) -> Graded:
    """One student's result; whatever the submission is, it ends in points and words."""
    result = Graded(student, path=path)
    try:
        notebook = opened(path)
        texts, missing = answers(notebook, master)
        belongs(notebook, master, missing)
    except VbookError as error:
        result.incidents.append(str(error))
        result.outcomes = [Outcome(check, NOTHING, begun=False) for check in master.checks.all]
        return result
    result.answers = texts
    result.incidents += [f"{question}: its cell is missing" for question in missing]
    if changed := _changed(notebook, master):
        result.incidents.append(f"public checks changed or deleted ({', '.join(changed)}); grading doesn't use them")
    with Session(runnable(notebook, master), stage, unsafe) as session:
        result.outcomes = [_outcome(check, session, check.cases(seed, master.name)) for check in master.checks.all]
        result.incidents += session.incidents
    return result


def runnable(notebook: dict, master: Master) -> list[tuple[str, str, bool]]:
    """Code cells as ``(name, source, graded)``; of public checks and experiments only definitions count."""
    ids, texts = only_defines(master.notebook)
    cells = []
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code" and cell["source"].strip():
            known = cell["metadata"].get("nbgrader")
            name = known.get("grade_id") if isinstance(known, dict) else None
            given = name in ids if isinstance(name, str) else flat(cell["source"]) in texts
            cells.append((f"{CELL} {number}>", cell["source"], not given))
    return cells


def _outcome(check: Check, session: Session, cases) -> Outcome:
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        try:
            check.run(session, cases)
        except CheckFailed as failed:
            return Outcome(check, str(failed))
        except Trouble as trouble:
            return Outcome(check, str(trouble), trouble.begun)
        except Exception:  # an answer of a form that the check didn't expect: the student's loss, not the end of the grading
            return Outcome(check, "the answer has another form than the task asks for")
    return Outcome(check, None)


def _changed(notebook: dict, master: Master) -> list[str]:
    """Ids of public checks that don't stand in ``notebook`` as they were handed out."""
    there = {flat(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    released = [(cell, known) for cell, known in graded(master.notebook) if known["grade"] and not known["solution"]]
    return [known["grade_id"] for cell, known in released if flat(cell["source"]) not in there]
