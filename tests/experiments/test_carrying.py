"""A long record outlives a change of code only where a short one, measured before and after, vouches for it."""

import dataclasses

import pytest

from vbook.experiments import experiments
from vbook.experiments.carrying import carrying
from vbook.results import Record, read_record, save_record

CHOSEN = experiments()["ch02-vae-5"]
OLD = "sha256:before"


def record(profile: str, code: str = OLD, **changes) -> Record:
    settings = CHOSEN.profiles[profile]
    digests = dict(code_digest=code, experiment_digest=CHOSEN.digest(settings) if code != OLD else f"{OLD} {profile}")
    made = Record(CHOSEN.id, profile, [0], {"elbo": dict(mean=-1.5, unit="nats")}, dict(title="t", digest="d"), settings)
    made = dataclasses.replace(made, device="CPU, 1 thread", versions={"torch": "2.15.0"})
    return dataclasses.replace(made, date="2026-01-01T00:00:00Z", commit="c0ffee", dirty=False, **digests, **changes)


@pytest.fixture
def shelf(tmp_path):
    for profile in ("laptop", "paper"):
        save_record(record(profile), tmp_path)
    return tmp_path


def again(shelf, **changes) -> Record:
    """The paper record after the laptop one was measured again."""
    with carrying(shelf):
        save_record(record("laptop", CHOSEN.code_digest(), **changes), shelf)
    return read_record(shelf / f"{CHOSEN.id}.paper.json")


def test_the_same_digits_carry_the_long_record_to_the_new_code(shelf):
    old, new = read_record(shelf / f"{CHOSEN.id}.paper.json"), again(shelf)
    assert new.code_digest == CHOSEN.code_digest() and new.experiment_digest == CHOSEN.digest(CHOSEN.profiles["paper"])
    (witness,) = new.carried
    digits = witness.pop("digits")
    assert witness == {"from": OLD, "witness": f"{CHOSEN.id}.laptop", "commit": "c0ffee", "date": "2026-01-01T00:00:00Z"}
    assert len(digits) == 16
    same = dict(code_digest=old.code_digest, experiment_digest=old.experiment_digest, carried=[])
    assert dataclasses.replace(new, **same) == old, "nothing else was touched"
    assert again(shelf).carried == [witness | {"digits": digits}], "once is enough"


@pytest.mark.parametrize(
    "changes",
    [
        dict(metrics={"elbo": dict(mean=-1.5 + 1e-15, unit="nats")}),
        dict(series={"train": [1.0]}),
        dict(seeds=[1]),
        dict(settings=CHOSEN.profiles["laptop"] | {"epochs": 3}),
        dict(data=dict(title="t", digest="other")),
        dict(status="partial", reason="interrupted"),
        dict(dirty=True),
        dict(device="NVIDIA H200"),
        dict(versions={"torch": "2.16.0"}),
        dict(code_digest="sha256:not of today's code"),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_witness_that_differs_or_is_in_doubt_carries_nothing(shelf, changes):
    with carrying(shelf):
        save_record(dataclasses.replace(record("laptop", CHOSEN.code_digest()), **changes), shelf)
    assert read_record(shelf / f"{CHOSEN.id}.paper.json") == record_of_paper(shelf)


def record_of_paper(shelf) -> Record:
    save_record(record("paper"), shelf / "as-it-was")
    return read_record(shelf / "as-it-was" / f"{CHOSEN.id}.paper.json")


@pytest.mark.parametrize(
    "changes",
    [
        dict(code_digest="sha256:older still"),
        dict(inputs={"ch02-vae-20": "sha256:x"}),
        dict(settings={"epochs": 3}),
        dict(status="partial", reason="x"),
        dict(dirty=True),
        dict(dirty=None),
        dict(data=dict(title="t", digest="other")),
        dict(data=dict(title="t", digest="")),
        dict(device="NVIDIA H200"),
        dict(versions={"torch": "2.14.0"}),
        dict(experiment="ch02-vae-10"),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_records_of_other_code_settings_or_conditions_stay_stale(shelf, changes):
    other = dataclasses.replace(record("paper"), **changes)
    save_record(other, shelf)
    again(shelf)
    assert not read_record(shelf / f"{other.id}.json").carried


@pytest.mark.parametrize(
    "changes", [dict(metrics={}), dict(status="partial", reason="x"), dict(profile="smoke"), dict(dirty=True)]
)
def test_an_old_witness_that_was_none_carries_nothing(shelf, changes):
    """The same changes before and after: nothing measured, half a run, or a run on the stand-in."""
    kept = {} if {"status", "dirty"} & changes.keys() else changes
    row = CHOSEN.profiles[changes.get("profile", "laptop")]
    save_record(dataclasses.replace(record("laptop"), settings=row, **changes), shelf)
    with carrying(shelf):
        save_record(dataclasses.replace(record("laptop", CHOSEN.code_digest()), settings=row, **kept), shelf)
    assert not read_record(shelf / f"{CHOSEN.id}.paper.json").carried


def test_without_a_first_witness_nothing_is_carried(shelf):
    (shelf / f"{CHOSEN.id}.laptop.json").unlink()
    assert not again(shelf).carried


def test_a_broken_record_does_not_keep_a_good_one_from_being_written(shelf):
    (shelf / "ch02-broken.laptop.json").write_text("{")
    assert again(shelf).carried
