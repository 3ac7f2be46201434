"""The widgets in a browser, as the built page shows them: over http and from disk, by pointer, touch and keys."""

import base64
import io

import pytest
import torch
from look import READY, opened, visit
from PIL import Image

from vbook.results.weights import load_model

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def pixels(z, record="ch02-vae-2.laptop"):
    with torch.no_grad():
        return load_model(record).decode(torch.tensor([z])).mean[0]


def levels(page, selector, rows, columns):
    """Red of a canvas at the middles of a grid of square cells that fills it, row by row."""
    text = page.evaluate("(selector) => document.querySelector(selector).toDataURL()", selector)
    with Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))) as picture:
        side = min(picture.width / columns, picture.height / rows)
        left, top = (picture.width - side * columns) / 2, (picture.height - side * rows) / 2
        red = picture.convert("RGBA").getchannel(0)
        at = [(int(left + (c + 0.5) * side), int(top + (r + 0.5) * side)) for r in range(rows) for c in range(columns)]
        return torch.tensor([red.getpixel(place) for place in at], dtype=torch.float32)


def settle(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def at_z(root, z1, z2, reach=4):
    """Where a point of the plane is on the screen."""
    box = root.locator(".vw-plane").bounding_box()
    left, top, width, height = (share / 460 for share in (52, 26, 394, 378))
    return (
        box["x"] + box["width"] * (left + width * (z1 + reach) / (2 * reach)),
        box["y"] + box["height"] * (top + height * (reach - z2) / (2 * reach)),
    )


def shows(page, z, tolerance=1.5 / 8):
    """Asserts that the decoded picture is PyTorch's at the z that the widget names, which is near ``z``."""
    settle(page)
    said = page.locator("#latent-manifold .vw-numbers dd").first.inner_text().replace("−", "-")
    named = [float(part) for part in said.split(",")]
    assert named == pytest.approx(z, abs=tolerance)
    found = levels(page, "#latent-manifold .vw-decoded", 28, 28)
    paper, ink = page.evaluate(
        "() => ['paper', 'ink'].map((name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`))"
    )
    paper, ink = (int(color.strip()[1:3], 16) for color in (paper, ink))
    expected = paper + pixels(named) * (ink - paper)
    # A level of rounding, int8's hundredth, and what the two printed decimals of z leave open
    assert (found - expected).abs().max() <= 1 + abs(ink - paper) * (0.01 + 0.005 * 2 * 1.5)


def addresses(site, serve):
    return {"http": serve(site), "file": site.as_uri()}


@pytest.mark.parametrize("way", ["http", "file"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_drag_through_the_plane_shows_what_pytorch_decodes(browser, shown, serve, way, width, scheme):
    with visit(browser, f"{addresses(shown, serve)[way]}/{scheme}.html", width) as page:
        root = opened(page, "latent-manifold")
        root.locator(".vw-plane").scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('#latent-manifold .vw-status').textContent !== ''")
        page.mouse.move(*at_z(root, 0, 0))
        page.mouse.down()
        for z in ((1.0, -1.0), (2.0, -1.2)):
            page.mouse.move(*at_z(root, *z))
            shows(page, z)
        page.mouse.up()
        page.mouse.move(*at_z(root, -2, 2))
        shows(page, (2.0, -1.2))  # released: it stays
        assert page.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_face_is_what_pytorch_decodes(browser, shown):
    painted = "() => document.querySelector('.vw-decoded').getContext('2d').getImageData(140, 140, 1, 1).data[3] > 0"
    for z in ((0.7, -0.4), (-1.2, 2.1)):
        with visit(browser, f"{shown.as_uri()}/dark.html#latent-manifold?set=faces&z1={z[0]}&z2={z[1]}") as page:
            page.wait_for_function(READY, arg="latent-manifold")
            page.wait_for_function(painted)
            found = levels(page, "#latent-manifold .vw-decoded", 28, 20)
        assert (found - 255 * pixels(z, "ch02-frey-2.laptop")).abs().max() <= 1 + 0.01 * 255


def test_keys_move_the_point(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        root = opened(page, "latent-manifold")
        root.locator(".vw-plane").focus()
        for key, times in (("ArrowRight", 3), ("Shift+ArrowUp", 2), ("ArrowDown", 1)):
            for _ in range(times):
                page.keyboard.press(key)
        shows(page, (3 * 8 / 70, 9 * 8 / 70), tolerance=0.01)


def test_a_finger_moves_the_point_and_not_the_page(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html", 360, has_touch=True) as page:
        root = opened(page, "latent-manifold")
        root.locator(".vw-plane").scroll_into_view_if_needed()
        before = page.evaluate("scrollY")
        session = page.context.new_cdp_session(page)
        for kind, z in (("touchStart", (0, 0)), ("touchMove", (-1, 1)), ("touchMove", (-2.4, 0.9)), ("touchEnd", None)):
            points = [dict(zip("xy", at_z(root, *z), strict=True))] if z else []
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        shows(page, (-2.4, 0.9), tolerance=0.2)
        assert page.evaluate("scrollY") == before


def test_the_unit_square_is_the_plane_through_the_gaussians_distribution_function(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html#latent-manifold?z1=1&z2=-0.5&space=u") as page:
        page.wait_for_function(READY, arg="latent-manifold")
        shows(page, (1.0, -0.5), tolerance=0.005)
        said = page.locator("#latent-manifold .vw-numbers dd").nth(1).inner_text()
        assert [float(part) for part in said.split(",")] == pytest.approx([0.8413, 0.3085], abs=6e-4)


def test_a_copied_link_brings_the_state_back_and_reset_takes_it_away(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        root = opened(page, "latent-manifold")
        root.locator("label", has_text="faces").click()
        root.locator(".vw-plane").focus()
        page.keyboard.press("Shift+ArrowLeft")
        root.get_by_role("button", name="Copy link").click()
        page.wait_for_function("() => location.hash.includes('set=faces')")
        link = page.evaluate("location.href")
    with visit(browser, link) as page:
        page.wait_for_function(READY, arg="latent-manifold")
        assert page.locator("#latent-manifold input[value=faces]").is_checked()
        said = page.locator("#latent-manifold .vw-numbers dd").first
        assert said.inner_text().startswith("−0.57")
        page.locator("#latent-manifold").get_by_role("button", name="Reset").click()
        assert said.inner_text().startswith("0.00")
        assert page.locator("#latent-manifold input[value=digits]").is_checked()


def test_reset_leaves_the_reader_where_he_is_and_forgets_the_link(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html#posterior-shapes?part=free&lam=1.5") as page:
        page.wait_for_function(READY, arg="posterior-shapes")
        root = page.locator("#posterior-shapes")
        free = root.get_by_label("free nats λ of each latent")
        assert float(free.input_value()) == 1.5
        root.get_by_role("button", name="Reset").click()
        assert float(free.input_value()) == 0.5 and root.locator("input[value=free]").is_checked()
        assert page.evaluate("location.hash") == "#posterior-shapes"  # a reload brings nothing back


def test_a_link_followed_in_an_open_page_moves_and_uncovers_the_widget(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        page.evaluate("location.hash = '#posterior-shapes?part=free&lam=1'")
        page.wait_for_function(READY, arg="posterior-shapes")
        assert page.locator("#posterior-shapes .vw-asking").count() == 0
        page.evaluate("location.hash = '#latent-manifold?z1=1&z2=-1'")
        page.wait_for_function(READY, arg="latent-manifold")
        shows(page, (1.0, -1.0), tolerance=0.005)
        assert not page.locator("#latent-manifold .vw-quiet").is_visible()  # nothing is left to skip


def test_a_link_followed_twice_moves_the_widget_twice(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        follow = """() => {
          const link = Object.assign(document.createElement("a"), { href: "#latent-manifold?z1=1&z2=-1", textContent: "x" });
          document.body.append(link);
          link.click();
        }"""
        for _ in range(2):
            page.evaluate(follow)
            page.wait_for_function(READY, arg="latent-manifold")
            shows(page, (1.0, -1.0), tolerance=0.005)
            page.locator("#latent-manifold .vw-plane").focus()
            page.keyboard.press("Shift+ArrowLeft")
            shows(page, (1.0 - 5 * 8 / 70, -1.0), tolerance=0.01)


@pytest.mark.parametrize("view", ["decoded pictures", "how fast they change"])
def test_the_planes_other_views_come_in_slices(browser, shown, view):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        root = opened(page, "latent-manifold")
        before = levels(page, "#latent-manifold .vw-plane", 40, 40)
        root.locator("label", has_text=view).click()
        for _ in range(100):
            now = levels(page, "#latent-manifold .vw-plane", 40, 40)
            if (now[1240:1400] != before[1240:1400]).sum() > 40:
                break
            page.wait_for_timeout(100)
        else:
            pytest.fail(f"the plane never showed {view}")


def finished(page):
    """The plane of pictures as it is when all are painted."""
    before = None
    for _ in range(100):
        now = levels(page, "#latent-manifold .vw-plane", 40, 40)
        if before is not None and (now == before).all():
            return now
        before = now
        page.wait_for_timeout(300)
    pytest.fail("the plane never came to rest")


def test_a_plane_left_half_painted_is_painted_anew(browser, shown):
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        root = opened(page, "latent-manifold")
        page.wait_for_function("() => document.querySelector('#latent-manifold .vw-status').textContent !== ''")
        root.evaluate(  # away before a slice of the work is done
            """(root) => {
              const press = (text) => [...root.querySelectorAll('label')].find((one) => one.textContent === text).click();
              press('decoded pictures');
              const later = (done) => setTimeout(() => { press('encoded test images'); done(); }, 12);
              return new Promise((done) => requestAnimationFrame(() => later(done)));
            }"""
        )
        settle(page)
        root.locator("label", has_text="decoded pictures").click()
        found = finished(page)
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        opened(page, "latent-manifold").locator("label", has_text="decoded pictures").click()
        assert (found == finished(page)).all()


def test_the_map_of_speeds_says_its_sentence_each_time(browser, shown):
    said = "() => document.querySelector('#latent-manifold .vw-status').textContent.includes('A step of 0.1')"
    with visit(browser, f"{shown.as_uri()}/light.html") as page:
        root = opened(page, "latent-manifold")
        for _ in range(2):
            root.locator("label", has_text="how fast they change").click()
            page.wait_for_function(said)
            root.locator("label", has_text="encoded test images").click()
            page.wait_for_function(said.replace("=> ", "=> !"))


def test_the_home_page_starts_with_the_plane_alive(browser, built_site):
    address = f"{built_site.as_uri()}/book/index.html"
    with visit(browser, address) as page:
        root = page.locator("#latent-manifold")
        page.wait_for_function(READY, arg="latent-manifold")
        page.wait_for_function("() => document.querySelector('#latent-manifold .vw-status').textContent !== ''")
        assert root.locator(".vw-question").count() == 0 and root.locator(".vw-plane").is_visible()
        assert root.locator("input[value=tiles]").is_checked() and root.locator("input[value=u]").is_checked()
        root.locator(".vw-plane").focus()
        page.keyboard.press("ArrowRight")  # a seventieth of the unit square
        shows(page, (torch.distributions.Normal(0, 1).icdf(torch.tensor(0.5 + 1 / 70)).item(), 0.0), tolerance=0.01)
        assert page.complaints == []
    with visit(browser, address, java_script_enabled=False) as page:
        picture = page.locator("#latent-manifold .vw-static")
        assert picture.is_visible() and "handwritten digits" in picture.get_attribute("alt")
