"""Weights of a record: what is loaded is what was saved, to float16, or nothing."""

import dataclasses
import hashlib
import json

import pytest
import torch

from tests.results.test_record import sample
from vbook import paths
from vbook.bounds import elbo, elbo_analytic_kl
from vbook.errors import VbookError
from vbook.evaluation import evaluate
from vbook.models import VAE, vae
from vbook.results import files, records, save_record, weights

ARCHITECTURE = dict(x_dim=12, z_dim=2, hidden=(6,), posterior="factorized", seed=3)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Records and weights in a folder of our own; the model that was saved there."""
    model = vae(**ARCHITECTURE)
    artefacts = weights.save_weights(model, "ch00-sample", "laptop", ARCHITECTURE, tmp_path)
    save_record(dataclasses.replace(sample(), artefacts=artefacts), tmp_path)
    monkeypatch.setattr(files, "record_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(files.paths, "book", lambda *parts: tmp_path.joinpath(*parts[1:]))
    return tmp_path, model


def test_loaded_model_is_the_saved_one_to_half_precision(shelf):
    _, model = shelf
    loaded = weights.load_model("ch00-sample.laptop")
    for a, b in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)


def test_a_generator_is_a_decoder_alone(shelf):
    folder, model = shelf
    generator = VAE(None, model.decoder, model.z_dim)
    artefacts = weights.save_weights(generator, "ch00-alone", "laptop", ARCHITECTURE, folder)
    assert list(artefacts) == ["decoder"] and not (folder / "ch00-alone.laptop.encoder.safetensors").exists()
    save_record(sample(experiment="ch00-alone", artefacts=artefacts), folder)
    loaded, z = weights.load_model("ch00-alone.laptop"), torch.randn(3, 2)
    assert loaded.encoder is None
    assert torch.allclose(loaded.decode(z).mean, model.decode(z).mean, atol=1e-3)


@pytest.mark.parametrize("part", weights.PARTS)
def test_a_changed_or_missing_file_is_refused(shelf, part):
    folder, _ = shelf
    file = folder / f"ch00-sample.laptop.{part}.safetensors"
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
    with pytest.raises(VbookError, match=rf"{part}\.safetensors: sha256 \w+, but the record names"):
        weights.load_model("ch00-sample.laptop")
    file.unlink()
    with pytest.raises(VbookError, match="missing from book/weights"):
        weights.load_model("ch00-sample.laptop")


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ({"x_dim": 12, "z_dim": 2, "hiden": (6,)}, "makes no network .*hiden"),
        ({"x_dim": -12, "z_dim": 2}, "makes no network"),
        ({"x_dim": 10**18, "z_dim": 2}, "makes no network"),
        (ARCHITECTURE | {"init_sd": 10**400}, "makes no network"),
        (ARCHITECTURE | {"z_dim": 3}, "encoder.safetensors: does not fit the record's architecture"),
    ],
)
def test_an_architecture_that_is_not_that_of_the_weights_is_told(shelf, architecture, words):
    folder, _ = shelf
    path = folder / "ch00-sample.laptop.json"
    fields = json.loads(path.read_text())
    for part in weights.PARTS:
        fields["artefacts"][part]["architecture"] = architecture
    path.write_text(json.dumps(fields))
    with pytest.raises(VbookError, match=words):
        weights.load_model("ch00-sample.laptop")


def test_a_file_that_holds_no_weights_is_told(shelf):
    folder, _ = shelf
    path = folder / "ch00-sample.laptop.json"
    blob = b"no safetensors"
    (folder / "ch00-sample.laptop.encoder.safetensors").write_bytes(blob)
    fields = json.loads(path.read_text())
    fields["artefacts"]["encoder"]["sha256"] = hashlib.sha256(blob).hexdigest()
    path.write_text(json.dumps(fields))
    with pytest.raises(VbookError, match=r"encoder\.safetensors: does not fit"):
        weights.load_model("ch00-sample.laptop")


@pytest.mark.parametrize(("device", "words"), [("nope", "unknown device 'nope'"), ("cuda:999", "finds no such device here")])
def test_a_device_that_is_not_here_is_told(shelf, device, words):
    with pytest.raises(VbookError, match=words):
        weights.load_model("ch00-sample.laptop", device)


def test_a_record_without_weights_says_so(shelf):
    save_record(sample(), shelf[0])
    with pytest.raises(VbookError, match="keeps no weights"):
        weights.load_model("ch00-sample.laptop")


def test_too_large_a_network_is_refused(tmp_path):
    with pytest.raises(VbookError, match="more than 1,100,000"):
        weights.save_weights(vae(784, 2, hidden=(900,)), "ch00-big", "laptop", {}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
@pytest.mark.parametrize("record_id", [r for r in records() if records()[r].artefacts])
def test_committed_weights_reach_the_recorded_bound(record_id):
    """The bound is evaluated anew from the committed files: float16 costs less than 0.1 nats, or 3 in 10,000 of a density.

    (A Gaussian decoder multiplies the rounding by 1/σ²: 0.18 of the 1,144 nats of an earlier record of the faces.)
    """
    from vbook import data

    record = records()[record_id]
    name, protocol = record.data["name"], record.data["protocol"]
    frames = name == "frey-face"  # its bound is that of the first seed on all frames outside training
    images = torch.cat([data.load(name, split, protocol=protocol).x for split in ("valid", "test")[: 1 + frames]])
    bound = elbo if protocol == "static" else elbo_analytic_kl
    expected = record.series[f"test_{record.seeds[0]}"][-1] if frames else record.metrics["elbo_valid"]["mean"]
    assert evaluate(weights.load_model(record_id), images, bound).mean == pytest.approx(expected, abs=0.1, rel=3e-4)
    assert paths.book("weights").is_dir()


@pytest.mark.data
def test_the_lower_part_of_the_plane_of_figure_2_7a_is_empty():
    """The chapter says that the encoder sends no training frame below z_2 = -0.5: means of q(z|x), from the committed weights."""
    from vbook import data

    frames = data.load("frey-face", "train", protocol="real").x
    with torch.no_grad():
        z = weights.load_model("ch02-frey-2.laptop").encode(frames).loc
    assert (z[:, 1] < -0.5).sum() == 0 and (z[:, 1] < 0.5).any()


def test_a_folder_that_takes_no_weights_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VbookError, match=r"encoder\.safetensors could not be written"):
        weights.save_weights(vae(**ARCHITECTURE), "ch00-sample", "laptop", ARCHITECTURE, tmp_path / "file")
