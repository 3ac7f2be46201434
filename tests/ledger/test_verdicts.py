"""Verdicts: the word follows from difference, direction and tolerance, and counts only what is complete and current."""

import math
import sys
from dataclasses import replace

import pytest

from vbook.errors import VbookError
from vbook.experiments import experiments
from vbook.ledger import verdict, verdicts
from vbook.results import Record, targets

EXPERIMENT = experiments()["ch02-vae-20"]
SETTINGS = EXPERIMENT.profiles["laptop"]
METRICS = {"elbo": dict(mean=-101.3, standard_error=0.25, unit="nats")}
RECORD = Record(EXPERIMENT.id, "laptop", [0], METRICS, {}, SETTINGS, experiment_digest=EXPERIMENT.digest(SETTINGS))
TARGET = dict(id="t", value=-101.8, unit="nats", direction="higher", spread=0.1, record="ch02-vae-20.laptop/elbo")


@pytest.mark.parametrize(
    ("ours", "theirs", "direction", "word"),
    [
        (-101.3, -101.8, "higher", "reproduced"),
        (-101.2, -101.8, "higher", "better"),
        (-102.4, -101.8, "higher", "short"),
        (3.0, 3.3, "lower", "reproduced"),
        (2.0, 3.3, "lower", "better"),
        (5.0, 3.3, "lower", "short"),
        (1.0, 1.5, "equal", "reproduced"),
        (1.0, 1.6, "equal", "different"),
        (1.6, 1.0, "equal", "different"),
        (1.0, 1.0, "none", "not judged"),
        (9.0, 1.0, "none", "not judged"),
    ],
)
def test_the_word(ours, theirs, direction, word):
    """Two combined standard errors of 0.25 and 0.1 are 0.539."""
    found, difference, tolerance = verdict(ours, theirs, direction, 0.25, 0.1)
    assert (found, difference) == (word, ours - theirs)
    assert tolerance == pytest.approx(2 * math.sqrt(0.25**2 + 0.1**2))


def test_what_a_figure_can_be_read_to_counts_as_no_difference():
    assert verdict(-152.0, -150.0, "equal", 0.0, None, 3.0) == ("reproduced", -2.0, 3.0)
    assert verdict(-152.0, -150.0, "equal", 2.0, None, 3.0)[2] == pytest.approx(5.0)  # errors of a kind add up as squares
    assert verdict(-156.0, -150.0, "equal", 0.0, None, 3.0)[0] == "different"


def test_without_errors_only_equality_reproduces():
    assert verdict(1.0, 1.0, "higher")[0] == "reproduced"
    assert verdict(1.001, 1.0, "higher")[0] == "better"


def judge(monkeypatch, record=RECORD, target=TARGET):
    module = sys.modules["vbook.ledger.verdicts"]  # by name: as an attribute the function of the same name hides it
    monkeypatch.setattr(module, "records", lambda: {record.id: record} if record else {})
    monkeypatch.setattr(module, "targets", lambda: {target["id"]: target})
    (one,) = verdicts()
    return one


def test_a_current_complete_record_is_judged(monkeypatch):
    one = judge(monkeypatch)
    assert (one.word, one.metric, one.record) == ("reproduced", "elbo", RECORD) and one.difference == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (dict(status="partial", reason="interrupted"), "partial"),
        (dict(experiment_digest="sha256:other"), "stale"),
        (dict(metrics={}, experiment_digest="sha256:other"), "not run"),
        (dict(metrics={}, status="partial", reason="interrupted"), "not run"),
        (dict(profile="paper"), "not run"),
    ],
)
def test_what_does_not_count(monkeypatch, change, word):
    assert judge(monkeypatch, replace(RECORD, **change)).word == word


@pytest.mark.parametrize("record", ["ch02-vae-2.laptop/elbo", "ch02-vae-20.paper/elbo", None])
def test_a_target_that_no_record_answers(monkeypatch, record):
    one = judge(monkeypatch, target={**TARGET, "record": record})
    assert one.word == "not run" and one.record is None


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("ch02-vea-20.laptop/elbo", "'t': the book has no experiment 'ch02-vea-20'; did you mean 'ch02-vae-20'"),
        ("ch02-vae-20.laptop/elbow", "'t': record 'ch02-vae-20.laptop' has no metric 'elbow'; did you mean 'elbo'"),
        ("ch02-vae-20.paper/elbow", "'t': record 'ch02-vae-20.laptop' has no metric 'elbow'; did you mean 'elbo'"),
    ],
)
def test_a_target_that_nothing_can_answer_is_told(monkeypatch, record, words):
    with pytest.raises(VbookError, match=words):
        judge(monkeypatch, target={**TARGET, "record": record})


def test_a_record_of_an_experiment_that_is_gone_is_stale(monkeypatch):
    gone = replace(RECORD, experiment="ch02-gone")
    assert judge(monkeypatch, gone, {**TARGET, "record": "ch02-gone.laptop/elbo"}).word == "stale"


def test_every_target_has_a_verdict():
    assert [one.target["id"] for one in verdicts()] == list(targets())
