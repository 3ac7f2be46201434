"""Records: written whole or not at all, read back equal, refused when they are not what their name says."""

import dataclasses
import errno
import json

import pytest

from vbook import paths
from vbook.errors import VbookError
from vbook.results import new_record, read_record, records, save_record
from vbook.results.record import package_digest


def sample(**changes):
    return new_record(
        **(
            dict(
                experiment="ch00-sample",
                profile="laptop",
                seeds=[0],
                metrics={"elbo": {"mean": -101.25, "standard_error": 0.21, "n": 10_000, "unit": "nats"}},
                data={"name": "digits", "title": "static digits", "protocol": "static", "digest": "sha256:0"},
                settings={"epochs": 2},
                device="CPU, 2 threads",
                steps=10,
            )
            | changes
        )
    )


def test_a_record_says_under_which_conditions_it_was_measured():
    record = sample()
    assert record.id == "ch00-sample.laptop"
    assert {"python", "torch", "numpy"} <= record.versions.keys()
    assert record.date.endswith("Z") and record.package_digest == package_digest()
    if paths.root() and (paths.root() / ".git").exists():
        assert len(record.commit) == 40 and record.dirty in (True, False)


def test_save_and_read_give_the_same_record(tmp_path):
    record = sample()
    path = save_record(record, tmp_path)
    assert path.name == "ch00-sample.laptop.json" and read_record(path) == record


