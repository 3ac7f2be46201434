"""A reader with a phone, a finger or colours of their own: on the real site's pages."""

import look
import pytest
from look import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHAPTER = "chapters/13-deep-generative-models.html"
FINGER = {"has_touch": True, "is_mobile": True}


@pytest.fixture
def phone(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/{CHAPTER}", 390, **FINGER) as page:
        yield page
        assert page.complaints == []


def test_a_figure_is_larger_where_it_is_zoomed_and_closes(phone):
    link = phone.locator("a.vbook-zoom").nth(1)
    link.scroll_into_view_if_needed()
    small = link.locator("img").bounding_box()["width"]
    link.tap()
    box = phone.locator("dialog.vbook-lightbox")
    assert box.locator("img").bounding_box()["width"] > 1.5 * small
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth && box.offsetWidth <= innerWidth"), "it scrolls in its box"
    close, picture = box.get_by_role("button").bounding_box(), box.locator("img").bounding_box()
    assert close["y"] + close["height"] <= picture["y"], "the button lies on nothing"
    box.get_by_role("button").tap()
    box.wait_for(state="detached")


def test_the_first_tap_on_a_reference_shows_and_the_second_goes(phone):
    link = phone.locator("a.vbook-cite, a.vbook-eqref, a.vbook-term").first
    link.scroll_into_view_if_needed()
    before = phone.url
    link.tap()
    phone.locator(".vbook-preview").wait_for()
    assert phone.url == before
    phone.touchscreen.tap(4, 420)
    phone.locator(".vbook-preview").wait_for(state="detached")
    link.scroll_into_view_if_needed()
    link.tap()
    phone.locator(".vbook-preview").wait_for()
    link.tap()
    phone.wait_for_function("(before) => location.href !== before", arg=before)


def test_the_drawer_of_contents_makes_way_for_what_was_chosen(phone):
    phone.locator(".secondary-toggle, .pst-secondary-toggle").locator("visible=true").first.tap()
    drawer = phone.locator("dialog[open]")
    drawer.wait_for()
    drawer.get_by_role("link", name="13.5").tap()
    phone.wait_for_function("() => !document.querySelector('dialog[open]')")
    assert phone.url.endswith("#which-is-best") or "#sec-13.5" in phone.url


def test_no_copy_button_lies_on_a_phones_code_nor_on_any_output(phone, browser, built_site, serve):
    phone.locator("div.cell").nth(3).scroll_into_view_if_needed()
    assert phone.locator(".copybtn").locator("visible=true").count() == 0
    with visit(browser, f"{serve(built_site)}/{CHAPTER}") as page:
        cell = page.locator("div.cell:has(.output.stream)").first
        cell.scroll_into_view_if_needed()
        cell.locator(".cell_input .copybtn").wait_for(state="attached")
        assert cell.locator(".cell_output .copybtn").count() == 0


# The entry of the last head above the line where one reads (at the page's end: its lower edge) is marked, and has come to rest.
RIGHT = """
  const line = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 ? innerHeight : 110;
  const heads = [...document.querySelectorAll(".bd-article section > :is(h2, h3)")];
  const read = heads.filter((one) => one.getBoundingClientRect().top <= line).at(-1)?.closest("section").id;
  const still = window.before === scrollY;
  window.before = scrollY;
  return still && read && [...document.querySelectorAll(".bd-sidebar-secondary a.active")].at(-1)?.hash.slice(1) === read;
"""


@pytest.mark.parametrize("name", ["chapters/02-variational-autoencoders", "book/notation"])
def test_the_list_of_contents_marks_what_is_read(browser, built_site, serve, name):
    with visit(browser, f"{serve(built_site)}/{name}.html") as page:
        page.wait_for_function("() => window.bootstrap")  # the theme's scripts are there, too
        for key, times in (("PageDown", 12), ("PageDown", 3), ("End", 1)):
            for _ in range(times):
                page.keyboard.press(key)
                page.wait_for_timeout(60)
            page.wait_for_function(f"() => {{ {RIGHT} }}", polling=50)


ARRIVED = """(place) => {
  const node = document.getElementById(place), { top } = (node.querySelector("h2, h3, h4") ?? node).getBoundingClientRect();
  const still = window.before === top;
  window.before = top;
  return still && 48 <= top && top <= 160;
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_arrives_at_its_section(browser, built_site, serve, width):
    """Also where what stands before it is laid out on the way."""
    address = f"{serve(built_site)}/chapters/02-variational-autoencoders.html"
    with visit(browser, address, width) as page:
        places = page.eval_on_selector_all(".bd-article section section", "(all) => all.map((one) => one.id)")
        for place in places[3:-1:6]:  # to the last one a page can't scroll
            page.evaluate("(place) => { location.hash = place; }", place)
            page.wait_for_function(ARRIVED, arg=place, polling=200, timeout=5_000)
    assert len(places) > 50
    for place in ("sec-2.5.4", "sec-2.D.2.2"):
        with visit(browser, f"{address}#{place}", width) as page:
            page.wait_for_function(ARRIVED, arg=place, polling=500)


def test_the_list_of_contents_follows_the_reader(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/chapters/02-variational-autoencoders.html") as page:
        page.wait_for_function("() => window.bootstrap")
        page.evaluate("document.getElementById('sec-2.12').scrollIntoView()")
        page.wait_for_function(
            """() => {
                const [link] = [...document.querySelectorAll('.bd-sidebar-secondary a.active')].slice(-1);
                const box = document.querySelector('.bd-sidebar-secondary');
                if (!link || box.scrollTop === 0) return false;
                const [at, view] = [link.getBoundingClientRect(), box.getBoundingClientRect()];
                return at.top >= view.top && at.bottom <= view.bottom;
            }"""
        )


def test_icons_are_seen_in_colours_of_the_readers_own(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/{CHAPTER}", forced_colors="active") as page:
        for icon in (".theme-switch-button i", ".primary-toggle i, .primary-toggle span"):
            colours = (
                page.locator(icon)
                .locator("visible=true")
                .first.evaluate(
                    "(icon) => [getComputedStyle(icon).backgroundColor, getComputedStyle(document.body).backgroundColor]"
                )
            )
            assert colours[0] != colours[1]


def test_what_may_scroll_is_within_reach_before_it_is_measured(browser, built_site, serve):
    with visit(browser, f"{serve(built_site)}/{CHAPTER}") as page:
        boxes = page.locator("div.cell:not(.tag_hide-input) > .cell_input .highlight pre")
        assert boxes.last.get_attribute("tabindex") == "0", "far from the screen"
        boxes.last.scroll_into_view_if_needed()
        wide = "(box) => [box.scrollWidth > box.clientWidth + 1, box.tabIndex === 0]"
        page.wait_for_timeout(300)
        scrolls, reached = boxes.last.evaluate(wide)
        assert scrolls == reached


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_keeps_its_length_while_it_is_read(browser, built_site, serve, width):
    """What is far from the screen is not laid out, and takes the height that the build has estimated."""
    with visit(browser, f"{serve(built_site)}/{CHAPTER}", width) as page:
        before = page.evaluate("document.documentElement.scrollHeight")
        look.walk_through(page)
        assert page.evaluate("document.documentElement.scrollHeight") == pytest.approx(before, rel=0.1)
