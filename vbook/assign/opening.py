"""Open what a student handed in: an ordinary file of bounded size, a notebook, and one of the assignment that is graded."""

import os
import re
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from vbook.assign.master import Master, graded, names, place
from vbook.assign.words import clean
from vbook.errors import VbookError
from vbook.pipeline.notebook import read

LARGEST = 20_000_000  # bytes of a submitted notebook
_HALF = re.compile("[\ud800-\udfff]")  # half a character: JSON may hold it, no file in UTF-8 can
_MADE = re.compile(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", re.MULTILINE)


def opened(path: Path) -> dict:
    """The notebook at ``path``, which a student wrote; VbookError where it can't or mustn't be opened."""
    try:
        kind = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise VbookError(f"there is no {path.name}{_others(path.parent)}") from None
    except OSError as error:
        raise VbookError(f"{path.name} can't be read ({error.strerror})") from None
    if not stat.S_ISREG(kind.st_mode) or path.parent.is_symlink():
        raise VbookError(f"{path.name} is a link or no ordinary file: not opened")
    if kind.st_size > LARGEST:
        raise VbookError(f"{path.name} is larger than {LARGEST // 1_000_000} MB: not opened")
    try:
        return formed(path)
    except OSError as error:
        raise VbookError(f"{path.name} can't be read ({error.strerror})") from None
    except VbookError:
        raise VbookError(f"{path.name} is no Jupyter notebook that can be read") from None


def own(path: Path) -> dict:
    """The notebook at ``path``, the user's own; VbookError where it can't be opened, or wouldn't be when it is graded."""
    kind = None
    with suppress(OSError):  # said below, by what opens it
        kind = path.stat()
    if kind and not (stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode)):  # to open a pipe waits, for ever perhaps
        raise VbookError(f"{path} is no ordinary file, but a pipe or a device; name a notebook, such as A1.ipynb")
    if kind and kind.st_size > LARGEST:
        most = LARGEST // 1_000_000
        raise VbookError(f"{path} is larger than {most} MB, so it wouldn't be graded; clear its outputs and save it again")
    try:
        return formed(path)
    except OSError as error:
        raise VbookError(f"{path} can't be read ({error.strerror}); make it readable, or save it again elsewhere") from None


def formed(path: Path) -> dict:
    """``read``, and each cell has a type, a text without halves of characters, and metadata.

    Raises VbookError where that can't be, OSError where the file can't be read.
    """
    kinds = {"cell_type": str, "source": str, "metadata": dict}
    try:
        notebook = read(path)
        cells = [{"metadata": {}} | cell for cell in notebook["cells"]]
        if all(isinstance(cell[key], kind) for cell in cells for key, kind in kinds.items()):
            return notebook | {"cells": [cell | {"source": _HALF.sub("\ufffd", cell["source"])} for cell in cells]}
    except VbookError:
        raise
    except (RecursionError, MemoryError, LookupError, TypeError, AttributeError, ValueError):
        pass
    raise VbookError(f"{path}: no Jupyter notebook that can be read; save it again in JupyterLab")


def belongs(notebook: dict, master: Master, missing: list[str]) -> None:
    """VbookError where next to nothing of the assignment is in ``notebook``: a file taken for another is no work of 0 points.

    ``missing`` are the questions that weren't found.
    """
    asked = _asked(master.notebook)
    here = len((_held(notebook) & asked) | (master.questions.keys() - set(missing)))
    if 2 * here >= len(asked):
        return
    if other := next((name for name in names() if len(_held(notebook) & _asked_in(name)) > 2 * here), None):
        raise VbookError(f"{master.name}.ipynb holds tasks and questions of {other}, not of {master.name}")
    if 10 * here <= len(asked):
        raise VbookError(f"{master.name}.ipynb holds next to nothing of the tasks and questions of {master.name}")


def _asked(notebook: dict) -> set[str]:
    """Ids of tasks and questions; a task's is the name that its answer defines."""
    return {known["grade_id"] for _, known in graded(notebook) if known.get("solution")}


@cache
def _asked_in(name: str) -> frozenset[str]:
    try:
        return frozenset(_asked(read(place(name))))
    except VbookError:  # a master that is being written
        return frozenset()


def _held(notebook: dict) -> set[str]:
    """Ids of the cells of ``notebook``, and names that its code defines: metadata may be lost."""
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    return {known["grade_id"] for _, known in graded(notebook)} | {name for match in _MADE.findall(code) for name in match}


def _others(folder: Path) -> str:
    """The notebooks that lie in a student's folder instead of the one that was asked for."""
    found = [] if folder.is_symlink() else sorted(clean(path.name, 60) for path in folder.glob("*.ipynb"))
    return f"; there is {', '.join(found[:3])}" if found else ""
