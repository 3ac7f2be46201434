"""Marks that a teacher writes into the sheets of ``by-hand/``: read back when the assignment is graded again."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from vbook.assign.master import Master
from vbook.assign.words import named
from vbook.errors import VbookError

OPEN = "__"  # where a mark goes
ANSWER, COMMENT, GUIDE = "**Answer**", "**Comment for the student**", "**Guide**"
EARLIER = "(Another text was marked here before, with {}.)"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # all but the tab
_EARLIER = re.compile(re.escape(EARLIER.partition("{}")[0].lstrip("(")) + r"(\d+(?:\.\d+)?)")  # whatever is made of its end
_HEAD = re.compile(r"^## (\S+): (.*?) of (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Mark:
    """``points`` for one answer (None: not marked yet) and what the student is told.

    ``answer`` is the text as the sheet shows it, with what the teacher has written into it; ``of`` tells which text of the
    student's it is; ``earlier`` are points that an earlier text had.
    """

    points: float | None
    comment: str
    answer: str
    of: str = ""
    earlier: float | None = None


def head(question: str, points: float | None, out_of: int) -> str:
    """The line of a sheet that holds a mark.

    >>> head("question-bound", None, 4), head("question-bound", 2.5, 4), head("question-bound", 3.0, 4)
    ('## question-bound: __ of 4', '## question-bound: 2.5 of 4', '## question-bound: 3 of 4')
    """
    return f"## {question}: {OPEN if points is None else f'{points:g}'} of {out_of}"


def quoted(answer: str) -> str:
    """A student's text as a quotation that can't end itself, nor be taken for one of the sheet's own lines.

    Control characters, which a terminal would obey, are left out.

    >>> quoted("a\\x1b[2J\\n# <b>")
    '> a[2J\\n> # &lt;b>'
    """
    lines = (answer.strip() or "(nothing)").replace("<", "&lt;").splitlines()
    return "\n".join("> {}".format(_CONTROL.sub("", line)).rstrip() for line in lines)


def fingerprint(answer: str) -> str:
    """Tells one text of a student's from another, whatever a teacher or an editor makes of its quotation.

    >>> fingerprint(" a"), fingerprint("b")
    ('ca978112', '3e23e816')
    """
    return hashlib.sha256(answer.strip().encode("utf-8", "surrogatepass")).hexdigest()[:8]


def marks(master: Master, sheet: Path) -> dict[str, Mark]:
    """The marks in a sheet, by question; none where there is no sheet.

    Raises VbookError for a mark that can't be, for no UTF-8, and where a question of the assignment can't be read whole: the
    next grading writes the sheet anew, so what isn't read would be lost.
    """
    if not sheet.is_file():
        return {}
    try:
        text = sheet.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise VbookError(f"{named(sheet)}: not UTF-8; save it as UTF-8 in your editor") from None
    except OSError as error:
        raise VbookError(f"{named(sheet)}: can't be read ({error.strerror})") from None
    heads = list(_HEAD.finditer(text))
    ends = [match.start() for match in heads[1:]] + [len(text)]
    found = {question: [] for question in master.questions}
    for match, end in zip(heads, ends, strict=True):
        found.get(match[1], []).append((match[2], int(match[3]), text[match.end() : end]))
    return {question: _mark(text, parts, question, master.questions[question], sheet) for question, parts in found.items()}


def given(master: Master, by_hand: dict[str, Mark]) -> float | None:
    """The points by hand; None while a question is open."""
    points = [by_hand[question].points if question in by_hand else None for question in master.questions]
    return None if None in points else sum(points)


def _mark(text: str, parts: list[tuple[str, int, str]], question: str, out_of: int, sheet: Path) -> Mark:
    """The mark of ``question``: ``parts`` are what its heading says and the text below, which has to be there once."""
    where, form = f"{named(sheet)}: {question}", head(question, None, out_of)
    if len(parts) != 1:
        tried = [line for line in text.splitlines() if line.startswith("#") and question in line]
        why = f"can't read {tried[0]!r}" if tried and not parts else f"{len(parts)} headings that can be read"
        raise VbookError(f"{where}: {why}; one line is to be {form!r}, with a mark or {OPEN} for none yet")
    written, denominator, rest = parts[0]
    points, found = _points(written, out_of, where), []
    if points is not None and denominator != out_of:
        raise VbookError(f"{where}: {written} of {denominator}, but it has {out_of} points; write the mark as one of {out_of}")
    of = ""
    for line in (ANSWER, COMMENT, GUIDE):
        match = re.search(rf"^{re.escape(line)}( \([0-9a-f]{{8}}\))?[ \t]*$", rest, re.MULTILINE)
        if not match:
            raise VbookError(f"{where}: can't find the line {line!r} in its place; put it back, it says where a comment ends")
        found.append(rest[: match.start()].strip())
        rest, of = rest[match.end() :], of or (match[1] or "").strip(" ()")
    before = _EARLIER.search(found[0]) if points is None else None
    return Mark(points, found[2], found[1], of, float(before[1]) if before else None)


def _points(written: str, out_of: int, where: str) -> float | None:
    if set(written.strip()) == {"_"}:
        return None
    try:
        points = float(written.replace(",", "."))  # as some countries write it
    except ValueError:
        points = -1.0
    if not 0 <= points <= out_of:
        raise VbookError(f"{where}: a mark is a number from 0 to {out_of}, or {OPEN} for none yet, not {written!r}")
    return points
