"""Experiments: registered once, run from their profile's numbers, their records told apart by what would change them."""

import contextlib
import dataclasses
import json
import subprocess

import pytest
import torch

from vbook import paths
from vbook.errors import VbookError
from vbook.experiments import Setup, experiments, find, registry, run
from vbook.experiments.chapter02 import digits
from vbook.experiments.source import code_of
from vbook.ledger.verdicts import changed
from vbook.profiles import PROFILES
from vbook.results import read_record, records

DIGITS = dict(data="digits", stand_in="digits", protocol="static")
TINY = dict(hidden=8, batch_size=256, lr=1e-3, epochs=1)


@pytest.fixture
def tiny(monkeypatch):
    """An experiment that trains for a moment, registered for one test."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(registry, "FINISHED", {})

    @registry.experiment("ch00-tiny", title="tiny", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def small(setup):
        """Two latents."""
        return digits.train_vae(setup, 2)

    return "ch00-tiny"


def test_every_experiment_has_a_row_for_each_profile_and_known_data():
    from vbook import data

    assert len(experiments()) >= 5
    for chosen in experiments().values():
        assert set(chosen.profiles) == set(PROFILES)
        assert all(chosen.protocol in data.card(name).protocols for name in (chosen.data, chosen.stand_in))
        assert data.card(chosen.stand_in).embedded


def test_smoke_takes_the_embedded_data_whatever_the_root_holds(tiny, tmp_path):
    outcome = run(tiny, "smoke", data_root=tmp_path / "nowhere")
    assert outcome.record.data["name"] == "digits" and outcome.record.data["protocol"] == "static"
    assert outcome.record.steps == outcome.steps == 6 and outcome.record.settings == TINY


@pytest.mark.parametrize(("seeds", "kept"), [([5, 6, 7], [5, 6, 7]), (None, [5])])
def test_a_record_names_every_seed_that_was_run(tiny, seeds, kept):
    @registry.experiment("ch00-seeds", title="", **DIGITS, profiles=dict.fromkeys(PROFILES, TINY))
    def several(setup):
        return registry.Outcome({}, seeds=seeds)

    assert run("ch00-seeds", seed=5).record.seeds == kept


def test_one_process_runs_the_same_experiment_once(tiny):
    assert run(tiny) is run(tiny) and run(tiny) is not run(tiny, seed=1)


@contextlib.contextmanager
def trainings_cut_short(monkeypatch):
    """Every ``fit`` of chapter 2 inside ends as if it had been interrupted."""
    real = digits.fit
    with monkeypatch.context() as patch:
        patch.setattr(digits, "fit", lambda *args, **options: _interrupted(real(*args, **options)))
        yield


def _interrupted(history):
    history.interrupted = True
    return history


def test_an_interrupted_run_is_no_answer_to_the_next_call(tiny, monkeypatch):
    with trainings_cut_short(monkeypatch):
        first = run(tiny)
    assert first.interrupted and first.record.status == "partial"
    assert run(tiny) is not first and not run(tiny).interrupted


@pytest.mark.parametrize("seed", [-1, 1.5, 2**64])
def test_seeds_that_no_generator_takes_are_refused(tiny, seed):
    with pytest.raises(VbookError, match="seed must be a whole number"):
        run(tiny, seed=seed)


def test_no_committed_record_is_stale():
    """Records are measured again after their experiment changed, before they are committed."""
    assert [record.id for record in records().values() if changed(record)] == []


def test_committed_records_name_the_commit_that_made_them():
    """Those made with local changes name a commit that could not have measured them."""
    assert [record.id for record in records().values() if record.dirty is not False or not record.commit] == []


def test_the_commits_that_made_the_records_are_in_this_history():
    """A record measured at a commit that was rebased away can't be traced to its code."""
    top = paths.root()

    def git(*args):
        return subprocess.run(["git", "-C", str(top), *args], capture_output=True, text=True)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("no git checkout with its whole history")
    known = {record.id: record.commit for record in records().values()}
    assert [id for id, commit in known.items() if git("merge-base", "--is-ancestor", commit, "HEAD").returncode] == []


@pytest.mark.parametrize(
    ("id", "input"),
    [("ch02-marginal", "ch02-vae-20"), ("ch02-gradient-variance", "ch02-vae-2"), ("ch02-gradient-variance", "ch02-vae-20")],
)
def test_a_record_is_stale_when_an_experiment_it_runs_changes(monkeypatch, id, input):
    chosen, other = find(id), find(input)
    before = chosen.digest(chosen.profiles["laptop"])
    longer = dataclasses.replace(other, profiles=other.profiles | {"laptop": other.profiles["laptop"] | {"epochs": 41}})
    monkeypatch.setitem(registry._REGISTRY, input, longer)
    assert chosen.digest(chosen.profiles["laptop"]) != before


def test_experiments_name_their_inputs_in_full():
    """A name put together at run time would be no input of the digest: none asks for what its code doesn't spell out."""
    for chosen in experiments().values():
        calls = code_of(chosen.function).count("setup.run(")
        named = [id for id in experiments() if repr(id) in code_of(chosen.function)]
        assert len(named) >= calls, chosen.id


