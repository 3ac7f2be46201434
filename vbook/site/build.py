"""``vbook build``: stage the executed notebooks, let Jupyter Book make the site, and put it in place only when it is whole."""

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.ledger import errata, ledger
from vbook.pipeline import chapters as chapters_of_book
from vbook.pipeline import notebook
from vbook.profiles import check_profile
from vbook.results import records, targets
from vbook.site import inputs, vendor
from vbook.site.generated import DATA
from vbook.site.state import inventory, origin, read_state, site_files, write_state

LEFT_OUT = {"results", "weights", ".ipynb_checkpoints"}
OURS = {"html", "stage", "sphinx", "vendor", "executed", "records"}  # folders of _build that commands of the book write


def build_site(profile: str = "smoke", chapters=None, out: Path | None = None, top: Path | None = None) -> Path:
    """Build the site from the copies executed at ``profile``, or the committed notebook where there is none.

    ``chapters`` (stems) restricts the executed copies that are used; ``out`` is the site's folder, ``_build/html`` by
    default, and must be new, empty or a site that was built before; ``top`` is the book's root. Returns the site's folder.
    Nothing is done when nothing has changed. Raises VbookError with the mistakes found; the site that was there before stays
    whole. All else that a build keeps is under ``_build``, wherever the site goes.
    """
    check_profile(profile)
    top = Path(top).resolve() if top else paths.root()
    if top is None:
        raise VbookError("the site is built from a checkout of the book, the installed package alone is not enough")
    work = (top / "_build").resolve()
    out = Path(out).resolve() if out else work / "html"
    try:
        _check_place(out, work)
        if not isinstance(chapters_of_book.read_yaml(top / "_config.yml"), dict):
            raise VbookError("_config.yml holds no settings; take it back from git")
        with vendor.alone(work / "site.lock"):
            _build(top, work, out, profile, chapters)
    except OSError as error:
        raise VbookError(f"the site could not be written ({error}); a site that was there stays as it was") from error
    return out


def _check_place(out: Path, work: Path) -> None:
    """Refuse to put a site where anything would be lost that ``build_site`` didn't make itself."""
    if out == work / "html":
        return
    if out in (work, *work.parents) or (out.is_relative_to(work) and out.relative_to(work).parts[0] in OURS):
        raise VbookError(f"{out} holds other things of the book; name a folder of its own for the site")
    if not out.exists():
        paths.try_to_write(out)  # now, not after minutes of building
        return
    if not out.is_dir():
        raise VbookError(f"{out} is no folder; name a new or an empty one for the site")
    state = read_state(out)
    if state is None:
        foreign = next(out.iterdir(), None)
    else:
        foreign = next((file for file in site_files(out) if file.relative_to(out).as_posix() not in state["files"]), None)
    if foreign:
        raise VbookError(
            f"{out} holds {foreign.relative_to(out)}, which is no part of a site built here; name a new or an empty folder"
        )


def _build(top: Path, work: Path, out: Path, profile: str, chapters) -> None:
    missing = stage(top, work / "stage", profile, chapters)
    for stem in missing:
        run = f"`vbook run {stem} --profile {profile}` makes its own"
        print(f"{stem}: not run at {profile}, so its committed outputs stand in; {run}", file=sys.stderr)
    vendor.modules()
    wanted, before = _inputs(top, work / "stage"), read_state(out) or {}
    stems = [Path(name).stem for name in chapter_files(top)]
    came = origin(top, profile, [stem for stem in stems if stem in missing or (chapters is not None and stem not in chapters)])
    if before.get("inputs") != wanted or before.get("files") != inventory(out):
        ledger(), errata(), targets(), records()  # what is wrong with one of them is told before Sphinx starts, in its own words
        with paths.blamed(work / "sphinx"):
            made = _make(work, inputs.of_data(top))
        _check_place(out, work)  # again, for building takes its time
        with paths.blamed(out):
            _put(made, out, wanted, came)
    elif before.get("origin") != came:  # another commit with the same sources: the same site
        write_state(out, wanted, came)


