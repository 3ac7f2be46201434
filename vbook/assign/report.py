"""What grading leaves behind: a table for the teacher, a page for each student, and the sheets to mark by hand."""

import csv
import hashlib
import io
import re
from dataclasses import replace
from pathlib import Path

from vbook import paths
from vbook.assign.answers import asked, titles
from vbook.assign.grading import NOTHING, Graded, Outcome
from vbook.assign.marks import ANSWER, COMMENT, GUIDE, Mark, head, marks, quoted
from vbook.assign.master import Master, graded
from vbook.assign.opening import named
from vbook.errors import VbookError

BOM = "\ufeff"  # at the top of the table's file: spreadsheets take names for UTF-8 then
SEED = "VBOOK_ASSIGN_SEED"  # the environment variable
_SEED = "seed (fingerprint)"
_TASK = re.compile(r"(\w+) \(\d+\)")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(master: Master, results: list[Graded], sandboxed: bool, by_hand: dict[str, dict[str, Mark]], seed: str = "") -> str:
    """The CSV: one row a student, one column a task; what a spreadsheet would run as a formula is quoted.

    ``by_hand`` are marks by student and question. Their sum, and the grade with it, stand there once none is open. The seed's
    fingerprint tells later which cases these were.
    """
    tasks = [f"{task} ({points})" for task, points in master.tasks.items()]
    machine, hand = sum(master.tasks.values()), sum(master.questions.values())
    heads = ["student", "by machine", "out of", *tasks, f"by hand (out of {hand})", f"grade (out of {machine + hand})"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, "incidents", "sandbox", _SEED])
    for one in results:
        given = _sum(master, by_hand.get(one.student, {}))
        marked = ["", ""] if given is None else [f"{given:g}", f"{one.points() + given:g}"]
        row = [named(one.student), one.points(), machine, *(one.points(task) for task in master.tasks), *marked]
        row = [_harmless(value) for value in (*row, "; ".join(one.incidents))]
        writer.writerow([*row, "yes" if sandboxed else "NO: run with --unsafe", _fingerprint(seed)])
    return text.getvalue()


def feedback(master: Master, one: Graded, by_hand: dict[str, Mark]) -> str:
    """A student's page, as Markdown: points task by task and, for every check that fails, what is wrong. No case is shown.

    What has been marked by hand follows, with the teacher's comments.
    """
    ran = any(outcome.words != NOTHING for outcome in one.outcomes)
    given, hand = _sum(master, by_hand), sum(master.questions.values())
    reached = f"{one.points()} of {sum(master.tasks.values())} points by machine" if ran else "not graded"
    lines = [f"# {master.name}: {reached}", ""]
    if not ran and given is None:
        lines += ["The grade is open, for the reason that follows. Talk to your teacher.", ""]
    elif given is None:
        lines += [f"{hand} more points are for the texts and pictures that your teacher reads.", ""]
    else:
        lines += [f"With {given:g} of {hand} points for your texts: **{one.points() + given:g}**.", ""]
    happened = [f"- {_inert(text)}" for text in one.incidents]
    if ran:
        happened = ["## What happened while your notebook ran", "", *happened, ""] if happened else []
    else:
        lines += ["**Nothing could be run:**", "", *happened, ""]
    for task, points in master.tasks.items() if ran else ():
        lines += [f"## {task}: {one.points(task)} of {points}", ""]
        lines += [_line(outcome) for outcome in one.outcomes if outcome.check.task == task] + [""]
    for question, mark in by_hand.items():
        if mark.points is not None and (ran or mark.points or mark.comment):
            lines += [f"## {titles(master)[question]}: {mark.points:g} of {master.questions[question]}", ""]
            comment = mark.comment or ("" if one.answers.get(question) else "No answer was found.")
            lines += [comment, ""] if comment else []
    return "\n".join([*lines, *happened] if ran else lines)


def sheet(master: Master, one: Graded, by_hand: dict[str, Mark]) -> str:
    """A student's texts between the questions and the master's answers and marks, for the teacher alone. Marks stay."""
    model, texts = {known["grade_id"]: cell["source"] for cell, known in graded(master.notebook)}, asked(master)
    lines = [f"# {master.name}, by hand (for teachers only)", ""]
    lines += [f"The notebook, with its pictures: `{named(one.path)}`", ""] if one.path else []
    for question, out_of in master.questions.items():
        mark = by_hand.get(question, Mark(None, "", ""))
        lines += [head(question, mark.points, out_of), "", texts[question], ""]
        lines += [ANSWER, "", quoted(one.answers.get(question, "")), ""]
        lines += [COMMENT, "", *([mark.comment, ""] if mark.comment else []), GUIDE, "", model[question], ""]
    return "\n".join(lines)


