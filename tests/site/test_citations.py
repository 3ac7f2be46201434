"""The bibliography: complete entries, a preview at each citation, and the way back from each entry."""

import re

import pytest
from look import visit

from vbook import paths
from vbook.errors import VbookError
from vbook.site.citations import PUBLISHERS, _plain, works

GOOD = "@misc{a2020,\n author = {Doe, Jane}, title = {On {ELBO}s}, year = {2020}, url = {https://arxiv.org/abs/2001.00001}\n}\n"


def test_the_books_own_bibliography_is_readable_and_told_apart():
    known = works()
    assert len(known) == paths.book("references.bib").read_text(encoding="utf-8").count("\n@") > 30
    assert sum(work.is_source for work in known.values()) == 5
    for work in known.values():
        assert re.search(r"\b(?:19|20)\d\d\b", work.html) and not re.search(r"[{}\\]|``", work.html), work.key
    surnames = [work.order[0] for work in known.values()]
    assert surnames == sorted(surnames)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("author = {Doe, Jane},", ""), "a2020 has no author"),
        (GOOD.replace("year = {2020},", ""), "a2020 has no year"),
        (GOOD.replace(", url = {https://arxiv.org/abs/2001.00001}", ""), "a2020 has no url, doi, eprint or note"),
        (GOOD + GOOD.replace("a2020", "b2020"), "two entries have the address arxiv.org/abs/2001.00001"),
        (GOOD + GOOD, "repeated"),
        (GOOD.replace("= {Doe", "{Doe"), "syntax error"),
        (GOOD.replace("misc", "film"), "film"),
    ],
)
def test_what_a_bibliography_lacks_is_told_in_words(tmp_path, text, words):
    file = tmp_path / "references.bib"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(VbookError, match=words) as told:
        works(file)
    assert str(file) in str(told.value)


def test_a_file_written_again_is_read_again(tmp_path):
    file = tmp_path / "references.bib"
    file.write_text(GOOD, encoding="utf-8")
    assert list(works(file)) == ["a2020"]
    file.write_text(GOOD.replace("a2020", "b2020"), encoding="utf-8")
    assert list(works(file)) == ["b2020"]


def test_a_work_is_known_under_each_of_its_addresses(tmp_path):
    file = tmp_path / "references.bib"
    fields = "year = {2020}, doi = {10.1/X}, eprint = {2001.00001}"
    file.write_text(GOOD.replace("year = {2020}", fields).replace("https://arxiv.org/abs/2001.00001", "http://www.x.org/p/"))
    known = works(file)["a2020"].addresses
    for address in (
        "https://x.org/p",
        "https://doi.org/10.1/x",
        "http://dx.doi.org/10.1/X",
        "https://arxiv.org/pdf/2001.00001v3",
    ):
        assert _plain(address) in known
    assert _plain("https://arxiv.org/abs/2001.00002") not in known


def test_which_links_must_be_in_the_bibliography():
    papers = "arxiv.org/abs/1 doi.org/10 jmlr.org/papers proceedings.mlr.press/v1 papers.nips.cc/paper openreview.net/forum"
    assert all(PUBLISHERS.match(address) for address in papers.split())
    assert not any(PUBLISHERS.match(address) for address in ("github.com/arxiv/x", "docs.pytest.org", "notarxiv.org/abs"))


@pytest.mark.browser
@pytest.mark.slow
def test_a_citation_shows_its_entry_and_the_entry_leads_back(browser, built_site):
    with visit(browser, f"{built_site.as_uri()}/chapters/12-aevb-replication.html") as page:
        link = page.locator("a.vbook-cite", has_text="Kingma and Ba")
        link.hover()
        preview = page.locator(".vbook-preview")
        preview.wait_for()
        assert "Adam: a method for stochastic optimization" in preview.inner_text()
        page.mouse.move(0, 0)
        page.wait_for_function("() => !document.querySelector('.vbook-preview')")
        page.locator("a.vbook-cite", has_text="Choi").focus()
        page.keyboard.press("Tab")  # as the keyboard comes to the next one
        preview.wait_for()
        assert "Show your work" in preview.inner_text()
        page.evaluate("scrollBy(0, -60)")  # it stays with its link while that is on the screen
        page.wait_for_timeout(300)
        shown, cited = preview.bounding_box(), page.locator("a.vbook-cite:focus").bounding_box()
        apart = max(shown["y"] - (cited["y"] + cited["height"]), cited["y"] - (shown["y"] + shown["height"]))
        assert 0 <= apart < 20
        page.evaluate("scrollBy(0, -3000)")
        page.wait_for_function("() => !document.querySelector('.vbook-preview')")
        link.click()
        page.wait_for_url("**/book/references.html#kingma2015adam")
        entry = page.locator("#kingma2015adam")
        assert entry.bounding_box()["y"] < 850 and entry.locator("a[href='https://arxiv.org/abs/1412.6980']").count() == 1
        entry.get_by_role("link", name="§12.10").click()
        page.wait_for_url("**/chapters/12-aevb-replication.html#sec-12.10")
        assert page.complaints == []


@pytest.mark.browser
@pytest.mark.slow
def test_every_citation_of_the_site_has_its_entry_and_its_preview(browser, built_site):
    chapters = sorted(file.relative_to(built_site).as_posix() for file in (built_site / "chapters").glob("*.html"))
    cited = set()
    for name in chapters:
        with visit(browser, f"{built_site.as_uri()}/{name}") as page:
            hrefs = page.eval_on_selector_all("a.vbook-cite", "(links) => links.map((link) => link.getAttribute('href'))")
            shown = page.eval_on_selector_all("template[data-preview]", "(all) => all.map((one) => one.dataset.preview)")
            assert set(hrefs) <= set(shown)
            cited |= {href.partition("#")[2] for href in hrefs}
    with visit(browser, f"{built_site.as_uri()}/book/references.html") as page:
        entries = page.eval_on_selector_all(".vbook-references > li", "(all) => all.map((one) => one.id)")
        back = page.eval_on_selector_all(".vbook-references > li:has(.vbook-cited)", "(all) => all.map((one) => one.id)")
    assert len(cited) > 20 and cited <= set(back) and sorted(entries) == sorted(works())
