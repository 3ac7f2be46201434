"""Notebooks as plain dictionaries: read, write and look into them without the half second that nbformat costs to import.

In memory every text is one string; on disk it is a list of lines, laid out byte for byte as Jupyter itself saves it.
"""

import copy
import json
import re
from pathlib import Path

from vbook.errors import VbookError
from vbook.paths import atomic_write

# MIME types that Jupyter splits into lines although they are not text/*.
_SPLIT = {"application/javascript", "image/svg+xml"}


def read(path: Path) -> dict:
    """The notebook in ``path`` with its texts joined; VbookError when the file is no notebook of format 4."""
    try:
        nb = json.loads(Path(path).read_text(encoding="utf-8"))
        is_notebook = nb["nbformat"] == 4 and isinstance(nb["cells"], list)
    except FileNotFoundError:
        raise VbookError(f"{path}: no such notebook") from None
    except IsADirectoryError:
        raise VbookError(f"{path} is a folder; name a notebook, such as A1.ipynb") from None
    except NotADirectoryError:
        raise VbookError(f"{path} lies in no folder; name a notebook, such as A1.ipynb") from None
    except (ValueError, KeyError, TypeError):
        is_notebook = False
    if not is_notebook:
        raise VbookError(f"{path}: not a Jupyter notebook of format 4; restore it, or save it again in JupyterLab")
    return joined(nb)


def joined(nb: dict) -> dict:
    """A copy of ``nb`` with every list of lines joined into one string."""
    return _map_texts(nb, lambda text, mime: "".join(text) if isinstance(text, list) and _is_text(mime, text) else text)


def dumps(nb: dict) -> str:
    """``nb`` as the text of an .ipynb file: lines split, keys sorted, one space of indent, newline at the end.

    >>> dumps({"cells": [], "nbformat": 4})
    '{\\n "cells": [],\\n "nbformat": 4\\n}\\n'
    """
    split = _map_texts(nb, lambda text, mime: text.splitlines(True) if isinstance(text, str) and _splits(mime) else text)
    return json.dumps(split, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": ")) + "\n"


def write(nb: dict, path: Path) -> bool:
    """Write ``nb`` to ``path``, whole or not at all; returns False (and leaves the file alone) when it says the same already."""
    text = dumps(nb)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with atomic_write(path, "w") as file:
        file.write(text)
    return True


def code_cells(nb: dict) -> list[dict]:
    """The code cells of ``nb`` in order."""
    return [cell for cell in nb["cells"] if cell["cell_type"] == "code"]


def tags(cell: dict) -> list[str]:
    """The cell's tags.

    >>> tags({"metadata": {"tags": ["check"]}}), tags({"metadata": {}})
    (['check'], [])
    """
    return cell.get("metadata", {}).get("tags", [])


def sections(nb: dict) -> list[str]:
    """For each cell the heading it stands under ('' before the first), for messages and progress.

    >>> sections({"cells": [{"cell_type": "markdown", "source": "# A\\ntext\\n## B"}, {"cell_type": "code", "source": "1"}]})
    ['B', 'B']
    """
    current, found = "", []
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^#{1,4} +(.+?) *#*$", cell["source"], re.MULTILINE)
            current = headings[-1] if headings else current
        found.append(current)
    return found


def with_outputs(nb: dict, executed: dict) -> dict:
    """``nb`` with the outputs and execution counts of ``executed``, code cell by code cell.

    Raises VbookError when their numbers of code cells differ.
    """
    merged = copy.deepcopy(nb)
    ours, theirs = code_cells(merged), code_cells(executed)
    if len(ours) != len(theirs):
        raise VbookError(f"the notebook has {len(ours)} code cells, its executed copy {len(theirs)}; run it again with --force")
    for cell, run in zip(ours, theirs, strict=True):
        cell["outputs"], cell["execution_count"] = copy.deepcopy(run.get("outputs", [])), run.get("execution_count")
    return merged


def _is_text(mime: str, value: list) -> bool:
    return not mime.endswith("json") and all(isinstance(line, str) for line in value)


def _splits(mime: str) -> bool:
    return mime.startswith("text/") or mime in _SPLIT


def _map_texts(nb: dict, change) -> dict:
    """A deep copy of ``nb`` with ``change(value, mime)`` applied to sources, streams, outputs and attachments."""
    nb = copy.deepcopy(nb)
    for cell in nb["cells"]:
        cell["source"] = change(cell.get("source", ""), "text/plain")
        bundles = list(cell.get("attachments", {}).values())
        for output in cell.get("outputs", []):
            if "data" in output:
                bundles.append(output["data"])
            elif "text" in output:
                output["text"] = change(output["text"], "text/plain")
        for bundle in bundles:
            for mime, value in bundle.items():
                bundle[mime] = change(value, mime)
    return nb
