"""Readers against what is known of the sets, and against scikit-learn's own readers."""

import gzip
import io

import numpy as np
import pytest

from vbook import data
from vbook.data.read import embedded_folder, enlarge, parse_amat, parse_idx, read_levels
from vbook.data.store import obtain

SPLITS = ("train", "valid", "test")


def test_parse_idx_reads_big_endian_sizes():
    array = np.arange(300 * 2 * 3).astype(np.uint8).reshape(300, 2, 3)
    header = b"\0\0\x08\x03" + (300).to_bytes(4, "big") + (2).to_bytes(4, "big") + (3).to_bytes(4, "big")
    assert (parse_idx(gzip.compress(header + array.tobytes())) == array).all()


@pytest.mark.data
def test_the_text_form_of_binarized_mnist_holds_the_same_images(real_root):
    """Written out as text the archive's images have the digest of the published file, and read back they are the same."""
    import hashlib

    path = real_root / "binarized_mnist/binarized_mnist.npz"
    if not path.is_file():
        pytest.skip("no binarized_mnist.npz in VBOOK_DATA")
    images = np.load(path)["x_valid"]
    text = np.full((len(images), 2 * 784), ord(" "), np.uint8)
    text[:, ::2] = images + ord("0")
    text[:, -1] = ord("\n")
    published = next(f for f in data.card("binarized-mnist").forms[1] if f.splits == ("valid",))
    assert hashlib.sha256(text.tobytes()).hexdigest() == published.sha256 and text.nbytes == published.size
    assert (parse_amat(text.tobytes()) == images).all()


def test_embedded_files_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits, load_sample_images

    digits, (china, flower) = load_digits(), load_sample_images().images
    x = data.load("digits", "train+valid+test", labels=True)
    # The 28×28 images as a multiset: the order is ours.
    ours = np.rint(x.x.numpy() * 800).astype(np.uint16)
    theirs = enlarge(digits.images.astype(np.uint8)).reshape(-1, 784)
    keyed = lambda images, labels: sorted(zip(map(bytes, images), labels.tolist(), strict=True))  # noqa: E731
    assert keyed(ours, x.y.numpy()) == keyed(theirs, digits.target)
    patches = {bytes(p) for p in np.rint(data.load("photos").x.numpy() * 255).astype(np.uint8)}
    assert bytes(china[8:24, 16:32].reshape(-1)) in patches and bytes(flower[400:416, 432:448].reshape(-1)) in patches
    assert embedded_folder().is_dir()


def test_enlarge_keeps_the_middle_of_the_picture_and_its_symmetry():
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, 3:5, 3:5] = 16
    big = enlarge(image)[0]
    assert (big == big[::-1]).all() and (big == big.T).all()
    assert big[13:15, 13:15].min() == 800 and big[:8].max() == 0


def test_enlarge_of_a_flat_picture_is_linear_around_the_middle_grey():
    for level, expected in ((0, 0), (4, 0), (8, 400), (10, 600), (12, 800), (16, 800)):
        assert enlarge(np.full((1, 8, 8), level, np.uint8))[0, 14, 14] == expected


def test_enlarge_agrees_with_torch_inside_the_digit():
    import torch

    images = np.random.default_rng(0).integers(0, 17, (3, 8, 8))
    bilinear = torch.nn.functional.interpolate(torch.tensor(images)[:, None].double(), scale_factor=2.5, mode="bilinear")
    expected = (bilinear[:, 0] * 100 - 400).clamp(0, 800).numpy()
    # Its border repeats the edge, ours ends in nothing: compare where neither border matters.
    assert np.abs(enlarge(images)[:, 6:22, 6:22] - expected[:, 2:18, 2:18]).max() < 1e-9


def test_photo_splits_share_no_column():
    """A picture whose pixels say in which column they are shows which columns each split sees."""
    from PIL import Image

    columns = np.tile(np.arange(640), (427, 1))
    picture = io.BytesIO()
    Image.fromarray(np.stack([columns % 256, columns // 256, 0 * columns], -1).astype(np.uint8)).save(picture, "png")
    contents = dict.fromkeys(data.card("photos").forms[0], picture.getvalue())
    for split, expected in (("train", range(448)), ("valid", range(448, 544)), ("test", range(544, 640))):
        patches, _ = read_levels("photos", split, contents)
        assert len(patches) == data.card("photos").sizes[split]
        assert set(np.unique(patches[..., 0] + 256 * patches[..., 1].astype(int))) == set(expected)


@pytest.mark.data
def test_nobody_is_in_two_splits_of_lfw(real_root):
    people = {split: set(data.load("lfw", split, root=real_root, labels=True).y.tolist()) for split in SPLITS}
    assert sum(map(len, people.values())) == 5749 == len(set.union(*people.values()))


@pytest.mark.data
def test_mnist_without_labels_reads_no_labels(real_root):
    assert [f.name for f in obtain(data.card("mnist"), "test", False, real_root)] == ["t10k-images-idx3-ubyte.gz"]
