import json
import re

import pytest

from vbook.errors import VbookError
from vbook.site import maths
from vbook.site.maths import Typesetter, key, split_tag


def test_two_tags_in_one_block_are_refused():
    with pytest.raises(VbookError, match=r"one .tag a block, found 2"):
        split_tag(r"a \tag{1} \\ b \tag{2}")


@pytest.fixture
def typesetter(tmp_path):
    return Typesetter(tmp_path / "maths.json")


def test_formulas_come_with_mathml_for_screen_readers(typesetter):
    assert typesetter.add([(r"q_\phi(z \mid x)", False)]) == {}
    html = typesetter.html(r"q_\phi(z \mid x)", False)
    assert 'aria-hidden="true"' in html and "<mjx-assistive-mml" in html and "<math" in html
    assert "data-latex" not in html
    assert "xmlns" not in html


def test_aligned_blocks_and_the_macros_of_the_thesis(typesetter):
    tex = r"\begin{aligned} a &= \mathbb{E}_{q}\left[\log \frac{p}{q}\right] \\"
    tex += r" &= \boldsymbol\phi \odot \nabla\operatorname{diag}(\sigma) \end{aligned}"
    assert typesetter.add([(tex, True)]) == {}
    assert typesetter.html(tex, True).count("<mjx-mtr") == 2


@pytest.mark.parametrize("tex", [r"\undefinedmacro", r"\frac{a", r"a \right)", r"\begin{aligned} a", r"a \\ \tag{1} \tag{2}"])
def test_mistakes_are_reported_and_not_kept(typesetter, tex):
    errors = typesetter.add([(tex, True), ("fine", True)])
    assert list(errors) == [(tex, True)] and errors[tex, True]
    with pytest.raises(VbookError, match="MathJax"):
        typesetter.html(tex, True)


def test_the_cache_spares_node(typesetter, monkeypatch):
    typesetter.add([("a+b", False)])
    monkeypatch.setattr(maths, "_run", lambda formulas: pytest.fail("typeset twice"))
    again = Typesetter(typesetter.file)
    assert again.add([("a+b", False)]) == {} and again.html("a+b", False) == typesetter.html("a+b", False)


def test_formulas_that_no_page_has_are_forgotten(typesetter):
    typesetter.add([("a+b", False), (r"\mathbb{E}", False)])
    assert typesetter.only([("a+b", False)]) == {}
    again = Typesetter(typesetter.file)
    assert list(again.formulas) == [maths.key("a+b", False)] and not any("1D53C" in rule for rule in again.rules.values())


def test_a_cache_cut_short_or_of_another_version_is_void(typesetter):
    typesetter.add([("a+b", False)])
    whole = typesetter.file.read_text()
    typesetter.file.write_text(whole[:-20])
    assert Typesetter(typesetter.file).formulas == {}
    typesetter.file.write_text(json.dumps(json.loads(whole) | {"version": "other"}))
    assert Typesetter(typesetter.file).formulas == {}


def test_the_style_sheet_names_only_the_fonts_in_use(typesetter):
    typesetter.add([("a", False), (r"\mathbb{E}", False)])
    plain, double = typesetter.stylesheet([("a", False)]), typesetter.stylesheet([("a", False), (r"\mathbb{E}", False)])
    assert "mjx-ncm-ds.woff2" not in plain and "mjx-ncm-ds.woff2" in double
    assert "u1D44E" in plain and "u1D53C" not in plain


LONG = r"\mathcal L_{\theta,\phi}(x) = \log p_\theta(x) - D_{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))"


def test_a_long_formula_breaks_after_its_operators_only(typesetter):
    typesetter.add([(LONG, False)])
    before = re.findall(r"([^<>]+)</mjx-c></mjx-mo><mjx-break", typesetter.html(LONG, False))
    assert before == ["=", "\N{MINUS SIGN}"]  # not at the bars


INSIDE, BAR = r"q_\phi(z_1 = 1, z_2 = 2, z_3 = 3, z_4 = 4 + 5)", r"x_1 x_2 x_3 x_4 x_5 \mid z_1 z_2 z_3 z_4 z_5"


@pytest.mark.parametrize("tex", [INSIDE, BAR])
def test_a_long_formula_does_not_break_inside_parentheses_or_at_a_bar(typesetter, tex):
    typesetter.add([(tex, False)])
    assert "<mjx-break" not in typesetter.html(tex, False)


def test_a_short_formula_stays_together_and_keeps_its_spaces(typesetter):
    typesetter.add([("a = b", False)])
    html = typesetter.html("a = b", False)
    assert "<mjx-break" not in html and '<mjx-mo space="4">' in html and '<mjx-mi space="4">' in html


def test_what_no_screen_reader_says_is_left_out(typesetter):
    tex = r"\mathcal{L}\left(\tfrac{a}{b}\right)"
    typesetter.add([(tex, False)])
    kept = typesetter.formulas[key(tex, False)]["html"]
    seen, heard = typesetter.html(tex, False).split("<mjx-assistive-mml")
    assert " data-mjx-" in kept and " data-mjx-" not in heard and "stretchy" not in heard
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in heard and "mjx-mfrac" in seen
