"""Widgets in built pages: a placeholder's form, and the files that the forms ask for."""

import re
from collections import Counter
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError


def page_output(output: dict, docname: str, seen: Counter) -> dict:
    """The output of a cell that shows a widget of ``vbook.widgets``, as the page's HTML; ``seen`` counts names on this page.

    Raises VbookError for a widget that isn't there any more, or that was run with other weights than the book has now.
    """
    from vbook import widgets
    from vbook.widgets.base import MIME, page_form

    placeholder, size = output["data"][MIME], output["metadata"].get("image/png", {})
    name = placeholder["name"]
    make = getattr(widgets, name.replace("-", "_"), None) if name.replace("-", "_") in widgets.__all__ else None
    if make is None:
        raise VbookError(f"{docname}: there is no widget {name}")
    widget = make()
    if widget.digest != placeholder["digest"]:
        raise VbookError(f"{docname}: the widget {name} was run with other weights than the book has now; run the chapter again")
    seen[name] += 1
    id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    picture = "".join(output["data"]["image/png"]).replace("\n", "")
    return output | {"data": {"text/html": page_form(widget, picture, size, id, docname.count("/"))}}


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
