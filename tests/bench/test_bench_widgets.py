"""``vbook bench widgets``: that it times what the reader waits for; the milliseconds themselves are nobody's test."""

import math
import sys
from pathlib import Path

import pytest

from vbook import bench
from vbook.bench import widgets
from vbook.errors import VbookError

KEYS = ("decode_ms", "paint_ms", "manifold_ms", "block_ms")


@pytest.fixture(scope="module")
def found(browser):
    return bench.bench_widgets(2, browser=browser)


@pytest.mark.browser
@pytest.mark.slow
def test_every_time_is_there_and_possible(found):
    assert all(math.isfinite(found[key]) and found[key] > 0 for key in KEYS)
    assert found["manifold_ms"] > 400 * found["decode_ms"] / 4  # four hundred decodings, warm or not
    assert found["block_ms"] < found["manifold_ms"]
    assert found["within"] == {key: found[key] <= found["limits"][key] for key in KEYS}
    assert found["repetitions"] == 2 and found["cores"] and found["browser"]


@pytest.mark.browser
@pytest.mark.slow
def test_a_slow_decoder_is_seen_in_every_time(browser, monkeypatch):
    """20 ms of waiting in each decoding: nothing that is measured can be without them."""
    from vbook.widgets import bundle

    wait = "const start = performance.now(); while (performance.now() - start < 20);\n"
    real = bundle._plain
    monkeypatch.setattr(bundle, "_plain", lambda file: real(file).replace("    return head(", f"    {wait}    return head("))
    bundle.source.cache_clear()
    try:
        slow = bench.bench_widgets(1, browser=browser)
    finally:
        bundle.source.cache_clear()
    assert slow["decode_ms"] >= 20 and slow["paint_ms"] >= 20 and slow["manifold_ms"] >= 8_000 and slow["block_ms"] >= 20


@pytest.mark.browser
@pytest.mark.slow
def test_a_picture_that_stands_still_is_an_error(browser, monkeypatch):
    monkeypatch.setattr(widgets, "MOVES", 0)
    with pytest.raises(VbookError, match="doesn't follow the pointer"):
        bench.bench_widgets(1, browser=browser)


@pytest.mark.browser
def test_the_warm_up_is_not_counted(browser):
    from vbook.widgets.bundle import module
    from vbook.widgets.kept import network

    page = browser.new_page()
    page.evaluate(Path(widgets.__file__).with_name("page.js").read_text(encoding="utf-8"))
    kept = network("digits")
    found = page.evaluate("(a) => vbookBench.decode(...a)", [module("runtime"), kept.spec, kept.text(), 3, 2])
    page.close()
    assert len(found) == 3


def test_medians_over_all_rounds_and_the_worst_block():
    one = {"decode_ms": [1, 9], "paint_ms": [4], "manifold_ms": [300], "block_ms": [9]}
    two = {"decode_ms": [3], "paint_ms": [30, 20], "manifold_ms": [500], "block_ms": [60]}
    report = widgets._report([one, two])
    assert [report[key] for key in KEYS] == [3, 20, 400, 60]
    assert report["within"] == {"decode_ms": False, "paint_ms": False, "manifold_ms": True, "block_ms": False}


def test_bad_input_is_told_in_words(monkeypatch):
    with pytest.raises(VbookError, match="at least 1, got 0"):
        bench.bench_widgets(0)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(VbookError, match=r'pip install "vbook\[bench\]"'):
        bench.bench_widgets(1)


def test_the_command_prints_an_object_or_a_table(monkeypatch, vbook_bench):
    report = widgets._report([{key: [10.0] for key in KEYS}]) | {"processor": "P", "cores": 2, "browser": "1.2"}
    monkeypatch.setattr(bench, "bench_widgets", lambda repetitions, say: report | {"repetitions": repetitions})
    assert vbook_bench("widgets", "--json", "--repetitions", "3") == report | {"repetitions": 3}
    lines = vbook_bench("widgets").splitlines()
    assert lines[0] == "P, 2 cores, Chromium 1.2" and len(lines) == 5
    assert lines[1].endswith("10.00 ms, beyond 2") and lines[2].endswith("10.00 ms, within 16")
