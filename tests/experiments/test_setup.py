"""What an experiment is given: inputs that are whole, checkpoints that are its own, time that is left."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.experiments.test_registry import DIGITS, TINY, tiny, trainings_cut_short  # noqa: F401
from vbook import loaded
from vbook.errors import VbookError
from vbook.experiments import Outcome, find, keeping, registry, run
from vbook.experiments.chapter02 import digits
from vbook.experiments.keeping import keep
from vbook.profiles import PROFILES
from vbook.results import read_record

ROOT = Path(__file__).resolve().parents[2]
CLEAN = dict(commit="c0ffee", dirty=False, package_digest="sha256:one")


@pytest.fixture
def judge(tiny):  # noqa: F811
    """An experiment that measures the model of another."""

    @registry.experiment("ch00-judge", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def measured(setup):
        trained = setup.run("ch00-tiny")
        return Outcome({"steps": {"mean": float(trained.steps), "unit": "steps"}})

    return "ch00-judge"


def test_a_record_names_the_experiments_whose_models_it_measured(judge):
    record = run(judge).record
    assert record.inputs == {"ch00-tiny": find("ch00-tiny").digest(TINY)} and record.metrics["steps"]["mean"] == 6


def test_half_a_model_gives_no_numbers(judge, monkeypatch):
    """An input that was cut short ends the experiment: its record is partial and without metrics."""
    with trainings_cut_short(monkeypatch):
        outcome = run(judge)
    assert outcome.interrupted and outcome.record.status == "partial" and not outcome.record.metrics
    assert run(judge).record.status == "complete"


def test_a_run_out_of_time_goes_on_from_its_checkpoints(judge, tmp_path, monkeypatch):
    whole = run(judge).record.metrics
    monkeypatch.setattr(registry, "FINISHED", {})
    calls, steps = 0, []
    real = digits.fit
    monkeypatch.setattr(digits, "fit", lambda *a, **o: real(*a, **o, on_step=lambda step, bound: steps.append(step)))
    while True:
        outcome, calls = run(judge, checkpoints=tmp_path, budget=1e-9), calls + 1
        if not outcome.interrupted:
            break
    assert outcome.metrics == whole and calls == 6 and steps == [1, 2, 3, 4, 5, 6]
    assert [path.parent.name for path in tmp_path.rglob("*.safetensors")] == ["ch00-tiny"]


@pytest.fixture
def now(monkeypatch):
    """The seconds of a clock that stands still; the date jumps wildly, and should have no say."""
    clock, dates = [1_000.0], iter(range(0, -(10**9), -86_400))
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(time, "time", lambda: next(dates))
    return clock


def test_the_time_is_that_of_all_sittings(judge, tmp_path, monkeypatch, now):
    """Each counts from its begin to its end, whatever was trained in it; pauses don't count."""
    monkeypatch.setattr(registry, "conditions", lambda: dict(CLEAN))
    here = registry._describe("cpu")
    for seconds, so_far in ((30.0, 30.0), (7.0, 37.0)):
        with keeping.sitting(tmp_path, CLEAN, here) as sitting:
            now[0] += seconds
            assert sitting.seconds() == so_far
        now[0] += 9_000.0
    with keeping.sitting(None, {}, here) as alone:
        assert alone.seconds() == 0.0
    assert run(judge, checkpoints=tmp_path).record.wall_time_s == 37.0


KILLED = """
import sys, time
from pathlib import Path
from vbook.experiments import keeping
keeping.NOTE_EVERY = 0.05
with keeping.sitting(Path(sys.argv[1]), {"dirty": False, "package_digest": "sha256:one"}, "here"):
    time.sleep(600)
"""


def test_a_sitting_that_was_killed_counts_up_to_its_last_note(tmp_path):
    """Its time is that of the process's clock: the dates of the files have no say."""
    file = tmp_path / "sittings.json"
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT) as process:
        try:
            while not (file.exists() and json.loads(file.read_text())["seconds"] > 0.5):
                assert process.poll() is None and time.perf_counter() - start < 60
                time.sleep(0.01)
        finally:
            process.kill()
    taken = time.perf_counter() - start
    (tmp_path / "a.safetensors").touch()
    os.utime(file, (1_000.0, 1_000.0))
    with keeping.sitting(tmp_path, CLEAN, "here") as second:
        assert 0.5 < second.earlier < taken and second.dirty is False


def test_a_full_disk_stops_no_run_for_the_sake_of_its_clock(tmp_path, monkeypatch, now):
    with keeping.sitting(tmp_path, CLEAN, "here"):
        now[0] += 5.0
        monkeypatch.setattr(keeping, "written", lambda *_: (_ for _ in ()).throw(VbookError("no space left")))
    monkeypatch.undo()
    with keeping.sitting(tmp_path, CLEAN, "here") as second:
        assert second.earlier == 0.0


