"""Citations: a link to the address of a work in ``book/references.bib`` leads to its entry, and the entry back to the places."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from docutils import nodes

from vbook import paths
from vbook.errors import VbookError
from vbook.site.generated import Page
from vbook.site.page import current
from vbook.site.places import SECTION

PAGE = "book/references"  # where the entries stand
PUBLISHERS = re.compile(r"^(?:[\w-]+\.)*(?:arxiv|doi|jmlr|mlr\.press|nips|neurips|openreview|aclanthology|escholarship)\b")
NEEDED = ("author", "title", "year")


@dataclass(frozen=True)
class Work:
    """An entry of the bibliography: its key, its title, its authors' last names and its year, whether it is one of the book's
    sources (``keywords = {source}``), its text in Markdown and in HTML, the addresses at which chapters link to it, and its place
    in the file."""

    key: str
    title: str
    names: str
    is_source: bool
    markdown: str
    html: str
    addresses: frozenset[str]
    place: int
    order: tuple[str, str, str]  # by authors, year, title


def works(file: Path | None = None) -> dict[str, Work]:
    """The bibliography's works by key, in the order of the page.

    Raises VbookError for a file that BibTeX couldn't read, for an entry without author, title or year, for one without an
    address that has no ``note`` either, and for an address that two entries have.
    """
    file = paths.book("references.bib") if file is None else file
    return _works(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _works(file: Path, _written: int) -> dict[str, Work]:
    from pybtex.database import parse_file
    from pybtex.exceptions import PybtexError
    from pybtex.plugin import find_plugin
    from pybtex.richtext import Text

    try:
        entries = parse_file(str(file), bib_format="bibtex").entries
        style = find_plugin("pybtex.style.formatting", "unsrt")()
        markdown, page = (find_plugin("pybtex.backends", name)() for name in ("markdown", "html"))
        found = []
        for key, entry in entries.items():
            _complete(file, key, entry, style)
            order = ("; ".join(str(person) for person in entry.persons["author"]), entry.fields["year"], entry.fields["title"])
            addresses = frozenset(map(_plain, _addresses(entry)))
            if {"eprint", "doi"} & set(entry.fields):
                entry.fields.pop("url", None)  # it would be printed twice
            text = style.format_entry(key, entry).text
            forms = " ".join(text.render(markdown).split()), text.render(page)
            names = [str(name) for person in entry.persons["author"] for name in person.rich_last_names] + [entry.fields["year"]]
            title = str(Text.from_latex(entry.fields["title"]))
            found.append(
                Work(key, title, " ".join(names), entry.fields.get("keywords") == "source", *forms, addresses, len(found), order)
            )
    except PybtexError as error:
        raise VbookError(f"{file}: {error}") from error
    taken = [address for work in found for address in work.addresses]
    if twice := {address for address in taken if taken.count(address) > 1}:
        raise VbookError(f"{file}: two entries have the address {min(twice)}")
    return {work.key: work for work in sorted(found, key=lambda work: work.order)}


def _complete(file: Path, key: str, entry, style) -> None:
    if not hasattr(style, f"get_{entry.type}_template"):
        raise VbookError(f"{file}: {key} is a @{entry.type}, a kind of entry that BibTeX doesn't have")
    missing = [name for name in NEEDED if name not in entry.fields and name not in entry.persons]
    if not missing and not (_addresses(entry) or "note" in entry.fields):
        missing = ["url, doi, eprint or note"]
    if missing:
        raise VbookError(f"{file}: {key} has no {', no '.join(missing)}")


def _addresses(entry) -> list[str]:
    forms = {"url": "{}", "eprint": "https://arxiv.org/abs/{}", "doi": "https://doi.org/{}"}
    return [form.format(entry.fields[name]) for name, form in forms.items() if name in entry.fields]


def _plain(address: str) -> str:
    """An address without what doesn't tell works apart.

    >>> _plain("http://arxiv.org/pdf/1312.6114v2.pdf"), _plain("https://arxiv.org/abs/1312.6114/")
    ('arxiv.org/abs/1312.6114', 'arxiv.org/abs/1312.6114')
    """
    address = re.sub(r"^https?://(?:www\.|dx\.)?", "", address).rstrip("/").lower()
    return re.sub(r"^arxiv\.org/(?:abs|pdf)/([\w.-]+?)(?:v\d+)?(?:\.pdf)?$", r"arxiv.org/abs/\1", address)


def collect(app, doctree) -> None:
    """Turn a page's links to works into citations; a link to a publisher that no entry has is a problem."""
    name = app.env.docname
    links = [
        node for node in list(doctree.findall(nodes.reference)) if node.get("refuri", "").startswith(("http://", "https://"))
    ]
    known = {address: work.key for work in (works().values() if links else ()) for address in work.addresses}
    if links:  # an entry added later may be for one of them
        app.env.note_dependency(str(paths.book("references.bib")))
    cited = []
    for node in links if name != PAGE else ():
        address = _plain(node["refuri"])
        if key := known.get(address):
            cited.append((key, *_place(node)))
            node.replace_self(cited_work("", "", *node.children, key=key))
        elif PUBLISHERS.match(address):
            current(app.env).problems.append(f"{node['refuri']} is a work that references.bib doesn't have")
    app.env.metadata[name]["vbook_citations"] = cited


