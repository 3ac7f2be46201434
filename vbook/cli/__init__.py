"""The command line: ``vbook run``, ``build``, ``edition``, ``data``, ``reproduce``, ``results``, ``assign``, ``bench``; each
loads what it needs."""

import codecs
import errno
import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import vbook
from vbook.cli.assign import assign_app
from vbook.cli.bench import bench_app
from vbook.cli.sets import DataRoot, data_app
from vbook.errors import Interrupted, VbookError

app = typer.Typer(
    name="vbook",
    help="Run, build and measure the book. Each command's --help has an example.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data_app, name="data")
app.add_typer(assign_app, name="assign")
app.add_typer(bench_app, name="bench")

Profile = Annotated[str, typer.Option("--profile", "-P", help="smoke, laptop or paper.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random number; by default the notebook's, 0.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps; by default cpu.")]
# What a full, read-only or foreign disk answers, and where no file can be: the user's to mend, and no news for a traceback.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EINVAL}


def main(args: list[str] | None = None) -> None:
    """Run the command line: exit code 2 and one line for what a user can mend, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="vbook")
    try:
        app(args, prog_name="vbook")
    except VbookError as error:
        _end(str(error), 130 if isinstance(error, Interrupted) else 2)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = f": {error.filename}" if error.filename else ""
        _end(f"{error.strerror}{where}; nothing was left half written, mend that and run the command again", 2)
    except SystemExit as end:
        if end.code == 130:
            _end("interrupted; what was finished is kept, nothing is half written", 130)
        raise


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What is shown for a character that the terminal lacks: a number must not lose its sign."""
    known = {"\N{MINUS SIGN}": "-", "±": "+-", "–": "-", "×": "x", "…": "..."}
    return "".join(known.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error("vbook", _plain)


def _end(message: str, code: int):
    print(f"vbook: {message}", file=sys.stderr)
    raise SystemExit(code) from None


def _version(wanted: bool):
    if wanted:
        print(f"vbook {vbook.__version__}")
        raise typer.Exit


@app.callback()
def _top(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False):
    pass


@app.command()
def run(
    chapters: Annotated[list[str] | None, typer.Argument(help="Numbers or file stems; none means every chapter.")] = None,
    profile: Profile = "smoke",
    seed: Seed = None,
    device: Device = None,
    data_root: DataRoot = None,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Any other.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Chapters at a time; by default one a processor core.")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Write outputs (smoke) or records into the repository.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run even what is up to date.")] = False,
):
    """Execute chapters whose code, package, data or parameters changed since the last run.

    \b
    Example: vbook run 2 --profile laptop --seed 1
    Copies go to _build/executed/<profile>/, records to _build/records/ whatever $VBOOK_RECORDS says; a chapter that fails is kept
    beside the copies as <stem>.failed.ipynb.
    """
    from vbook.pipeline import run_chapters

    failures = run_chapters(
        chapters or (),
        profile,
        seed=seed,
        device=device,
        data_root=data_root,
        extra=parameter or (),
        jobs=jobs,
        do_commit=commit,
        force=force,
    )
    for failure in failures:
        print(f"vbook: {failure.message}", file=sys.stderr)
    if failures:
        raise typer.Exit(2 if all(failure.mendable for failure in failures) else 1)


@app.command()
def build(
    profile: Profile = "smoke",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the site, new or empty or built before; by default _build/html.")
    ] = None,
):
    """Build the site from the executed copies, without executing anything; a chapter without one keeps its committed outputs.

    \b
    Example: vbook build --profile laptop
    """
    from vbook.site.build import build_site

    print(f"the site: {build_site(profile=profile, out=out) / 'index.html'}")


class Edition(StrEnum):
    """The forms of the book in one file."""

    PDF = "pdf"
    ZIP = "zip"


@app.command()
def edition(
    kind: Annotated[Edition, typer.Argument(help="pdf: to print or to annotate; zip: the site, to open from disk.")],
    out: Annotated[Path | None, typer.Option(help="The file; by default _build/vbook.pdf or _build/vbook.zip.")] = None,
):
    """Make the built site one file: a PDF of the whole book, or an archive that opens without a server.

    \b
    Example: vbook edition pdf
    """
    from vbook import paths
    from vbook.site.editions import pack, print_book

    make = {Edition.PDF: print_book, Edition.ZIP: pack}[kind]
    print(f"the book: {make(paths.build('html'), out or paths.build(f'vbook.{kind}'))}")


@app.command(hidden=True)
def browser():
    """Name the browser that the tests of the site use; exit code 1 when there is none."""
    from vbook.site.browser import find

    program = find()
    print(program or "no browser")
    if program is None:
        raise typer.Exit(1)


@app.command()
def reproduce(
    experiments: Annotated[list[str] | None, typer.Argument(help="Ids such as ch02-vae-20; none means all.")] = None,
    profile: Profile = "laptop",
    budget: Annotated[str | None, typer.Option(help="Time to spend, such as 90s, 25m or 1h30m; by default no limit.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    data_root: DataRoot = None,
    force: Annotated[bool, typer.Option("--force", help="Measure again what has a current record.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="How many run side by side, on one thread each.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://node1:8786.")] = None,
):
    """Measure experiments again and write their records into book/results, those first that answer most targets.

    \b
    Example: vbook reproduce ch02-vae-20 ch02-vae-2 --profile laptop --budget 25m
    """
    from vbook.budget import seconds

    limit = seconds(budget)
    from vbook.experiments import reproduce as measure

    root = None if data_root is None else str(data_root)
    where = dict(seed=seed, device=device, data_root=root, jobs=jobs, scheduler=scheduler)
    fate = measure(experiments or [], profile, **where, budget_seconds=limit, force=force)
    if any(end.startswith("interrupted") for end in fate.values()):
        raise typer.Exit(130)
    if failed := [id for id, end in fate.items() if end.startswith("failed")]:
        raise VbookError(f"{', '.join(failed)}: failed, see above")


@app.command()
def results(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")] = False,
    source: Annotated[str | None, typer.Option(help="thesis, adams, compound-vae, replication, assignment, or own.")] = None,
    chapter: Annotated[int | None, typer.Option(help="The chapter of the book that answers it.")] = None,
    verdict: Annotated[
        str | None, typer.Option(help="reproduced, better, short, different, partial, stale, 'not judged', 'not run' or own.")
    ] = None,
):
    """Show what the sources report, what we measured, and the verdict on each.

    \b
    Example: vbook results --source thesis --verdict short
    """
    from vbook.cli.tables import as_text, comparison, missing_runs

    rows = comparison(source, chapter, verdict)
    if as_json:
        import json

        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif source is chapter is verdict is None:
        print("\n".join([as_text(rows) or "no records and no targets yet", "", *missing_runs()]))
    else:
        print(as_text(rows, everything=True) or "nothing of that kind")
