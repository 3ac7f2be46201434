"""The built pages in a browser: the sample book's in detail, the real book's every page."""

import re

import look
import pytest
from look import visit

CHAPTER = "chapters/02-variational-autoencoders.html"
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def over_http(sample_site, serve):
    """The sample site's address on this machine."""
    return serve(sample_site)


def _check(browser, address, width, scheme):
    with visit(browser, address, width, scheme) as page:
        found = page.evaluate(look.SAYS)
        assert page.complaints == []
        assert {name: value for name, value in found.items() if value} == {}, address


@pytest.mark.parametrize("width", [1280, 390])
def test_sample_pages_are_clean_over_http(browser, sample_site, over_http, width):
    for name in look.pages(sample_site):
        _check(browser, f"{over_http}/{name}", width, "light")


def test_sample_pages_are_clean_from_disk(browser, sample_site):
    for name in look.pages(sample_site):
        _check(browser, (sample_site / name).as_uri(), 390, "dark")


def test_the_front_door_leads_to_the_first_page(browser, over_http):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{over_http}/")
    page.wait_for_url("**/book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Sample book")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, sample_site, over_http, scheme):
    for name in look.pages(sample_site):
        with visit(browser, f"{over_http}/{name}", 1280, scheme) as page:
            page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
            assert look.serious_findings(page) == [], name


@pytest.fixture
def chapter(browser, over_http):
    """The sample's chapter, open."""
    with visit(browser, f"{over_http}/{CHAPTER}") as page:
        yield page


def test_each_tagged_equation_has_its_number_and_id_once(chapter):
    for tag in ("2.8", "2.10", "2.11", "2.23"):
        equation = chapter.locator(f'[id="eq-{tag}"]')
        assert equation.count() == 1
        assert equation.locator(".vbook-eq-number").inner_text() == f"({tag})" if tag != "2.23" else True
        assert equation.locator("mjx-assistive-mml math").count() == 1
    assert chapter.locator('[id="eq-2.8"] mjx-mtr').count() == 2


def test_a_wide_equation_scrolls_in_its_box(browser, over_http):
    with visit(browser, f"{over_http}/{CHAPTER}", 390) as page:
        box = page.locator('[id="eq-2.11"] .vbook-eq-math')
        inside, shown = box.evaluate("(box) => [box.scrollWidth, box.clientWidth]")
        assert inside > shown and box.get_attribute("tabindex") == "0"
        number = page.locator('[id="eq-2.11"] .vbook-eq-number').bounding_box()
        assert number["x"] + number["width"] <= 390


def test_a_display_formula_inside_a_line_is_lifted_out(chapter):
    before = chapter.locator("p", has_text="In a line")
    assert before.inner_text().strip() == "In a line"
    assert before.evaluate("(p) => p.nextElementSibling.className") == "vbook-eq"
    assert chapter.locator("p", has_text="of text, displayed").count() == 1


def test_the_maths_font_is_served(chapter):
    fonts = chapter.evaluate("[...document.fonts].filter((face) => face.status == 'loaded').map((face) => face.family)")
    assert any("MJX-NCM" in font for font in fonts) and any("Source Serif" in font for font in fonts)


def test_details_hold_typeset_formulas_code_and_lists(chapter):
    block = chapter.locator("details.vbook-details", has_text="Why may the gradient")
    block.locator("summary").click()
    assert block.locator("summary mjx-container").count() == 1
    assert block.locator('[id="eq-2.23"] .vbook-eq-number').inner_text() == "(2.23)"
    assert block.locator("pre").inner_text().strip() == 'print("<details>")'
    assert block.locator("li strong").inner_text() == "list"


def test_solution_parameters_and_setup_are_folded(chapter):
    titles = chapter.locator("div.cell details > summary").all_inner_texts()
    assert titles == ["Parameters", "Setup", "Solution in code"]
    assert not chapter.get_by_text("answer = 42").is_visible()
    chapter.locator("summary", has_text="Solution").click()
    assert chapter.locator(".tag_solution .cell_output pre").is_visible()
    assert chapter.locator('details:has-text("Parameters") pre').first.text_content().startswith('profile = "laptop"')


def test_figures_have_caption_size_and_alternative_text(chapter):
    figures = chapter.locator("figure.vbook-figure")
    assert figures.count() == 2
    for number, tone in ((1, "tone-lines"), (2, "tone-image")):
        figure = figures.nth(number - 1)
        assert tone in figure.get_attribute("class")
        assert figure.locator("img").get_attribute("alt") == f"A curve that rises ever faster, number {number}."
        assert figure.locator("img").get_attribute("width") == "640"
        assert figure.locator("figcaption strong").inner_text() == f"Figure 2.{number}."
        assert figure.locator("figcaption mjx-container").count() == 1
    assert chapter.locator("img").count() == 2 + chapter.locator("header img, .bd-header-article img").count()


