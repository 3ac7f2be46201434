"""``vbook bench widgets``: how fast a page's widgets answer, in a headless browser."""

import base64
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from vbook import paths
from vbook.bench.browsers import with_browser
from vbook.bench.machine import machine
from vbook.errors import VbookError

LIMITS = {"decode_ms": 2.0, "paint_ms": 16.0, "manifold_ms": 500.0, "block_ms": 50.0}
MOVES, PLANE = 60, ".vw-plane"
HEAD = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Bench</title>'


def bench_widgets(repetitions: int = 9, say: Callable[[str], None] = lambda line: None, browser=None) -> dict:
    """Open a page with the latent plane ``repetitions`` times and time what the reader waits for, by the page's clock.

    Medians, in milliseconds: ``decode_ms``, one decoding 2 → 500 → 784 by the page's runtime, warm; ``paint_ms``, from a move
    of the pointer to the end of the frame that shows its picture (a screen of 60 Hz makes up to 16.7 ms of it by itself);
    ``manifold_ms``, from a press to the plane's 20×20 decoded pictures. ``block_ms`` is the longest time of all during which
    the page could do nothing else meanwhile. ``limits`` has what each should stay below on two cores. ``browser`` is one of
    Playwright's, else our own is started.

    Raises VbookError where Playwright or a browser is missing, and when the picture doesn't follow the pointer.
    """
    if repetitions < 1:
        raise VbookError(f"repetitions must be at least 1, got {repetitions}")
    rounds = []

    def measure(browser):
        with tempfile.TemporaryDirectory() as folder:
            address = _page(Path(folder))
            for repetition in range(repetitions + 1):
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                try:
                    found = _round(page, address)
                finally:
                    page.close()
                if repetition:  # the first one finds nothing in the caches of file and code
                    rounds.append(found)
                say(f"repetition {repetition} of {repetitions}")
        return browser.version

    version = with_browser(measure, browser)
    return _report(rounds) | {"browser": version} | machine("cpu") | {"repetitions": repetitions}


def _page(folder: Path) -> str:
    """The address of a page with the latent plane alone, its scripts beside it."""
    from vbook.plots.output import png_bytes
    from vbook.site.widgets import publish
    from vbook.widgets import latent_manifold
    from vbook.widgets.base import page_form

    widget = latent_manifold()
    picture = base64.b64encode(png_bytes(widget.picture(), few_colors=True)).decode()
    file = folder / "index.html"
    paths.write_text(file, f"{HEAD}<body>{page_form(widget, picture, {}, widget.name, 0)}</body></html>")
    publish(folder)
    return file.as_uri()


def _round(page, address: str) -> dict[str, list[float]]:
    from vbook.widgets.bundle import module
    from vbook.widgets.kept import network

    page.goto(address)
    page.evaluate(Path(__file__).with_name("page.js").read_text(encoding="utf-8"))
    page.get_by_role("button", name="Just show me").click()
    page.wait_for_function("() => document.querySelector('.vw-status').textContent !== ''")
    kept = network("digits")
    decode = page.evaluate("(a) => vbookBench.decode(...a)", [module("runtime"), kept.spec, kept.text(), 9])
    box = page.locator(PLANE).bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.wait_for_timeout(50)
    before = page.evaluate("() => vbookBench.moves() && vbookBench.picture()")
    for k in range(1, MOVES + 1):
        page.mouse.move(box["x"] + (0.3 + 0.5 * k / MOVES) * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.up()
    page.wait_for_timeout(50)
    paint = page.evaluate("() => vbookBench.moves()")
    if len(paint) < MOVES // 2 or page.evaluate("() => vbookBench.picture()") == before:
        raise VbookError("the decoded picture doesn't follow the pointer")
    tiles = page.evaluate("() => vbookBench.tiles('decoded pictures')")
    return {"decode_ms": decode, "paint_ms": paint, "manifold_ms": [tiles["manifold"]], "block_ms": [tiles["block"]]}


def _report(rounds: list[dict[str, list[float]]]) -> dict:
    found = {name: [value for one in rounds for value in one[name]] for name in LIMITS}
    report = {name: statistics.median(found[name]) for name in LIMITS} | {"block_ms": max(found["block_ms"])}
    return report | {"limits": LIMITS, "within": {name: report[name] <= LIMITS[name] for name in LIMITS}}