class cited_work(nodes.Inline, nodes.TextElement):
    """A link to the entry of the work with the attribute ``key``."""


class cited_in(nodes.General, nodes.Element):
    """The places that cite the work with the attribute ``key``, once all pages are read."""


def _place(node: nodes.Node) -> tuple[str, str]:
    """The id and the name of the section that ``node`` stands in."""
    sections = []
    while node := node.parent:
        sections += [node] if isinstance(node, nodes.section) else []
    title, page = sections[0][0].astext(), SECTION.match(sections[-1][0].astext())
    if page and (number := SECTION.match(title)):
        return f"sec-{number[1]}", f"§{number[1]}"
    return sections[0]["ids"][0], f"chapter {page[1]}, {title}" if page else title


def resolve(app, doctree, docname: str) -> None:
    """Citations become links with a preview, and each entry gets its way back."""
    uri, seen = app.builder.get_relative_uri(docname, PAGE), set()
    for node in list(doctree.findall(cited_work)):
        link = nodes.reference("", "", *node.children, internal=True, classes=["vbook-cite"], refuri=f"{uri}#{node['key']}")
        node.replace_self(link)
        seen.add(node["key"])
    for key in sorted(seen):
        text = f'<template data-preview="{html.escape(f"{uri}#{key}")}"><p>{_unlinked(works()[key].html)}</p></template>'
        doctree += nodes.raw("", text, format="html")
    for node in list(doctree.findall(cited_in)):
        node.replace_self(_ways_back(app, node["key"]))


def _unlinked(text: str) -> str:
    """An entry without its links: nobody can follow one in a card that goes away.

    >>> _unlinked('In <a href="https://x.org">x</a>.')
    'In x.'
    """
    return re.sub(r"</?a\b[^>]*>", "", text)


def _ways_back(app, key: str) -> list[nodes.Node]:
    found = {}
    for name, meta in app.env.metadata.items():
        for one, place, title in meta.get("vbook_citations", ()):
            if one == key:
                found[f"{app.builder.get_relative_uri(PAGE, name)}#{place}"] = title
    links = [nodes.reference("", title, internal=True, refuri=uri) for uri, title in found.items()]
    parts = [part for link in links for part in (nodes.Text(", "), link)][1:]
    return [nodes.inline("", "", nodes.Text("Cited in "), *parts, nodes.Text("."), classes=["vbook-cited"])] if parts else []


class References(Page):
    """``{vbook-references} sources|others|bibtex``: the entries, each with the places that cite it, or the file itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The list or the fold."""
        self.env.note_dependency(str(paths.book("references.bib")))
        wanted = self.arguments[0]
        if wanted == "bibtex":
            text = paths.book("references.bib").read_text(encoding="utf-8").strip()
            return self.parse(f"~~~~{{vbook-details}} All of them as BibTeX\n:open: false\n\n```bibtex\n{text}\n```\n\n~~~~")
        if wanted not in ("sources", "others"):
            raise self.error(f"vbook-references takes sources, others or bibtex, not {wanted!r}")
        entries = nodes.bullet_list(classes=["vbook-references"])
        for work in works().values():
            if work.is_source == (wanted == "sources"):
                item = nodes.list_item("", *self.parse(work.markdown), ids=[work.key])
                item[0] += [nodes.Text(" "), cited_in(key=work.key)]
                entries += item
        return [entries]
