"""Experiments side by side: on processes of this machine and on a real Dask cluster that loses a worker, each record once."""

import dataclasses
import json
import os
import signal
import threading

import pytest
import torch

from tests.experiments.test_queue import shelf  # noqa: F401
from tests.experiments.test_registry import DIGITS, TINY, tiny  # noqa: F401
from vbook import paths
from vbook.errors import VbookError
from vbook.experiments import Outcome, experiments, find, queue, registry, reproduce, run, spread
from vbook.profiles import PROFILES
from vbook.results import read_record

QUICK = ["ch02-posterior", "ch02-vae-5", "ch02-vae-10", "ch02-frey-2"]


@pytest.fixture
def apart(shelf, tmp_path, monkeypatch):  # noqa: F811
    """Checkpoints and locks in a folder of our own, too."""
    monkeypatch.setattr(queue.paths, "build", lambda *parts: tmp_path.joinpath("_build", *parts))
    return shelf


def test_experiments_that_share_an_input_stay_together():
    everything = list(experiments().values())
    groups = spread.chains(everything)
    assert sorted(one.id for group in groups for one in group) == sorted(one.id for one in everything)
    where = {one.id: k for k, group in enumerate(groups) for one in group}
    needing = [one for one in everything if one.inputs()]
    assert needing and len(groups) > 3
    assert all(where[one.id] == where[other.id] for one in needing for other in one.inputs())
    assert [group[0].id for group in groups] == [one.id for one in everything if one in [group[0] for group in groups]]


def test_those_that_answer_most_come_first(shelf, monkeypatch):  # noqa: F811
    monkeypatch.setattr(queue, "targets", lambda: {k: {"record": "ch02-iwae.paper/x"} for k in "ab"})
    order = queue.by_worth("paper")
    assert order[0].id == "ch02-iwae" and len(order) == len(experiments())


@pytest.mark.slow
def test_jobs_run_side_by_side_give_the_records_of_one_after_the_other(apart):
    said = []
    fate = reproduce(QUICK[:2], "smoke", jobs=2, say=said.append)
    assert all(end.startswith("complete in") for end in fate.values()) and len(fate) == len(said) == 2
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        registry.FINISHED.clear()
        for id in QUICK[:2]:
            assert read_record(apart / f"{id}.smoke.json").metrics == run(id).record.metrics
    finally:
        torch.set_num_threads(threads)
    for file in apart.glob("*.json"):  # measured in the workers, which may find local changes
        file.write_text(json.dumps(json.loads(file.read_text()) | {"dirty": False}))
    assert reproduce(QUICK[:2], "smoke", jobs=2, say=str) == {f"{id}.smoke": "up to date" for id in QUICK[:2]}


@pytest.mark.slow
def test_every_record_once_although_a_worker_is_lost(apart):
    """A real scheduler with two worker processes; one is killed as soon as the first record is there."""
    distributed = pytest.importorskip("distributed")
    said = []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:

        def say(line):
            said.append(line)
            if len(said) == 1:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        fate = reproduce(QUICK, "smoke", scheduler=cluster.scheduler_address, say=say)
    assert set(fate) == {f"{id}.smoke" for id in QUICK} and all(end.startswith("complete in") for end in fate.values())
    assert sorted(line.partition(":")[0] for line in said) == sorted(fate)
    assert {file.name for file in apart.glob("*.json")} == {f"{name}.json" for name in fate}


