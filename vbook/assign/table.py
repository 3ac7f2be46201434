"""The table of a grading: written for spreadsheets, read again from what spreadsheets make of it."""

import codecs
import csv
import hashlib
import io
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from vbook.assign.grading import Graded
from vbook.assign.marks import Mark, given
from vbook.assign.master import Master
from vbook.assign.words import clean, named
from vbook.errors import VbookError

BOM = "\ufeff"  # at the top of the table's file: spreadsheets take names for UTF-8 then
SEED = "VBOOK_ASSIGN_SEED"  # the environment variable
_SEED = "seed (fingerprint)"
_FIXED = {"student", "by machine", "out of", "incidents", "sandbox", _SEED}
_TASK, _HAND, _GRADE = (re.compile(form) for form in (r"(\w+) \(\d+\)", r"by hand \(out of \d+\)", r"grade \(out of \d+\)"))
# Of a cell and, since a spreadsheet may cut it there, of what follows a separator in it.
_FORMULA = re.compile(r"(^|[;\t\r\n] *)(?=[=+\-@\t\r＝＋－＠])")
_LONGEST = 5_000  # characters of incidents: Excel cuts a cell of more than 32767 in two
_FIRST = re.compile(r'"?student"?([,;\t])')


@dataclass(frozen=True)
class Own:
    """Columns that a teacher added to a table: their heads, and their cells by student."""

    heads: list[str] = field(default_factory=list)
    cells: dict[str | None, list[str]] = field(default_factory=dict)


def as_csv(
    master: Master,
    results: list[Graded],
    sandboxed: bool,
    by_hand: dict[str, dict[str, Mark]],
    seed: str = "",
    own: Own | None = None,
) -> str:
    """The CSV: one row a student, one column a task; what a spreadsheet would run as a formula is quoted.

    ``by_hand`` are marks by student and question. Their sum, and the grade with it, stand there once none is open. The seed's
    fingerprint tells later which cases these were. The teacher's ``own`` columns stand last, as they were.
    """
    own = own or Own()
    tasks = [f"{task} ({points})" for task, points in master.tasks.items()]
    machine, hand = sum(master.tasks.values()), sum(master.questions.values())
    heads = ["student", "by machine", "out of", *tasks, f"by hand (out of {hand})", f"grade (out of {machine + hand})"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, "incidents", "sandbox", _SEED, *own.heads])
    for one in results:
        points = given(master, by_hand.get(one.student, {}))
        marked = ["", ""] if points is None else [f"{points:g}", f"{one.points() + points:g}"]
        row = [_harmless(named(one.student)), one.points(), machine, *(one.points(task) for task in master.tasks), *marked]
        row += [_harmless(_cut("; ".join(one.incidents))), "yes" if sandboxed else "NO: run with --unsafe", _fingerprint(seed)]
        writer.writerow([*row, *own.cells.get(one.student, [""] * len(own.heads))])
    return text.getvalue()


def agreed(master: Master, students: list[str], path: Path, seed: str) -> str | None:
    """A warning where the table at ``path`` was made with another seed; None where not, or where there is none yet.

    Raises VbookError where it is no such table or another assignment's, where it has students that would be lost, and where it
    was made with a seed and there is none now (``""``).
    """
    heads, rows = _read(path)
    if not heads:
        return None
    tasks = [found[1] for found in map(_TASK.fullmatch, heads[: _tasks_end(heads)]) if found]
    if heads[0] != "student" or not tasks:
        raise VbookError(f"{path} is no table of a grading: name another --csv")
    if tasks != [*master.tasks]:
        raise VbookError(f"{path} is a table of other tasks ({_some(tasks)}) than {master.name} has: name another --csv")
    whose = _whose(rows, students)
    if lost := [clean(row[0], 60) or "a row without a name" for row, student in zip(rows, whose, strict=True) if student is None]:
        raise VbookError(
            f"{path} has {len(lost)} who would be lost, for they have no folder now: {_some(lost)}; put their folders back, "
            "delete rows that are no student's, or name another --csv in the same folder, where the marks lie"
        )
    made = {row[heads.index(_SEED)] for row in rows if _SEED in heads} - {""}
    if made and not seed:
        raise VbookError(f"{path} was made with a seed, and none is set now: export {SEED} with the same text first")
    if made - {_fingerprint(seed)}:
        return f"{path} was made with another seed: its hidden cases were others, so points may change"
    return None


def own_columns(students: list[str], path: Path) -> Own:
    """The columns of the table at ``path`` that no grading made, wherever they stand in it; those without a word are left out."""
    heads, rows = _read(path)
    if heads[:1] != ["student"]:
        return Own()
    ours = [head in _FIXED or bool(_HAND.fullmatch(head) or _GRADE.fullmatch(head)) for head in heads]
    ours = [yes or (k < _tasks_end(heads) and bool(_TASK.fullmatch(heads[k]))) for k, yes in enumerate(ours)]
    own = [k for k, yes in enumerate(ours) if not yes or heads[k] in heads[:k]]  # a second one of a name is the teacher's
    own = [k for k in own if any(row[k].strip() for row in (heads, *rows))]
    cells = [[row[k] for k in own] for row in rows]
    return Own([heads[k] for k in own], dict(zip(_whose(rows, students), cells, strict=True)))


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The first row of the file at ``path`` and the others, all of one width; nothing where it is empty or isn't there.

    A spreadsheet may have saved it with semicolons or tabs, as UTF-16 or in Windows' Western encoding, with empty rows below.
    """
    if not path.is_file():
        return [], []
    csv.field_size_limit(1 << 30)  # a teacher's column may be long
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    between = found[1] if (found := _FIRST.match(text)) else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=between) if any(map(str.strip, row))]
    except csv.Error:
        rows = [[""]]
    rows = [list(row) for row in zip(*zip_longest(*rows, fillvalue=""), strict=True)]
    return (rows[0], rows[1:]) if rows else ([], [])


def _tasks_end(heads: list[str]) -> int:
    """Where in a table's ``heads`` no more tasks come: a teacher's ``bonus (5)`` further right is none."""
    return next((k for k, head in enumerate(heads) if _HAND.fullmatch(head)), len(heads))


def _whose(rows: list[list[str]], students: list[str]) -> list[str | None]:
    """Which of ``students`` each row is of. Spreadsheets drop a mark before a formula, and zeros at the front of a number."""
    bare = [student.lstrip("0") for student in students]
    known = {name: student for name, student in zip(bare, students, strict=True) if name.isdecimal() and bare.count(name) == 1}
    known |= {_harmless(named(student)): student for student in students}
    return [known.get(_harmless(row[0])) for row in rows]


def _harmless(text: str) -> str:
    return _FORMULA.sub(r"\1'", text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (the rest is in the feedback)"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _fingerprint(seed: str) -> str:
    return hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:8]
