"""``vbook bench site``: that it sees what keeps a reader waiting; the seconds themselves are nobody's test."""

import pytest

from vbook import bench
from vbook.bench import site
from vbook.errors import VbookError

PAGE = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>P</title><p>text</p>{}</html>'
BUSY = "<script>const t = performance.now(); while (performance.now() - t < 400);</script>"
MOVES = """<script>setTimeout(() => {
  document.body.prepend(Object.assign(document.createElement("div"), { style: "height: 300px" }));
}, 300)</script>"""


@pytest.fixture(scope="module")
def found(browser, tmp_path_factory):
    top = tmp_path_factory.mktemp("site")
    pages = {"calm": "", "busy": BUSY, "moves": "<p>more</p>" * 9 + MOVES, "large": f"<!--{'x' * 200_000}-->"}
    (top / "index.html").write_text("the front door")
    (top / "book").mkdir()
    for name, text in pages.items():
        (top / "book" / f"{name}.html").write_text(PAGE.format(text))
    return bench.bench_site(2, top, browser=browser)


@pytest.mark.browser
def test_each_page_is_opened_and_the_front_door_isnt_one(found):
    assert set(found["pages"]) == {f"book/{name}.html" for name in ("calm", "busy", "moves", "large")}
    assert all(one["text_s"] > 0 and one["widget_s"] is None for one in found["pages"].values())


@pytest.mark.browser
def test_what_keeps_the_reader_waiting_is_seen(found):
    calm, busy, moves, large = (found["pages"][f"book/{name}.html"] for name in ("calm", "busy", "moves", "large"))
    assert busy["task_s"] >= 0.4 and busy["task_s"] > calm["task_s"]
    assert moves["shift"] > 0.05 > calm["shift"]
    assert large["bytes"] >= 200_000 > calm["bytes"] > len(PAGE)
    assert found["worst"]["task_s"] == max(one["task_s"] for one in found["pages"].values())
    assert found["within"]["task_s"] is False and found["within"]["shift"] is False and found["within"]["widget_s"] is True


@pytest.mark.browser
def test_the_processor_is_slowed(browser, tmp_path, monkeypatch):
    """The same work takes longer; by how much is the browser's affair."""
    work = "<script>let s = 0; for (let i = 0; i < 6e7; i++) s += Math.sqrt(i); document.title = s;</script>"
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "work.html").write_text(PAGE.format(work))
    slowed = bench.bench_site(3, tmp_path, browser=browser)["worst"]["task_s"]
    monkeypatch.setattr(site, "SLOWER", 1)
    assert slowed > 1.5 * bench.bench_site(3, tmp_path, browser=browser)["worst"]["task_s"]


@pytest.mark.browser
@pytest.mark.slow
def test_the_plane_of_the_home_page_is_awaited(browser, built_home):
    one = bench.bench_site(1, built_home, browser=browser)["pages"]["book/index.html"]
    assert one["widget_s"] > one["text_s"] * 0.5 and one["bytes"] > 500_000  # the network's weights among them


@pytest.fixture
def built_home(tmp_path):
    """A page with the plane as the site has it."""
    from vbook.bench.widgets import _page

    (tmp_path / "book").mkdir()
    _page(tmp_path / "book")
    return tmp_path


@pytest.mark.browser
def test_a_plane_that_does_not_start_is_told_at_once(browser, built_home):
    next((built_home / "book" / "_static" / "widgets").glob("ch02-vae-2.*decoder*")).unlink()
    with pytest.raises(VbookError, match=r"index\.html: the plane doesn't start: .* can't be read"):
        bench.bench_site(1, built_home, browser=browser)


@pytest.mark.browser
def test_a_plane_that_never_shows_is_told_in_words(browser, built_home, monkeypatch):
    (built_home / "book" / "_static" / "widgets" / "vbook-widgets.js").unlink()
    monkeypatch.setattr(site, "PATIENCE", 3_000)
    with pytest.raises(VbookError, match=r"index\.html: the plane hasn't shown its picture in 3 s"):
        bench.bench_site(1, built_home, browser=browser)


@pytest.mark.browser
def test_a_page_that_never_loads_is_told_in_words(browser, built_home, monkeypatch):
    monkeypatch.setattr(site, "LOADING", 1)
    with pytest.raises(VbookError, match=r"index\.html: hasn't loaded in 0\.001 s"):
        bench.bench_site(1, built_home, browser=browser)


def test_without_a_site_it_says_what_to_do(tmp_path):
    with pytest.raises(VbookError, match="build the site first"):
        bench.bench_site(1, tmp_path)
    with pytest.raises(VbookError, match="at least 1, got 0"):
        bench.bench_site(0, tmp_path)


def test_the_command_prints_an_object_or_a_table(monkeypatch, vbook_bench):
    seconds = {"text_s": 0.5, "widget_s": None, "task_s": 0.1, "shift": 0.0, "bytes": 1_000}
    pages = site._report({"book/a.html": [seconds], "chapters/b.html": [seconds | {"widget_s": 3.0}]})
    report = pages | {"processor": "P", "cores": 2, "browser": "1.2", "slower": 4}
    monkeypatch.setattr(bench, "bench_site", lambda repetitions, say: report | {"repetitions": repetitions})
    assert vbook_bench("site", "--json", "--repetitions", "3") == report | {"repetitions": 3}
    lines = vbook_bench("site").splitlines()
    assert len(lines) == 5 and lines[2].split() == ["book/a.html", "0.50", "–", "0.10", "0.000", "1"]
    assert "widget_s 3 of 2" in lines[-1]
