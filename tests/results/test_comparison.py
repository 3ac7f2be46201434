"""The three columns: a source's number, our record, this run, none of them mistaken for another."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.results.test_record import sample
from vbook.errors import VbookError
from vbook.results import compare, comparison, files, save_record, significant
from vbook.results.references import Quantity

TARGET = "assignment/vae-20/elbo-valid"
FILE = Path(__file__)  # some file that is there


@pytest.fixture
def outcome():
    return SimpleNamespace(record=sample(experiment="ch00-none", profile="smoke"))


def test_without_a_target_there_is_no_column_of_sources_and_without_a_record_a_dash(outcome):
    table = compare(outcome, [("bound", "elbo")])
    assert repr(table).splitlines()[1].split() == ["bound", "–", "−101"]
    assert "source" not in repr(table)
    assert "this run (smoke, digits: not a result)" in repr(table)


def test_source_and_record_are_shown_with_their_provenance(outcome, monkeypatch):
    real = comparison.resolve
    recorded = Quantity(-98.76, "nats", "how it was measured", 0.21)
    monkeypatch.setattr(comparison, "resolve", lambda ref: recorded if ref == "record:ch00-none.laptop/elbo" else real(ref))
    monkeypatch.setattr(comparison, "record_path", lambda name: FILE)
    table = compare(outcome, [("bound <b>", "elbo", TARGET), ("no target", "elbo")])
    assert repr(table).splitlines()[1].split() == ["bound", "<b>", "−101.8", "−98.76", "±", "0.21", "−101"]
    assert repr(table).splitlines()[2].split()[2] == "–"
    html = table._repr_html_()
    assert 'title="how it was measured"' in html and "another student" in html and "bound &lt;b&gt;" in html


def test_a_broken_record_is_named_and_not_taken_for_a_missing_one(outcome, monkeypatch, tmp_path):
    path = save_record(sample(experiment="ch00-none"), tmp_path)
    path.write_text("{")
    monkeypatch.setattr(comparison, "record_path", lambda name: path)
    monkeypatch.setattr(files, "record_path", lambda name: path)
    with pytest.raises(VbookError, match=r"ch00-none\.laptop\.json: not a record"):
        compare(outcome, [("bound", "elbo")])


def test_unknown_names_are_refused(outcome):
    with pytest.raises(VbookError, match="no metric 'elb'"):
        compare(outcome, [("bound", "elb")])
    with pytest.raises(VbookError, match="no target 'x'"):
        compare(outcome, [("bound", "elbo", "x")])


def test_tables_of_several_experiments_are_one_if_their_columns_are(outcome):
    one, other = compare(outcome, [("bound", "elbo")]), compare(outcome, [("again", "elbo")])
    both = repr(one + other).splitlines()
    assert both[:2] == repr(one).splitlines() and both[2].split() == ["again", "–", "−101"] and len(both) == 3
    with pytest.raises(VbookError, match=r"columns .* don't go into one"):
        one + compare(outcome, [("with a source", "elbo", TARGET)])


def test_a_count_that_all_seeds_agree_on_has_no_decimals(outcome):
    outcome.record.metrics["active"] = {"mean": 10.0, "standard_error": 0.0, "n": 2, "unit": "latents", "over": "seeds"}
    assert repr(compare(outcome, [("active", "active")])).splitlines()[1].split() == ["active", "–", "10"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (-0.004567, "−0.00457"), (99.96, "100"), (123456.0, "123000"), (1.0, "1.00")]
)
def test_significant_digits(value, text):
    assert significant(value) == text


def test_times_are_shown_only_where_a_page_need_not_come_out_the_same_twice(outcome):
    for unit, profile, shown in (
        ("s", "smoke", "–"),
        ("of the time", "smoke", "–"),
        ("s", "laptop", "52.2"),
        ("nats", "smoke", "52.2"),
    ):
        outcome = SimpleNamespace(record=sample(experiment="ch00-none", profile=profile))
        outcome.record.metrics["seconds"] = {"mean": 52.19, "unit": unit}
        assert repr(compare(outcome, [("time", "seconds")])).splitlines()[1].split() == ["time", "–", shown]
