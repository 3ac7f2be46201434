"""What an executed copy depends on, as a table of digests: compared with the last run's, it says what has changed.

Read statically, without importing a module of the book or PyTorch: an unchanged book is known to be so within a second.
"""

import ast
import functools
import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import resolve_name
from pathlib import Path

from vbook.pipeline.notebook import code_cells

_LIBRARIES = ("torch", "numpy", "matplotlib")
_CHAPTER_MODULE = re.compile(r"vbook\.experiments\.chapter(\d+)")
PACKAGE = Path(__file__).resolve().parent.parent


def dependencies(nb: dict, stem: str, parameters: dict, book: Path | None = None) -> dict[str, str]:
    """Name → digest or value of everything that the outputs of chapter ``stem`` follow from.

    Code cells without outputs; the vbook modules they import, and what those import; the committed records, weights and targets
    under ``book`` that the chapter shows; ``parameters`` (the data root aside: files in it are known by digests that stand in
    the package); major.minor of the libraries. The embedded data are known by the version of scikit-learn.
    """
    code = [cell["source"] for cell in code_cells(nb)]
    found = {"the code cells": _digest(json.dumps(code).encode())}
    found |= {f"parameter {name}": repr(value) for name, value in parameters.items() if name != "data_root"}
    found |= {library: ".".join(_version(library).split(".")[:2]) for library in _LIBRARIES}
    found["scikit-learn"] = _version("scikit-learn")
    sources = [file for module in sorted(modules(code, stem)) for file in _sources(module)]
    found |= {file.relative_to(PACKAGE.parent).as_posix(): _digest(file.read_bytes()) for file in sources}
    shown = _book_files(book, stem, "".join(code)) if book else []
    return found | {file.relative_to(book.parent).as_posix(): _digest(file.read_bytes()) for file in shown}


def changes(now: dict[str, str], before: dict[str, str]) -> list[str]:
    """The names whose entry differs, sorted.

    >>> changes({"torch": "2.6", "seed": "0"}, {"torch": "2.5", "seed": "0", "vbook.old": "1"})
    ['torch', 'vbook.old']
    """
    return sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))


def modules(code: list[str], stem: str = "") -> set[str]:
    """The vbook modules that the cells ``code`` import, directly or through others.

    ``vbook.experiments`` imports every chapter's module to register it; another chapter's doesn't count on that ground alone.
    """
    number = re.match(r"\d*", stem)[0]
    todo = {name for source in code for name in _imported(without_magics(source))}
    found: set[str] = set()
    while todo:
        module = todo.pop()
        found.add(module)
        is_package = _file(module).name == "__init__.py"
        source = _file(module).read_text(encoding="utf-8")
        for name in _imported(source, module if is_package else module.rpartition(".")[0], lazy=is_package):
            chapter = _CHAPTER_MODULE.fullmatch(name)
            foreign = chapter and is_package and number and int(chapter[1]) != int(number)
            if name not in found and not foreign:
                todo.add(name)
    return found


def _imported(source: str, package: str = "", lazy: bool = False) -> set[str]:
    """Modules of the book that ``source`` inside ``package`` imports by name; with ``lazy`` those that its strings name too."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the cell will fail when it runs, with Python's own words
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif lazy and isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A package that loads its modules on first use names them in strings: "vbook.plots.style", ".style" or "style".
            names.add(node.value if node.value.startswith("vbook.") else f"{package}.{node.value.removeprefix('.')}")
    # Importing a module runs the packages above it too.
    parts = [name.split(".") for name in names if re.fullmatch(r"vbook(\.\w+)*", name)]
    return {name for p in parts for name in (".".join(p[:k]) for k in range(1, len(p) + 1)) if _file(name)}


@functools.cache
def _file(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


def _sources(module: str) -> list[Path]:
    """A module's file; for a package also the tables that lie beside its ``__init__`` (data cards, for one)."""
    file = _file(module)
    tables = [f for f in sorted(file.parent.iterdir()) if f.suffix in (".yml", ".yaml", ".json")]
    return [file, *tables] if file.name == "__init__.py" else [file]


def without_magics(source: str) -> str:
    """A cell's code as plain Python: ``pass`` where IPython has a magic or a shell command."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def _book_files(book: Path, stem: str, code: str) -> list[Path]:
    """Targets, and the records and weights of this chapter's experiments or of those whose id stands in its code."""
    own = f"ch{stem.partition('-')[0]}-"
    kept = [file for folder in ("results", "weights") for file in sorted((book / folder).glob("*"))]
    kept = [file for file in kept if file.name.startswith(own) or file.name.partition(".")[0] in code]
    return [file for file in [book / "targets.yml", *kept] if file.is_file() and not file.name.startswith(".")]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
