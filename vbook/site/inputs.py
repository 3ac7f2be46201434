"""What a site is made of, as digests: a page or a site is made again when its own changes."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from vbook.site import digest


def of_data(top: Path) -> str:
    """The digest of all but chapters and prose: what the pages depend on that are made from data.

    Those are the package, the records and weights, targets, ledger and errata, and the programs that build.
    """
    files = [top / name for name in ("pyproject.toml", "package-lock.json") if (top / name).is_file()]
    files += sorted((top / "book").glob("*.yml")) + sorted((top / "book" / "results").glob("*.json"))
    files += sorted((top / "book" / "weights").glob("*")) + sorted((Path(__file__).parent / "static").iterdir())
    files += sorted((Path(__file__).parent / "templates").iterdir())
    files += sorted(Path(__file__).parents[1].rglob("*.py"))  # the page on the code shows all of it
    made_by = (f"{name} {version(name)}" for name in ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme"))
    return digest_of(files, digest(), *made_by)


def digest_of(files: list[Path], *more: str) -> str:
    """The digest of the files' names and contents, and of ``more``."""
    parts = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]
    return hashlib.sha256("\n".join([*parts, *more]).encode()).hexdigest()
