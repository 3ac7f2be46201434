"""The queue: records as soon as measured, nothing twice, a budget that is kept."""

import dataclasses
import fcntl
import json
import shutil

import pytest

from tests.experiments.test_registry import tiny  # noqa: F401
from vbook.errors import VbookError
from vbook.experiments import queue, registry, reproduce
from vbook.results import read_record


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Records and weights in a folder of our own."""
    monkeypatch.setattr(queue, "record_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(queue.paths, "book", lambda *parts: tmp_path.joinpath(*parts))
    monkeypatch.setattr(registry, "conditions", lambda: dict(commit="c0ffee", dirty=False))
    return tmp_path


@pytest.mark.parametrize("dirty", [True, None])
def test_a_record_made_with_local_changes_is_measured_again(tiny, shelf, monkeypatch, dirty):  # noqa: F811
    with monkeypatch.context() as patch:
        patch.setattr(registry, "conditions", lambda: dict(commit="c0ffee", dirty=dirty))
        reproduce([tiny], "laptop", say=str)
    registry.FINISHED.clear()
    assert reproduce([tiny], "laptop", say=str)["ch00-tiny.laptop"].startswith("complete in")
    assert reproduce([tiny], "laptop", say=str) == {"ch00-tiny.laptop": "up to date"}


def test_nothing_is_measured_once_the_code_on_the_disk_is_another(tiny, shelf, monkeypatch):  # noqa: F811
    """What runs is what was imported; digests and checkpoints are named by what lies on the disk."""
    monkeypatch.setattr(queue, "moved", lambda: True)
    fate = reproduce([tiny], "laptop", force=True, say=str)
    assert fate["ch00-tiny.laptop"].startswith("not run: files of the package have changed") and not list(shelf.rglob("*.json"))


def test_records_are_written_once_and_again_only_when_forced(tiny, shelf):  # noqa: F811
    said = []
    first = reproduce([tiny], "laptop", say=said.append)
    assert first["ch00-tiny.laptop"].startswith("complete in") and said == [f"ch00-tiny.laptop: {first['ch00-tiny.laptop']}"]
    record = read_record(shelf / "ch00-tiny.laptop.json")
    assert record.artefacts and (shelf / "weights" / record.artefacts["decoder"]["file"]).is_file()
    assert reproduce([tiny], "laptop", say=said.append) == {"ch00-tiny.laptop": "up to date"}
    assert reproduce([tiny], "laptop", force=True, say=said.append)["ch00-tiny.laptop"].startswith("complete")


def test_an_interrupted_run_does_not_replace_a_complete_record(tiny, shelf, monkeypatch):  # noqa: F811
    said = []
    reproduce([tiny], "laptop", say=said.append)
    before = {file: file.read_bytes() for file in shelf.rglob("*") if file.is_file()}
    real = queue.run

    def interrupted(*args, **options):
        outcome = real(*args, **options)
        return dataclasses.replace(outcome, interrupted=True)

    monkeypatch.setattr(queue, "run", interrupted)
    fate = reproduce([tiny], "laptop", force=True, seed=1, say=said.append)
    assert fate == {"ch00-tiny.laptop": "interrupted; the complete record stays; run again, it goes on from its checkpoints"}
    assert {file: file.read_bytes() for file in shelf.rglob("*") if file.is_file()} == before


def test_what_an_interrupted_run_has_is_in_its_checkpoints_and_not_in_a_record(tiny, shelf, monkeypatch):  # noqa: F811
    real = queue.run
    monkeypatch.setattr(queue, "run", lambda *args, **options: dataclasses.replace(real(*args, **options), interrupted=True))
    assert reproduce([tiny], "laptop", say=lambda line: None)["ch00-tiny.laptop"].startswith("interrupted; run again")
    assert not [file for file in shelf.rglob("*") if file.is_file()]


def test_folders_that_can_not_be_written_are_named_before_anything_runs(tiny, shelf, monkeypatch):  # noqa: F811
    (shelf / "weights").write_text("a file where a folder should be")
    monkeypatch.setattr(queue, "run", lambda *args, **options: 1 / 0)
    with pytest.raises(VbookError, match="weights: no record could be written there"):
        reproduce([tiny], "laptop", say=lambda line: None)


def test_a_lock_that_can_not_be_opened_is_the_trouble_of_one_experiment(tiny, shelf, monkeypatch):  # noqa: F811
    place = shelf / "checkpoints"
    monkeypatch.setattr(queue.paths, "build", lambda *parts: shelf.joinpath(*parts))
    (place / "ch02-vae-2.in-use").mkdir(parents=True)
    fate = reproduce(["ch02-vae-2", tiny], "laptop", say=lambda line: None)
    assert (
        fate["ch02-vae-2.laptop"].startswith("failed: ") and "in-use can't be locked (Is a directory" in fate["ch02-vae-2.laptop"]
    )
    assert fate["ch00-tiny.laptop"].startswith("complete in")


def test_a_file_in_the_place_of_the_checkpoints_is_told_before_anything_runs(tiny, shelf, monkeypatch):  # noqa: F811
    monkeypatch.setattr(queue.paths, "build", lambda *parts: shelf.joinpath(*parts))
    (shelf / "checkpoints").write_text("")
    monkeypatch.setattr(queue, "run", lambda *args, **options: pytest.fail("ran"))
    with pytest.raises(VbookError, match="checkpoints: no checkpoint could be written there"):
        reproduce([tiny], "laptop", say=lambda line: None)


def test_a_folder_in_the_place_of_a_record_is_told_before_anything_runs(tiny, shelf, monkeypatch):  # noqa: F811
    (shelf / "ch00-tiny.laptop.json").mkdir()
    monkeypatch.setattr(queue, "run", lambda *args, **options: pytest.fail("ran"))
    with pytest.raises(VbookError, match=r"no record can be read there \(Is a directory"):
        reproduce([tiny], "laptop", say=lambda line: None)


def test_a_folder_in_the_place_of_weights_is_told_before_anything_runs(tiny, shelf, monkeypatch):  # noqa: F811
    (shelf / "weights" / "ch00-tiny.laptop.decoder.safetensors").mkdir(parents=True)
    monkeypatch.setattr(queue, "run", lambda *args, **options: pytest.fail("ran"))
    with pytest.raises(VbookError, match=r"ch00-tiny\.laptop\.decoder\.safetensors is a folder, where weights"):
        reproduce([tiny], "laptop", say=lambda line: None)


def test_what_a_killed_write_has_left_is_swept_with_the_next_record(tiny, shelf):  # noqa: F811
    left = [shelf / ".ch00-tiny.laptop.json.abcd1234.unfinished", shelf / ".ch00-tiny.laptop.json.efgh5678.unfinished"]
    for file in left:
        file.write_text("half")
    with open(left[1]) as living:  # another process is writing this one
        fcntl.flock(living, fcntl.LOCK_EX)
        reproduce([tiny], "laptop", say=lambda line: None)
    assert not left[0].exists() and left[1].exists() and read_record(shelf / "ch00-tiny.laptop.json")


def test_another_seed_needs_force(tiny, shelf):  # noqa: F811
    reproduce([tiny], "laptop", say=lambda line: None)
    assert "measured with seed 0; --force" in reproduce([tiny], "laptop", seed=1, say=lambda line: None)["ch00-tiny.laptop"]
    reproduce([tiny], "laptop", seed=1, force=True, say=lambda line: None)
    assert read_record(shelf / "ch00-tiny.laptop.json").seeds == [1]


def test_a_spent_budget_leaves_the_rest_for_later(tiny, shelf):  # noqa: F811
    assert reproduce([tiny], "laptop", budget_seconds=0, say=lambda line: None) == {
        "ch00-tiny.laptop": "not run: the budget is spent"
    }
    assert list(shelf.iterdir()) == []


def test_unknown_ids_are_refused_before_anything_runs(tiny, shelf):  # noqa: F811
    with pytest.raises(VbookError, match="unknown experiment 'ch99'"):
        reproduce([tiny, "ch99"], "laptop")
    assert list(shelf.iterdir()) == []


def test_a_broken_record_is_told_before_anything_runs(tiny, shelf, monkeypatch):  # noqa: F811
    reproduce([tiny], "laptop", say=lambda line: None)
    file = shelf / "ch00-tiny.laptop.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seeds": []}))
    monkeypatch.setattr(queue, "run", lambda *args, **options: pytest.fail("ran"))
    for ids in ([tiny], ["ch02-vae-2", tiny]):
        with pytest.raises(VbookError, match=r"ch00-tiny\.laptop\.json: .*seeds: there is none"):
            reproduce(ids, "laptop", say=lambda line: None)


def test_one_id_is_not_taken_for_its_letters(tiny, shelf):  # noqa: F811
    assert list(reproduce(tiny, "laptop", say=lambda line: None)) == ["ch00-tiny.laptop"]
    with pytest.raises(VbookError, match=r"unknown experiment 'ch00-tinny'.*did you mean 'ch00-tiny'"):
        reproduce("ch00-tinny", "laptop")


def test_a_record_without_room_says_that_the_trainings_are_kept(tiny, shelf, monkeypatch):  # noqa: F811
    def full(*args):
        raise OSError(28, "No space left on device")

    def full_and_bare(*args):
        shutil.rmtree(shelf / "kept")
        full()

    monkeypatch.setattr(queue._Queue, "folder", lambda self, one: shelf / "kept")
    for keep, end in ((full, "device); its trainings are kept, run again"), (full_and_bare, "device)")):
        monkeypatch.setattr(queue, "keep", keep)
        assert reproduce([tiny], "laptop", say=lambda line: None)["ch00-tiny.laptop"].endswith(end)
