"""From a reference in prose to its number and its provenance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.results.test_record import sample
from vbook.errors import VbookError
from vbook.results import files, format_like, resolve, save_record, targets


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of records in place of the book's."""
    monkeypatch.setattr("vbook.results.record.record_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(files, "record_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(files, "records", lambda: {"ch00-sample.laptop": None})
    return tmp_path


def test_a_record_reference_gives_number_error_and_conditions(shelf):
    save_record(sample(commit="0123456789" * 4, dirty=True, wall_time_s=117.4), shelf)
    quantity = resolve("record:ch00-sample.laptop/elbo")
    assert (quantity.value, quantity.standard_error, quantity.unit) == (-101.25, 0.21, "nats")
    for part in ("± 0.21 nats", "10,000 data points", "static digits", "profile laptop", "seed 0"):
        assert part in quantity.provenance
    assert "10 steps in 117 s on CPU, 2 threads" in quantity.provenance
    assert "commit 012345678 with local changes" in quantity.provenance


def test_a_record_that_outlived_a_change_of_code_names_its_witness(shelf):
    steps = [dict(witness="ch00-sample.smoke", commit="a" * 40), dict(witness="ch00-sample.laptop", commit="b" * 40)]
    save_record(sample(carried=steps), shelf)
    assert "good for the code of bbbbbbbbb by ch00-sample.laptop" in resolve("record:ch00-sample.laptop/elbo").provenance


def test_a_partial_record_says_so(shelf):
    save_record(sample(status="partial", reason="interrupted"), shelf)
    assert "partial: interrupted" in resolve("record:ch00-sample.laptop/elbo").provenance


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("record:ch00-sampel.laptop/elbo", "did you mean 'ch00-sample.laptop'"),
        ("record:ch00-sample.laptop/elb", "did you mean 'elbo'"),
        ("target:nowhere/at-all", "no target 'nowhere/at-all'"),
        ("figure:1", "starts with 'record:' or 'target:'"),
    ],
)
def test_unknown_references_are_named(shelf, reference, words):
    save_record(sample(), shelf)
    with pytest.raises(VbookError, match=words):
        resolve(reference)


def test_targets_have_all_fields_and_answer():
    assert targets()
    for name, entry in targets().items():
        quantity = resolve(f"target:{name}")
        assert quantity.value == entry["value"] and entry["source"] in quantity.provenance
        assert entry["direction"] in ("higher", "lower", "equal", "none") and entry["mark"] in "SCRFO"


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_format_keeps_the_decimals_of_the_text(value, decimals):
    text = format_like(value, f"{1.5:.{decimals}f}")
    assert "-" not in text and abs(float(text.replace("−", "-")) - value) <= 0.5 * 10**-decimals + 1e-9
    assert len(text.partition(".")[2]) == decimals
