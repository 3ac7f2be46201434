"""What grading leaves beside the table: a page for each student, and the sheets to mark by hand."""

from dataclasses import replace
from pathlib import Path

from vbook import paths
from vbook.assign.answers import asked, titles
from vbook.assign.grading import NOTHING, Graded, Outcome
from vbook.assign.marks import ANSWER, COMMENT, EARLIER, GUIDE, Mark, fingerprint, given, head, marks, quoted
from vbook.assign.master import Master, graded
from vbook.assign.words import named

FEEDBACK, BY_HAND = "feedback", "by-hand"  # folders beside the table


def feedback(master: Master, one: Graded, by_hand: dict[str, Mark]) -> str:
    """A student's page, as Markdown: points task by task and, for every check that fails, what is wrong. No case is shown.

    What has been marked by hand follows, with the teacher's comments.
    """
    ran = any(outcome.words != NOTHING for outcome in one.outcomes)
    points, hand = given(master, by_hand), sum(master.questions.values())
    reached = f"{one.points()} of {sum(master.tasks.values())} points by machine" if ran else "not graded"
    lines = [f"# {master.name}: {reached}", ""]
    if not ran and points is None:
        lines += ["The grade is open, for the reason that follows. Talk to your teacher.", ""]
    elif points is None:
        lines += [f"{hand} more points are for the texts and pictures that your teacher reads.", ""]
    else:
        lines += [f"With {points:g} of {hand} points for your texts: **{one.points() + points:g}**.", ""]
    happened = [f"- {_inert(text)}" for text in one.incidents]
    if ran:
        happened = ["## What happened while your notebook ran", "", *happened, ""] if happened else []
    else:
        lines += ["**Nothing could be run:**", "", *happened, ""]
    for task, most in master.tasks.items() if ran else ():
        lines += [f"## {task}: {one.points(task)} of {most}", ""]
        lines += [_line(outcome) for outcome in one.outcomes if outcome.check.task == task] + [""]
    for question, mark in by_hand.items():
        if mark.points is not None and (ran or mark.points or mark.comment):
            lines += [f"## {titles(master)[question]}: {mark.points:g} of {master.questions[question]}", ""]
            comment = mark.comment or ("" if one.answers.get(question) else "No answer was found.")
            lines += [comment, ""] if comment else []
    return "\n".join([*lines, *happened] if ran else lines)


def sheet(master: Master, one: Graded, by_hand: dict[str, Mark]) -> str:
    """A student's texts between the questions and the master's answers and marks, for the teacher alone. Marks stay, and so does
    what the teacher has written into a text."""
    model, texts = {known["grade_id"]: cell["source"] for cell, known in graded(master.notebook)}, asked(master)
    lines = [f"# {master.name}, by hand (for teachers only)", ""]
    lines += [f"The notebook, with its pictures: `{named(one.path)}`", ""] if one.path else []
    for question, out_of in master.questions.items():
        answer = one.answers.get(question, "")
        mark = by_hand.get(question, Mark(None, "", quoted(answer)))
        lines += [head(question, mark.points, out_of), ""]
        lines += [EARLIER.format(f"{mark.earlier:g}"), ""] if mark.earlier is not None else []
        lines += [texts[question], ""]
        lines += [f"{ANSWER} ({fingerprint(answer)})", "", mark.answer, ""]
        lines += [COMMENT, "", *([mark.comment, ""] if mark.comment else []), GUIDE, "", model[question], ""]
    return "\n".join(lines)


def marked(master: Master, students: list[str], path: Path) -> dict[str, dict[str, Mark]]:
    """Marks by student and question from the sheets beside the table ``path``. Raises VbookError for a mark that can't be."""
    return {student: marks(master, _sheet(master, student, path)) for student in students}


def write_pages(master: Master, one: Graded, path: Path) -> dict[str, Mark]:
    """Beside the table ``path``, ``feedback/<student>/<name>.md`` and ``by-hand/<student>/<name>.md``; the marks that count.

    A mark in the sheet, which is read now, for a teacher may mark while others are graded, counts for the answer that it was
    given for: where the answer is another one now, or none, it is open again, and ``earlier`` says what it was. Where there never
    was one in a notebook that could be read, the mark is 0, unless the teacher gave another.
    """
    counting = _still(master, one, marks(master, _sheet(master, one.student, path)))
    paths.write_text(path.parent / FEEDBACK / one.student / f"{master.name}.md", feedback(master, one, counting))
    place = _sheet(master, one.student, path)
    if one.answers or not place.is_file():  # where nothing could be read, marks given before wait for a notebook that can be
        paths.write_text(place, sheet(master, one, counting))
    return counting


def _sheet(master: Master, student: str, path: Path) -> Path:
    return path.parent / BY_HAND / student / f"{master.name}.md"


def _still(master: Master, one: Graded, by_hand: dict[str, Mark]) -> dict[str, Mark]:
    found = {}
    for question in master.questions:
        answer, mark = one.answers.get(question, ""), by_hand.get(question, Mark(None, "", ""))
        if mark.of != fingerprint(answer) and mark.answer != quoted(answer):  # sheets of before had no fingerprints
            mark = Mark(None, mark.comment, quoted(answer), earlier=mark.earlier if mark.points is None else mark.points)
        nothing = mark.points is None and not mark.earlier and question in one.answers and not answer.strip()
        found[question] = replace(mark, points=0.0, earlier=None) if nothing else mark
    return found


def reopened(master: Master, one: Graded, counting: dict[str, Mark]) -> list[str]:
    """What to tell the teacher of marks that were given for another text than the notebook has now."""
    return [
        f"{question} is open again: its text is another than the one that had {mark.earlier:g} of {master.questions[question]}"
        for question, mark in counting.items()
        if mark.earlier is not None and question in one.answers
    ]


def _line(outcome: Outcome) -> str:
    check, mark = outcome.check, "✗" if outcome.words else "✓"
    why = f" **{_inert(outcome.words)}**" if outcome.words else ""
    return f"- {mark} {outcome.points}/{check.points} {check.says}.{why}"


def _inert(text: str) -> str:
    """Text that may come from a student's process: no markup in it."""
    return "".join(f"\\{c}" if c in "\\`*_[]#|!~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text)
