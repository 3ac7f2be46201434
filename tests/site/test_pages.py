"""The sample book's pages in a browser, in detail."""

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


@pytest.mark.parametrize("width", [1280, 390])
def test_sample_pages_are_clean_over_http(browser, sample_site, over_http, width):
    for name in look.pages(sample_site):
        with visit(browser, f"{over_http}/{name}", width) as page:
            assert look.slips(page) == {}, name


def test_sample_pages_are_clean_from_disk(browser, sample_site):
    for name in look.pages(sample_site):
        with visit(browser, (sample_site / name).as_uri(), 390, "dark") as page:
            assert look.slips(page) == {}, name


def test_the_front_door_leads_to_the_first_page(browser, over_http):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{over_http}/")
    page.wait_for_url("**/book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Sample book")
    context.close()


def test_axe_finds_nothing_serious(browser, sample_site, over_http):
    for name in look.pages(sample_site):
        with visit(browser, f"{over_http}/{name}") as page:
            page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
            assert look.serious_findings(page) == [], name
            look.darken(page)
            assert look.hard_to_see(page) == [], name


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
    with visit(browser, f"{over_http}/{CHAPTER}", 390, first=look.WATCH) as page:
        page.wait_for_timeout(300)
        assert page.evaluate("moved") < 0.05


def test_code_is_copied(browser, over_http):
    with visit(browser, f"{over_http}/{CHAPTER}", permissions=["clipboard-read", "clipboard-write"]) as page:
        cell = page.locator("div.highlight:visible").first
        cell.scroll_into_view_if_needed()
        cell.hover()
        cell.locator("button.copybtn").click()
        cell.locator("button.copybtn[aria-label=Copied]").wait_for(timeout=5_000)  # the clipboard answers when it likes
        assert page.evaluate("navigator.clipboard.readText()") == cell.locator("pre").text_content()
        assert page.complaints == []
