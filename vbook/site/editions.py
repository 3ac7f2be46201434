"""The book in one file: as a PDF, printed by the browser from all pages in one, and as an archive that opens from disk."""

import io
import logging
import re
import zipfile
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.site.cover import read_facts
from vbook.site.printed import single_page
from vbook.site.state import SINGLE

DRAFT = {"prefer_css_page_size": True, "print_background": True}
PAPER = DRAFT | {"outline": True, "tagged": True}
COLUMN = 642  # px between the margins of printed.css: 170 mm
TRIES = 2  # of which the first should do: the contents are as long with their numbers as without
PAGE = re.compile(r'(?<=data-page=")([^"]*)">(\d+)')
# What is wider than the column is set smaller, as a printer would; a browser would cut it off at the paper's edge.
FIT = """() => {
  const LEAST = 6; // px: below that nobody could read it
  for (const box of document.querySelectorAll(".vbook-eq-math, .bd-article :is(table, p:has(> mjx-container))")) {
    const table = box.tagName === "TABLE";
    for (let turn = 0; turn < 3; turn++) { // a table's words break elsewhere when they are smaller
      const parts = [...box.getClientRects()].map((part) => part.width); // one for each column of the page that it goes through
      const [wide, room] = table ? [Math.max(...parts), box.parentElement.clientWidth] : [box.scrollWidth, box.clientWidth];
      if (wide <= room + 0.5) break;
      box.style.fontSize = `${Math.max(LEAST, parseFloat(getComputedStyle(box).fontSize) * room / wide)}px`;
    }
  }
}"""
NODE = re.compile(rb"\(node(\d{8})\)")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same site makes the same archive


def pack(site: Path, out: Path) -> Path:
    """Write all files of the built ``site`` into the archive ``out``, in the folder ``vbook``: open its ``index.html`` from disk.

    The same site makes the same bytes. Raises VbookError where no site is built and where ``out`` can't be written.
    """
    files = [file for file in sorted(_built(site).rglob("*")) if file.is_file() and not file.name.startswith(".")]
    with paths.atomic_write(out, "wb") as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"vbook/{file.relative_to(site).as_posix()}", EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return out


def print_book(site: Path, out: Path, browser=None) -> Path:
    """Print the built ``site`` as one PDF to ``out``: a cover, the contents with page numbers, every page, and an outline.

    Widgets stand as their pictures, folded parts are open, links within the book lead to their pages. ``browser`` is one of
    Playwright's, else our own is started. The same site makes the same bytes in the same browser. Raises VbookError where no
    site is built, where there is no browser, and where records have changed since the site was built.
    """
    from vbook.bench.browsers import with_browser

    page_file = _built(site) / SINGLE
    facts = read_facts(site)
    paths.write_text(page_file, single_page(site, facts))
    try:
        made, heads = with_browser(lambda browser: _print(browser, page_file), browser)
    finally:
        page_file.unlink()
    with paths.atomic_write(out, "wb") as target:
        _describe(made, facts, heads).write(target)
    return out


def _built(site: Path) -> Path:
    if not (site / "index.html").is_file():
        raise VbookError(f"{site} has no site: build it first (vbook build)")
    return site


def _print(browser, page_file: Path) -> tuple[bytes, list[str]]:
    """The PDF of a page, printed again until the numbers in its contents are those of the pages, and the page's headings."""
    text = page_file.read_text(encoding="utf-8")
    places = [place for place, _ in PAGE.findall(text)]
    made, heads = _print_once(browser, page_file, DRAFT)
    for _ in range(TRIES):
        numbers = page_numbers(made, places)
        paths.write_text(page_file, PAGE.sub(lambda found, numbers=numbers: f'{found[1]}">{numbers[found[1]]}', text))
        made, heads = _print_once(browser, page_file, PAPER)
        if page_numbers(made, places) == numbers:
            return made, heads
    raise VbookError(f"the page numbers in the contents still move after {TRIES + 1} printings")


def _print_once(browser, page_file: Path, options: dict) -> tuple[bytes, list[str]]:
    """The PDF of a page and its headings. The page is opened anew: printed twice, it would not break at the same places."""
    page = browser.new_page(viewport={"width": COLUMN, "height": COLUMN})
    try:
        page.emulate_media(media="print")
        page.goto(page_file.resolve().as_uri())
        page.evaluate("document.fonts.ready.then(() => null)")
        page.evaluate(FIT)
        heads = page.eval_on_selector_all("h1, h2, h3, h4, h5, h6", "nodes => nodes.map(node => node.textContent)")
        return page.pdf(**options), heads
    finally:
        page.close()


def page_numbers(made: bytes, places: list[str]) -> dict[str, int]:
    """On which page of the PDF each of the ``places`` lies, counted from one. KeyError for a place that isn't in it."""
    from pypdf import PdfReader

    book = PdfReader(io.BytesIO(made))
    order = {page.indirect_reference.idnum: number for number, page in enumerate(book.pages, 1)}
    found = book.named_destinations
    return {place: order[found[f"/{place}"].raw_get("/Page").idnum] for place in places}


def _describe(made: bytes, facts: dict, heads: list[str]):
    """The PDF as a writer of it, with title, author, subject and the commit's day in its description, and no time of printing.

    In its outline a browser leaves out the blank at which a heading was broken: where it has one of ``heads`` without its
    blanks, it gets them back.
    """
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import NameObject, TextStringObject

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns that its copy has a few objects more than the browser's file
    found = PdfReader(io.BytesIO(_steady(made)))
    book = PdfWriter(clone_from=found)
    book.pdf_header = found.pdf_header
    told = {"/Title": "title", "/Author": "authors", "/Subject": "subtitle", "/Creator": "made_by"}
    day = {"/CreationDate": f"D:{facts['day'].replace('-', '')}000000Z"} if facts["day"] else {}
    book.metadata = {name: facts[key] for name, key in told.items()} | day  # in place of the browser's, which has its clock
    whole = {"".join(head.split()): " ".join(head.split()) for head in heads}
    for entry in _entries(book.root_object.get("/Outlines", {})):
        squeezed = "".join(entry["/Title"].split())
        entry[NameObject("/Title")] = TextStringObject(whole.get(squeezed, entry["/Title"]))
    return book


def _entries(parent):
    """Yield the entries of an outline, in order."""
    entry = parent.get("/First")
    while entry is not None:
        entry = entry.get_object()
        yield entry
        yield from _entries(entry)
        entry = entry.get("/Next")


def _steady(made: bytes) -> bytes:
    """The PDF with the names of its tags counted from nought: a browser counts on from whatever its process showed before."""
    names = sorted(set(NODE.findall(made)))
    fresh = {name: b"%08d" % number for number, name in enumerate(names)}
    return NODE.sub(lambda name: b"(node" + fresh[name[1]] + b")", made)  # of the same length: nothing moves in the file
