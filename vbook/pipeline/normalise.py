"""The normaliser: what an executed notebook says, without a trace of when, where and by which tool it was run."""

import copy
import hashlib
import re
import tempfile
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.pipeline.notebook import dumps, joined, tags
from vbook.widgets.base import VIEW

#: A committed notebook is at most this large (bytes): a long chapter has 0.3 MB of text and code before its first picture.
LIMIT = 2_000_000

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
# Everything else in the metadata belongs to a tool (papermill, an editor, a widget manager), not to the book.
_NOTEBOOK_METADATA = {"accelerator", "vbook"}
_CELL_METADATA = {"deletable", "editable", "jupyter", "nbgrader", "tags", "vbook"}
_TOOL_TAGS = {"injected-parameters", "papermill-error-cell-tag"}
_FIELDS = {
    "stream": {"output_type", "name", "text"},
    "display_data": {"output_type", "data", "metadata"},
    "execute_result": {"output_type", "data", "metadata", "execution_count"},
    "error": {"output_type", "ename", "evalue", "traceback"},
}

# A slug somebody chose (or an earlier pass of this module made), as opposed to Jupyter's eight hex digits or a UUID.
_AUTHORED = re.compile(r"(?![0-9a-f]{8}(-|$))[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,}")
# tqdm's line: " 45%|####    | 45/100 [00:12<00:15, 3.5it/s]", or "12it [00:03, 4.0it/s]" when the end isn't known.
_PROGRESS = re.compile(r".*\d+%\|[^|]*\| *\S+/\S+ \[\d+:\d+|.*\d+\w+ \[\d+:\d+, ")


def normalise(nb: dict, places: dict[str, str] | None = None) -> dict:
    """A new notebook that depends on ``nb``'s sources and results alone; idempotent, sources never change.

    ``places`` maps folders of this machine to what outputs should say instead; by default ``machine_places()``.

    >>> normalise({"cells": [], "metadata": {"papermill": {}}, "nbformat": 4, "nbformat_minor": 4})["nbformat_minor"]
    5
    """
    places = machine_places() if places is None else places
    nb = joined(nb)
    cells = [_cell(cell, places) for cell in nb["cells"] if not _TOOL_TAGS & set(tags(cell))]
    _number(cells)
    _name(cells)
    metadata = {key: value for key, value in nb.get("metadata", {}).items() if key in _NOTEBOOK_METADATA}
    metadata |= {"kernelspec": dict(KERNELSPEC), "language_info": copy.deepcopy(LANGUAGE_INFO)}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def check_size(nb: dict, name: str) -> None:
    """VbookError when ``nb`` would take more than LIMIT bytes on disk; the message names its heaviest cell."""
    size = len(dumps(nb).encode())
    if size > LIMIT:
        weights = [len(dumps({"cells": [cell]}).encode()) for cell in nb["cells"]]
        heaviest = weights.index(max(weights))
        raise VbookError(
            f"{name}: {size / 1e6:.2f} MB with its outputs, more than the {LIMIT / 1e6:.0f} MB a committed notebook may have; "
            f"the heaviest is cell {heaviest + 1} with {weights[heaviest] / 1e6:.2f} MB: show fewer or smaller pictures there"
        )


def machine_places() -> dict[str, str]:
    """Folders that an output might name, with what to say instead: the checkout, the home and the temporary folder."""
    found = {tempfile.gettempdir(): "$TMPDIR", str(Path.home()): "~"}
    top = paths.root()
    if top is not None:
        found[str(top)] = "."
    return {folder: word for folder, word in found.items() if len(folder) > 1}


def _cell(cell: dict, places: dict) -> dict:
    kept = {key: copy.deepcopy(cell[key]) for key in ("id", "cell_type", "source", "attachments") if cell.get(key)}
    kept.setdefault("source", "")
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key in _CELL_METADATA}
    kept["metadata"] = {key: copy.deepcopy(value) for key, value in metadata.items() if value not in ([], {})}
    if cell["cell_type"] == "code":
        kept["execution_count"] = cell.get("execution_count")
        kept["outputs"] = _outputs(cell.get("outputs", []), places)
    return kept


def _outputs(outputs: list[dict], places: dict) -> list[dict]:
    # Drop first, join then, clean last: a path or a progress line may be cut in two by the kernel's timing.
    trimmed = [{k: copy.deepcopy(v) for k, v in o.items() if k in _FIELDS[o["output_type"]]} for o in outputs]
    kept = [_bundle(o, places) if "data" in o else o for o in trimmed if o.get("name") != "stderr"]
    merged = _merge([o for o in kept if o.get("data") != {}])
    cleaned = [o | {"text": _clean(_overwritten(o["text"]), places)} if "text" in o else o for o in merged]
    return [o for o in cleaned if o.get("text") != ""]


def _bundle(output: dict, places: dict) -> dict:
    """A display without its widget view and machine paths; with no data at all when nothing of it is for a reader."""
    data = {mime: value for mime, value in output["data"].items() if mime != VIEW}
    if VIEW in output["data"] and _PROGRESS.match(data.get("text/plain", "")):
        data = {}
    texts = {mime: _clean(v, places) for mime, v in data.items() if mime.startswith("text/") and isinstance(v, str)}
    notes = {mime: note for mime, note in output.get("metadata", {}).items() if mime != VIEW}
    return output | {"data": data | texts, "metadata": notes}


def _clean(text: str, places: dict) -> str:
    # The longest folder first: a checkout may lie inside the home folder.
    for folder in sorted(places, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.~-]){re.escape(folder)}(?![\w-])", lambda _, word=places[folder]: word, text)
    return _ADDRESS.sub(" at …", text)


def _overwritten(text: str) -> str:
    """What a terminal would still show: of each line only what follows the last carriage return, and no progress bar."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(line for line in lines if not _PROGRESS.match(line))


def _merge(outputs: list[dict]) -> list[dict]:
    """``outputs`` with neighbouring pieces of one stream joined: how a kernel cuts them is a matter of timing."""
    merged: list[dict] = []
    for output in outputs:
        if merged and output["output_type"] == merged[-1]["output_type"] == "stream" and output["name"] == merged[-1]["name"]:
            merged[-1] = merged[-1] | {"text": merged[-1]["text"] + output["text"]}
        else:
            merged.append(output)
    return merged


def _number(cells: list[dict]) -> None:
    """Execution counts 1, 2, … over the cells that ran."""
    count = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            count += cell["execution_count"] is not None
            cell["execution_count"] = None if cell["execution_count"] is None else count
            for output in cell["outputs"]:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = cell["execution_count"]


def _name(cells: list[dict]) -> None:
    """Ids that somebody chose stay; a random or repeated one becomes a digest of the cell's first content."""
    seen: set[str] = set()
    for cell in cells:
        name, again = cell.get("id", ""), 0
        while not _AUTHORED.fullmatch(name) or name in seen:
            text = f"{cell['cell_type']}\0{cell['source']}\0{again}"
            name, again = f"cell-{hashlib.sha256(text.encode()).hexdigest()[:8]}", again + 1
        seen.add(name)
        cell["id"] = name
