"""Sections, algorithms, figures and exercises by their numbers (``#sec-2.3``, ``#alg-1``, ``#fig-2.1``, ``#ex-2.4``) and the
glossary's terms; the places and chapters that the text of a chapter or of the teaching guide names become links."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import SphinxError

from vbook.errors import nearest
from vbook.ledger.anchors import NUMBER
from vbook.site import glossary
from vbook.site.figures import vbook_caption, vbook_figure

PLACE = re.compile(r"^(?:sec|alg|fig|ex|term)-")
SECTION = re.compile(rf"({NUMBER})\s")
ALGORITHM = re.compile(rf"Algorithm ({NUMBER})\b")
EXERCISE = re.compile(rf"Exercise ({NUMBER})\.")
# "section 2.3", "exercises 2.4 and 2.5", and not "section 2.3 of the thesis", nor "the thesis (section 2.3)", "its section 2.3"
# or "the report’s figure 2"
NAMED = re.compile(
    r"(?<!thesis \()(?<!report \()(?<!paper \()(?<!’s )(?<!\bits )(?<!\btheir )"
    r"\b(section|appendi|exercise|figure|algorithm|chapter)(?:x|ces|s)? "
    rf"((?>{NUMBER}(?:(?:, | and | or | to |–){NUMBER})*))(?! of (?:the (?:thesis|report|paper)|(?-i:[A-Z])))",
    re.IGNORECASE,
)
UNLINKED = (nodes.title, nodes.reference, addnodes.pending_xref, nodes.literal, nodes.literal_block, nodes.raw)
GUIDES = {"book/teaching"}  # pages whose numbers are those of the chapters, too
KINDS = {"section": "sec", "appendi": "sec", "exercise": "ex", "figure": "fig", "algorithm": "alg", "chapter": ""}
FIGURE = re.compile(rf"Figure ({NUMBER})\.")


def collect(app, doctree) -> None:
    """Give a chapter's numbered places, and the glossary's terms, their ids; resolve links to such places on any page."""
    name = app.env.docname
    found = list(_mark(doctree)) if name.startswith("chapters/") else []
    if name == glossary.PAGE:
        found += glossary.mark(app, doctree)
    wanted = [_link(app, name, node) for node in list(doctree.findall(addnodes.pending_xref)) if PLACE.match(_target(node))]
    wanted += list(_link_named(app, doctree, set(found))) if name.startswith("chapters/") or name in GUIDES else []
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
        for kind, pattern in (("alg", ALGORITHM), ("ex", EXERCISE)):
            if number := pattern.match(paragraph.astext()):
                paragraph["ids"].append(f"{kind}-{number[1]}")
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
    node.replace_self(_reference(app, docname, page, target, *node[0].children))
    return page, target


def _reference(app, docname: str, page: str, target: str, *inside: nodes.Node) -> nodes.reference:
    address = app.builder.get_relative_uri(docname, page) + (f"#{target}" if target else "")
    uri = {"refid": target} if page == docname else {"refuri": address}
    return nodes.reference("", "", *inside, internal=True, **uri)


def _link_named(app, doctree, here: set[str]):
    """Make links of the places and chapters that the text names, as far as they are in the book; yields the places.

    ``here`` are the page's own places: figures and algorithms are linked on their page only, for many numbers are a source's.
    """
    names = [name for name in app.env.found_docs if name.startswith("chapters/")]
    chapters = {name.removeprefix("chapters/").partition("-")[0].lstrip("0"): name for name in names}
    page = app.env.docname
    for text in list(doctree.findall(nodes.Text)):
        if not NAMED.search(text) or _stands_in(text, UNLINKED):
            continue
        parts, at = [], 0
        for found in NAMED.finditer(text):
            if found.start() == 0 and isinstance(text.parent, nodes.strong | vbook_caption):  # the head of what it names
                continue
            kind, start = found[1].lower(), found.start()  # the first link has the word, too
            for number in re.finditer(NUMBER, found[2]):
                end, to = found.start(2) + number.end(), _led_to(kind, number[0], page, here, chapters)
                if to:
                    parts += [nodes.Text(text[at:start]), _reference(app, page, *to, nodes.Text(text[start:end]))]
                    at = end
                    if to[1]:
                        yield to
                start = end + len(re.match(r"\D*", found[2][number.end() :])[0])
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[at:])])


def _led_to(kind: str, number: str, page: str, here: set[str], chapters: dict[str, str]) -> tuple[str, str] | None:
    """The page and the place on it that a kind and a number name, None for what isn't in the book."""
    target = f"{KINDS[kind]}-{number}"
    if kind == "chapter":
        return (chapters[number], "") if chapters.get(number, page) != page else None
    if kind in ("figure", "algorithm"):
        return (page, target) if target in here else None
    first, dot, _ = number.partition(".")
    return (chapters[first], target) if dot and first in chapters else None


def _stands_in(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False