def test_the_time_leaves_out_what_the_inputs_took(judge, monkeypatch, now):
    train = digits.fit

    def slow(*args, **options):
        now[0] += 30.0
        return train(*args, **options)

    monkeypatch.setattr(digits, "fit", slow)
    assert run(judge).record.wall_time_s == 0.0 and run("ch00-tiny").record.wall_time_s == 30.0


def test_a_record_names_the_code_that_ran_and_not_what_was_edited_meanwhile(judge, monkeypatch):
    before = find(judge).digest(TINY)
    real = registry.Experiment.digest
    calls = []

    def edited(self, settings):
        """Once something has been trained the file has changed."""
        return "sha256:edited" if calls else real(self, settings)

    monkeypatch.setattr(registry.Experiment, "digest", edited)
    monkeypatch.setattr(registry, "conditions", lambda: dict(commit="edited" if calls else "clean", dirty=bool(calls)))
    train = digits.fit
    monkeypatch.setattr(digits, "fit", lambda *a, **o: (train(*a, **o), calls.append(1))[0])
    record = run(judge).record
    assert calls and (record.experiment_digest, record.commit, record.dirty) == (before, "clean", False)


def test_code_that_moved_after_its_import_leaves_no_clean_record(judge, monkeypatch):
    monkeypatch.setattr(registry, "conditions", lambda: dict(commit="c0ffee", dirty=False))
    monkeypatch.setattr(registry, "moved", lambda: True)
    assert run(judge).record.dirty is True
    assert not loaded.moved()
    for change in ({}, loaded.LOADED | {loaded.PACKAGE / "gone.py": (1, 1)}, dict.fromkeys(loaded.LOADED, (1, 1))):
        monkeypatch.setattr(loaded, "LOADED", change)
        assert loaded.moved()


