"""The book in one file: an archive that opens from disk; what the PDF is, test_printed.py looks at."""

import zipfile

import pytest
from look import visit

from vbook.errors import VbookError
from vbook.site.editions import pack, print_book


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