def test_dark_mode_inverts_lines_and_not_images(browser, over_http):
    with visit(browser, f"{over_http}/{CHAPTER}", scheme="dark") as page:
        filters = page.locator("figure.vbook-figure img").evaluate_all("(all) => all.map((one) => getComputedStyle(one).filter)")
        assert filters == ["invert(1) hue-rotate(180deg)", "none"]


def test_a_number_tells_where_it_comes_from(chapter):
    number = chapter.locator(".vbook-number").first
    tip = chapter.locator(f"[id={number.get_attribute('aria-describedby')}]")
    assert not tip.is_visible()
    number.focus()
    assert tip.is_visible() and tip.inner_text().startswith("Reported, ")
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    chapter.keyboard.press("Escape")
    assert not tip.is_visible()
    number.blur()
    number.hover()
    assert tip.is_visible()
    tip.hover()  # the pointer may go onto the card, and longer than it may stay away
    chapter.wait_for_timeout(500)
    assert tip.is_visible()
    chapter.keyboard.press("Escape")  # though the number hasn't the focus
    assert not tip.is_visible()
    number.hover()
    chapter.mouse.move(0, 0)
    chapter.wait_for_function("() => !document.querySelector('.vbook-tip.open')")


def test_equation_links_lead_home_and_preview(browser, over_http, chapter):
    chapter.locator("a.vbook-eqref").first.hover()
    chapter.locator(".vbook-preview mjx-container").wait_for()
    with visit(browser, f"{over_http}/chapters/03-next.html") as page:
        page.locator("a.vbook-eqref", has_text="(2.10)").hover()
        page.locator(".vbook-preview mjx-container").wait_for()
        page.locator("a.vbook-eqref", has_text="(2.23)").click()
        page.wait_for_url("**#eq-2.23")
        assert page.locator('[id="eq-2.23"]').is_visible()  # it lies in a folded block, which opens


def test_a_term_shows_its_entry_and_leads_to_it(browser, over_http):
    with visit(browser, f"{over_http}/chapters/03-next.html") as page:
        page.locator("a.vbook-term").hover()
        preview = page.locator(".vbook-preview")
        preview.locator("mjx-container").wait_for()
        assert preview.inner_text().startswith("Free bits: A floor ") and preview.locator("a").count() == 0
        page.locator("a.vbook-term").click()
        page.wait_for_url("**/book/glossary.html#term-free-bits")
        assert page.locator("#term-free-bits").inner_text() == "Free bits"
        assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 800])
def test_a_note_stands_in_the_margin_where_there_is_one(browser, over_http, width):
    with visit(browser, f"{over_http}/{CHAPTER}", width) as page:
        note = page.locator(".vbook-aside")
        note.scroll_into_view_if_needed()
        text, box = page.locator(".bd-article > section").bounding_box(), note.bounding_box()
        contents = page.locator(".bd-sidebar-secondary")
        if width == 800:
            assert text["x"] < box["x"] and box["x"] + box["width"] <= text["x"] + text["width"] + 1
            return
        assert text["x"] + text["width"] < box["x"] and box["x"] + box["width"] <= width
        page.wait_for_function("() => document.querySelector('.bd-sidebar-secondary.hide')")  # it makes room
        note.get_by_role("link").click(trial=True)  # nothing lies over it, and its section doesn't clip it
        contents.get_by_role("link").first.focus()
        page.wait_for_function("() => getComputedStyle(document.querySelector('#pst-page-toc-nav, .page-toc')).opacity === '1'")
        assert page.complaints == []


def test_a_figure_zooms_and_closes(chapter):
    chapter.locator(".vbook-zoom").first.click()
    zoomed = chapter.locator("dialog.vbook-lightbox[open] img")
    assert zoomed.bounding_box()["width"] > chapter.locator(".vbook-zoom img").first.bounding_box()["width"]
    chapter.keyboard.press("Escape")
    zoomed.wait_for(state="detached")


def test_the_widget_is_alive_under_the_policy(chapter):
    chapter.locator("#w1-range").fill("80")
    assert chapter.locator("#w1-out").inner_text() == "80"


