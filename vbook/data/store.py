"""The files of a set as a whole: find them, fetch what is missing, verify them, and say what to do when they can't be had."""

from pathlib import Path
from typing import NamedTuple

from vbook.data.cards import Card, File
from vbook.data.catalogue import card
from vbook.data.fetch import fetch, has_source
from vbook.data.files import data_root, read_verified, set_aside, sha256_of
from vbook.data.read import embedded_folder
from vbook.errors import VbookError


class FileStatus(NamedTuple):
    """One file of a set: its path, ``"ok"``, ``"missing"`` or ``"damaged"``, and both digests (``found`` None when missing)."""

    file: Path
    status: str
    expected: str
    found: str | None


def obtain(chosen: Card, split: str, labels: bool, root: str | Path | None, progress: bool | None = None) -> dict[File, bytes]:
    """The verified bytes of the files that ``split`` needs, fetched first where they are missing; else one VbookError."""
    if chosen.embedded:
        # No digest is asked for: another release may pack them anew, and what was read is in every record by its own digest.
        return {file: _embedded(file) for file in chosen.files(split, labels)[0]}
    folder, forms = data_root(root), chosen.files(split, labels)
    form = _present(forms, folder) or _fetch(chosen, forms, folder, progress)
    return {file: read_verified(file, folder) for file in form}


def available(name: str, root: str | Path | None = None) -> bool:
    """Whether ``load(name)`` needs no download: the set is embedded, or all its files are in the data root."""
    chosen = card(name)
    return chosen.embedded or _present(chosen.files(), data_root(root)) is not None


def verify(name: str, root: str | Path | None = None) -> list[FileStatus]:
    """Each file of the set with its status and digests; nothing is moved, fetched or changed."""
    chosen = card(name)
    folder = embedded_folder() if chosen.embedded else data_root(root)
    _check_folder(folder)
    # Of a set with several forms, the one that is there, or else the one of which most is.
    form = max(chosen.files(), key=lambda form: sum((folder / f.path).is_file() for f in form) / len(form))
    return [_status(file, folder) for file in form]


def get(name: str, root: str | Path | None = None, progress: bool | None = None) -> list[FileStatus]:
    """Fetch the files of the set that are missing or damaged (those are moved aside); their status afterwards.

    A VbookError says which file to put where when no source has it.
    """
    chosen = card(name)
    if not chosen.embedded:
        damaged = [row.file for row in verify(name, root) if row.status == "damaged"]
        moved = [f"{file} is damaged or another file. {set_aside(file)}" for file in damaged]
        folder = data_root(root)
        if _present(chosen.files(), folder) is None:
            try:
                _fetch(chosen, chosen.files(), folder, progress)
            except VbookError as error:
                raise VbookError("\n".join([*moved, str(error)])) from None
    return verify(name, root)


def _present(forms: list[tuple[File, ...]], folder: Path) -> tuple[File, ...] | None:
    """The first form of which every file is there."""
    return next((form for form in forms if all((folder / file.path).is_file() for file in form)), None)


def _fetch(chosen: Card, forms: list[tuple[File, ...]], folder: Path, progress: bool | None) -> tuple[File, ...]:
    """Download the missing files of the first form that has sources, and return it; the one VbookError when that fails."""
    _check_folder(folder)
    failures = []
    for form in forms:
        if all(has_source(chosen, file) for file in form):
            for file in form:
                if not (folder / file.path).is_file() and (failures := fetch(chosen, file, folder, progress)):
                    break
            else:
                return form
    raise VbookError(_cannot_be_had(chosen, folder, failures))


def _check_folder(folder: Path) -> None:
    if there := next((place for place in (folder, *folder.parents) if place.exists() and not place.is_dir()), None):
        raise VbookError(f"the data root {folder} can't be a folder: {there} is a file; name a folder in VBOOK_DATA")


def _cannot_be_had(chosen: Card, folder: Path, failures: list[str]) -> str:
    """The message: what was tried, which file with which digest to put where, and which embedded set serves instead."""
    tried = [f"  {line}" for line in failures] or ["  no address is known that serves these files"]
    places = []
    for form in chosen.files():
        places += ["or" if places else "Put there yourself:"]
        missing = [file for file in form if not (folder / file.path).is_file()]
        places += [f"  {folder / file.path}  ({file.size:,} bytes, sha256 {file.sha256})" for file in missing]
    return "\n".join(
        [
            f"data set {chosen.name!r} is not in {folder} and could not be downloaded:",
            *tried,
            *places,
            f"or name a folder that has it in VBOOK_DATA. Without any file or network: load({chosen.stand_in!r}), embedded.",
        ]
    )


def _embedded(file: File) -> bytes:
    try:
        return (embedded_folder() / file.path).read_bytes()
    except OSError as error:
        raise VbookError(f"scikit-learn does not ship {file.path} any more: install scikit-learn 1.5 to 1.9") from error


def _status(file: File, folder: Path) -> FileStatus:
    path = folder / file.path
    if not path.is_file():
        return FileStatus(path, "missing", file.sha256, None)
    found = sha256_of(path)
    return FileStatus(path, "ok" if found == file.sha256 else "damaged", file.sha256, found)
