"""All pages of the built site as one page to print: a cover, the contents, and every article with its links led inwards."""

import html
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vbook.site.answers import FILLER, move_solutions
from vbook.site.cover import cover
from vbook.site.endnotes import add_endnotes
from vbook.site.transform import TITLES

POINTERS = ("aria-describedby", "aria-labelledby", "aria-controls", "for")
DEAD = "script, template, noscript, .vbook-tip, .vbook-filter, a.headerlink"
SHEET = Path(__file__).with_name("printed.css")
TALLEST, STILL = 380, 300  # px: a figure has at most 100 mm, what stands in for a widget 80
SCALE = 3 / 4  # px of paper for one of a screen, so that a figure's letters have 8 points
UNPRINTED = {TITLES["hide-input"], TITLES["setup"]}  # of folded cells: how a figure is drawn, how the package gets into Colab


def single_page(site: Path, facts: dict[str, str]) -> str:
    """All pages of the built ``site`` as one, in the order of the contents, without scripts; it stands in the site's folder.

    ``facts`` are those of the cover. Raises VbookError where a number on a page isn't what its record says now.
    """
    from bs4 import BeautifulSoup

    front = _front(site)
    home = BeautifulSoup((site / front).read_text(encoding="utf-8"), "html.parser")
    parts = _parts(home, front)
    names = [name for _, members in parts for name in members]
    articles = {}
    for name in names:
        soup = home if name == front else BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
        articles[name] = _article(soup, name, names)
    sheets = [_from_root(link["href"], front) for link in home.select("link[rel=stylesheet]")]
    styles = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    chapters = [str(int(Path(name).stem.partition("-")[0])) for name in names if _is_chapter(name)]
    return (
        '<!DOCTYPE html><html lang="en" class="disk" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{html.escape(facts['title'])}</title>{styles}"
        f"<style>{SHEET.read_text(encoding='utf-8')}{_running_heads(facts['title'], articles)}</style></head>"
        f'<body><main class="edition bd-content">{cover(facts, chapters)}{_contents(parts, articles)}'
        f"{''.join(str(article) for article in articles.values())}</main></body></html>"
    )


def _is_chapter(name: str) -> bool:
    return name.startswith("chapters/")


def _front(site: Path) -> str:
    """The page to which the front door leads."""
    found = re.search(r"url=([^\"]+)\"", (site / "index.html").read_text(encoding="utf-8"))
    return found[1] if found else "index.html"


def _parts(home, front: str) -> list[tuple[str, list[str]]]:
    """The book's parts, as the sidebar has them: each one's caption and its pages. The first part is the ``front`` page alone."""
    parts, seen = [("", [front])], {front}
    for node in home.select(".bd-sidebar-primary nav p.caption, .bd-sidebar-primary nav a.reference.internal[href]"):
        if node.name == "p":
            parts.append((node.get_text(strip=True), []))
            continue
        name = _from_root(node["href"], front).partition("#")[0]
        if name not in seen:
            seen.add(name)
            parts[-1][1].append(name)
    return parts


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


def _running_heads(title: str, articles) -> str:
    """Style by which the head of a page of paper names the book on the left and the chapter on the right."""
    rules = [f"@page {{ @top-left {{ content: {_quoted(title)}; }} }}"]
    for name, article in articles.items():
        head = _quoted(_words(article.h1))
        rules.append(f"#{_slug(name)} {{ page: {_slug(name)}; }} @page {_slug(name)} {{ @top-right {{ content: {head}; }} }}")
    return "".join(rules)


def _quoted(text: str) -> str:
    r"""A text as style sheets inside a page write it.

    >>> print(_quoted('"a" </style>'))
    "\22 a\22  \3c /style>"
    """
    return '"' + re.sub(r'["\\<\n]', lambda found: f"\\{ord(found[0]):x} ", text) + '"'


def _words(heading) -> str:
    """The text of a heading, without what is only there for screen readers (a formula would be read twice)."""
    return " ".join("".join(part for part in heading.strings if not part.find_parent("mjx-assistive-mml")).split())


def _contents(parts, articles) -> str:
    """The contents: parts, pages, and the sections of chapters, each with a place for its page number."""
    made = []
    for caption, names in parts:
        rows = "".join(f"<li>{_entry(_slug(name), articles[name].h1)}{_sections(name, articles[name])}</li>" for name in names)
        made.append((f"<p>{html.escape(caption)}</p>" if caption else "") + f"<ul>{rows}</ul>")
    return f'<nav class="edition-contents" id="edition-contents"><h1>Contents</h1>{"".join(made)}</nav>'


def _sections(name: str, article) -> str:
    """The list of a chapter's sections; nothing for pages of prose."""
    heads = article.select("section:not(.edition-sources) > h2") if _is_chapter(name) else []
    sections = [head for head in heads if "id" in head.parent.attrs]
    rows = "".join(f"<li>{_entry(head.parent['id'], head)}</li>" for head in sections)
    return f"<ul>{rows}</ul>" if rows else ""


def _entry(place: str, heading) -> str:
    return (
        f'<a href="#{place}"><span class="edition-head">{heading.decode_contents()}</span><span class="edition-dots"></span>'
        f'<span class="edition-page" data-page="{place}">{FILLER}</span></a>'
    )


def _article(soup, name: str, names: list[str]):
    """The article of a page, its ids, links and pictures as the one page needs them, nothing folded, nothing that runs."""
    article = soup.select_one("article.bd-article")
    for dead in article.select(DEAD):
        dead.decompose()
    for listing in article.select(".highlight-bibtex"):  # of a file that the reader of a printed page can't copy
        listing.find_parent("details").decompose()
    _leave_out(article)
    for node in article.find_all(True):
        if "id" in node.attrs:
            node["id"] = _slug(name, node["id"])
        for pointer in POINTERS:
            node.attrs.pop(pointer, None)
        if node.name == "details":
            node["open"] = ""
        if node.name == "img":
            _place_picture(node, name)
        if node.name == "a" and "href" in node.attrs and not urlsplit(node["href"]).scheme:
            target, _, place = _from_root(node["href"], name).partition("#")
            if target in names:
                node["href"] = f"#{_slug(target, unquote(place))}"
            else:  # a picture at its full size: in the file it would be an address on the machine that printed it
                del node["href"]
    article["id"] = _slug(name)
    move_solutions(soup, article, _slug(name))
    add_endnotes(soup, article, _slug(name))
    return article


def _leave_out(article) -> None:
    """Remove what paper has no use for: words for a screen (``class="screen"``), and code that draws what stands below it."""
    found = article.select(".screen")
    found += [box for box in article.select(".cell > details") if box.summary.get_text(strip=True) in UNPRINTED]
    for node in found:
        while node is not article and not node.decomposed:
            node, empty = node.parent, node
            empty.decompose()
            if node.get_text(strip=True) or node.img:
                break


def _place_picture(image, name: str) -> None:
    """Give a picture its address from the root, and its size on paper."""
    image.attrs.pop("loading", None)
    if not image["src"].startswith("data:"):
        image["src"] = _from_root(image["src"], name)
    if {"width", "height"} <= image.attrs.keys():
        width, height = int(image["width"]), int(image["height"])
        tallest = STILL if "vw-static" in image.get("class", []) else TALLEST
        image["style"] = f"width: {min(width * SCALE, tallest * width / height):.0f}px; height: auto"
