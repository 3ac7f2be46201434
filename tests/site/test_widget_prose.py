"""Widgets in pages of prose: the directive, where they begin, and what is told of a slip."""

from collections import Counter

import pytest
import sample
from look import visit
from PIL import Image

from vbook import widgets
from vbook.errors import VbookError
from vbook.site.build import build_site
from vbook.site.widgets import prose_form, publish

# What the page asks for, and where the widget shows that it has it: a selector and the value of the control there.
OPENINGS = {
    "latent-manifold": {"view=tiles": "input[value=tiles]", "set=faces": "input[value=faces]", "z1=1.5 z2=-0.5": "dd"},
    "interpolation": {"t=0.2": "input[type=range]", "set=faces": "input[value=faces]", "path=pixels": "input[value=pixels]"},
    "draw-a-digit": {"fit=1": "input[type=checkbox]", "view=near": "input[value=near]"},
    "elbo-gap": {"s=0.5": "input[type=range] >> nth=2", "decoder=line": "input[value=line]"},
    "gradient-estimators": {"n=500": "dd", "f=step": "input[value=step]"},
    "posterior-shapes": {"part=free": "input[value=free]", "model=ring": "input[value=ring]"},
    "generator-paths": {"t=0.2": "input[type=range]", "path=round": "input[value=round]"},
}


@pytest.fixture
def page_with(tmp_path):
    """A function that writes a page of prose with one widget and returns its address."""
    picture = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(picture)

    def write(name, start=""):
        form = prose_form(name, start, picture, "a picture", "index", Counter())
        html = f"<!DOCTYPE html><meta charset='utf-8'><link rel='icon' href='data:,'>{form}"
        (tmp_path / "index.html").write_text(html, encoding="utf-8")
        publish(tmp_path)
        return f"{tmp_path.as_uri()}/index.html"

    return write


def shown(control):
    """A control's value, or whether it is chosen, or an element's text."""
    kind = control.get_attribute("type")
    if kind in ("radio", "checkbox"):
        return control.is_checked()
    return float(control.input_value()) if kind == "range" else control.inner_text()


def wanted(start):
    return {"t=0.2": 0.2, "s=0.5": 0.5, "n=500": "500", "z1=1.5 z2=-0.5": "1.50, −0.50"}.get(start, True)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("name", OPENINGS)
def test_a_widget_in_prose_asks_nothing_and_begins_where_the_page_says(browser, page_with, name):
    with visit(browser, page_with(name)) as page:
        page.wait_for_function("() => document.querySelector('.vw-on')")
        for start, where in OPENINGS[name].items():
            assert shown(page.locator(f".vw {where}").first) != wanted(start)
    for start, where in OPENINGS[name].items():
        with visit(browser, page_with(name, start)) as page:
            page.wait_for_function("() => document.querySelector('.vw-on')")
            root = page.locator(".vw")
            assert root.locator(".vw-question").count() == 0
            assert root.locator("canvas:visible").count() > 0
            control = root.locator(where).first
            assert shown(control) == wanted(start)
            for slider in root.locator("input[type=range]:visible").all():
                slider.press("End")
            for radio in root.locator("[role=radiogroup]:visible label").all():
                radio.click()
            if "part" not in start:  # it stays where the reader is
                root.get_by_role("button", name="Reset").click()
                assert shown(control) == wanted(start)
            assert page.complaints == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("start", ["veiw=tiles", "view=tile", "view=tiles, space=u", "z1=9", "asked=1"])
def test_a_start_that_the_widget_does_not_have_is_told_in_its_place(browser, page_with, start):
    with visit(browser, page_with("latent-manifold", start)) as page:
        alert = page.locator("[role=alert]")
        alert.wait_for()
        assert f"The page begins this with {start.split()[0]}" in alert.inner_text()
        assert page.locator("input[value=points]").is_checked()  # as it begins where nothing is said


@pytest.mark.browser
@pytest.mark.slow
def test_a_link_moves_a_widget_from_where_the_page_began_it(browser, page_with):
    with visit(browser, f"{page_with('latent-manifold', 'view=tiles space=u')}#latent-manifold?view=points") as page:
        page.wait_for_function("() => document.querySelector('.vw-on')")
        assert page.locator("input[value=points]").is_checked() and page.locator("input[value=u]").is_checked()


SLIPS = {
    "{vbook-widget} latent-manifol": "there is no widget latent-manifol; did you mean 'latent-manifold'",
    "{vbook-widget} latent_manifold": "there is no widget latent_manifold",
    "{vbook-widget} train-live": "there is no widget train-live",
    "{vbook-widget} latent-manifold\n:start: view": "'view' isn't",
    "{vbook-widget} latent-manifold\n:start: view=a=b": "'view=a=b' isn't",
    "{vbook-widget} latent-manifold\n:picture: none.png": "none.png is no picture that can stand in: No such file",
    "{vbook-widget} latent-manifold\n:picture: cut.png": "cut.png is no picture that can stand in",
    "{vbook-widget} latent-manifold\n:picture: .": "is no picture that can stand in: Is a directory",
}


@pytest.mark.slow
def test_each_slip_in_a_page_is_told_with_its_line(tmp_path):
    top = sample.write(tmp_path)
    Image.effect_noise((64, 64), 80).save(top / "book" / "whole.png")
    (top / "book" / "cut.png").write_bytes((top / "book" / "whole.png").read_bytes()[:1000])
    parts = []
    for slip in SLIPS:
        rest = "" if ":picture:" in slip else "\n:picture: whole.png"
        parts.append(f"```{slip}{rest}\n:alt: words\n```")
    page = top / "book" / "notation.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n\n" + "\n\n".join(parts) + "\n", encoding="utf-8")
    with pytest.raises(VbookError) as caught:
        build_site(top=top)
    told = str(caught.value).splitlines()
    for words in SLIPS.values():
        (line,) = [line for line in told if words in line and "notation.md:" in line]
        assert line.partition("notation.md:")[2].partition(":")[0].isdigit()


def test_two_of_a_kind_on_a_page_have_ids_of_their_own(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    seen = Counter()
    for id in ("elbo-gap", "elbo-gap-2"):
        assert f'id="{id}"' in prose_form("elbo-gap", "", tmp_path / "p.png", "words", "index", seen)


def test_every_widget_is_tried():
    assert {name.replace("-", "_") for name in OPENINGS} == set(widgets.__all__)