def test_a_scheduler_that_is_not_there_is_named(apart, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(spread, "WAIT", 1)
    with pytest.raises(VbookError, match=r"a scheduler's address is host:port, .* not 'nowhere'"):
        reproduce(QUICK[:1], "smoke", scheduler="nowhere", say=str)
    with pytest.raises(VbookError, match=r"the Dask scheduler 'tcp://127.0.0.1:9' can't be used"):
        reproduce(QUICK[:1], "smoke", scheduler="tcp://127.0.0.1:9", say=str)


def test_what_another_call_measures_is_left_to_it(tiny, apart):  # noqa: F811
    with queue.contextlib.ExitStack() as other:
        assert queue._locked(other, paths.build("checkpoints", "ch00-tiny.in-use"))
        assert reproduce([tiny], "laptop", say=str) == {"ch00-tiny.laptop": "being measured by another call"}
    assert reproduce([tiny], "laptop", say=str)["ch00-tiny.laptop"].startswith("complete in")


def test_what_fails_is_said_and_the_rest_goes_on(tiny, apart, monkeypatch):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def bad(setup):
        raise VbookError("no such luck")

    monkeypatch.setattr(spread, "outcomes", None)
    monkeypatch.setattr(queue, "outcomes", lambda tasks, jobs, scheduler: (unpacked(*task) for task in tasks))

    def unpacked(ids, settings):
        return [(id, spread._unpacked(what)) for id, what in spread.measure(ids, settings)]

    fate = reproduce(["ch00-bad", tiny], "smoke", jobs=2, say=str)
    assert fate["ch00-bad.smoke"] == "failed: no such luck" and fate["ch00-tiny.smoke"].startswith("complete in")


def test_any_error_of_one_experiment_leaves_the_others_alone(tiny, apart, monkeypatch):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def bad(setup):
        raise ValueError("boom")

    ((_, why), (_, outcome)) = spread.measure(
        ["ch00-bad", tiny], dict(arguments=("smoke", 0, "cpu", None), folders=dict.fromkeys(("ch00-bad", tiny)), budget=None)
    )
    assert why == "ValueError: boom" and spread._unpacked(outcome).steps == 6


def test_one_after_the_other_too_what_fails_is_said_and_the_rest_goes_on(tiny, apart):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def bad(setup):
        raise VbookError("no such luck")

    fate = reproduce(["ch00-bad", tiny], "smoke", say=str)
    assert fate["ch00-bad.smoke"] == "failed: no such luck" and fate["ch00-tiny.smoke"].startswith("complete in")


@pytest.mark.slow
def test_an_experiment_that_no_worker_survives_is_told_and_the_rest_goes_on(apart, monkeypatch):
    """The scheduler gives it to one worker after the other, and then gives up."""
    distributed = pytest.importorskip("distributed")
    real = spread.measure

    def deadly(ids, settings):
        return os.kill(os.getpid(), signal.SIGKILL) if ids == QUICK[:1] else real(ids, settings)

    monkeypatch.setattr(spread, "measure", deadly)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        fate = reproduce(QUICK[:2], "smoke", scheduler=cluster.scheduler_address, say=str)
    assert fate[f"{QUICK[0]}.smoke"] == f"failed: {spread.LOST}"
    assert fate[f"{QUICK[1]}.smoke"].startswith("complete in")


@pytest.mark.parametrize("bad", [SystemExit(3), AttributeError("x")])
def test_whatever_ends_one_experiment_leaves_the_next_alone(tiny, apart, bad):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def ends(setup):
        raise bad

    settings = dict(arguments=("smoke", 0, "cpu", None), folders=dict.fromkeys(("ch00-bad", tiny)), budget=None)
    (_, why), (_, outcome) = spread.measure(["ch00-bad", tiny], settings)
    assert why.startswith(type(bad).__name__) and isinstance(outcome, bytes)
    fate = reproduce(["ch00-bad", tiny], "smoke", say=str)
    assert fate["ch00-bad.smoke"] == f"failed: {why}" and fate["ch00-tiny.smoke"].startswith("complete in")


def test_a_worker_whose_files_have_moved_measures_nothing(tiny, monkeypatch):  # noqa: F811
    """Nor does it answer with what it measured for a command before."""
    settings = dict(arguments=("smoke", 0, "cpu", None), folders={tiny: None}, budget=None)
    before = run(tiny)
    ((_, again),) = spread.measure([tiny], settings)
    assert spread._unpacked(again).record.date >= before.record.date and run(tiny) is not before
    monkeypatch.setattr(spread, "moved", lambda: True)
    assert "changed since this worker began; start it anew" in spread.measure([tiny], settings)[0][1]


def test_an_outcome_that_cannot_be_read_is_told():
    assert spread._unpacked(b"no pickle").startswith("its outcome can't be read (")


def test_an_outcome_without_its_model_ends_no_queue(tiny, apart):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def bad(setup):
        return Outcome({}, architecture={"x_dim": 3})

    fate = reproduce(["ch00-bad", tiny], "laptop", say=str)
    assert fate["ch00-bad.laptop"].startswith("failed: no record could be written (AttributeError")
    assert fate["ch00-tiny.laptop"].startswith("complete in")


BAD = [{"mean": float("nan"), "unit": "nats"}, {"mean": object(), "unit": "nats"}, {"mean": 1.0}, {"unit": "nats"}, 1.0]


@pytest.mark.parametrize("metric", BAD)
def test_a_record_that_cannot_be_written_or_read_again_ends_no_queue(tiny, apart, metric):  # noqa: F811
    @registry.experiment("ch00-bad", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def bad(setup):
        return Outcome({"bad": metric})

    fate = reproduce(["ch00-bad", tiny], "smoke", say=str)
    assert fate["ch00-bad.smoke"].startswith("failed: no record could be written (")
    assert fate["ch00-tiny.smoke"].startswith("complete in") and not (apart / "ch00-bad.smoke.json").exists()


def test_what_cannot_be_sent_back_is_told(tiny, apart, monkeypatch):  # noqa: F811
    monkeypatch.setattr(spread, "run", lambda *args, **options: threading.Lock())
    settings = dict(arguments=("smoke", 0, "cpu", None), folders={tiny: None}, budget=None)
    assert spread.measure([tiny], settings)[0][1].startswith("TypeError: ")


def test_a_record_broken_meanwhile_is_told_and_the_rest_goes_on(tiny, apart, monkeypatch):  # noqa: F811
    real, calls = queue._complete, []

    def broken(name):
        calls.append(name)
        if calls.count("ch02-vae-5.smoke") > 1:
            raise VbookError("not a record")
        return real(name)

    monkeypatch.setattr(queue, "_complete", lambda name: broken(name) if name.startswith("ch02") else real(name))
    fate = reproduce(["ch02-vae-5", tiny], "smoke", say=str)
    assert fate["ch02-vae-5.smoke"] == "failed: not a record" and fate["ch00-tiny.smoke"].startswith("complete in")


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_and_the_rest_goes_on(apart, monkeypatch):
    """Two at a time of three, one of which is killed by its own hand; the third still gets its record."""
    real = spread.measure
    monkeypatch.setattr(
        spread, "measure", lambda ids, settings: os.kill(os.getpid(), signal.SIGKILL) if ids == QUICK[:1] else real(ids, settings)
    )
    fate = reproduce(QUICK[:3], "smoke", jobs=2, say=str)
    assert fate[f"{QUICK[0]}.smoke"] == f"failed: {spread.LOST}"
    assert fate[f"{QUICK[2]}.smoke"].startswith("complete in")


def test_what_a_worker_measured_with_other_code_is_not_written(tiny, apart, monkeypatch):  # noqa: F811
    real = queue.run

    def elsewhere(*args, **options):
        outcome = real(*args, **options)
        outcome.record = dataclasses.replace(outcome.record, experiment_digest="sha256:other")
        return outcome

    monkeypatch.setattr(queue, "run", elsewhere)
    assert reproduce([tiny], "smoke", say=str)["ch00-tiny.smoke"].startswith("failed: it was measured with other code")
    assert not list(apart.glob("*.json"))


def test_how_long_the_rest_takes_is_told_from_earlier_records(tiny, apart):  # noqa: F811
    @registry.experiment("ch00-other", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def other(setup):
        return Outcome({"steps": {"mean": 1.0, "unit": "steps"}})

    said = []
    reproduce([tiny, "ch00-other"], "laptop", say=said.append)
    assert said[0].endswith("(1 to go, up to 0 min and 1 of unknown length)") and said[1].startswith(
        "ch00-other.laptop: complete"
    )
    file = apart / "ch00-other.laptop.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"wall_time_s": 600.0}))
    registry.FINISHED.clear()
    said.clear()
    reproduce([tiny, "ch00-other"], "laptop", force=True, say=said.append)
    assert said[0].endswith("(1 to go, up to 10 min)")


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, None])
def test_jobs_are_counted_from_one(tiny, apart, jobs):  # noqa: F811
    with pytest.raises(VbookError, match="jobs must be a positive integer"):
        reproduce([tiny], "smoke", jobs=jobs, say=str)
    assert find(tiny)
