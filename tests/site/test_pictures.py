"""The site's pictures as WebP: the same pixels, fewer bytes, every page follows."""

import numpy as np
from PIL import Image

from vbook.site.pictures import shrink


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGBA"))


def site(top, **pictures):
    (top / "_images").mkdir()
    for name, values in pictures.items():
        Image.fromarray(values).save(top / "_images" / f"{name}.png")
    (top / "deep").mkdir()
    for page, up in (("a.html", ""), ("deep/b.html", "../")):
        tags = "".join(f'<img src="{up}_images/{name}.png">' for name in pictures)
        (top / page).write_text(f"<p>ä</p>{tags}", encoding="utf-8")
    return top


def test_the_same_pixels_in_fewer_bytes_and_every_page_follows(tmp_path):
    slope = np.zeros((120, 160, 4), np.uint8)
    slope[..., 0], slope[..., 3] = np.arange(160), 255
    top = site(tmp_path, slope=slope)
    before = (top / "_images/slope.png").stat().st_size
    shrink(top)
    assert [file.name for file in (top / "_images").iterdir()] == ["slope.webp"]
    assert (pixels(top / "_images/slope.webp") == slope).all()
    assert (top / "_images/slope.webp").stat().st_size < before
    assert (top / "a.html").read_text(encoding="utf-8") == '<p>ä</p><img src="_images/slope.webp">'
    assert (top / "deep/b.html").read_text(encoding="utf-8") == '<p>ä</p><img src="../_images/slope.webp">'


def test_a_picture_that_would_not_be_smaller_stays(tmp_path, monkeypatch):
    small = np.full((4, 4, 4), 255, np.uint8)
    top = site(tmp_path, small=small, also=small)
    real = Image.Image.save

    def padded(self, file, *args, **kwargs):
        real(self, file, *args, **kwargs)
        if file.name == "small.webp":
            file.write_bytes(file.read_bytes() + bytes(1000))

    monkeypatch.setattr(Image.Image, "save", padded)
    shrink(top)
    assert sorted(file.name for file in (top / "_images").iterdir()) == ["also.webp", "small.png"]
    assert '"_images/small.png"' in (top / "a.html").read_text() and '"_images/also.webp"' in (top / "a.html").read_text()


def test_transparent_pixels_keep_their_opacity(tmp_path):
    shades = np.zeros((32, 32, 4), np.uint8)
    shades[..., 3] = 8 * np.arange(32)
    shrink(site(tmp_path, shades=shades))
    assert (pixels(next((tmp_path / "_images").iterdir()))[..., 3] == shades[..., 3]).all()


def test_a_site_without_pictures_stays_as_it_is(tmp_path):
    (tmp_path / "a.html").write_text("<p>no pictures</p>")
    shrink(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