def test_records_go_where_the_runner_says(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("VBOOK_RECORDS", str(tmp_path))
    outcome = run(tiny)
    record = read_record(tmp_path / "ch00-tiny.smoke.json")
    assert record == outcome.record and not record.artefacts and not (tmp_path / "weights").exists()
    assert json.loads((tmp_path / "ch00-tiny.smoke.json").read_text())["status"] == "complete"


def test_a_records_folder_that_takes_nothing_is_named_before_anything_is_trained(tiny, monkeypatch):
    monkeypatch.setenv("VBOOK_RECORDS", "/proc/records")
    monkeypatch.setattr(digits, "train_vae", lambda *args: pytest.fail("something was trained"))
    with pytest.raises(VbookError, match=r"\$VBOOK_RECORDS names /proc/records, where nothing can be written"):
        run(tiny)


def test_weights_travel_with_a_record_that_is_a_result(tiny, tmp_path):
    outcome = run(tiny)
    outcome.record = dataclasses.replace(outcome.record, profile="laptop")
    record = registry.keep(outcome, tmp_path, tmp_path / "weights")
    assert sorted(f.name for f in (tmp_path / "weights").iterdir()) == sorted(a["file"] for a in record.artefacts.values())


def test_pictures_stand_beside_the_record_of_a_network_that_is_not_kept(tiny, tmp_path):
    outcome = run(tiny)
    outcome.architecture, outcome.drawings = None, {"samples": torch.rand(3, 784)}
    for profile, endings in {"smoke": ["json"], "laptop": ["json", "png"]}.items():
        outcome.record = dataclasses.replace(outcome.record, profile=profile)
        record = registry.keep(outcome, tmp_path / profile, tmp_path / "weights")
        assert sorted(f.name for f in (tmp_path / profile).iterdir()) == [f"ch00-tiny.{profile}.{ending}" for ending in endings]
        assert bool(record.pictures) == (profile == "laptop")
    assert record.pictures["shows"] == [{"name": "samples", "key": None, "count": 3}]


def test_digest_follows_code_and_settings_but_not_words(tiny):
    chosen = find(tiny)
    assert chosen.digest(TINY) == chosen.digest(dict(reversed(TINY.items())))
    assert chosen.digest(TINY) != chosen.digest(TINY | {"epochs": 2})
    other = find("ch02-vae-2")
    assert other.digest(TINY) != chosen.digest(TINY)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(id="ch02-vae-21"), "did you mean 'ch02-vae-2"),
        (dict(id="ch02-vae-2", profile="lapptop"), "did you mean 'laptop'"),
        (dict(id="ch02-vae-2", device="gpu9"), "unknown device 'gpu9'"),
        (dict(id=["ch02-vae-2"]), "unknown experiment"),
        (dict(id="ch02-vae-2", data_root=["data"]), "the data root is the name of a folder"),
        (dict(id="ch02-vae-2", checkpoints=5), "checkpoints is the name of a folder, got 5"),
        (dict(id="ch02-vae-2", budget="soon"), "a budget is a time such as"),
        (dict(id="ch02-vae-2", budget=-1), "a budget is a time such as"),
    ],
)
def test_unknown_names_are_refused(call, words):
    with pytest.raises(VbookError, match=words):
        run(**call)


def test_a_budget_in_words_and_a_folder_as_text_will_do(tiny, tmp_path):
    outcome = run(tiny, checkpoints=str(tmp_path / "kept"), budget="5m")
    assert not outcome.interrupted and outcome.record.status == "complete"


def test_cuda_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(registry.torch.cuda, "is_available", lambda: False)
    with pytest.raises(VbookError, match="finds no such device"):
        run("ch02-vae-2", device="cuda")


@pytest.mark.parametrize("profiles", [{"smoke": {}}, {"smoke": {}, "laptop": {}, "paper": {"epochs": 1}}])
def test_uneven_profiles_are_refused(profiles):
    with pytest.raises(VbookError, match="same settings"):
        registry.experiment("ch00-bad", title="", **DIGITS, profiles=profiles)


def test_a_missing_setting_is_named(tiny):
    setup = Setup(TINY, 0, "cpu", "smoke", None, False, None, None, None)
    assert setup.epochs == 1
    with pytest.raises(AttributeError, match="no setting 'depth'"):
        _ = setup.depth


@pytest.mark.parametrize(
    ("change", "stays"),
    [(dict(scale=99), False), (dict(sizes=dict(train=1, valid=1, test=1)), False), (dict(title="t", licence="l"), True)],
)
def test_a_record_is_stale_once_its_data_are_others(tiny, monkeypatch, change, stays):
    """What is read from the files decides, not the words about them."""
    before, real = find(tiny).digest(TINY), registry.card
    monkeypatch.setattr(registry, "card", lambda name: dataclasses.replace(real(name), **change))
    assert (find(tiny).digest(TINY) == before) == stays


def test_a_record_names_the_content_of_each_split(tiny):
    digests = run(tiny).record.data["digests"]
    assert set(digests) == {"train", "valid", "test"} and len(set(digests.values())) == 3
    assert digests["train"] == run(tiny).record.data["digest"]
