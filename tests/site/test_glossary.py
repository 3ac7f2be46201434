import re

import pytest
import sample

from vbook.errors import VbookError
from vbook.site.build import build_site


@pytest.fixture(scope="module")
def own_book(tmp_path_factory):
    """A built book that a test may change."""
    top = sample.write(tmp_path_factory.mktemp("terms"))
    build_site(top=top)
    return top


@pytest.mark.slow
def test_a_link_to_a_term_that_is_not_there_and_a_term_twice_are_told(own_book):
    page, glossary = own_book / "book" / "notation.md", own_book / "book" / "glossary.md"
    for file, more, words in (
        (page, "\n[bits](glossary.md#term-free-bit)\n", "term-free-bit, a place that isn't there; did you mean 'term-free-bits'"),
        (glossary, "\nprior\n: Again.\n", "'prior' stands twice in the glossary"),
    ):
        good = file.read_text()
        file.write_text(good + more)
        with pytest.raises(VbookError, match=re.escape(words)):
            build_site(top=own_book)
        file.write_text(good)


@pytest.mark.slow
def test_an_entry_that_changed_changes_in_the_previews(own_book):
    glossary = own_book / "book" / "glossary.md"
    glossary.write_text(glossary.read_text().replace("A floor", "A new floor"))
    build_site(top=own_book)
    assert b"A new floor" in (own_book / "_build" / "html" / "chapters" / "03-next.html").read_bytes()
