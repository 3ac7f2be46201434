"""Marks that a teacher writes into the sheets of ``by-hand/``: read back when the assignment is graded again."""

import re
from dataclasses import dataclass
from pathlib import Path

from vbook.assign.master import Master
from vbook.errors import VbookError

OPEN = "__"  # where a mark goes
ANSWER, COMMENT, GUIDE = "**Answer**", "**Comment for the student**", "**Guide**"
_HEAD = re.compile(r"^## (\S+): (.*?) of (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Mark:
    """``points`` for one answer (None: not marked yet), what the student is told, and the answer that they were given for."""

    points: float | None
    comment: str
    answer: str


def head(question: str, points: float | None, out_of: int) -> str:
    """The line of a sheet that holds a mark.

    >>> head("question-bound", None, 4), head("question-bound", 2.5, 4), head("question-bound", 3.0, 4)
    ('## question-bound: __ of 4', '## question-bound: 2.5 of 4', '## question-bound: 3 of 4')
    """
    return f"## {question}: {OPEN if points is None else f'{points:g}'} of {out_of}"


def quoted(answer: str) -> str:
    """A student's text as a quotation that can't end itself, nor be taken for one of the sheet's own lines."""
    return "\n".join(f"> {line}".rstrip() for line in (answer.strip() or "(nothing)").replace("<", "&lt;").splitlines())


def marks(master: Master, sheet: Path) -> dict[str, Mark]:
    """The marks in a sheet, by question; none where there is no sheet. VbookError for a mark that can't be, or no UTF-8.

    A file that is no sheet of this assignment has no marks either.
    """
    if not sheet.is_file():
        return {}
    try:
        text = sheet.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise VbookError(f"{sheet}: not UTF-8; save it as UTF-8 in your editor") from None
    heads = list(_HEAD.finditer(text))
    ends = [match.start() for match in heads[1:]] + [len(text)]
    found = {}
    for match, end in zip(heads, ends, strict=True):
        question, written, _ = match.groups()
        if question in master.questions:
            points = _points(written, master.questions[question], f"{sheet}: {question}")
            body = text[match.end() : end]
            found[question] = Mark(points, _between(body, COMMENT, GUIDE), _between(body, ANSWER, COMMENT))
    return found


def _points(written: str, out_of: int, where: str) -> float | None:
    if not written.strip(f"{OPEN} "):
        return None
    try:
        points = float(written)
    except ValueError:
        points = -1.0
    if not 0 <= points <= out_of:
        raise VbookError(f"{where}: a mark is a number from 0 to {out_of}, or {OPEN} for none yet, not {written!r}")
    return points


def _between(text: str, start: str, end: str) -> str:
    return text.partition(f"\n{start}\n")[2].partition(f"\n{end}\n")[0].strip()