def marked(master: Master, students: list[str], path: Path) -> dict[str, dict[str, Mark]]:
    """Marks by student and question from the sheets beside the table ``path``. Raises VbookError for a mark that can't be."""
    return {student: marks(master, _sheet(master, student, path)) for student in students}


def agreed(master: Master, students: list[str], path: Path, seed: str) -> str | None:
    """A warning where the table at ``path`` was made with another seed; None where not, or where there is none yet.

    Raises VbookError where it is no such table or another assignment's, where it has students that would be lost, and where it
    was made with a seed and there is none now (``""``).
    """
    heads, rows = _table_at(path)
    if not heads:
        return None
    tasks = [found[1] for found in map(_TASK.fullmatch, heads) if found]
    if heads[0] != "student" or not tasks:
        raise VbookError(f"{path} is no table of a grading: name another --csv")
    if tasks != [*master.tasks]:
        raise VbookError(f"{path} is a table of other tasks ({_some(tasks)}) than {master.name} has: name another --csv")
    now = {_harmless(named(student)) for student in students}
    if lost := [row[0] for row in rows if row[0] not in now]:
        raise VbookError(
            f"{path} has {len(lost)} who would be lost, for they have no folder now: {_some(lost)}; name another --csv"
        )
    made = {dict(zip(heads, row, strict=False)).get(_SEED) for row in rows} - {None}
    if made and not seed:
        raise VbookError(f"{path} was made with a seed, and none is set now: export {SEED} with the same text first")
    if made - {_fingerprint(seed)}:
        return f"{path} was made with another seed: its hidden cases were others, so points may change"
    return None


def _table_at(path: Path) -> tuple[list[str], list[list[str]]]:
    """The first row of the file at ``path`` and the others; nothing where it is empty or isn't there."""
    if not path.is_file():
        return [], []
    csv.field_size_limit(1 << 30)  # many cells that fail make a long column of incidents
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            rows = [row for row in csv.reader(file) if row]
        except csv.Error:
            rows = [[""]]
    return (rows[0], rows[1:]) if rows else ([], [])


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def write_pages(master: Master, one: Graded, path: Path) -> dict[str, Mark]:
    """Beside the table ``path``, ``feedback/<student>/<name>.md`` and ``by-hand/<student>/<name>.md``; the marks that count.

    A mark in the sheet, which is read now, for a teacher may mark while others are graded, counts for the answer that it was
    given for: where the answer is another one now, it is open again. Where there is none in a notebook that could be read, the
    mark is 0, unless the teacher gave another.
    """
    counting = _still(master, one, marks(master, _sheet(master, one.student, path)))
    paths.write_text(path.parent / "feedback" / one.student / f"{master.name}.md", feedback(master, one, counting))
    place = _sheet(master, one.student, path)
    if one.answers or not place.is_file():  # where nothing could be read, marks given before wait for a notebook that can be
        paths.write_text(place, sheet(master, one, counting))
    return counting


def _sheet(master: Master, student: str, path: Path) -> Path:
    return path.parent / "by-hand" / student / f"{master.name}.md"


def _still(master: Master, one: Graded, by_hand: dict[str, Mark]) -> dict[str, Mark]:
    found = {}
    for question in master.questions:
        answer, mark = one.answers.get(question, ""), by_hand.get(question, Mark(None, "", ""))
        points = mark.points if mark.answer == quoted(answer) else None
        nothing = points is None and question in one.answers and not answer.strip()
        found[question] = replace(mark, points=0.0 if nothing else points)
    return found


def _sum(master: Master, by_hand: dict[str, Mark]) -> float | None:
    """The points by hand; None while a question is open."""
    points = [by_hand[question].points if question in by_hand else None for question in master.questions]
    return None if None in points else sum(points)


def _line(outcome: Outcome) -> str:
    check, mark = outcome.check, "✗" if outcome.words else "✓"
    why = f" **{_inert(outcome.words)}**" if outcome.words else ""
    return f"- {mark} {outcome.points}/{check.points} {check.says}.{why}"


def _inert(text: str) -> str:
    """Text that may come from a student's process: no markup in it."""
    return "".join(f"\\{c}" if c in "\\`*_[]#|!~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text)


def _fingerprint(seed: str) -> str:
    return hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _harmless(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
