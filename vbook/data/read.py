"""From the bytes of a set's files to its levels: one reader for each set, pure functions of already verified bytes."""

import gzip
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vbook.data.cards import File
from vbook.data.catalogue import DIGITS, FREY_FACE, PHOTOS
from vbook.data.pixels import fixed_order
from vbook.errors import VbookError

Contents = dict[File, bytes]
Levels = tuple[np.ndarray, np.ndarray | None]


def embedded_folder() -> Path:
    """The folder of scikit-learn's data sets, found without the seconds that importing scikit-learn takes."""
    if not (package := find_spec("sklearn")):
        raise VbookError("the embedded data sets are part of scikit-learn, which is not installed: pip install scikit-learn")
    return Path(package.submodule_search_locations[0], "datasets")


def read_levels(name: str, split: str, contents: Contents) -> Levels:
    """Levels (N, H, W) or (N, H, W, C) and labels (N,), or None, of one split from the bytes of the files it needs."""
    return _READERS[name](split, contents)


def parse_idx(content: bytes) -> np.ndarray:
    """The uint8 array in a gzipped file of MNIST's idx format: a byte for the rank, big-endian sizes, then the entries."""
    raw = gzip.decompress(content)
    rank = raw[3]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(np.frombuffer(raw, ">u4", rank, 4))


def parse_amat(content: bytes) -> np.ndarray:
    """The uint8 array (N, 784) in Larochelle's text format: a line of digits 0 and 1 with blanks between for each image.

    >>> parse_amat(b" ".join([b"0"] * 783 + [b"1"]) + b"\\n")[0, -2:].tolist()
    [0, 1]
    """
    return np.frombuffer(content, np.uint8).reshape(-1, 2 * 784)[:, ::2] - ord("0")


def enlarge(images: np.ndarray) -> np.ndarray:
    """8×8 images with levels 0–16 as 28×28 with levels 0–800: bilinear, 2.5 times, centred, contrast doubled about 400.

    The weights are tenths, so that integers hold every step exactly and all processors agree to the last bit.
    """
    # The middle of output pixel o lies at (4 (o − 4) − 3) / 10 in units of input pixels; ink ends at the border.
    places = 4 * (np.arange(28)[:, None] - 4) - 3
    weights = np.maximum(10 - np.abs(places - 10 * np.arange(8)), 0)
    sums = np.einsum("ri,nij,cj->nrc", weights, images.astype(np.int64), weights)  # 0–1600
    return np.clip(sums - 400, 0, 800).astype(np.uint16)


def _digits(split: str, contents: Contents) -> Levels:
    (table,) = contents.values()
    rows = np.loadtxt(io.BytesIO(gzip.decompress(table)), delimiter=",", dtype=np.uint8)
    rows = rows[_part(fixed_order(len(rows)), DIGITS.sizes, split)]
    return enlarge(rows[:, :64].reshape(-1, 8, 8)), rows[:, 64]


def _photos(split: str, contents: Contents) -> Levels:
    from PIL import Image

    columns = {"train": slice(0, 448), "valid": slice(448, 544), "test": slice(544, 640)}[split]
    size, patches = PHOTOS.shape[0], []
    for jpeg in contents.values():
        photo = np.asarray(Image.open(io.BytesIO(jpeg)))[:, columns]
        windows = np.lib.stride_tricks.sliding_window_view(photo, (size, size), axis=(0, 1))[::8, ::8]
        patches.append(windows.transpose(0, 1, 3, 4, 2).reshape(-1, *PHOTOS.shape))
    stacked = np.concatenate(patches)
    return stacked[fixed_order(len(stacked))], None


def _mnist(split: str, contents: Contents) -> Levels:
    rows = slice(50_000) if split == "train" else slice(-10_000, None)
    images, *labels = (parse_idx(content)[rows] for _, content in sorted(contents.items(), key=lambda item: item[0].labels))
    return images, labels[0] if labels else None


def _binarized_mnist(split: str, contents: Contents) -> Levels:
    ((file, content),) = contents.items()
    if file.name.endswith(".npz"):
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            images = archive[f"x_{split}"]
    else:
        images = parse_amat(content)
    if split == "test":  # sorted by class as published
        images = images[fixed_order(len(images))]
    return images.reshape(-1, 28, 28), None


def _frey_face(split: str, contents: Contents) -> Levels:
    from scipy.io import loadmat

    (content,) = contents.values()
    frames = loadmat(io.BytesIO(content))["ff"].T.reshape(-1, *FREY_FACE.shape)
    return frames[_part(fixed_order(len(frames)), FREY_FACE.sizes, split)], None


def _lfw(split: str, contents: Contents) -> Levels:
    (content,) = contents.values()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        images, people = archive["x"], archive["y"]
    order = fixed_order(len(people))
    last = people[order] % 10
    rows = order[{"train": last < 8, "valid": last == 8, "test": last == 9}[split]]
    return images[rows], people[rows]


def _part(order: np.ndarray, sizes: dict[str, int], split: str) -> np.ndarray:
    """The piece of ``order`` that belongs to ``split`` when the splits follow one another."""
    return np.split(order, np.cumsum(list(sizes.values()))[:-1])[list(sizes).index(split)]


_READERS = {
    "digits": _digits,
    "photos": _photos,
    "mnist": _mnist,
    "fashion-mnist": _mnist,
    "binarized-mnist": _binarized_mnist,
    "frey-face": _frey_face,
    "lfw": _lfw,
}
