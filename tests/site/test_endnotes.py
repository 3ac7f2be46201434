"""Where the numbers of a printed page come from."""

import re

import pytest
from bs4 import BeautifulSoup

from vbook.errors import VbookError
from vbook.results import format_like, records, targets
from vbook.site.endnotes import add_endnotes


def measured():
    """A number with a standard error of each of two records: links with their texts, and the records."""
    found = []
    for record in records().values():
        for metric, entry in record.metrics.items():
            if entry.get("standard_error") and record.commit and len(found) < 2:
                found.append((f"record:{record.id}/{metric}", format_like(entry["mean"], "0.00"), record))
                break
    return found


def number(reference: str, text: str) -> str:
    return f'<span class="vbook-number" data-from="{reference}">{text}</span>'


def noted(body: str):
    """The article with its notes."""
    soup = BeautifulSoup(f'<article id="a">{body}</article>', "html.parser")
    add_endnotes(soup, soup.article, "a")
    return soup.article


def marks(article) -> list[str]:
    return [mark.get_text() for mark in article.select("sup")]


def test_a_record_has_one_line_with_all_that_a_card_says():
    (reference, text, record), _ = measured()
    article = noted(f"<p>{number(reference, text)}</p><p>{number(reference, text)}</p>")
    assert marks(article) == ["[1]", "[1]"] and len(article.select("ol > li")) == 1
    line = article.li.get_text()
    metric = record.metrics[reference.rpartition("/")[2]]
    for part in (record.id, record.data["title"], record.device, record.date[:10], record.commit[:9], record.versions["torch"]):
        assert part in line
    assert f"seed{'s' * (len(record.seeds) > 1)} {', '.join(map(str, record.seeds))}" in line
    assert line.count(f"{text} ± {metric['standard_error']:.2g} {metric['unit']}") == 1
    assert article.sup.a["href"] == f"#{article.li['id']}"


def test_a_mark_holds_until_another_source_within_one_block():
    (one, a, _), (two, b, _) = measured()
    article = noted(f"<p>{number(one, a)} {number(one, a)} {number(two, b)} {number(one, a)}</p><p>{number(one, a)}</p>")
    assert marks(article) == ["[1]", "[2]", "[1]", "[1]"]
    row = f"<tr><td><p>{number(one, a)}</p></td><td><p>{number(one, a)}</p></td></tr>"
    assert marks(noted(f"<table>{row}{row}</table>")) == ["[1]"]


def test_a_reported_number_names_its_source_unless_that_stands_beside_it():
    name, target = next((name, target) for name, target in targets().items() if "table" not in target)
    text = format_like(target["value"], "0.00")
    article = noted(f"<p>They say {number(f'target:{name}', text)}.</p>")
    line = " ".join(article.li.get_text().split())
    assert line.startswith("Reported: ") and target["protocol"] in line and text in line
    place, _, what = target["source"].partition(": ")
    assert place in line and what in line
    beside = noted(f"<p>{target['protocol']} ({target['source']}): {number(f'target:{name}', text)}.</p>")
    assert marks(beside) == [] and beside.ol is None


def test_a_page_without_numbers_stays_as_it_is():
    assert str(noted("<p>Words.</p>")) == '<article id="a"><p>Words.</p></article>'


def test_a_number_that_is_no_longer_the_records_is_refused():
    (reference, text, _), _ = measured()
    with pytest.raises(VbookError, match=re.escape(f"the site says 0.00 where {reference} says {text}; build it")):
        noted(f"<p>{number(reference, '0.00')}</p>")
