"""Widgets in built pages: a placeholder's form, and the files that the forms ask for."""

import base64
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError, nearest


def page_output(output: dict, docname: str, seen: Counter) -> dict:
    """The output of a cell that shows a widget of ``vbook.widgets``, as the page's HTML; ``seen`` counts names on this page.

    Raises VbookError for a widget that isn't there any more, or that was run with other weights than the book has now.
    """
    from vbook.widgets.base import MIME, page_form

    placeholder, size = output["data"][MIME], output["metadata"].get("image/png", {})
    name = placeholder["name"]
    widget = _made(name, docname)
    if widget.digest != placeholder["digest"]:
        raise VbookError(f"{docname}: the widget {name} was run with other weights than the book has now; run the chapter again")
    if "image/png" not in output["data"]:
        raise VbookError(f"{docname}: the output of the widget {name} has lost its picture; run the chapter again")
    picture = "".join(output["data"]["image/png"]).replace("\n", "")
    return output | {"data": {"text/html": page_form(widget, picture, size, _numbered(name, seen), docname.count("/"))}}


def prose_form(name: str, start: str, file: Path, alt: str, docname: str, seen: Counter) -> str:
    """The widget ``name`` as HTML for a page of prose: without its question, begun with what ``start`` says, ``key=value`` each.

    The picture in ``file`` stands in, ``alt`` in words. ``seen`` counts the page's widgets by name. Raises VbookError for a
    widget that isn't there, for a start of another form and for a file that is no picture; a key or a value that the widget
    doesn't have is told in its place on the page.
    """
    from PIL import Image

    from vbook.widgets.base import page_form

    widget = _made(name, docname)
    pairs = [part.partition("=") for part in start.split()]
    if wrong := [key + equals + value for key, equals, value in pairs if not (key and value) or "=" in value]:
        raise VbookError(f"start is made of key=value, such as view=tiles space=u; {wrong[0]!r} isn't")
    asked = {key: None for key in widget.payload if key.startswith("question")}
    opening = {key: value for key, _, value in pairs}
    widget = replace(widget, payload=widget.payload | asked | {"opening": opening}, alt=alt)
    try:
        with Image.open(file) as picture:
            picture.load()
            size = {"width": picture.width // 2, "height": picture.height // 2}  # sharp on dense screens
    except OSError as error:
        raise VbookError(f"{file.name} is no picture that can stand in: {error.strerror or error}") from error
    return page_form(widget, base64.b64encode(file.read_bytes()).decode(), size, _numbered(name, seen), docname.count("/"))


def _numbered(name: str, seen: Counter) -> str:
    """The id of the next widget of this name on its page."""
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _made(name: str, docname: str):
    from vbook import widgets

    factory = name.replace("-", "_")
    if factory not in widgets.__all__ or "_" in name:
        raise VbookError(
            f"{docname}: there is no widget {name}{nearest(name, [one.replace('_', '-') for one in widgets.__all__])}"
        )
    return getattr(widgets, factory)()


def publish(outdir: Path) -> None:
    """Write the widgets' script and the networks that pages ask for under ``outdir``; remove those that none asks for."""
    from vbook.widgets import bundle
    from vbook.widgets.base import FOLDER, SCRIPT
    from vbook.widgets.kept import KEPT, script

    pages = [page.read_text(encoding="utf-8") for page in outdir.rglob("*.html")]
    pages = [page for page in pages if "data-vbook-widget=" in page]
    asked = {file for page in pages for file in re.findall(r'"([\w.-]+\.js)"', page)}
    wanted = {chosen.file(): name for name, chosen in KEPT.items()} if pages else {}
    folder = outdir / FOLDER
    if folder.is_dir():
        for file in folder.iterdir():
            if file.name not in asked & set(wanted) and file.name != SCRIPT:
                file.unlink()
    if not pages:
        return
    folder.mkdir(parents=True, exist_ok=True)
    paths.write_text(folder / SCRIPT, bundle.for_page())
    for file, name in wanted.items():
        if file in asked and not (folder / file).is_file():  # a file's name changes with its weights
            paths.write_text(folder / file, script(name))