def test_the_snapshot_is_taken_before_anything_of_the_package_is_imported(tmp_path):
    """An edit between the import of a module and that of the experiments: the old code runs, and the record says so."""
    shutil.copytree(ROOT / "vbook", tmp_path / "vbook", ignore=shutil.ignore_patterns("__pycache__"))
    edited = "import vbook.bounds, pathlib; pathlib.Path(vbook.bounds.__file__).touch(); from vbook.experiments import registry"
    done = subprocess.run(
        [sys.executable, "-c", f"{edited}; print(registry.moved())"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize(("device", "words"), [("cpu", "CPU, "), ("mps", "MPS")])
def test_a_record_names_the_device_it_ran_on(device, words):
    assert registry._describe(device).startswith(words)


@pytest.mark.parametrize(
    ("first", "dirty"), [({}, False), (dict(dirty=True), True), (dict(dirty=None), None), (dict(package_digest="other"), True)]
)
def test_a_run_in_two_sittings_is_clean_if_both_are_of_one_clean_code(judge, tmp_path, monkeypatch, first, dirty):
    monkeypatch.setattr(registry, "conditions", lambda: CLEAN | first)
    assert run(judge, checkpoints=tmp_path, budget=1e-9).interrupted
    monkeypatch.setattr(registry, "conditions", lambda: dict(CLEAN))
    while (outcome := run(judge, checkpoints=tmp_path, budget=10)).interrupted:
        pass
    assert outcome.record.status == "complete" and outcome.record.dirty is dirty


@pytest.mark.parametrize(
    "sittings",
    [
        *(None, "", "[]", "{}", "[" * 100_000),
        '{"seconds": "9", "dirty": false, "package": "", "device": "CPU, 1 thread"}',
        '{"seconds": -9, "dirty": false, "package": "", "device": "CPU, 1 thread"}',
        '{"seconds": NaN, "dirty": false, "package": "", "device": "CPU, 1 thread"}',
        '{"seconds": 9, "dirty": 0, "package": "", "device": "CPU, 1 thread"}',
        '{"seconds": 9, "dirty": false, "package": [], "device": "CPU, 1 thread"}',
        '{"seconds": 9, "dirty": false, "package": "", "device": null}',
    ],
)
def test_checkpoints_of_which_nobody_knows_whose_they_are_make_no_clean_record(judge, tmp_path, monkeypatch, sittings):
    monkeypatch.setattr(registry, "conditions", lambda: dict(CLEAN))
    assert run(judge, checkpoints=tmp_path, budget=1e-9).interrupted
    for file in tmp_path.rglob("sittings.json"):
        file.unlink()
        if sittings is not None:
            file.write_text(sittings)
    while (outcome := run(judge, checkpoints=tmp_path, budget=10)).interrupted:
        pass
    assert outcome.record.dirty is True


@pytest.mark.parametrize("of_input", [True, None])
def test_a_record_of_an_input_with_local_changes_has_them_too(judge, monkeypatch, of_input):
    seen = iter([False, of_input])  # the files change after the experiment has begun and before its input does
    monkeypatch.setattr(registry, "conditions", lambda: CLEAN | dict(dirty=next(seen)))
    assert run(judge).record.dirty is of_input


def test_without_git_nobody_knows_of_local_changes(judge, monkeypatch):
    monkeypatch.setattr(registry, "conditions", lambda: CLEAN | dict(commit=None, dirty=None))
    assert run(judge).record.dirty is None


def test_a_model_that_was_trained_on_is_no_input(judge):
    """Who takes the model of a run and trains it further has another model; the next experiment gets the record's."""
    first = run("ch00-tiny")
    first.model.double()
    assert run("ch00-tiny") is first
    with registry.torch.no_grad():
        next(first.model.parameters()).mul_(2)
    again = run("ch00-tiny")
    assert again is not first and registry._weights(again) == first.weights


def test_a_record_tells_where_its_inputs_ran(judge, monkeypatch):
    here = iter(["CPU, 2 threads", "CPU, 1 thread", "CPU, 1 thread", "CPU, 2 threads"])
    monkeypatch.setattr(registry, "_describe", lambda device: next(here))
    assert run(judge).record.device == "CPU, 2 threads; its inputs on CPU, 1 thread"


def test_a_run_goes_on_where_it_began(judge, tmp_path, monkeypatch):
    assert run(judge, checkpoints=tmp_path, budget=1e-9).interrupted
    monkeypatch.setattr(registry, "_describe", lambda device: "CPU, 99 threads")
    with pytest.raises(VbookError, match=r"begun on CPU, .* and this is CPU, 99 threads; go on there \(OMP_NUM_THREADS"):
        run(judge, checkpoints=tmp_path)


def test_a_run_has_its_checkpoints_for_itself(judge, tmp_path):
    here = registry._describe("cpu")
    with keeping.sitting(tmp_path, CLEAN, here), pytest.raises(VbookError, match="another process is measuring this"):
        run(judge, checkpoints=tmp_path)
    assert run(judge, checkpoints=tmp_path).record.status == "complete"


def test_without_a_folder_nothing_is_saved_and_names_make_files(tmp_path):
    from vbook.experiments import Setup

    given = Setup(TINY, 0, "cpu", "smoke", None, False, None, None, None)
    assert given.resumable("a") == {"checkpoint": None, "budget": None}
    given = dataclasses.replace(given, checkpoints=tmp_path)
    assert given.resumable("elbo(samples=3)/1").get("checkpoint") == tmp_path / "elbo_samples_3_1.safetensors"


@pytest.mark.parametrize("broken", ["ch00-tiny.laptop.json", "weights/ch00-tiny.laptop.decoder.safetensors"])
def test_record_and_weights_are_put_in_place_together_or_not_at_all(tiny, tmp_path, monkeypatch, broken):  # noqa: F811
    """Where one of the three can't be written, the two others stay as they were."""
    outcome = run(tiny)
    outcome.record = dataclasses.replace(outcome.record, profile="laptop")
    keep(outcome, tmp_path, tmp_path / "weights")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert len(before) == 3 and read_record(tmp_path / "ch00-tiny.laptop.json").artefacts
    for p in outcome.model.parameters():
        p.data += 1
    from vbook.results import record as module

    real = module.paths.atomic_write

    def full(path, *mode):
        if str(path).endswith(broken):
            raise OSError(28, "No space left on device")
        return real(path, *mode)

    monkeypatch.setattr(module.paths, "atomic_write", full)
    with pytest.raises(VbookError, match="could not be written: No space left"):
        keep(outcome, tmp_path, tmp_path / "weights")
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", ["ch00-tiny.laptop.json", "weights/ch00-tiny.laptop.decoder.safetensors"])
def test_a_folder_in_the_place_of_a_file_leaves_all_as_it_was(tiny, tmp_path, name):  # noqa: F811
    outcome = run(tiny)
    outcome.record = dataclasses.replace(outcome.record, profile="laptop")
    keep(outcome, tmp_path, tmp_path / "weights")
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for p in outcome.model.parameters():
        p.data += 1
    with pytest.raises(VbookError, match=f"{name} could not be written: Is a directory"):
        keep(outcome, tmp_path, tmp_path / "weights")
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_the_same_weights_are_the_same_bytes(tiny, tmp_path):  # noqa: F811
    outcome, seen = run(tiny), set()
    outcome.record = dataclasses.replace(outcome.record, profile="laptop")
    for _ in range(8):
        keep(outcome, tmp_path, tmp_path / "weights")
        seen.add(tuple(sorted(file.read_bytes() for file in tmp_path.rglob("*.safetensors"))))
    assert len(seen) == 1
