"""The widgets where something is missing or odd: scripts, features, motion, paper, files, links; and for all eyes."""

import base64
import json
import shutil

import look
import pytest
from look import READY, opened, visit

from vbook import widgets

pytestmark = [pytest.mark.browser, pytest.mark.slow]


BEYOND = """(root) => {
  const card = root.getBoundingClientRect(), style = getComputedStyle(root), hidden = ".vw-choice input";
  const low = card.left + parseFloat(style.paddingLeft) - 1, high = card.right - parseFloat(style.paddingRight) + 1;
  const out = (node) => { const { left, right } = node.getBoundingClientRect(); return left < low || right > high; };
  return [...root.querySelectorAll("*")].filter((node) => node.checkVisibility() && !node.matches(hidden) && out(node))
    .map((node) => `${node.tagName} ${node.className} ${node.textContent.slice(0, 30)}`);
}"""


PAGES = {"generator_paths": "13-deep-generative-models"}  # where a widget is, if not in chapter 2


@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("chapter", ["02-variational-autoencoders", *PAGES.values()])
def test_nothing_juts_out_of_its_card(browser, built_site, width, chapter):
    """In the real page, whose styles a table inherits: all widgets open, both parts of the one that has two."""
    with visit(browser, f"{built_site.as_uri()}/chapters/{chapter}.html", width) as page:
        for name in widgets.__all__:
            if PAGES.get(name, "02-variational-autoencoders") != chapter:
                continue
            root = opened(page, name.replace("_", "-"))
            root.locator(".vw-answers button").first.click()
            assert root.evaluate(BEYOND) == [], name
            if name == "posterior_shapes":
                root.locator("label", has_text="free bits").click()
                root.get_by_role("button", name="Just show me").click()
                assert root.evaluate(BEYOND) == []


