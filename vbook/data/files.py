"""Files of the data root: where it is, whether a file is the right one, and what happens to one that is not."""

import hashlib
import os
import sys
from pathlib import Path

from vbook.data.cards import File
from vbook.errors import VbookError

# Files that this process has found to be right, by path, size and time of change: no file is hashed twice.
_VERIFIED: set[tuple] = set()


def data_root(root: str | Path | None = None) -> Path:
    """The folder of the data files: ``root``, else ``$VBOOK_DATA``, else ``vbook/data`` in the user's cache folder."""
    if not isinstance(root, str | os.PathLike | None):
        raise VbookError(f"the data root is the name of a folder, got {root!r}")
    if named := root or os.environ.get("VBOOK_DATA"):
        return Path(named).expanduser().absolute()
    if sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "vbook" / "data"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal; a VbookError when it can't be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VbookError(f"cannot read {path}: {error.strerror}") from error


def read_verified(file: File, folder: Path) -> bytes:
    """The bytes of ``file`` below ``folder`` if its digest is the card's; else it is moved aside and a VbookError says so."""
    path = folder / file.path
    try:
        content = path.read_bytes()
        status = path.stat()
    except OSError as error:
        raise VbookError(f"cannot read {path}: {error.strerror}") from error
    key = (path, file.sha256, status.st_size, status.st_mtime_ns)
    if key not in _VERIFIED:
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            sizes = f": {len(content):,} bytes instead of {file.size:,}" if len(content) != file.size else ""
            raise VbookError(
                f"{path} is damaged or another file, and was not loaded{sizes}\n"
                f"  sha256 found     {found}\n  sha256 expected  {file.sha256}\n{set_aside(path)}"
            )
        _VERIFIED.add(key)
    return content


def set_aside(path: Path) -> str:
    """Rename a wrong file to ``<name>.damaged`` beside itself; a sentence on what happened."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"It could not be moved aside ({error.strerror}): replace it, or name another folder in VBOOK_DATA."
    return f"It was moved aside to {aside.name}; run again to fetch a good copy."