def test_the_policy_stops_a_foreign_script(browser, sample_site, tmp_path):
    text = (sample_site / CHAPTER).read_text(encoding="utf-8")
    page_file = sample_site / "chapters" / "planted.html"
    page_file.write_text(text.replace("</article>", "<script>window.planted = 1</script></article>"), encoding="utf-8")
    try:
        with visit(browser, page_file.as_uri()) as page:
            assert page.evaluate("window.planted") is None
            assert any("Content Security Policy" in said for said in page.complaints)
    finally:
        page_file.unlink()


def test_the_launch_button_opens_the_notebook_in_colab(chapter):
    from vbook.site.theme import home

    address, branch = home()
    owner = re.sub(r"^https://github\.com/", "", address)
    link = chapter.locator(".dropdown-launch-buttons a").get_attribute("href")
    assert link == f"https://colab.research.google.com/github/{owner}/blob/{branch}/chapters/02-variational-autoencoders.ipynb"
    assert chapter.locator(".btn-source-repository-button").get_attribute("href") == address


def test_the_colour_mode_button_goes_round(chapter):
    seen = []
    for _ in range(3):
        chapter.locator(".theme-switch-button").click()
        seen.append(chapter.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"] and chapter.complaints == []


def test_the_sidebar_opens_on_a_phone(browser, over_http):
    with visit(browser, f"{over_http}/{CHAPTER}", 390) as page:
        page.locator(".bd-header-article .primary-toggle").click()
        link = page.locator("#pst-primary-sidebar-modal a", has_text="Notation")
        link.click()
        page.wait_for_url("**/notation.html")


def test_little_moves_while_a_page_loads(browser, over_http):
    watch = """window.shift = 0; new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true})"""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.add_init_script(watch)
    page = context.new_page()
    page.goto(f"{over_http}/{CHAPTER}")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shift") < 0.1
    context.close()


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


def test_code_is_copied(browser, over_http):
    with visit(browser, f"{over_http}/{CHAPTER}", permissions=["clipboard-read", "clipboard-write"]) as page:
        cell = page.locator("div.highlight:visible").first
        cell.scroll_into_view_if_needed()
        cell.hover()
        cell.locator("button.copybtn").click()
        cell.locator("button.copybtn[aria-label=Copied]").wait_for(timeout=5_000)  # the clipboard answers when it likes
        assert page.evaluate("navigator.clipboard.readText()") == cell.locator("pre").text_content()
        assert page.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_real_pages_are_clean(browser, built_site, serve, width, scheme):
    start = serve(built_site)
    for name in look.pages(built_site):
        _check(browser, f"{start}/{name}", width, scheme)


def test_real_pages_are_clean_from_disk(browser, built_site):
    for name in look.pages(built_site):
        _check(browser, (built_site / name).as_uri(), 1280, "light")


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


def test_axe_finds_nothing_serious_on_real_pages(browser, built_site, serve):
    start = serve(built_site)
    for name in look.pages(built_site):
        with visit(browser, f"{start}/{name}") as page:
            look.walk_through(page)
            look.without_drawn_formulas(page)
            assert look.serious_findings(page) == [], name
            page.emulate_media(color_scheme="dark")
            page.wait_for_selector("html[data-theme=dark]", state="attached")
            assert look.serious_findings(page, look.OF_COLOURS) == [], name  # the rest is the same in both


def test_real_pages_stay_within_their_bytes(built_site):
    for name in look.pages(built_site):
        text = (built_site / name).read_text(encoding="utf-8")
        pictures = {(built_site / name).parent / source for source in re.findall(r'<img src="([^":]*)"', text)}
        own = len(text.encode()) + sum(file.stat().st_size for file in pictures)
        assert own <= 3_000_000, f"{name}: {own:,} bytes"


SEARCHED = {
    "vbook-places.js",
    "vbook-equations.js",
    "minisearch.js",
    "stemmer.js",
    "vbook-search.js",
}  # fetched when a reader searches


def test_what_pages_share_stays_within_its_bytes(built_site):
    """Weights of widgets have limits of their own, on pages; what only a search needs is no part of the limit for all pages."""
    files = [file for file in (built_site / "_static").rglob("*") if file.suffix in (".css", ".js", ".woff2")]
    files = [file for file in files if not re.search(r"\.(laptop|paper)\.", file.name)]
    asked = {file for file in files if file.name in SEARCHED}
    assert sum(file.stat().st_size for file in files if file not in asked) <= 1_000_000
    assert len(asked) == len(SEARCHED) and sum(file.stat().st_size for file in asked) <= 1_500_000
    for name in look.pages(built_site):
        loaded = set(re.findall(r'<script[^>]* src="[^"]*_static/([^"?]+)', (built_site / name).read_text(encoding="utf-8")))
        assert not loaded & SEARCHED or name == "search.html", name
