"""The cover of the printed book: what it is, by whom, from which works, and from which commit it was built; all from data."""

import html
import tomllib
from importlib.metadata import version
from pathlib import Path

from vbook.errors import VbookError
from vbook.pipeline.chapters import checkout, read_yaml
from vbook.profiles import PROFILES
from vbook.site.state import read_state
from vbook.site.theme import home, published

SHOWN = 9  # characters of a commit


def read_facts(site: Path) -> dict:
    """What the cover and the file's own description say of the book, and of the built ``site``.

    Keys: ``title``, ``subtitle``, ``authors``, ``sources`` (HTML, one for each source of the book), ``address`` (of the
    published book), ``made_by``, and from the site's note ``profile``, ``committed``, ``commit``, ``day`` and ``changed``.
    Raises VbookError where the site has no such note, and where there is no checkout.
    """
    from vbook.site.citations import works

    state = read_state(site)
    if not state or "origin" not in state:
        raise VbookError(f"{site} doesn't say what it was built from: build it again (vbook build)")
    settings = read_yaml(checkout() / "_config.yml")
    project = tomllib.loads((checkout() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return state["origin"] | {
        "title": settings["title"],
        "subtitle": _subtitle(project["description"], settings["title"]),
        "authors": settings["author"],
        "sources": [work.html for work in sorted(works().values(), key=lambda work: work.place) if work.is_source],
        "address": published(home()[0]),
        "made_by": f"vbook {version('vbook')}",
    }


def _subtitle(description: str, title: str) -> str:
    """What the description says beyond the title.

    >>> _subtitle("Bounds and nets, from proof to number: a book.", "Bounds and Nets")
    'From proof to number: a book'
    """
    rest = description.removesuffix(".")
    if rest.lower().startswith(title.lower()):
        rest = rest[len(title) :].lstrip(" ,:;")
    return rest[:1].upper() + rest[1:]


def cover(facts: dict, chapters: list[str]) -> str:
    """The cover as HTML; ``chapters`` are the numbers of those that the book has so far."""
    sources = "".join(f"<li>{source}</li>" for source in facts["sources"])
    built = "".join(f"<dt>{name}</dt><dd>{said}</dd>" for name, said in _built(facts, chapters))
    return (
        f'<header class="edition-cover"><h1>{html.escape(facts["title"])}</h1>'
        f'<p class="edition-subtitle">{html.escape(facts["subtitle"])}</p>'
        f'<p class="edition-authors">{html.escape(facts["authors"])}</p>'
        f'<div class="edition-works"><p>The works it explains and measures again</p><ul>{sources}</ul></div>'
        f'<dl class="edition-built">{built}</dl></header>'
    )


def _built(facts: dict, chapters: list[str]):
    """Yield what is said of the build: names with HTML."""
    yield "Chapters so far", ", ".join(chapters)
    address = html.escape(facts["address"], quote=True)
    yield "Online", f'<a href="{address}">{address.removeprefix("https://")}</a>, where the widgets move'
    told = f"run at the <code>{html.escape(facts['profile'])}</code> profile"
    if facts["committed"] and facts["profile"] != PROFILES[0]:  # committed outputs are those of the first profile
        told += f", but as committed: {html.escape(', '.join(facts['committed']))}"
    yield "Notebooks", told
    yield "On paper", "code that draws a figure is left to the notebooks; solutions stand at the end of their chapter"
    if facts["commit"]:
        changed = " with local changes" * facts["changed"]
        yield "Commit", f"<code>{facts['commit'][:SHOWN]}</code>{changed}, {facts['day']}"