def test_a_record_that_is_not_a_number_is_not_written(tmp_path):
    bad = sample(metrics={"elbo": {"mean": float("nan"), "unit": "nats"}})
    with pytest.raises(ValueError, match="JSON"):
        save_record(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_record(tmp_path, monkeypatch):
    path = save_record(sample(), tmp_path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(VbookError, match=r"ch00-sample\.laptop\.json could not be written: No space"):
        save_record(sample(steps=11), tmp_path)
    assert path.read_bytes() == before and [f.name for f in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_takes_no_records_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(VbookError, match=r"ch00-sample\.laptop\.json could not be written: [^$]*$"):
        save_record(sample(), tmp_path / "file")
    monkeypatch.setenv("VBOOK_RECORDS", str(tmp_path / "file"))
    with pytest.raises(VbookError, match=r"\$VBOOK_RECORDS names that folder"):
        save_record(sample(), tmp_path / "file")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fields: fields | {"id": "ch00-other.laptop"},
        lambda fields: fields | {"schema": 99},
        lambda fields: fields | {"surprise": 1},
        lambda fields: {k: v for k, v in fields.items() if k != "metrics"},
        lambda fields: [fields],
    ],
)
def test_a_file_that_is_no_record_is_refused(tmp_path, spoil):
    path = save_record(sample(), tmp_path)
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(VbookError, match=r"ch00-sample\.laptop\.json"):
        read_record(path)


def artefact(z_dim):
    return {"file": "x", "sha256": "x", "architecture": {"z_dim": z_dim}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(metrics={"elbo": {"mean": "-101.3", "unit": "nats"}}), "metrics, elbo, mean: '-101.3' where a number belongs"),
        (dict(metrics={"elbo": {"mean": True, "unit": "nats"}}), "metrics, elbo, mean"),
        (dict(metrics={"elbo": {"mean": 1.0}}), "metrics, elbo, unit"),
        (dict(metrics={"elbo": {"mean": 1.0, "unit": "nats", "standard_error": "0.2"}}), "metrics, elbo, standard_error"),
        (dict(metrics={"elbo": {"mean": 1.0, "unit": "nats", "n": 1.5}}), "metrics, elbo, n"),
        (dict(metrics={"elbo": {"mean": 1.0, "unit": "nats", "standard_error": 0.1, "n": None}}), "metrics, elbo, n: None"),
        (dict(metrics={"elbo": -101.3}), "metrics, elbo: -101.3 where a mapping belongs"),
        (dict(metrics=[]), "metrics: "),
        (dict(seeds=[]), "seeds: there is none"),
        (dict(seeds=["0"]), "seeds: '0' where a whole number belongs"),
        (dict(seeds=0), "seeds: 0 where a list belongs"),
        (dict(data={}), "data, title"),
        (dict(metrics={"elbo": {"mean": 1.0, "unit": "nats", "standard_error": -0.2}}), "standard_error: -0.2 is below 0"),
        (dict(metrics={"elbo": {"mean": 1.0, "unit": "nats", "n": 0}}), "metrics, elbo, n: 0 is below 1"),
        (dict(series={"epoch": 1}), "series, epoch"),
        (dict(series={"epoch": [1, "two"]}), "series, epoch: 'two' where a number belongs"),
        (dict(artefacts={"encoder": {"file": "x"}, "decoder": {"file": "x"}}), "artefacts, encoder, sha256"),
        (dict(artefacts={"encoder": artefact(2), "decoder": artefact(3)}), "artefacts, encoder: another architecture"),
        (dict(artefacts={"encoder": {}}), "artefacts: encoder where encoder and decoder, or the decoder alone, belong"),
        (dict(artefacts={"encoder": {}, "decoder": {}, "prior": {}}), "artefacts: encoder, decoder, prior where"),
        (dict(carried=[{"witness": "x"}]), "carried, commit"),
        (dict(status="done"), "status: 'done'"),
        (dict(status="partial", reason=" "), "reason: a partial record says why"),
        (dict(steps=-1), "steps: -1 is below 0"),
        (dict(metrics={"elbo": {"mean": 10**400, "unit": "nats"}}), "metrics, elbo, mean: 1000"),
        (dict(date="yesterday"), "'yesterday' does not match format"),
        (dict(steps="10"), "steps: '10'"),
        (dict(wall_time_s=None), "wall_time_s: None"),
        (dict(versions=None), "versions: None"),
        (dict(commit=7), "commit: 7"),
        (dict(profile="lapptop"), "did you mean 'laptop'"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_file(tmp_path, changes, words):
    path = save_record(sample(**changes), tmp_path)
    with pytest.raises(VbookError) as caught:
        read_record(path)
    assert str(path) in str(caught.value) and words in str(caught.value)


def test_a_mean_that_is_no_finite_number_is_refused(tmp_path):
    path = save_record(sample(), tmp_path)
    path.write_text(path.read_text().replace("-101.25", "NaN"))
    with pytest.raises(VbookError, match="metrics, elbo, mean: nan"):
        read_record(path)


@pytest.mark.parametrize(
    ("text", "words"), [("[]", r"the file: \[\] where a mapping belongs"), ("null", "the file: None where a mapping")]
)
def test_what_is_no_record_at_all_is_refused(tmp_path, text, words):
    (tmp_path / "a.laptop.json").write_text(text)
    with pytest.raises(VbookError, match=f"not a record of this book .*{words}.*; delete it, or take it back from git"):
        read_record(tmp_path / "a.laptop.json")


def test_a_record_under_the_name_of_another_file_is_refused(tmp_path):
    path = save_record(sample(), tmp_path)
    copy = path.with_name("ch00-sample.laptop.old.json")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(
        VbookError,
        match=r"holds the record .ch00-sample\.laptop.*; it belongs in a file ch00-sample\.laptop\.json, with that name",
    ):
        read_record(copy)


def test_a_record_is_read_by_its_name_as_a_text_and_a_missing_one_told(tmp_path):
    path = save_record(sample(), tmp_path)
    assert read_record(str(path)) == read_record(path)
    with pytest.raises(VbookError, match=r"none.json: no record can be read there \(No such file"):
        read_record(tmp_path / "none.json")


def test_cut_off_json_is_refused(tmp_path):
    path = save_record(sample(), tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(VbookError, match="not a record"):
        read_record(path)


def test_every_committed_record_is_whole_and_says_how_it_was_measured():
    for name, record in records().items():
        assert name == record.id and record.metrics and record.seeds and record.date
        assert record.status in ("complete", "partial") and (record.status == "complete" or record.reason)
        assert record.profile != "smoke" or name.startswith("chapter-"), f"{name}: smoke numbers are no results, only costs"
        for metric, entry in record.metrics.items():
            assert {"mean", "unit"} <= entry.keys(), f"{name}/{metric}"


def test_digest_follows_the_code(tmp_path, monkeypatch):
    from vbook.results import record as module

    home = tmp_path / "vbook" / "results"
    home.mkdir(parents=True)
    source = home / "records.py"
    source.write_text("a = 1\n")
    monkeypatch.setattr(module, "__file__", str(source))
    first = package_digest()
    source.write_text("a = 2\n")
    assert package_digest() != first


def test_fields_are_those_of_the_schema():
    promised = "seeds metrics data steps examples wall_time_s device versions commit dirty package_digest date status reason"
    assert set(promised.split()) <= {f.name for f in dataclasses.fields(sample())}
