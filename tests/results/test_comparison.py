"""The three columns: a source's number, our record, this run, none of them mistaken for another."""

from types import SimpleNamespace

import pytest

from tests.results.test_record import sample
from vbook.errors import VbookError
from vbook.results import compare, comparison, significant
from vbook.results.references import Quantity

TARGET = "assignment/vae-20/elbo-valid"


@pytest.fixture
def outcome():
    return SimpleNamespace(record=sample(experiment="ch00-none", profile="smoke"))


def test_columns_without_a_source_or_a_record_stay_empty(outcome):
    table = compare(outcome, [("bound", "elbo")])
    assert repr(table).splitlines()[1].split() == ["bound", "–", "–", "−101"]
    assert "this run (smoke, digits: not a result)" in repr(table)


def test_source_and_record_are_shown_with_their_provenance(outcome, monkeypatch):
    real = comparison.resolve
    recorded = Quantity(-98.76, "nats", "how it was measured", 0.21)
    monkeypatch.setattr(comparison, "resolve", lambda ref: recorded if ref == "record:ch00-none.laptop/elbo" else real(ref))
    table = compare(outcome, [("bound <b>", "elbo", TARGET)])
    assert repr(table).splitlines()[1].split() == ["bound", "<b>", "−101.8", "−98.76", "±", "0.21", "−101"]
    html = table._repr_html_()
    assert 'title="how it was measured"' in html and "another student" in html and "bound &lt;b&gt;" in html


def test_unknown_names_are_refused(outcome):
    with pytest.raises(VbookError, match="no metric 'elb'"):
        compare(outcome, [("bound", "elb")])
    with pytest.raises(VbookError, match="no target 'x'"):
        compare(outcome, [("bound", "elbo", "x")])


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (-0.004567, "−0.00457"), (99.96, "100"), (123456.0, "123000"), (1.0, "1.00")]
)
def test_significant_digits(value, text):
    assert significant(value) == text
