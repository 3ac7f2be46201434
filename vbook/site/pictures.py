"""The site's pictures as WebP without loss: the same pixels in four fifths of the bytes of a PNG."""

import re
from pathlib import Path

from PIL import Image

from vbook import paths


def shrink(outdir: Path) -> None:
    """Turn every PNG under ``_images`` into WebP, in the pages too; a picture that would not be smaller stays."""
    folder = outdir / "_images"
    smaller = {file.name for file in sorted(folder.glob("*.png")) if _converted(file)} if folder.is_dir() else set()
    if not smaller:
        return
    for page in sorted(outdir.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        made = re.sub(r"_images/([\w.-]+)\.png", lambda found: _renamed(found, smaller), text)
        if made != text:
            paths.write_text(page, made)
    for name in smaller:
        (folder / name).unlink()


def _converted(file: Path) -> bool:
    """Whether the same picture as WebP lies beside ``file`` now, in fewer bytes."""
    small = file.with_suffix(".webp")
    with Image.open(file) as picture:
        picture.convert("RGBA").save(small, "WEBP", lossless=True, quality=60, method=4)
    if small.stat().st_size < file.stat().st_size:
        return True
    small.unlink()
    return False


def _renamed(found: re.Match, smaller: set[str]) -> str:
    return f"_images/{found[1]}.webp" if f"{found[1]}.png" in smaller else found[0]
