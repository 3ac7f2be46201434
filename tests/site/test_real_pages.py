"""Every page of the real site, opened on a wide screen, on a phone in the dark and from disk: nothing slow or wrong."""

import re

import look
import pytest
from look import visit

from vbook.bench.site import longest_task, traced

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SLOWER, AIM = 4, 200  # a phone of some years is so many times slower; milliseconds on it, which `vbook bench site` reports
GUARD = 2 * AIM  # beside other work a load takes up to twice the processor's time, the best of TRIES too
TRIES = 6
SHIFT = 0.05


def load(page, address: str) -> float:
    """Open the page; the processor's milliseconds in the longest task of its main thread, four times slowed."""
    with traced(page) as events:
        page.goto(address)
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(1000)
    return 1000 * SLOWER * longest_task(events, address, "tdur")


@pytest.fixture(scope="module")
def wide(browser, built_site, serve):
    """Each page on a wide screen, all of it seen: what was slow, moved or is wrong, and what axe finds in light and dark."""
    seen = {}
    for name in look.pages(built_site):
        address = f"{serve(built_site)}/{name}"
        with look.window(browser, address, first=look.WATCH) as page:
            seen[name] = {"task": load(page, address), "shift": page.evaluate("moved"), "slips": look.slips(page)}
            look.walk_through(page)
            look.without_drawn_formulas(page)
            seen[name]["light"] = look.serious_findings(page)
            look.darken(page)
            seen[name]["dark"] = look.hard_to_see(page)  # the rest is the same in both
    return seen


@pytest.fixture(scope="module")
def narrow(browser, built_site, serve):
    """Each page on a phone, in the dark: what moved and what is wrong."""
    seen = {}
    for name in look.pages(built_site):
        with visit(browser, f"{serve(built_site)}/{name}", 390, "dark", first=look.WATCH) as page:
            page.wait_for_timeout(1000)
            seen[name] = {"shift": page.evaluate("moved"), "slips": look.slips(page)}
    return seen


def told(seen: dict, what: str) -> dict:
    """Of each page what there is to tell, the others left out."""
    return {name: one[what] for name, one in seen.items() if one[what]}


def test_pages_are_clean(wide, narrow):
    assert (told(wide, "slips"), told(narrow, "slips")) == ({}, {})


def test_pages_are_clean_from_disk(browser, built_site):
    for name in look.pages(built_site):
        with visit(browser, (built_site / name).as_uri()) as page:
            assert look.slips(page) == {}, name


def test_axe_finds_nothing_serious(wide):
    assert (told(wide, "light"), told(wide, "dark")) == ({}, {})


def test_no_task_is_long_while_a_page_loads(browser, built_site, serve, wide):
    slow = {}
    for name, one in wide.items():
        took, address = [one["task"]], f"{serve(built_site)}/{name}"
        while len(took) < TRIES and min(took) > GUARD:
            with look.window(browser, address) as page:
                took.append(load(page, address))
        if min(took) > GUARD:
            slow[name] = [round(one) for one in took]
    assert not slow, f"ms of the longest task: {slow}"


def test_nothing_moves_while_a_page_loads(wide, narrow):
    for seen in (wide, narrow):
        assert {name: one["shift"] for name, one in seen.items() if one["shift"] > SHIFT} == {}


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


FAR = """() => [...document.querySelectorAll('.bd-article section section')].map((one) => ({
  far: one.getBoundingClientRect().top > 3 * innerHeight,
  skipped: !one.querySelector('p, pre')?.checkVisibility({ contentVisibilityAuto: true }),
  tall: parseFloat(getComputedStyle(one).containIntrinsicBlockSize.replace('auto ', '')),
}))"""


def test_what_is_far_away_is_not_laid_out_and_its_height_is_known(browser, built_site):
    """No script of a page may measure what is far from the screen; and a jump into it arrives where it should."""
    address = f"{built_site.as_uri()}/chapters/02-variational-autoencoders.html"
    with visit(browser, address) as page:
        page.wait_for_timeout(1500)
        sections = page.evaluate(FAR)
        assert sum(one["far"] for one in sections) > 40
        assert all(one["skipped"] for one in sections if one["far"])
        page.emulate_media(media="print")  # everything is in print
        real = page.eval_on_selector_all(
            ".bd-article section section", "(all) => all.map((one) => one.getBoundingClientRect().height)"
        )
        page.emulate_media(media="screen")
        told = [one["tall"] for one in sections]
        assert sum(told) == pytest.approx(sum(real), rel=0.25)
    for place in ("eq-2.57", "sec-2.D.2.4"):
        with visit(browser, f"{address}#{place}") as page:
            for _ in range(3):
                page.wait_for_timeout(400)
                assert 0 <= page.locator(f"[id='{place}']").bounding_box()["y"] < 400


def test_the_reported_numbers_can_be_filtered(browser, built_site):
    """By verdict, source and chapter; what is not chosen is out of sight, and the page says how much is left."""
    with visit(browser, (built_site / "book" / "results.html").as_uri()) as page:
        rows, groups = page.locator("tr[class*=verdict-]"), page.locator(".vbook-group")
        everything = rows.count(), groups.count()
        assert min(everything) > 3 and page.locator("tr[class*=verdict-]:visible").count() == everything[0]
        for name, value in (("verdict", "verdict-short"), ("source", "source-adams"), ("chapter", "chapter-5")):
            page.locator(f"select[name={name}]").select_option(value)
            shown = page.locator("tr[class*=verdict-]:visible, .vbook-group:visible")
            assert shown.count() == page.locator(f"tr.{value}, .vbook-group.{value}").count() > 0
            assert re.fullmatch(r"\d+ measured, \d+ tables? of the sources", page.locator(".vbook-filter output").inner_text())
            page.locator(f"select[name={name}]").select_option("")
        assert (page.locator("tr[class*=verdict-]:visible").count(), page.locator(".vbook-group:visible").count()) == everything


def test_real_pages_stay_within_their_bytes(built_site):
    for name in look.pages(built_site):
        text = (built_site / name).read_text(encoding="utf-8")
        pictures = {(built_site / name).parent / source for source in re.findall(r'<img src="([^":]*)"', text)}
        own = len(text.encode()) + sum(file.stat().st_size for file in pictures)
        assert own <= 3_000_000, f"{name}: {own:,} bytes"


# What a page asks for when a reader searches
SEARCHED = {"vbook-places.js", "vbook-equations.js", "minisearch.js", "stemmer.js", "vbook-search.js"}


def test_what_pages_share_stays_within_its_bytes(built_site):
    """Weights of widgets have limits of their own, on pages; what only a search needs is no part of the limit for all pages."""
    files = [file for file in (built_site / "_static").rglob("*") if file.suffix in (".css", ".js", ".woff2")]
    files = [file for file in files if not re.search(r"\.(laptop|paper)\.", file.name)]
    asked = {file for file in files if file.name in SEARCHED}
    assert sum(file.stat().st_size for file in files if file not in asked) <= 1_000_000
    assert len(asked) == len(SEARCHED) and sum(file.stat().st_size for file in asked) <= 1_500_000
    for name in look.pages(built_site):
        loaded = set(re.findall(r'<script[^>]* src="[^"]*_static/([^"?]+)', (built_site / name).read_text(encoding="utf-8")))
        assert not loaded & SEARCHED, name