def stage(top: Path, target: Path, profile: str, chapters=None) -> list[str]:
    """Copy what the site is made from into ``target``; files that stay the same keep their time stamps.

    Returns the stems of the chapters that were to come from a copy executed at ``profile`` and have none.
    """
    sources = {name: top / name for name in ("_config.yml", "_toc.yml")}
    for file in sorted((top / "book").rglob("*")):
        if file.is_file() and not LEFT_OUT & set(file.relative_to(top).parts):
            sources[file.relative_to(top).as_posix()] = file
    missing = []
    for name in chapter_files(top):
        stem = Path(name).stem
        executed = top / "_build" / "executed" / profile / f"{stem}.ipynb"
        wanted = chapters is None or stem in chapters
        sources[name] = executed if wanted and executed.is_file() else top / name
        if wanted and not executed.is_file():
            missing.append(stem)
    for name, source in sources.items():
        if not source.is_file():
            raise VbookError(f"{name} is in the table of contents but there is no such file")
        _copy(source, target / name)
    for file in sorted(target.rglob("*")):
        if file.is_file() and file.relative_to(target).as_posix() not in sources:
            file.unlink()
    return missing


def chapter_files(top: Path) -> list[str]:
    """The notebooks that the table of contents names, as paths from the book's root."""
    return [path.relative_to(top).as_posix() for path in chapters_of_book.all_chapters(top).values()]


def _copy(source: Path, target: Path) -> None:
    content = source.read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        with paths.atomic_write(target) as file:
            file.write(content)


def _inputs(top: Path, staged: Path) -> str:
    """The digest of all that the site depends on."""
    return inputs.digest_of(sorted(file for file in staged.rglob("*") if file.is_file()), inputs.of_data(top))


def _make(work: Path, data: str) -> Path:
    """Run Jupyter Book in its own folder, kept between builds; returns the pages' folder. ``data`` is the digest of its data."""
    _check_notebooks(work / "stage")
    with _no_address_grammars():
        from jupyter_book.sphinx import build_sphinx

    made, unfinished = work / "sphinx" / "html", work / "sphinx" / "unfinished"
    if unfinished.exists():  # a build that was cut off may have left half a page that looks new
        shutil.rmtree(work / "sphinx")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    kept = unfinished.with_name(DATA)
    if not kept.is_file() or kept.read_text(encoding="utf-8") != data:
        kept.write_text(data, encoding="utf-8")
    stage_folder, said = work / "stage", io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        result = build_sphinx(
            sourcedir=stage_folder,
            outputdir=made,
            doctreedir=work / "sphinx" / "doctrees",
            path_config=stage_folder / "_config.yml",
            confoverrides={"latex_individualpages": False, "external_toc_path": str(stage_folder / "_toc.yml")},
            noconfig=True,
            warningiserror=True,
            keep_going=True,
        )
    cause = getattr(result, "orig_exc", None) or result  # what a handler of ours raised, Sphinx wraps in words of its own
    if isinstance(cause, KeyboardInterrupt | OSError):
        raise cause
    if result:
        told = str(cause) if isinstance(cause, VbookError) else _mistakes(said.getvalue(), result)
        raise VbookError(f"the site could not be built; the one before stays in place.\n{told}")
    unfinished.unlink()
    return made


def _check_notebooks(staged: Path) -> None:
    """What is wrong with a notebook, before Sphinx wraps it in words of its own."""
    for file in sorted(staged.rglob("*.ipynb")):
        try:
            notebook.read(file)
        except VbookError:
            raise VbookError(
                f"chapters/{file.name} is no Jupyter notebook of format 4: restore it, or, if it is as committed, the copy of it "
                f"that was executed is damaged: `vbook run {file.stem} --force` makes that anew"
            ) from None


@contextlib.contextmanager
def _no_address_grammars():
    """Import jsonschema without a format check that no notebook uses and that compiles 38 grammars, 3 s each time."""
    unused = "rfc3987_syntax"
    if unused in sys.modules:
        yield
        return
    sys.modules[unused] = None
    try:
        yield
    finally:
        del sys.modules[unused]


def _mistakes(said: str, result) -> str:
    """The lines of Sphinx's talk that say what is wrong."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    telling = re.compile(r"WARNING|ERROR|CRITICAL|mistakes|^  \S|^[\w.]*(Error|Exception)\b")
    lines = [line for line in plain.splitlines() if telling.search(line)]
    return "\n".join(dict.fromkeys(lines)) or plain[-2000:] or repr(result)


def _put(made: Path, out: Path, inputs: str, came: dict) -> None:
    """Swap the new site in by renaming, so that nobody meets half a site, or one without its state."""
    fresh, old = out.with_name(f".{out.name}.vbook-new"), out.with_name(f".{out.name}.vbook-old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        for file in site_files(made):  # one by one: copytree would tell of every file that a full disk doesn't take
            copy = fresh / file.relative_to(made)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        write_state(fresh, inputs, came)
        if out.exists():
            out.rename(old)
        try:
            fresh.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
