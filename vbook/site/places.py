"""Sections, algorithms and figures by the source's numbers (``#sec-2.3``, ``#alg-1``, ``#fig-2.1``) and the glossary's terms."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import SphinxError

from vbook.errors import nearest
from vbook.ledger.anchors import NUMBER
from vbook.site import glossary
from vbook.site.figures import vbook_figure

PLACE = re.compile(r"^(?:sec|alg|fig|term)-")
SECTION = re.compile(rf"({NUMBER})\s")
ALGORITHM = re.compile(rf"Algorithm ({NUMBER})\b")
FIGURE = re.compile(rf"Figure ({NUMBER})\.")


def collect(app, doctree) -> None:
    """Give a chapter's numbered places, and the glossary's terms, their ids; resolve links to such places on any page."""
    name = app.env.docname
    found = list(_mark(doctree)) if name.startswith("chapters/") else []
    if name == glossary.PAGE:
        found += glossary.mark(app, doctree)
    wanted = [_link(app, name, node) for node in list(doctree.findall(addnodes.pending_xref)) if PLACE.match(_target(node))]
    # Sphinx forgets and merges a page's metadata with the page, which is all that is needed here.
    app.env.metadata[name] |= {"vbook_places": found, "vbook_place_links": wanted}


def check(app, env) -> None:
    """Stop the build for links to places that aren't there."""
    known = {(name, place) for name, meta in env.metadata.items() for place in meta.get("vbook_places", ())}
    wrong = []
    for name, meta in env.metadata.items():
        for page, place in meta.get("vbook_place_links", ()):
            if (page, place) not in known:
                hint = nearest(place, [p for n, p in known if n == page]) if known else ""
                wrong.append(f"  {name}: link to {page}#{place}, a place that isn't there{hint}")
    if wrong:
        raise SphinxError("the book has mistakes:\n" + "\n".join(wrong))


def _mark(doctree):
    """Yield each place's id as it is set."""
    for section in doctree.findall(nodes.section):
        if number := SECTION.match(section[0].astext()):
            section["ids"].append(f"sec-{number[1]}")
            yield section["ids"][-1]
    for paragraph in doctree.findall(nodes.paragraph):
        if number := ALGORITHM.match(paragraph.astext()):
            paragraph["ids"].append(f"alg-{number[1]}")
            yield paragraph["ids"][-1]
    for figure in list(doctree.findall(vbook_figure)):
        if number := FIGURE.match(figure[-1].astext()):
            name = f"fig-{number[1]}"
            figure.parent.insert(figure.parent.index(figure), nodes.target("", "", ids=[name]))
            yield name


def _target(node: addnodes.pending_xref) -> str:
    if node.get("reftype") != "myst":
        return ""
    return (node.get("reftargetid") if node.get("refdomain") == "doc" else node.get("reftarget")) or ""


def _link(app, docname: str, node: addnodes.pending_xref) -> tuple[str, str]:
    page, target = (node["reftarget"] if node.get("refdomain") == "doc" else docname), _target(node)
    uri = {"refid": target} if page == docname else {"refuri": f"{app.builder.get_relative_uri(docname, page)}#{target}"}
    node.replace_self(nodes.reference("", "", *node[0].children, internal=True, **uri))
    return page, target
