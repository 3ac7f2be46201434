"""A notebook, as Jupyter writes it, turned into the form that the site is built from."""

import copy
import itertools
import re
from collections import Counter

from vbook.errors import VbookError
from vbook.plots.output import SVG_GROUND
from vbook.site.details import fold
from vbook.site.widgets import page_output
from vbook.widgets.base import MIME as WIDGET
from vbook.widgets.base import VIEW as LIVE_WIDGET

TITLES = {"parameters": "Parameters", "setup": "Setup", "solution": "Solution in code", "hide-input": "Code"}


def transform(notebook: dict, docname: str) -> dict:
    """A copy of the notebook for the page ``docname``: cells folded, figures paired with captions, widgets inlined.

    The argument stays as it is. Raises VbookError for a figure without alternative text or a widget without a static form.
    """
    book = copy.deepcopy(notebook)
    book.get("metadata", {}).pop("widgets", None)
    book["cells"] = _merge_injected(book["cells"])
    _tag_setup(book["cells"])
    seen = Counter()
    for cell in book["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = fold(_text(cell["source"]))
        elif cell["cell_type"] == "code":
            _fold_cell(cell)
            cell["outputs"] = [kept for output in cell.get("outputs", []) if (kept := _output(output, docname, seen)) is not None]
            _pair_figures(cell, docname)
    return book


def _text(source) -> str:
    return source if isinstance(source, str) else "".join(source)


def _tags(cell: dict) -> list[str]:
    return cell.setdefault("metadata", {}).setdefault("tags", [])


def _merge_injected(cells: list[dict]) -> list[dict]:
    """The parameters cell with the values that papermill injected; the injected cell itself goes."""
    kept: list[dict] = []
    for cell in cells:
        if "injected-parameters" not in cell.get("metadata", {}).get("tags", []):
            kept.append(cell)
            continue
        home = next((c for c in reversed(kept) if "parameters" in c.get("metadata", {}).get("tags", [])), None)
        if home is None:
            _tags(cell).append("parameters")
            kept.append(cell)
        else:
            home["source"] = _with_values(_text(home["source"]), _text(cell["source"]))
    return kept


def _with_values(source: str, injected: str) -> str:
    for name, value in re.findall(r"^(\w+) = (.*)$", injected, flags=re.MULTILINE):
        line = re.compile(rf"^({name}\s*=\s*)[^#\n]*?(\s*(?:#.*)?)$", re.MULTILINE)
        source = line.sub(lambda found, value=value: found[1] + value + found[2], source)
    return source


def _tag_setup(cells: list[dict]) -> None:
    """Where no cell is tagged ``setup``, the code cell right after the parameters is the one."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if any("setup" in _tags(cell) for cell in code):
        return
    for first, second in itertools.pairwise(code):
        if "parameters" in _tags(first) and not {"solution", "check"} & set(_tags(second)):
            _tags(second).append("setup")


def _fold_cell(cell: dict) -> None:
    """Note under which title the cell folds: a solution with its output, other code without."""
    title = next((title for tag, title in TITLES.items() if tag in _tags(cell)), None)
    if title:
        cell["metadata"]["tags"] = [tag for tag in _tags(cell) if tag != "hide-input"]  # MyST-NB would fold it again
        cell["metadata"]["vbook_fold"] = {"title": title, "whole": "solution" in _tags(cell)}


def widget_html(output: dict) -> str:
    """The HTML of a widget's self-contained form, to stand in the page as it is.

    Raises VbookError when the output carries none.
    """
    html = _text(output.get("data", {}).get("text/html", ""))
    if not html.strip():
        raise VbookError("a widget has no self-contained text/html form, so the page could not show it")
    return f'<div class="vbook-widget">{html}</div>'


def _output(output: dict, docname: str, seen: Counter) -> dict | None:
    """One output without what the page must not carry; None when nothing remains."""
    if output["output_type"] == "error":  # a traceback may show anything, and it is no page
        raise VbookError(f"{docname}: a cell ended in an error ({output['ename']}); run the notebook again")
    data = output.get("data")
    if data is None:
        return None if output.get("name") == "stderr" else output  # progress bars are for the live notebook
    if data.get(WIDGET):
        return page_output(output, docname, seen)
    if WIDGET in data or output.get("metadata", {}).get("vbook", {}).get("role") == "widget":
        try:
            return output | {"data": {"text/html": widget_html(output)}}
        except VbookError as error:
            raise VbookError(f"{docname}: {error}") from None
    data = {mime: content for mime, content in data.items() if mime != LIVE_WIDGET}
    if any(mime.startswith("image/") for mime in data):  # one picture is enough, its text form would be read twice
        data.pop("text/plain", None)
    if drawing := data.get("image/svg+xml"):
        data["image/svg+xml"] = _text(drawing).replace(SVG_GROUND, "", 1)  # the page has a ground of its own
    return output | {"data": data} if data else None


def _pair_figures(cell: dict, docname: str) -> None:
    """Note in the cell's metadata what each displayed output is: a figure, its caption, or neither."""
    roles: list[dict | None] = []
    for output in (output for output in cell["outputs"] if "data" in output):
        note = output.get("metadata", {}).get("vbook", {})
        if any(mime.startswith("image/") for mime in output["data"]):
            if not note.get("alt"):
                raise VbookError(f"{docname}: a figure has no alternative text; show it with vbook.plots.show(fig, caption, alt)")
            size = next((output["metadata"][mime] for mime in output["data"] if mime in output["metadata"]), {})
            roles.append(note | {"role": "figure", "width": size.get("width"), "height": size.get("height")})
        elif note.get("role") == "caption" and roles and roles[-1] and roles[-1]["role"] == "figure":
            caption = re.sub(r"^\*(.*)\*$", r"\1", _text(output["data"]["text/markdown"]).strip(), flags=re.DOTALL)
            output["data"] = {"text/markdown": re.sub(r"^(Figure [\w.]*\w\.)", r"**\1**", caption)}
            roles.append({"role": "caption"})
        else:
            roles.append(None)
    if any(roles):
        cell["metadata"]["vbook_outputs"] = roles
        cell["metadata"].setdefault("mystnb", {})["markdown_format"] = "myst"
