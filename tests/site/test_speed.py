"""How little the pages keep a reader waiting: no long task while they load, and nothing moves under the eye."""

from pathlib import Path

import look
import pytest
from look import visit

from vbook.bench.site import longest_task, traced

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SLOWER, AIM = 4, 200  # a phone of some years is so many times slower; milliseconds on it, which `vbook bench site` reports
GUARD = 2 * AIM  # beside other work a load takes up to twice the processor's time, the best of TRIES too
TRIES = 6
SHIFT = 0.05
WATCH = (Path(look.__file__).parents[2] / "vbook" / "bench" / "site.js").read_text(encoding="utf-8")


def processor_time(browser, address: str) -> float:
    """The processor's milliseconds in the longest task of the page's main thread while it loads."""
    page = browser.new_page(viewport={"width": 1280, "height": 850})
    try:
        with traced(page) as events:
            page.goto(address)
            page.wait_for_timeout(1000)
    finally:
        page.close()
    return 1000 * longest_task(events, address, "tdur")


def test_no_task_is_long_while_a_page_loads(browser, built_site, serve):
    start, slow = serve(built_site), {}
    for name in look.pages(built_site):
        took = []
        while len(took) < TRIES and min(took, default=GUARD + 1) > GUARD:
            took.append(SLOWER * processor_time(browser, f"{start}/{name}"))
        if min(took) > GUARD:
            slow[name] = [round(one) for one in took]
    assert not slow, f"ms of the longest task: {slow}"


def test_the_lists_of_contents_come_a_frame_after_the_text(browser, built_site, serve):
    page = browser.new_page(viewport={"width": 1280, "height": 850})
    page.add_init_script("window.later = []; window.requestAnimationFrame = (then) => later.push(then)")
    try:
        page.goto(f"{serve(built_site)}/book/notation.html")
        assert page.locator(".bd-sidebar-primary a").count() and page.locator(".bd-sidebar-secondary a").count()
        before = page.locator(".bd-sidebar-primary a").first.is_visible()
        page.evaluate("() => later.forEach((then) => then(0))")
        page.wait_for_function("() => document.documentElement.dataset.shown === ''", polling=50)  # not by frames
        assert not before and page.locator(".bd-sidebar-primary a").first.is_visible()
        assert page.locator(".bd-sidebar-secondary a").first.is_visible()
    finally:
        page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_a_page_loads(browser, built_site, serve, width):
    start = serve(built_site)
    for name in look.pages(built_site):
        with visit(browser, f"{start}/{name}", width, first=WATCH) as page:
            page.wait_for_timeout(1000)
            shift = page.evaluate("vbookLoad.shift")
        assert shift <= SHIFT, f"{name}: {shift:.3f}"
