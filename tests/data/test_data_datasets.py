"""``load``: sizes, known values, fixed digests, protocols, and refusal of what it can't do."""

import subprocess
import sys

import pytest
import torch

from vbook import data
from vbook.errors import VbookError

EMBEDDED = [name for name in data.names() if data.card(name).embedded]
REAL = [name for name in data.names() if not data.card(name).embedded]


def check_set(name, root=None):
    """Sizes, shape, range and protocol of each split are what the card says; splits don't overlap by mistake."""
    card = data.card(name)
    for split, size in card.sizes.items():
        loaded = data.load(name, split, root=root, labels=card.labels is not None)
        assert len(loaded) == size == len(loaded.x) and loaded.shape == card.shape
        assert loaded.x.dtype == torch.float32 and 0 <= loaded.x.min() and loaded.x.max() <= 1
        assert loaded.protocol == card.protocols[0] and loaded.split == split
        assert (loaded.y is None) == (card.labels is None)
        assert loaded.digest.startswith("sha256:") and len(loaded.digest) == 71
        assert repr(loaded).count("\n") == 0 and f"{size:,} images" in repr(loaded)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_need_no_files(name, monkeypatch, tmp_path):
    monkeypatch.setenv("VBOOK_DATA", str(tmp_path / "nowhere"))
    check_set(name)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_sets(name, real_root):
    if not data.available(name):
        pytest.skip(f"no {name} in VBOOK_DATA")
    check_set(name)


@pytest.mark.parametrize(
    "split, protocol, digest",
    [
        ("train", "real", "d0c161bfe16c"),
        ("train", "static", "f8788b3860c5"),
        ("valid", "static", "4693920b050a"),
        ("test", "static", "dc19f94768c0"),
        ("train", "threshold", "08b9237acd67"),
    ],
)
def test_digits_never_change(split, protocol, digest):
    """The digests of all of the levels: another processor, NumPy or scikit-learn must not change one pixel."""
    assert data.load("digits", split, protocol=protocol).digest[7:19] == digest


def test_digits_are_in_mnists_layout():
    x = data.load("digits").x.reshape(-1, 28, 28)
    assert x[:, :3].max() == 0 and x[:, -3:].max() == 0 and x[:, :, :3].max() == 0 and x[:, :, -3:].max() == 0
    assert 0.12 < x.mean() < 0.17  # MNIST: 0.131


def test_static_digits_are_one_draw_of_the_grey_ones():
    grey = data.load("digits", dtype=torch.float64).x
    drawn = data.load("digits", protocol="static", dtype=torch.float64).x
    assert torch.equal(drawn, data.load("digits", protocol="static", dtype=torch.float64).x)
    assert (drawn[grey == 0] == 0).all() and (drawn[grey == 1] == 1).all()
    error = (grey * (1 - grey)).sum().sqrt()
    assert (drawn - grey).sum().abs() < 4 * error
    assert len(torch.unique(drawn)) == 2


def test_digit_labels_fit_the_images():
    """The nearest class mean, a classifier that needs no training, is right far above chance only if labels fit."""
    train, test = (data.load("digits", split, labels=True) for split in ("train", "test"))
    means = torch.stack([train.x[train.y == k].mean(0) for k in range(10)])
    assert (torch.cdist(test.x, means).argmin(1) == test.y).float().mean() > 0.85


def test_joined_splits_are_their_parts_in_order():
    parts = [data.load("digits", split, protocol="static", labels=True) for split in ("valid", "test")]
    joined = data.load("digits", "valid+test", protocol="static", labels=True)
    assert torch.equal(joined.x, torch.cat([p.x for p in parts])) and torch.equal(joined.y, torch.cat([p.y for p in parts]))
    assert len({joined.digest, *(p.digest for p in parts)}) == 3


def test_protocols_have_different_digests():
    assert len({data.load("digits", protocol=p).digest for p in data.card("digits").protocols}) == 4


@pytest.mark.data
def test_mnist_known_values(real_root):
    train = data.load("mnist", "train+valid", labels=True)
    assert train.y.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.load("mnist", "test", labels=True).y.bincount().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert abs(train.x.double().mean().item() - 0.1306604) < 1e-6


