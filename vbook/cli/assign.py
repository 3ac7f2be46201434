"""``vbook assign``: hand out assignments, grade them, and see what their public checks say."""

import errno
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from vbook.errors import Interrupted, VbookError

assign_app = typer.Typer(help="Assignments: hand out, grade, check.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The assignment, such as A1.")]
_LONGEST = 200  # bytes of a table's name: beside it, one with a longer name is written first
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # of a disk: nothing more can be written for anybody


@assign_app.command("release")
def release_assignment(
    name: Name,
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder for the students' notebook; made where it isn't there.")],
):
    """Make the students' copy of an assignment: no solutions, no hidden checks, no model answers.

    \b
    Example: vbook assign release A1 --out handout
    """
    from vbook.assign.master import load
    from vbook.assign.release import release

    folder = _path(out, "--out", "a folder for the students' notebook, such as --out handout")
    _can_write(folder)
    print(f"the students' copy: {release(load(name), folder)}")


@assign_app.command("grade")
def grade_assignment(
    name: Name,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder of submissions, FOLDER/<student>/A1.ipynb.")],
    csv: Annotated[str, typer.Option(metavar="FILE", help="The table to write; feedback and texts to mark go beside it.")],
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run students' code without a sandbox, with your rights; the table says so.")
    ] = False,
):
    """Grade submissions, each in a sandbox, into a table, feedback pages and sheets to mark by hand.

    \b
    Example: VBOOK_ASSIGN_SEED="spring term" vbook assign grade A1 submissions --csv grades/A1.csv
    The hidden cases are drawn from $VBOOK_ASSIGN_SEED, any text that students don't know. Without it a first run draws its own.
    Run again after marking: the marks in the sheets beside the table are kept and go into the grades.
    """
    from vbook.assign import report, table
    from vbook.assign.grading import submissions
    from vbook.assign.master import load
    from vbook.assign.words import named
    from vbook.paths import write_text

    place = _path(folder, "FOLDER", "the folder of submissions")
    path = _path(csv, "--csv", "the table to write, such as --csv grades/A1.csv")
    master = load(name)
    students = [student for student, _ in submissions(place, name)]
    _takes_a_table(path, place, name)
    seed = os.environ.get(table.SEED, "").strip()
    warning = table.agreed(master, students, path, seed)
    report.marked(master, students, path)  # what is wrong with a mark is said before anything runs
    if loose := sorted(named(one.name) for one in place.iterdir() if not one.is_dir() and not one.name.startswith(".")):
        _say(f"not graded, for they lie in no student's folder: {', '.join(loose)}")
    if warning:
        _say(warning)
    if not seed:
        seed = secrets.token_hex(4)
        _say(f'{table.SEED} is not set, so this run drew its own: {table.SEED}="{seed}" gives the same cases again')
    results, by_hand, left = _graded(master, place, path, seed, unsafe, len(students))
    own, changed = table.own_columns(students, path), None  # now, for a teacher may write while others are graded
    try:
        table.agreed(master, students, path, seed)
    except VbookError as error:
        changed, path = error, path.with_name(f"{path.stem}.new.csv")
    write_text(path, table.BOM + table.as_csv(master, results, not unsafe, by_hand, seed, own))
    print(f"the table: {path}; for students: {path.parent / report.FEEDBACK}; to mark by hand: {path.parent / report.BY_HAND}")
    if changed:
        raise VbookError(f"{changed}; this was written there while the grading ran, so the new table is {path}")
    if left:
        raise VbookError(
            f"{len(left)} of {len(students)} whose marks or pages are in trouble, left as they were: {', '.join(left)}; "
            "mend what is said of each above, and give the command again"
        )


def _graded(master, folder: Path, path: Path, seed: str, unsafe: bool, students: int) -> tuple[list, dict, list[str]]:
    """Grade, and write the pages beside the table ``path``: results, marks by student, names of those whose pages can't be."""
    from vbook.assign.grading import grade_all
    from vbook.assign.report import reopened, write_pages
    from vbook.assign.words import named

    total = sum(master.tasks.values())
    results, by_hand, left = [], {}, []
    try:
        for one in grade_all(master, folder, seed, unsafe):
            try:
                by_hand[one.student] = write_pages(master, one, path)
                for said in reopened(master, one, by_hand[one.student]):
                    _say(f"{named(one.student)}: {said}")
            except (VbookError, OSError) as error:
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise
                left.append(named(one.student))
                one.incidents.append(f"marks and pages: {_words(error)}")
                _say(f"{left[-1]}: {_words(error)}")
            results.append(one)
            print(f"{named(one.student):<24} {one.points():>3} of {total}  {'; '.join(one.incidents)[:90]}", flush=True)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {len(results)} of {students} graded; no table written") from None
    except (VbookError, OSError) as error:
        if not results and isinstance(error, VbookError):
            raise
        raise VbookError(f"{_words(error)}; {len(results)} of {students} graded, no table written") from None
    return results, by_hand, left


