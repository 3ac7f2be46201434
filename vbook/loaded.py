"""Which files of the package this process has imported, or would: a snapshot from before anything else of it was read."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def _files() -> dict[Path, tuple[int, int]]:
    known = ((path, path.stat()) for path in PACKAGE.rglob("*.py"))
    return {path: (found.st_mtime_ns, found.st_size) for path, found in known}


LOADED = _files()


def moved() -> bool:
    """Whether a file of the package has come, gone or changed since the import: what runs is then not what lies on the disk."""
    return _files() != LOADED