@pytest.mark.data
def test_mnist_is_torchvisions(real_root, tmp_path):
    import gzip

    from torchvision.datasets import MNIST

    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    for file in (real_root / "MNIST/raw").glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    theirs, ours = MNIST(tmp_path, train=False), data.load("mnist", "test", labels=True)
    assert torch.equal(ours.x.reshape(-1, 28, 28) * 255, theirs.data.float()) and torch.equal(ours.y, theirs.targets)


@pytest.mark.data
def test_binarized_mnist_known_values(real_root):
    means = [data.load("binarized-mnist", split).x.double().mean().item() for split in ("train", "valid", "test")]
    assert [round(mean, 5) for mean in means] == [0.13056, 0.13113, 0.13251]


@pytest.mark.data
def test_the_first_test_images_of_binarized_mnist_are_a_fair_sample(real_root):
    """The published test file is sorted by class, so that its first 200 rows are all zeros; ours must not be."""
    x = data.load("binarized-mnist", "test").x
    spread = x[:200].mean(0) - x.mean(0)
    error = (x.var(0) / 200).sqrt()
    assert (spread.abs() <= 5 * error + 1e-3).all()


@pytest.mark.data
def test_static_mnist_is_a_draw_of_mnist(real_root):
    grey, drawn = (data.load("mnist", "test", protocol=p).x.double() for p in ("real", "static"))
    assert (drawn - grey).sum().abs() < 4 * (grey * (1 - grey)).sum().sqrt()
    assert (drawn[grey == 0] == 0).all()


@pytest.mark.data
def test_frey_face_known_values(real_root):
    x = data.load("frey-face", "train+valid+test")
    assert x.x.shape == (1965, 560) and x.shape == (28, 20)
    assert (x.x.min() * 256, x.x.max() * 256) == (8, 238)
    assert round((x.x.double() * 256).mean().item(), 1) == 154.5
    assert len(data.load("frey-face")) == 1600 and len(data.load("frey-face", "valid+test")) == 365


@pytest.mark.parametrize(
    "options, words",
    [
        ({"name": "mnits"}, "did you mean 'mnist'?"),
        ({"name": "digits", "split": "tset"}, "did you mean 'test'?"),
        ({"name": "photos", "protocol": "static"}, "photos has no protocol 'static'; it has: real"),
        ({"name": "photos", "labels": True}, "photos has no labels"),
        ({"name": "digits", "dtype": torch.uint8}, "dtype can't be torch.uint8"),
        ({"name": "digits", "dtype": "float32"}, "dtype can't be 'float32'"),
        ({"name": "digits", "device": "gpu"}, "cannot put the data on device 'gpu'"),
        ({"name": "digits", "device": "meta"}, "cannot put the data on device 'meta': it keeps no numbers"),
        ({"name": "digits", "device": [1]}, "cannot put the data on device [1]"),
        ({"name": ["digits"]}, "unknown data set ['digits']"),
    ],
)
def test_what_load_cannot_do_is_said_in_one_line(options, words):
    with pytest.raises(VbookError) as error:
        data.load(**options)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_is_said_in_one_line():
    with pytest.raises(VbookError, match="cannot put the data on device 'cuda'"):
        data.load("digits", device="cuda")


@pytest.mark.gpu
def test_pixels_on_a_gpu_are_the_same_to_the_last_bit():
    on_gpu = data.load("digits", device="cuda", labels=True)
    assert on_gpu.x.is_cuda and on_gpu.y.is_cuda
    assert torch.equal(on_gpu.x.cpu(), data.load("digits").x)


@pytest.mark.parametrize(
    "x, protocol, words",
    [
        (torch.full((2, 4), 0.5), "static", "neither 0 nor 1"),
        (torch.full((2, 4), float("nan")), "real", "NaN"),
        (torch.full((2, 4), 7.0), "real", "outside [0, 1]"),
        (torch.zeros(2, 5), "real", "images of 2×2"),
    ],
)
def test_a_dataset_made_by_hand_is_checked_too(x, protocol, words):
    with pytest.raises(VbookError, match="pixels") as error:
        data.Dataset("mine", "train", x, None, (2, 2), protocol, "")
    assert words in str(error.value)


def test_labels_must_fit_the_images():
    with pytest.raises(VbookError, match="2 images need as many labels"):
        data.Dataset("mine", "train", torch.zeros(2, 4), torch.zeros(3), (2, 2), "real", "")


def test_import_and_digits_load_no_heavy_library():
    code = "import sys, vbook.data as d; d.load('digits'); print({'torchvision', 'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
