"""``vbook assign``: hand out assignments, grade them, and see what their public checks say."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from vbook.errors import Interrupted, VbookError

assign_app = typer.Typer(help="Assignments: hand out, grade, check.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The assignment, such as A1.")]


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

    if not out:
        raise VbookError("--out is empty: name a folder for the students' notebook, such as --out handout")
    _can_write(Path(out))
    print(f"the students' copy: {release(load(name), Path(out))}")


@assign_app.command("grade")
def grade_assignment(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Folder of submissions, FOLDER/<student>/A1.ipynb.")],
    table: Annotated[Path, typer.Option("--csv", help="The table to write; feedback and texts to mark go beside it.")],
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
    from vbook.assign import report
    from vbook.assign.grading import grade_all, submissions
    from vbook.assign.master import load
    from vbook.assign.opening import named
    from vbook.paths import write_text

    master = load(name)
    if table.is_dir():
        raise VbookError(f"{table} is a folder; name the file, such as {table / (name + '.csv')}")
    _can_write(table.parent)
    students = [student for student, _ in submissions(folder, name)]
    if table.resolve().is_relative_to(folder.resolve()):
        raise VbookError(f"{table} lies among the submissions, where it would be taken for a student's: name a --csv elsewhere")
    seed = os.environ.get(report.SEED, "").strip()
    warning = report.agreed(master, students, table, seed)
    report.marked(master, students, table)  # what is wrong with a mark is said before anything runs
    if loose := sorted(place.name for place in folder.iterdir() if place.is_file() and not place.name.startswith(".")):
        _say(f"not graded, for they lie in no student's folder: {', '.join(loose)}")
    if warning:
        _say(warning)
    if not seed:
        seed = secrets.token_hex(4)
        _say(f'{report.SEED} is not set, so this run drew its own: {report.SEED}="{seed}" gives the same cases again')
    total = sum(master.tasks.values())
    results, by_hand = [], {}
    try:
        for one in grade_all(master, folder, seed, unsafe):
            by_hand[one.student] = report.write_pages(master, one, table)
            results.append(one)
            print(f"{named(one.student):<24} {one.points():>3} of {total}  {'; '.join(one.incidents)[:90]}", flush=True)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {len(results)} of {len(students)} graded; no table written") from None
    write_text(table, report.BOM + report.table(master, results, not unsafe, by_hand, seed))
    print(f"the table: {table}; for students: {table.parent / 'feedback'}; to mark by hand: {table.parent / 'by-hand'}")


@assign_app.command("check")
def check_assignment(notebook: Annotated[Path, typer.Argument(help="Your notebook, such as A1.ipynb.")]):
    """Say what the public checks of your notebook find, task by task; exit code 1 while one doesn't pass.

    \b
    Example: vbook assign check A1.ipynb
    """
    from vbook.assign.public import public_checks, unanswered

    empty, questions = unanswered(notebook)  # before it runs: it may go to another folder
    found = public_checks(notebook)
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
