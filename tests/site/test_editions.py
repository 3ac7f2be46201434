"""The book in one file: an archive that opens from disk, and a PDF of all pages."""

import re
import zipfile
from collections import Counter

import pytest
from bs4 import BeautifulSoup
from look import visit

from vbook.errors import VbookError
from vbook.site.editions import pack, print_book, single_page


@pytest.mark.browser
def test_the_archive_opens_from_disk_and_searches(browser, sample_site, tmp_path):
    with zipfile.ZipFile(pack(sample_site, tmp_path / "a.zip")) as archive:
        archive.extractall(tmp_path)
    assert "url=book/index.html" in (tmp_path / "vbook" / "index.html").read_text(encoding="utf-8")
    with visit(browser, (tmp_path / "vbook" / "book" / "index.html").as_uri()) as page:
        assert page.complaints == []
    with visit(browser, f"{(tmp_path / 'vbook' / 'search.html').as_uri()}?q=bound") as page:
        page.locator("#search-results li a").first.click()
        page.wait_for_url("**/chapters/*.html*")


def test_the_same_site_makes_the_same_archive(sample_site, tmp_path):
    first, second = (pack(sample_site, tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert "vbook/index.html" in names and not any("/." in name for name in names)


@pytest.mark.parametrize("make", [pack, print_book])
def test_without_a_site_it_says_what_to_do(tmp_path, make):
    with pytest.raises(VbookError, match=r"has no site: build it first"):
        make(tmp_path, tmp_path / "out")


@pytest.fixture(scope="module", params=["sample_site", pytest.param("built_site", marks=pytest.mark.slow)])
def one(request):
    """All pages as one, parsed: of the sample, and of the real book."""
    return BeautifulSoup(single_page(request.getfixturevalue(request.param)), "html.parser")


def test_each_link_of_the_one_page_has_its_place(one):
    ids = Counter(node["id"] for node in one.find_all(id=True))
    assert [name for name, count in ids.items() if count > 1] == []
    inside = [a["href"][1:] for a in one.find_all("a", href=re.compile("^#."))]
    assert len(inside) > 10 and set(inside) <= set(ids)
    rest = {a["href"] for a in one.find_all("a", href=True)} - {f"#{name}" for name in inside}
    assert [href for href in rest if not href.startswith(("http", "mailto:", "#"))] == []


def test_nothing_in_the_one_page_runs_or_stays_folded(one):
    assert one.find_all(["script", "template"]) == [] and one.find_all("details", open=False) == []
    assert not one.select(".vbook-tip") and all(image.get("loading") is None for image in one.find_all("img"))


@pytest.mark.browser
@pytest.mark.slow
def test_the_printed_book_has_every_page_its_pictures_and_an_outline(browser, sample_site, tmp_path):
    pypdf = pytest.importorskip("pypdf")
    book = pypdf.PdfReader(print_book(sample_site, tmp_path / "book.pdf", browser))
    text = "\n".join(page.extract_text() for page in book.pages)
    for part in ("Contents", "The bound", "Solution in code", "(2.23)", "Notation"):
        assert part in text
    assert book.pages[0].mediabox.height == pytest.approx(842, abs=1)  # points, of A4
    titles = [entry["/Title"] for entry in _flat(book.outline)]
    assert any("The bound" in title for title in titles) and "Notation" in titles
    links = [note.get_object() for page in book.pages for note in page.get("/Annots", [])]
    assert sum("/Dest" in link or "/D" in link.get("/A", {}) for link in links) > 5  # they lead to places in the book
    assert not [link for link in links if str(link.get("/A", {}).get("/URI", "")).startswith("file:")]
    assert sum(len(page.images) for page in book.pages) >= 1  # both figures of the sample are one picture
    assert not list(sample_site.glob(".edition*"))


def _flat(outline):
    for entry in outline:
        if isinstance(entry, list):
            yield from _flat(entry)
        else:
            yield entry
