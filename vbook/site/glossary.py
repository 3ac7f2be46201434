"""The glossary: each term of ``book/glossary.md`` has an id such as ``#term-free-bits``, and links to it show its entry."""

import html
import re

from docutils import nodes

from vbook.site.page import current

PAGE = "book/glossary"


class preview(nodes.General, nodes.Element):
    """What a link to ``uri`` shows when it is pointed at: a copy of the paragraphs that stand there."""


def slug(term: str) -> str:
    """The id of a term.

    >>> slug("Kullback–Leibler divergence")
    'term-kullback-leibler-divergence'
    """
    return "term-" + "-".join(re.findall(r"\w+", term.lower()))


def mark(app, doctree) -> list[str]:
    """Give the glossary's terms their ids; keeps their entries for the previews of other pages, and returns the ids."""
    entries = {}
    for item in doctree.findall(nodes.definition_list_item):
        term, definition = item[0], item[-1]
        name = slug(term.astext())
        if name in entries:
            current(app.env).problems.append(f"{term.astext()!r} stands twice in the glossary")
        term["ids"] = [name]
        entries[name] = [_told(term.astext(), paragraph) for paragraph in definition.findall(nodes.paragraph)]
    app.env.metadata[app.env.docname]["vbook_terms"] = entries
    return list(entries)


def _told(term: str, paragraph: nodes.paragraph) -> nodes.paragraph:
    """A paragraph to show elsewhere: its links, whose way is another from there, are their words."""
    copied = paragraph.deepcopy()
    for link in [
        node for node in copied.findall(nodes.Element) if node.tagname in ("reference", "pending_xref", "equation_link")
    ]:
        words = link[0].children if link.tagname == "pending_xref" else link.children
        link.replace_self(words)
    copied.insert(0, [nodes.strong("", term), nodes.Text(": ")])
    return copied


def stale(env, read: set[str]) -> list[str]:
    """The pages that show entries of the glossary, where that has been read again."""
    linking = (name for name, meta in env.metadata.items() if any(page == PAGE for page, _ in meta.get("vbook_place_links", ())))
    return list(linking) if PAGE in read else []


def resolve(app, doctree, docname: str) -> None:
    """Mark a page's links to terms as such, and leave a preview of each."""
    uri = app.builder.get_relative_uri(docname, PAGE)
    entries, seen = app.env.metadata[PAGE].get("vbook_terms", {}), set()
    for link in doctree.findall(nodes.reference):
        page, _, name = link.get("refuri", "").partition("#")
        if page == uri and name in entries and docname != PAGE:
            link["classes"].append("vbook-term")
            seen.add(name)
    for name in sorted(seen):
        doctree += preview("", *(paragraph.deepcopy() for paragraph in entries[name]), uri=f"{uri}#{name}")


def visit_preview(translator, node) -> None:
    """Open what the page holds ready."""
    translator.body.append(f'<template data-preview="{html.escape(node["uri"])}">')


def depart_preview(translator, node) -> None:
    """Close it."""
    translator.body.append("</template>\n")
