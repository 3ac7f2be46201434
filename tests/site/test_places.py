"""Numbered places: what a chapter's text names becomes a link, what is another text's doesn't."""

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes
from sphinx.errors import SphinxError

from vbook.site import places

PAGES = {"book/teaching", "chapters/02-vae", "chapters/12-aevb", "book/index"}
APP = SimpleNamespace(
    env=SimpleNamespace(found_docs=PAGES, docname="chapters/02-vae", metadata={"chapters/02-vae": {}}),
    builder=SimpleNamespace(get_relative_uri=lambda here, there: f"{there.partition('/')[2]}.html"),
)


def linked(*inside: nodes.Node) -> tuple[nodes.paragraph, list[tuple[str, str]]]:
    """The paragraph of these nodes after a page with an algorithm 1 was read, and its links: their text and where they lead."""
    document = new_document("page")
    document += nodes.paragraph("", "", *inside)
    document += nodes.paragraph("", "", nodes.strong("", "Algorithm 1"), nodes.Text(": a loop"))
    places.collect(APP, document)
    found = [(link.astext(), link.get("refid") or link["refuri"]) for link in document.findall(nodes.reference)]
    return document[0], found


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("by section 2.3.1, and so", [("section 2.3.1", "sec-2.3.1")]),
        ("(Section 12.5) and exercise 2.4.", [("Section 12.5", "12-aevb.html#sec-12.5"), ("exercise 2.4", "ex-2.4")]),
        ("exercises 2.6 and 12.5, and", [("exercises 2.6", "ex-2.6"), ("12.5", "12-aevb.html#ex-12.5")]),
        ("sections 2.3 to 2.7, 2.10.1: x", [("sections 2.3", "sec-2.3"), ("2.7", "sec-2.7"), ("2.10.1", "sec-2.10.1")]),
        ("sections 4.1 and 2.10", [("2.10", "sec-2.10")]),
        ("section 2.1, figure 2.3", [("section 2.1", "sec-2.1")]),
        (
            "appendix 2.A; Appendices 2.B and 12.C",
            [("appendix 2.A", "sec-2.A"), ("Appendices 2.B", "sec-2.B"), ("12.C", "12-aevb.html#sec-12.C")],
        ),
        ("by algorithm 1, not algorithm 2 nor figure 1", [("algorithm 1", "alg-1")]),  # the others aren't on this page
        ("chapter 12 and chapter 2, chapter 4", [("chapter 12", "12-aevb.html")]),  # not to itself, nor to what isn't there
        ("chapter 12 of the thesis", []),
        ("section 2.3 of the paper", []),
        ("algorithm 1 of Kingma", []),
        ("algorithm 1 of it", [("algorithm 1", "alg-1")]),
        ("the report’s section 2.3", []),
        ("their section 2.3", []),
        ("Section 2.11 of the thesis", []),
        ("sections 2.1 and 2.11 of the thesis", []),
        ("the thesis (section 2.11) says", []),
        ("the thesis’s section 2.11", []),
        ("its section 2.11", []),
        ("by section 4.1", []),  # no chapter of the book
        ("by section 3", []),  # a number without a chapter
        ("intersection 2.1", []),
    ],
)
def test_named_sections_and_exercises_are_linked(text, wanted):
    paragraph, found = linked(nodes.Text(text))
    assert found == wanted and paragraph.astext() == text
    noted = [(page.partition("/")[2], place) for page, place in APP.env.metadata["chapters/02-vae"]["vbook_place_links"]]
    places_ = [where for _, where in wanted if not where.endswith(".html")]
    assert noted == [("12-aevb" if "html" in where else "02-vae", where.rpartition("#")[2]) for where in places_]


@pytest.mark.parametrize("page, found", [("book/teaching", ["section 2.3", "chapter 2"]), ("book/errata", [])])
def test_the_guide_names_the_books_places_and_other_pages_dont(page, found, monkeypatch):
    monkeypatch.setattr(APP.env, "docname", page)
    monkeypatch.setitem(APP.env.metadata, page, {})
    assert [text for text, _ in linked(nodes.Text("section 2.3 in chapter 2"))[1]] == found


def test_a_link_to_a_place_that_is_not_there_stops_the_build():
    env = SimpleNamespace(metadata={"a": {"vbook_places": ["sec-2.3"], "vbook_place_links": [("a", "sec-2.3")]}})
    places.check(APP, env)
    env.metadata["a"]["vbook_place_links"].append(("a", "sec-2.4"))
    with pytest.raises(SphinxError, match=r"a#sec-2\.4, a place that isn't there"):
        places.check(APP, env)


def test_code_titles_and_links_stay_as_they_are():
    inside = [nodes.literal("", "section 2.3"), nodes.reference("", "section 2.4", refuri="https://example.org")]
    assert linked(*inside)[1] == [("section 2.4", "https://example.org")]
    waiting = addnodes.pending_xref("", nodes.inline("", "Chapter 12"), reftarget="12-aevb", refdomain="doc", reftype="myst")
    assert linked(waiting)[0].astext() == "Chapter 12" and not list(linked(waiting)[0].findall(nodes.reference))


def test_a_title_is_no_link():
    document = new_document("page")
    document += nodes.section("", nodes.title("", "After section 2.3"), ids=["after"])
    places.collect(APP, document)
    assert not list(document.findall(nodes.reference))


def test_an_exercise_is_a_place_and_its_head_no_link():
    paragraph, found = linked(nodes.strong("", "Exercise 2.4."), nodes.Text(" After exercise 2.3, show it."))
    assert paragraph["ids"] == ["ex-2.4"] and found == [("exercise 2.3", "ex-2.3")]
    assert APP.env.metadata["chapters/02-vae"]["vbook_places"] == ["ex-2.4", "alg-1"]