@assign_app.command("check")
def check_assignment(notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="Your notebook, such as A1.ipynb.")]):
    """Say what the public checks of your notebook find, task by task; exit code 1 while one doesn't pass.

    \b
    Example: vbook assign check A1.ipynb
    """
    from vbook.assign.public import public_checks, unanswered

    path = _path(notebook, "NOTEBOOK", "your notebook, such as A1.ipynb")
    empty, questions = unanswered(path)  # before it runs: it may go to another folder
    found = public_checks(path)
    width = max(len(one.name) for one in found)
    for one in found:
        print(f"{one.name:<{width}}  {one.says}")
    tasks = [one for one in found if one.points]
    done, begun = (sum(keep(one.says) for one in tasks) for keep in ("passes".__eq__, "not begun".__ne__))
    print(f"{done} of {len(tasks)} tasks pass their public check, {len(tasks) - begun} not begun")
    if empty:
        print(f"{empty} of {questions} questions have nothing in their cell yet")
    if any(one.says != "passes" for one in found):
        raise typer.Exit(1)


def _path(text: str, what: str, wanted: str) -> Path:
    """``text`` as a path; VbookError where none can be: an empty one would be the working folder."""
    if not text:
        raise VbookError(f"{what} is empty, as a variable that isn't set leaves it: name {wanted}")
    try:
        os.stat(text)
    except (FileNotFoundError, NotADirectoryError):
        pass  # to be made, or said by what needs it
    except OSError as error:
        raise VbookError(f"{what} can't be {text[:99]} ({error.strerror}): name {wanted}") from None
    return Path(text)


def _takes_a_table(path: Path, folder: Path, name: str) -> None:
    """VbookError where no table can be at ``path`` or no pages beside it, or where they would get among the submissions."""
    from vbook.assign.report import BY_HAND, FEEDBACK

    if len(os.fsencode(path.name)) > _LONGEST:
        raise VbookError(f"the name {path.name[:20]}… is longer than {_LONGEST} bytes: name a shorter --csv")
    if path.is_dir():
        raise VbookError(f"{path} is a folder; name the file, such as {path / (name + '.csv')}")
    if path.name in (FEEDBACK, BY_HAND):
        raise VbookError(f"{path}: pages go into a folder of that name; name the file, such as {path.with_name(name + '.csv')}")
    if path.exists() and not path.is_file():
        raise VbookError(f"{path} is no ordinary file, so no table can take its place: name another --csv")
    if path.exists() and not path.stat().st_mode & stat.S_IWUSR:  # to write anew takes a right on the folder alone
        raise VbookError(f"{path} is read-only: give it the right to be written, or name another --csv")
    submitted, pages = folder.resolve(), [path.parent / FEEDBACK, path.parent / BY_HAND]
    for place in (path.parent, *pages):
        _can_write(place)
    if path.resolve().is_relative_to(submitted):
        raise VbookError(f"{path} lies among the submissions, where it would be taken for a student's: name a --csv elsewhere")
    for place in pages:
        if place.resolve().is_relative_to(submitted) or submitted.is_relative_to(place.resolve()):
            raise VbookError(f"pages go into {place}, and submissions are in {folder}: name a --csv in another folder")


def _words(error: VbookError | OSError) -> str:
    from vbook.assign.words import named

    if isinstance(error, VbookError) or not error.strerror:
        return str(error)
    return f"{error.strerror}: {named(error.filename)}" if error.filename else error.strerror


def _can_write(folder: Path) -> None:
    """VbookError where ``folder`` can't be one, because it or a folder around it is a file, or where nothing can be written."""
    from vbook.paths import try_to_write

    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise VbookError(f"{place} is a file, a folder is needed there")
    try:
        try_to_write(folder.absolute())
    except OSError as error:
        raise VbookError(f"{folder}: nothing can be written there ({error.strerror}); name another folder") from None


def _say(words: str) -> None:
    print(f"vbook: {words}", file=sys.stderr)
