"""What a network that is too big to be kept has drawn: one picture beside the record that measured it."""

import hashlib
import io
import math

import torch
from torch import Tensor

from vbook.errors import VbookError
from vbook.results.files import find_record, vouched
from vbook.results.record import write_with

PER_ROW = 25  # images side by side; each drawing begins a row


def save_pictures(drawings: dict, record_id: str, shape: tuple[int, int], folder, files=None) -> dict:
    """Write ``drawings`` as the PNG ``<record_id>.png`` in ``folder``; returns the ``pictures`` entry of the record.

    ``drawings`` maps a name to images (B, D) in [0, 1], or to a dict of such by a key of its own, as an epoch. ``shape`` is
    (height, width), D their product; values become the nearest of 256 levels. With ``files``, an ExitStack, the picture is put
    in its place when these all are. VbookError for values that are no such images, and where nothing can be written.
    """
    from PIL import Image

    parts = [(name, key, images) for name, drawn in drawings.items() for key, images in _by_key(drawn)]
    rows = torch.cat([_rows(f"{record_id}, {name}", images, shape) for name, _, images in parts])
    image, blob = Image.fromarray(rows.numpy()), io.BytesIO()
    image.save(blob, "PNG", optimize=True)
    shows = [{"name": name, "key": key, "count": len(images)} for name, key, images in parts]
    file = f"{record_id}.png"
    write_with(files, folder / file, blob.getvalue())
    return {"file": file, "sha256": hashlib.sha256(blob.getvalue()).hexdigest(), "shape": list(shape), "shows": shows}


def load_pictures(record_id: str) -> dict:
    """What ``save_pictures`` was given for this record, in 256 levels: a name to images (B, D), or to a dict of them by key.

    VbookError when the record keeps none, or the file is missing or not the one that was measured.
    """
    from PIL import Image

    entry = find_record(record_id).pictures
    if not entry:
        raise VbookError(f"record {record_id!r} keeps no pictures")
    height, width = entry["shape"]
    with Image.open(io.BytesIO(vouched(entry, "results"))) as image:
        sheet = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(image.height, image.width)
    cells = sheet.view(-1, height, PER_ROW, width).transpose(1, 2).reshape(-1, PER_ROW, height * width)
    found, row = {}, 0
    for shown in entry["shows"]:
        height_in_rows = math.ceil(shown["count"] / PER_ROW)
        images = cells[row : row + height_in_rows].flatten(0, 1)[: shown["count"]].float() / 255
        row += height_in_rows
        if shown["key"] is None:
            found[shown["name"]] = images
        else:
            found.setdefault(shown["name"], {})[shown["key"]] = images
    return found


def _by_key(drawn) -> list[tuple]:
    return list(drawn.items()) if isinstance(drawn, dict) else [(None, drawn)]


def _rows(name: str, images: Tensor, shape: tuple[int, int]) -> Tensor:
    """Images (B, D) in [0, 1] as whole levels (rows · height, PER_ROW · width), the last row filled up with zeros."""
    height, width = shape
    if images.ndim != 2 or images.shape[1] != height * width or not bool(((images >= 0) & (images <= 1)).all()):
        raise VbookError(f"{name}: images (B, {height * width}) with values in [0, 1] belong there, not {tuple(images.shape)}")
    levels = (255 * images.detach().cpu()).round().to(torch.uint8)
    levels = torch.cat([levels, levels.new_zeros(-len(levels) % PER_ROW, height * width)])
    return levels.view(-1, PER_ROW, height, width).transpose(1, 2).reshape(-1, PER_ROW * width)
