import base64
import hashlib
import re

import pytest

from vbook.site.finish import finish, finish_page, policy, slim

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8" />
<script defer src="_static/scripts/fontawesome.js?digest=1"></script>
<script>first()</script><script type="application/json">{"a": "onclick='x'"}</script></head>
<body><button class="a" onclick="go('x')" id="b">x</button><script type="module">second()</script></body></html>"""


def _digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_names_exactly_the_inline_scripts():
    named = re.findall(r"'sha256-[^']+'", policy(PAGE))
    assert named == [_digest("first()"), _digest("second()")]


def test_the_policy_is_the_one_agreed_on():
    assert policy("<p>") == (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'"
    )


def test_icon_script_and_inline_handlers_go_scripts_stay():
    page = finish_page(PAGE)
    assert "fontawesome" not in page and '<button class="a" id="b">' in page
    assert """{"a": "onclick='x'"}""" in page and "first()" in page and "second()" in page
    assert page.index("Content-Security-Policy") < page.index("<script")


def test_finishing_twice_changes_nothing():
    assert finish_page(finish_page(PAGE)) == finish_page(PAGE)


def test_only_icon_rules_leave_the_style_sheet():
    kept = ".a{color:red}.fancy{margin:0}@font-face{font-family:X;src:url(x.woff2)}"
    fonts = "@font-face{font-family:Font Awesome;src:url(../vendor/fontawesome/a.woff2)}"
    assert slim(kept + fonts + ".fa-x:before,.fa-y:before{content:'a'}.b{c:d}") == kept + ".b{c:d}"


def test_unused_files_are_removed(tmp_path):
    theme = (
        "styles/pydata-sphinx-theme.css",
        "styles/sphinx-book-theme.css",
        "scripts/pydata-sphinx-theme.js",
        "scripts/sphinx-book-theme.js",
    )
    for name in ("scripts/fontawesome.js", "vendor/fontawesome/webfonts/a.woff2", *theme, "a.js.map"):
        file = tmp_path / "_static" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    (tmp_path / "start.html").write_text(PAGE.replace("<script>", "<title>Start</title><script>", 1))
    finish(tmp_path, "start")
    left = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file())
    assert left == sorted([*(f"_static/{name}" for name in theme), "index.html", "start.html"])
    front = (tmp_path / "index.html").read_text()
    assert "url=start.html" in front and "<title>Start</title>" in front and "Content-Security-Policy" in front


@pytest.mark.slow
def test_the_themes_of_today_are_cut_where_we_think(sample_site):
    """What ``calm`` and ``prune`` look for is in the themes that are installed."""
    static = sample_site / "_static"
    scripts = {name: (static / "scripts" / f"{name}.js").read_text() for name in ("sphinx-book-theme", "pydata-sphinx-theme")}
    assert '["margin"].forEach' in scripts["sphinx-book-theme"] and "sidenote" not in scripts["sphinx-book-theme"]
    assert "[].forEach(" in scripts["pydata-sphinx-theme"] and '"pre",' not in scripts["pydata-sphinx-theme"]
    style = (static / "styles" / "pydata-sphinx-theme.css").read_text()
    assert 50_000 < len(style) < 150_000 and ".bs-tooltip-auto[data-popper-placement" in style
    for name in ("basic", "pygments"):
        assert len((static / f"{name}.css").read_text()) > 1_000


def test_no_page_has_the_scripts_of_sphinx_s_search():
    script = '<p>a</p>\n<script src="_static/searchtools.js?v=1"></script>'
    assert finish_page(script) == "<p>a</p>"


def test_the_themes_scripts_are_fetched_but_not_started():
    script = '<script defer src="../_static/scripts/bootstrap.js?digest=1"></script>'
    assert (
        finish_page(script)
        == '<link rel="preload" as="script" class="vbook-later" href="../_static/scripts/bootstrap.js?digest=1">'
    )


def test_long_words_of_code_may_break_at_their_joints():
    page = '<code><span class="pre">model.decoder_of(x)</span></code> <span class="pre">x.y</span> model.decoder_of(x)'
    broken = finish_page(page)
    assert broken.startswith('<code><span class="pre">model.<wbr>decoder_<wbr>of(<wbr>x)</span></code> <span class="pre">x.y<')
    assert broken.endswith(" model.decoder_of(x)")
