"""Where the book's own files are: in a checkout, or inside the installed wheel."""

import errno
import fcntl
import glob
import os
import tempfile
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path


def root() -> Path | None:
    """The checkout's root folder, or None when only the wheel is installed."""
    top = Path(__file__).resolve().parent.parent
    return top if (top / "_toc.yml").is_file() and (top / "book").is_dir() else None


def book(*parts: str):
    """A file or folder of ``book/``: ``book("targets.yml")``, ``book("results")``; readable in a wheel too."""
    top = root()
    base = top / "book" if top else resources.files("vbook") / "_book"
    return base.joinpath(*parts)


def build(*parts: str) -> Path:
    """A path under ``_build/`` of the checkout, or of the working folder when there is no checkout."""
    return (root() or Path.cwd()).joinpath("_build", *parts)


def try_to_write(folder: Path) -> None:
    """OSError where no file could be put into ``folder``, which need not exist yet; leaves nothing behind.

    It tries rather than asks for rights: root has all rights, also where nothing can be written.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryDirectory(dir=there):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


@contextmanager
def blamed(path):
    """An OSError that names no file, as a full disk's, names ``path`` then."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


UNFINISHED = ".unfinished"


def sweep(path: Path) -> None:
    """Remove what an ``atomic_write`` of ``path`` that was killed has left beside it; what is being written is locked."""
    for file in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}{UNFINISHED}"):  # as mkstemp names them
        with suppress(OSError), open(file, "rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink()


@contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a temporary file beside ``path`` and rename it onto ``path`` only when the block ends well.

    A full disk, an error or Ctrl-C leaves the old file as it was and no half-written one behind.
    """
    path = Path(path)
    if path.is_dir():  # before anything is written: of several files none may take its place then
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # a device, a pipe: the new file would take its place
        raise OSError(errno.EINVAL, "no ordinary file, so nothing can take its place", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # mkstemp makes private files; the book's files are meant to be read by others (a web server, a group).
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with blamed(path), os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(name, path)  # while it is locked
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """``atomic_write`` of a text, as UTF-8."""
    with atomic_write(path, "w") as file:
        file.write(text)
