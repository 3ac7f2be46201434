"""What a record's network has drawn: what is loaded is what was saved, to half a level, or nothing."""

import pytest
import torch
from PIL import Image

from tests.results.test_record import sample
from vbook.errors import VbookError
from vbook.results import files, pictures, records, save_record

SHAPE = (4, 3)


def drawn(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 12, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with one record, and what its network drew."""
    drawings = {"samples": {0: drawn(26, 0), 5: drawn(25, 1)}, "between": drawn(9, 2)}
    record = sample(experiment="ch00-drawn")
    save_record(sample(experiment="ch00-drawn", pictures=pictures.save_pictures(drawings, record.id, SHAPE, tmp_path)), tmp_path)
    save_record(sample(experiment="ch00-plain"), tmp_path)
    monkeypatch.setattr(files, "record_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(files.paths, "book", lambda *parts: tmp_path.joinpath(*parts[1:]))
    return tmp_path, record.id, drawings


def test_loaded_pictures_are_the_saved_ones_to_half_a_level(shelf):
    _, id, drawings = shelf
    found = pictures.load_pictures(id)
    assert list(found) == ["samples", "between"] and list(found["samples"]) == [0, 5]
    pairs = [(found["samples"][0], drawings["samples"][0]), (found["samples"][5], drawings["samples"][5])]
    for one, other in [*pairs, (found["between"], drawings["between"])]:
        assert one.shape == other.shape and (one - other).abs().max() <= 0.5001 / 255


def test_the_picture_is_a_sheet_to_look_at(shelf):
    """Each drawing begins a row of 25: two rows for 26 images, one for 25, one for nine."""
    folder, id, drawings = shelf
    with Image.open(folder / f"{id}.png") as sheet:
        assert (sheet.mode, sheet.size) == ("L", (25 * 3, 4 * 4))
        corner = sheet.crop((0, 12, 3, 16)).tobytes()
    assert list(corner) == (255 * drawings["between"][0]).round().int().tolist()


def test_a_changed_or_missing_picture_is_refused(shelf):
    folder, id, _ = shelf
    file = folder / f"{id}.png"
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
    with pytest.raises(VbookError, match=r"png: sha256 \w+, but the record names"):
        pictures.load_pictures(id)
    file.unlink()
    with pytest.raises(VbookError, match="missing from book/results"):
        pictures.load_pictures(id)
    with pytest.raises(VbookError, match="keeps no pictures"):
        pictures.load_pictures("ch00-plain.laptop")
    with pytest.raises(VbookError, match="no record 'ch00-nothing"):
        pictures.load_pictures("ch00-nothing.laptop")


@pytest.mark.parametrize("images", [torch.rand(3, 11), torch.rand(12), torch.full((2, 12), 1.5), torch.full((2, 12), torch.nan)])
def test_what_is_no_image_is_refused(images, tmp_path):
    with pytest.raises(VbookError, match=r"ch00-drawn.laptop, samples: images \(B, 12\) with values in \[0, 1\]"):
        pictures.save_pictures({"samples": images}, "ch00-drawn.laptop", SHAPE, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("record_id", [id for id, record in records().items() if record.pictures])
def test_committed_pictures_are_those_of_their_records(record_id):
    found = pictures.load_pictures(record_id)
    assert found and all(len(part) for part in found.values())
