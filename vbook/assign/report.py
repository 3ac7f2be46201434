"""What grading leaves behind: a table for the teacher, a page for each student, and the sheets to mark by hand."""

import csv
import io
from pathlib import Path

from vbook import paths
from vbook.assign.grading import Graded, Outcome
from vbook.assign.master import Master, graded

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(master: Master, results: list[Graded], sandboxed: bool) -> str:
    """The CSV: one row a student, one column a task; what a spreadsheet would run as a formula is quoted."""
    tasks = [f"{task} ({points})" for task, points in master.tasks.items()]
    heads = ["student", "total", "out of", *tasks, f"by hand (out of {sum(master.questions.values())})", "incidents", "sandbox"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for one in results:
        marks = [one.points(task) for task in master.tasks]
        row = [one.student, one.points(), sum(master.tasks.values()), *marks, "", "; ".join(one.incidents)]
        writer.writerow([_harmless(value) for value in row] + ["yes" if sandboxed else "NO: run with --unsafe"])
    return text.getvalue()


def feedback(master: Master, one: Graded) -> str:
    """A student's page, as Markdown: points task by task and, for every check that fails, what is wrong. No case is shown."""
    total, by_hand = sum(master.tasks.values()), sum(master.questions.values())
    lines = [f"# {master.name}: {one.points()} of {total} points by machine", ""]
    lines += [f"{by_hand} more points are for the texts and pictures that your teacher reads.", ""]
    for task, points in master.tasks.items():
        lines += [f"## {task}: {one.points(task)} of {points}", ""]
        lines += [_line(outcome) for outcome in one.outcomes if outcome.check.task == task] + [""]
    if one.incidents:
        lines += ["## What happened while your notebook ran", "", *(f"- {_inert(text)}" for text in one.incidents), ""]
    return "\n".join(lines)


def sheet(master: Master, one: Graded) -> str:
    """A student's texts beside the master's answers and marks, for the teacher alone."""
    model = {known["grade_id"]: cell["source"] for cell, known in graded(master.notebook)}
    lines = [f"# {master.name}, by hand (for teachers only)", ""]
    for question, points in master.questions.items():
        answer = one.answers.get(question, "").strip() or "(nothing)"
        lines += [
            f"## {question}: __ of {points}",
            "",
            "**Answer**",
            "",
            _quoted(answer),
            "",
            "**Guide**",
            "",
            model[question],
            "",
        ]
    return "\n".join(lines)


def write(master: Master, results: list[Graded], path: Path, sandboxed: bool) -> None:
    """``path`` and, beside it, ``feedback/<student>/<name>.md`` and ``by-hand/<student>/<name>.md``."""
    for one in results:
        for folder, make in (("feedback", feedback), ("by-hand", sheet)):
            paths.write_text(path.parent / folder / one.student / f"{master.name}.md", make(master, one))
    paths.write_text(path, table(master, results, sandboxed))


def _line(outcome: Outcome) -> str:
    check, mark = outcome.check, "✗" if outcome.words else "✓"
    why = f" **{_inert(outcome.words)}**" if outcome.words else ""
    return f"- {mark} {outcome.points}/{check.points} {check.says}.{why}"


def _inert(text: str) -> str:
    """Text that may come from a student's process: no markup in it."""
    return "".join(f"\\{c}" if c in "\\`*_[]#|!~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.replace("<", "&lt;").splitlines())


def _harmless(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
