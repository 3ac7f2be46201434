"""The book in one piece: as a PDF, printed by the browser from all pages in one, and as an archive that opens from disk."""

import posixpath
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vbook import paths
from vbook.errors import VbookError

PAPER = {
    "format": "A4",
    "margin": {"top": "18mm", "bottom": "20mm", "left": "20mm", "right": "20mm"},
    "print_background": True,
    "outline": True,
    "tagged": True,
    "display_header_footer": True,
    "header_template": "<span></span>",
}
FOOT = '<div style="font: 8pt sans-serif; width: 100%; text-align: center; color: #555"><span class="pageNumber"></span></div>'
STYLE = """
body { background: none; }
.edition { max-width: none; }
.edition-cover { break-after: page; padding-top: 30vh; text-align: center; }
.edition-contents { break-after: page; }
.edition-contents li { margin: .3rem 0; }
.bd-article { break-before: page; }
a.headerlink, .vw-error { display: none; }
"""
POINTERS = ("aria-describedby", "aria-labelledby", "aria-controls", "for")
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
    """Print the built ``site`` as one PDF to ``out``: a cover, the contents, and every page, with page numbers and an outline.

    Widgets stand as their pictures, folded parts are open, links within the book lead to their pages. ``browser`` is one of
    Playwright's, else our own is started. Raises VbookError where no site is built and where there is no browser.
    """
    from vbook.bench.browsers import with_browser

    page_file = _built(site) / ".edition.html"

    def write(browser):
        page = browser.new_page()
        try:
            page.goto(page_file.as_uri())
            page.evaluate("document.fonts.ready")
            made = page.pdf(**PAPER, footer_template=FOOT)
        finally:
            page.close()
        with paths.atomic_write(out, "wb") as target:
            target.write(made)

    paths.write_text(page_file, single_page(site))
    try:
        with_browser(write, browser)
    finally:
        page_file.unlink()
    return out


def _built(site: Path) -> Path:
    if not (site / "index.html").is_file():
        raise VbookError(f"{site} has no site: build it first (vbook build)")
    return site


def single_page(site: Path) -> str:
    """All pages of the built ``site`` as one, in the order of the contents, without scripts; it stands in the site's folder."""
    from bs4 import BeautifulSoup

    home = BeautifulSoup((site / _front(site)).read_text(encoding="utf-8"), "html.parser")
    names = _order(home, _front(site))
    articles = []
    for name in names:
        soup = home if name == names[0] else BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
        articles.append(_article(soup, name, names))
    title = home.title.get_text().rpartition("—")[2].strip()
    sheets = [_from_root(link["href"], names[0]) for link in home.select("link[rel=stylesheet]")]
    styles = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    heads = [(_slug(name), article.h1.get_text().removesuffix("#")) for name, article in zip(names, articles, strict=True)]
    contents = "".join(f'<li><a href="#{slug}">{head}</a></li>' for slug, head in heads)
    body = "".join(str(article) for article in articles)
    return (
        '<!DOCTYPE html><html lang="en" class="disk" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{title}</title>{styles}"
        f'<style>{STYLE}</style></head><body><main class="edition bd-content"><div class="edition-cover"><h1>{title}</h1></div>'
        f'<nav class="edition-contents"><h2>Contents</h2><ul>{contents}</ul></nav>{body}</main></body></html>'
    )


def _front(site: Path) -> str:
    """The page to which the front door leads."""
    found = re.search(r"url=([^\"]+)\"", (site / "index.html").read_text(encoding="utf-8"))
    return found[1] if found else "index.html"


def _order(home, front: str) -> list[str]:
    """The pages in the order of the sidebar, the first one first."""
    links = [link["href"].partition("#")[0] for link in home.select(".bd-sidebar-primary nav a.reference.internal[href]")]
    return list(dict.fromkeys([front, *(_from_root(link, front) for link in links if link)]))


def _from_root(address: str, name: str) -> str:
    """An address of the page ``name`` as the site's root sees it.

    >>> _from_root("../chapters/02.html", "book/index.html"), _from_root("#a", "book/index.html")
    ('chapters/02.html', 'book/index.html#a')
    """
    if address.startswith("#"):
        return name + address
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def _slug(name: str, place: str = "") -> str:
    """The id, in the one page, of a place on the page ``name``.

    >>> _slug("chapters/02-vae.html", "eq-2.10")
    'chapters-02-vae--eq-2.10'
    """
    page = name.removesuffix(".html").replace("/", "-")
    return f"{page}--{place}" if place else page


def _article(soup, name: str, names: list[str]):
    """The article of a page, its ids, links and pictures as the one page needs them, nothing folded, nothing that runs."""
    article = soup.select_one("article.bd-article")
    for dead in article.select("script, template, noscript, .vbook-tip, .vbook-filter"):
        dead.decompose()
    for listing in article.select(".highlight-bibtex"):  # of a file that the reader of a printed page can't copy
        listing.find_parent("details").decompose()
    for node in article.find_all(True):
        if "id" in node.attrs:
            node["id"] = _slug(name, node["id"])
        for pointer in POINTERS:
            node.attrs.pop(pointer, None)
        if node.name == "details":
            node["open"] = ""
        if node.name == "img":
            node.attrs.pop("loading", None)
            if not node["src"].startswith("data:"):
                node["src"] = _from_root(node["src"], name)
        if node.name == "a" and "href" in node.attrs and not urlsplit(node["href"]).scheme:
            target, _, place = _from_root(node["href"], name).partition("#")
            if target in names:
                node["href"] = f"#{_slug(target, unquote(place))}"
            else:  # a picture at its full size: in the file it would be an address on the machine that printed it
                del node["href"]
    article["id"] = _slug(name)
    return article