HOSTILE = {
    "latent-manifold": "z1=abc&set=toString&view=constructor&space=%22",
    "interpolation": "a1=foo&t=9&path=valueOf&set=__proto__",
    "draw-a-digit": "ink=%00%ff&view=toString&seed=x",
    "elbo-gap": "mean=1e9&sd=-1&s=abc&decoder=toString",
    "gradient-estimators": "n=1e12&f=constructor&mean=NaN",
    "posterior-shapes": "model=toString&s=0&x=abc&part=valueOf&lam=-4&v2=x",
    "generator-paths": "seed=1.5&a=99&b=x&t=9&path=__proto__",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_link_may_hold_anything(browser, shown, name):
    with visit(browser, f"{shown.as_uri()}/light.html#{name}?{HOSTILE[name]}") as page:
        page.wait_for_function(READY, arg=name)
        said = page.locator(f"#{name}").inner_text()
        assert page.complaints == [] and "NaN" not in said and "undefined" not in said


def test_a_fragment_that_is_no_text_stops_nothing(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html#%E0%A4%A") as page:
        opened(page, "latent-manifold")
        assert page.complaints == []


def test_the_answer_stays_covered_with_the_widget(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        for name in (name.replace("_", "-") for name in widgets.__all__):
            page.evaluate("(id) => document.getElementById(id).scrollIntoView()", name)
            page.wait_for_function(READY, arg=name)
            covered = page.locator(f"#{name} .vw-status, #{name} .vw-secret").all()
            assert covered and not any(part.is_visible() for part in covered), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_widget(browser, shown, serve, scheme):
    with visit(browser, f"{serve(shown)}/{scheme}.html", 360, bypass_csp=True) as page:
        for name in widgets.__all__:
            opened(page, name.replace("_", "-"))
        assert look.serious_findings(page) == []


def test_without_scripts_the_picture_and_its_words_stand_in(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html", java_script_enabled=False) as page:
        for picture in page.locator(".vw-static").all():
            assert picture.is_visible() and len(picture.get_attribute("alt")) > 60
        assert page.locator(".vw-live").count() == 0


@pytest.mark.parametrize("feature", ["OffscreenCanvas", "ResizeObserver", "Document.prototype.adoptedStyleSheets"])
def test_in_a_browser_without_a_needed_feature_the_picture_stands_in(browser, shown, feature):
    with visit(browser, f"{shown.as_uri()}/light.html", first=f"delete window.{feature};") as page:
        assert page.evaluate("() => document.readyState") == "complete"  # the deferred script has run
        for picture in page.locator(".vw-static").all():
            assert picture.is_visible()
        assert page.locator(".vw-live").count() == 0 and page.complaints == []


@pytest.mark.parametrize(("wish", "still"), [("reduce", True), ("no-preference", False)])
def test_who_wants_no_motion_gets_the_end_at_once(browser, shown, wish, still):
    """Numbers at the end within the press of the button itself; else the button turns into the one that holds the motion."""
    press = "(button) => { button.click(); return [button.textContent, button.getRootNode().querySelector('%s').innerText]; }"
    with visit(browser, f"{shown.as_uri()}/light.html", reduced_motion=wish) as page:
        gap = "#elbo-gap dd:nth-of-type(2)"
        climb = opened(page, "elbo-gap").get_by_role("button", name="Climb the ELBO")
        before = page.locator(gap).inner_text()
        label, after = climb.evaluate(press % gap)
        assert label == ("Climb the ELBO" if still else "Stop")
        assert (float(after.split()[0]) < float(before.split()[0]) - 1) == still  # nats
        if still:
            assert climb.evaluate(press % gap) == [label, after]  # it was the top
        draw = opened(page, "gradient-estimators").get_by_role("button", name="1,000 draws" if still else "Play", exact=True)
        label, numbers = draw.evaluate(press % "#gradient-estimators .vw-numbers dd")
        assert label == ("1,000 draws" if still else "Pause")
        assert (int(numbers.replace(",", "")) >= 1000) == still


def test_in_print_the_picture_stands_in(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        roots = [opened(page, name.replace("_", "-")) for name in widgets.__all__]
        assert not any(root.locator(".vw-static").is_visible() for root in roots)
        page.emulate_media(media="print")
        for root in roots:
            assert root.locator(".vw-static").is_visible() and not root.locator(".vw-live").is_visible()


def broken(shown, tmp_path, old, new, file="light.html"):
    shutil.copytree(shown, tmp_path / "site")
    page = tmp_path / "site" / file
    text = page.read_text(encoding="utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), encoding="utf-8")
    return (tmp_path / "site").as_uri()


def test_damaged_data_are_told_in_the_widgets_place_and_the_rest_works(browser, shown, tmp_path):
    address = broken(shown, tmp_path, '{"title":"The latent plane"', '{"title":The latent plane"')
    with visit(browser, f"{address}/light.html") as page:
        page.locator("#latent-manifold").scroll_into_view_if_needed()
        alert = page.locator("#latent-manifold [role=alert]")
        alert.wait_for()
        assert "its data are damaged" in alert.inner_text() and page.locator("#latent-manifold .vw-static").is_visible()
        others = [name.replace("_", "-") for name in widgets.__all__ if name != "latent_manifold"]
        for name in others:
            opened(page, name)


def test_a_damaged_network_is_told_in_the_widgets_place(browser, shown, tmp_path):
    file = next((shown / "_static" / "widgets").glob("ch02-vae-2.laptop.decoder*")).relative_to(shown).as_posix()
    for number, (old, new, words) in enumerate(
        [('int8", "bytes": ', 'int8", "bytes": 1', "damaged: "), ("vbookNetwork(", "vbookNetwork(;", "is damaged")]
    ):
        address = broken(shown, tmp_path / str(number), old, new, file)
        with visit(browser, f"{address}/light.html") as page:
            page.locator("#latent-manifold").scroll_into_view_if_needed()
            alert = page.locator("#latent-manifold [role=alert]")
            alert.wait_for()
            assert words in alert.inner_text() and page.locator("#latent-manifold .vw-static").is_visible()


def test_a_missing_network_is_told_in_the_widgets_place(browser, shown, tmp_path):
    shutil.copytree(shown, tmp_path / "site")
    next((tmp_path / "site" / "_static" / "widgets").glob("ch02-vae-2.laptop.decoder*")).unlink()
    with visit(browser, f"{(tmp_path / 'site').as_uri()}/light.html") as page:
        page.locator("#latent-manifold").scroll_into_view_if_needed()
        alert = page.locator("#latent-manifold [role=alert]")
        alert.wait_for()
        assert "can't be read" in alert.inner_text()


def test_the_forms_data_and_pictures_are_what_they_say(shown):
    page = (shown / "light.html").read_text(encoding="utf-8")
    for part in page.split('data-vbook-widget="')[1:]:
        payload = json.loads(part.split('<script type="application/json">')[1].split("</script>")[0])
        assert payload["title"] and payload["question"]["options"]
        picture = base64.b64decode(part.split("data:image/png;base64,")[1].split('"')[0])
        assert picture.startswith(b"\x89PNG")


def test_one_of_two_networks_missing_leaves_the_other_and_may_come_later(browser, shown, tmp_path):
    shutil.copytree(shown, tmp_path / "site")
    file = next((tmp_path / "site" / "_static" / "widgets").glob("ch02-frey-2.laptop.decoder*"))
    kept = file.read_bytes()
    file.unlink()
    with visit(browser, f"{(tmp_path / 'site').as_uri()}/light.html") as page:
        for name in ("latent-manifold", "interpolation"):
            root = opened(page, name)
            page.wait_for_function("(id) => document.querySelector(`#${id} .vw-status`).textContent !== ''", arg=name)
            root.locator("label", has_text="faces").click()
            alert = root.locator("[role=alert]")
            alert.wait_for()
            assert "Not loaded: the file" in alert.inner_text() and root.locator(".vw-live").is_visible()
            root.locator("label", has_text="digits").click()
        file.write_bytes(kept)
        root.locator("label", has_text="faces").click()
        page.wait_for_function("() => document.querySelectorAll('#interpolation .vw-strip canvas').length > 4")
        assert root.locator("[role=alert]").count() == 0


def test_a_network_that_is_slow_to_come_is_spoken_of(browser, shown, serve):
    waiting = []
    with visit(browser, f"{serve(shown)}/light.html") as page:
        page.route("**/ch02-vae-2.laptop.decoder*", lambda route: waiting.append(route))
        page.reload()
        opened(page, "latent-manifold")
        note = page.locator("#latent-manifold .vw-tools [role=status]")
        page.wait_for_function("() => document.querySelector('#latent-manifold .vw-tools [role=status]').textContent")
        assert note.inner_text() == "Fetching the network …"
        waiting[0].continue_()
        page.wait_for_function("() => !document.querySelector('#latent-manifold .vw-tools [role=status]').textContent")


BLIND = """const read = OffscreenCanvasRenderingContext2D.prototype.getImageData;
OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...at) {
  const found = read.apply(this, at);
  found.data.fill(255);
  return found;
};"""

PAINTED = "(canvas) => canvas.getContext('2d').getImageData(130, 130, 1, 1).data[3] > 0"


@pytest.mark.parametrize("first", [BLIND, "delete Array.prototype.toReversed;"], ids=["canvases not read back", "two years old"])
def test_browsers_that_hide_or_lack_something_show_the_same(browser, shown, first):
    seen = []
    for script in ("", first):
        with visit(browser, f"{shown.as_uri()}/light.html", first=script) as page:
            for name in ("latent-manifold", "interpolation"):
                canvas = opened(page, name).locator(".vw-decoded")
                page.wait_for_function(PAINTED, arg=canvas.element_handle())
                seen.append(canvas.evaluate("(canvas) => canvas.toDataURL()"))
            assert page.complaints == []
    assert seen[:2] == seen[2:] and seen[0] != seen[1]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("CanvasRenderingContext2D.prototype.fillText = () => { throw new Error('no letters'); };", "no letters"),
        ("HTMLCanvasElement.prototype.getContext = () => null;", "null"),  # a phone short of memory
    ],
    ids=["letters", "no canvas"],
)
def test_a_drawing_that_fails_brings_the_picture_back(browser, shown, first, words):
    with visit(browser, f"{shown.as_uri()}/light.html#elbo-gap?mean=1", first=first) as page:
        alert = page.locator("#elbo-gap [role=alert]")
        alert.wait_for()
        assert words in alert.inner_text() and page.locator("#elbo-gap .vw-static").is_visible()
