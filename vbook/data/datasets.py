"""``load``: a set's split under one protocol, as tensors that live on the device."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vbook.data.cards import BINARY, SPLITS, Card, check_protocol, check_split
from vbook.data.catalogue import card
from vbook.data.pixels import apply_protocol, check_pixels
from vbook.data.read import read_levels
from vbook.data.store import obtain
from vbook.errors import VbookError


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images ``x`` (N, D) in [0, 1] with labels ``y`` (N,) or None, their ``shape``, ``protocol`` and content's ``digest``.

    Pixels that break the protocol are refused with a VbookError, in a Dataset made by hand too.
    """

    name: str
    split: str
    x: torch.Tensor
    y: torch.Tensor | None
    shape: tuple[int, ...]
    protocol: str
    digest: str

    def __post_init__(self):
        check_pixels(self.x, self.protocol in BINARY, self.shape)
        if self.y is not None and self.y.shape != self.x.shape[:1]:
            raise VbookError(f"{len(self.x)} images need as many labels, got shape {tuple(self.y.shape)}")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Dataset({self.name}, {self.split}: {len(self):,} images of {'×'.join(map(str, self.shape))}, {self.protocol})"


def load(
    name: str,
    split: str = "train",
    device: torch.device | str | None = None,
    *,
    root: str | Path | None = None,
    protocol: str | None = None,
    labels: bool = False,
    dtype: torch.dtype = torch.float32,
    progress: bool | None = None,
) -> Dataset:
    """The images of ``split`` under ``protocol``, as a tensor (N, D) with pixels in [0, 1] on ``device`` (None: the CPU).

    name: a set of ``names()``; ``card(name)`` says what it is.
    split: ``"train"``, ``"valid"``, ``"test"``, or several joined by ``+``.
    root: the folder of the data files; else ``$VBOOK_DATA``, else the user's cache folder. Missing files are downloaded into it.
    protocol: ``"real"``, ``"dynamic"`` (grey levels, to be drawn with ``binarize``), ``"static"`` or ``"threshold"``; else the
        set's default.
    labels: whether to load ``y`` too.
    progress: show a bar while downloading (None: on a terminal or in a notebook).

    Raises VbookError for an unknown name, split, protocol or device, and when a file is damaged or can't be had.

    >>> load("digits", "test", protocol="static")
    Dataset(digits, test: 250 images of 28×28, static)
    """
    chosen = card(name)
    protocol, parts = check_protocol(chosen, protocol), check_split(chosen, split)
    if labels and chosen.labels is None:
        raise VbookError(f"{name} has no labels")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise VbookError(f"pixels are floating-point numbers, as torch.float32 are, so dtype can't be {dtype!r}")
    pieces = [_levels(chosen, part, protocol, labels, root, progress) for part in parts]
    levels, scale = np.concatenate([levels for levels, _, _ in pieces]), pieces[0][1]
    digest = hashlib.sha256(f"{name} {split} {protocol} {levels.shape} /{scale}".encode())
    digest.update(levels)
    # The division is done here and not on the device, which may multiply by 1/scale and so differ in the last bit.
    pixels = np.divide(levels, scale, dtype=np.float64 if dtype == torch.float64 else np.float32)
    x = _move(torch.from_numpy(pixels).reshape(len(pixels), -1).to(dtype), device)
    y = _move(torch.from_numpy(np.concatenate([y for _, _, y in pieces]).astype(np.int64)), device) if labels else None
    return Dataset(name, split, x, y, chosen.shape, protocol, f"sha256:{digest.hexdigest()}")


def _levels(chosen: Card, part: str, protocol: str, labels: bool, root, progress) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Levels under the protocol, their scale, and labels of one elementary split."""
    levels, y = read_levels(chosen.name, part, obtain(chosen, part, labels, root, progress))
    return *apply_protocol(protocol, levels, chosen.scale, SPLITS.index(part)), y


def _move(tensor: torch.Tensor, device: torch.device | str | None) -> torch.Tensor:
    try:
        moved = tensor.to("cpu" if device is None else torch.device(device))
        if moved.device.type == "meta":
            raise RuntimeError("it keeps no numbers")
        return moved
    except (RuntimeError, AssertionError, TypeError) as error:  # unknown, not compiled in, not there, or out of memory
        raise VbookError(f"cannot put the data on device {device!r}: {str(error).splitlines()[0]}") from error
