"""The last pass over the built pages: no dead weight, no inline handlers, and a content policy with the scripts' digests."""

import base64
import hashlib
import json
import re
from pathlib import Path

from vbook import paths
from vbook.site.code_page import PAGE, link_imports, placed
from vbook.site.maths import ASSISTIVE
from vbook.site.styles import names, prune

FRONT = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>{title}</title>
    <meta http-equiv="refresh" content="0; url={target}">
  </head>
  <body><p><a href="{target}">{title}</a></p></body>
</html>
"""
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
ICONS = re.compile(r"\s*(?:<!-- So that users can add custom icons -->\s*)?<script[^>]*scripts/fontawesome\.js[^>]*></script>")
NAMELESS = re.compile(r'<button class="btn search-button-field[^>]*>')  # its visible text is its name
# Scripts of Sphinx's search, in whose place is ours, and the theme's, which vbook.js starts
SEARCH = re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex|sphinx_highlight)\.js[^"]*"></script>')
LATER = re.compile(r'<script defer src="([^"]*/scripts/(?:bootstrap|pydata-sphinx-theme)\.js[^"]*)"></script>')
HANDLER = re.compile(r"""(<[a-z][^<>]*?)\s+on[a-z]+\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
PLAIN = re.compile(r'<span class="[npow]">([^<]*)</span>')  # names, punctuation, operators, blanks: most of a page of code
LONG_WORD = re.compile(r'(?<=<span class="pre">)[^<]{10,}(?=</span>)')  # of code in a line of text
OPTION = re.compile(r'(?<=<span class="pre">)--[\w-]+')  # of a command: never broken behind its hyphens
JOINT = re.compile(r"(?<=\w[._(/])(?=\w)")  # where it may break
FORMULA = re.compile(r"<mjx-[^>]*>")  # most tags of a page: they go without quotes where HTML needs none
QUOTED = re.compile(r"=\"([\w.-]+)\"")
STYLE = re.compile(r'<link[^>]* href="([^"]*_static/)vbook\.css')
FONTS = {
    "source-serif-4-latin-wght-normal": "",
    "source-sans-3-latin-wght-normal": "",
    "source-serif-4-latin-wght-italic": "<em>",
}
START = """<script>
document.documentElement.classList.add("scripted");
if (location.protocol === "file:") document.documentElement.classList.add("disk");
else for (const name of NAMES) document.head.append(Object.assign(document.createElement("link"), {
  rel: "preload", as: "font", type: "font/woff2", crossOrigin: "", href: `STATICfonts/${name}.woff2` }));
</script>"""  # from disk a browser refuses to fetch fonts beforehand
UNSEEN = re.compile(r"(?<=<template data-preview=)(.*?)(?=</template>)", re.DOTALL)
CHARSET = re.compile(r"<meta charset=[^>]*>", re.IGNORECASE)
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'"
)
POLICY_TAG = '<meta http-equiv="Content-Security-Policy"'
DEAD = ("scripts/fontawesome.js*", "vendor/fontawesome", "**/*.map", "**/*.LICENSE.txt")
DEAD += ("searchtools.js", "language_data.js", "sphinx_highlight.js")  # of Sphinx's own search; the last eats the dialog's Escape
DEAD += ("locales", "*webpack-macros.html", "images/logo_[bdj]*")  # no page has them
ICON_FONTS = re.compile(r"@font-face\s*\{[^{}]*fontawesome[^{}]*\}")
ICON = r"\.fa(?:[brs]|-[-\w]+)?(?:::?before)?"
ICON_RULES = re.compile(rf"(?:(?<=[}}/])|^)\s*{ICON}(?:\s*,\s*{ICON})*\s*\{{[^{{}}]*\}}")
MARGINS = re.compile(r"""\[(?:"[\w-]+",)*"margin"(?:,"[\w-]+")*\](?=\.forEach)""")
FOLLOWING = '"#pst-page-toc-nav"'
TAB_STOPS = re.compile(r"""document\.querySelectorAll\(\["pre",[^\]]*\]\.join\(", "\)\)""")
FAVICON = (
    "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='7' fill='%230072B2'/%3E%3Cpath d='M4 24C10 24 11 8 16 8s6 16 12 16' fill='none' "
    "stroke='white' stroke-width='3' stroke-linecap='round'/%3E%3C/svg%3E\">"
)


def policy(page: str) -> str:
    """The content policy of a page: its own scripts by file, its inline scripts by digest, nothing from elsewhere.

    >>> "'sha256-" in policy("<script>f()</script>"), "'sha256-" in policy('<script src="a.js"></script>')
    (True, False)
    """
    inline = (body for attributes, body in SCRIPT.findall(page) if _runs_inline(attributes))
    digests = [f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in inline]
    return POLICY.format(scripts=" ".join(["'self'", *dict.fromkeys(digests)]))


def _runs_inline(attributes: str) -> bool:
    kind = re.search(r"""\btype\s*=\s*["']?([^"'\s>]+)""", attributes)
    return not re.search(r"\bsrc\s*=", attributes) and (kind is None or kind[1] in ("module", "text/javascript"))


def finish_page(page: str, code: frozenset[str] = frozenset()) -> str:
    """A built page, ready to publish, its imports of ``code`` led to the code page; one already finished comes back as it is.

    >>> finish_page('<meta charset="utf-8"><p onclick="f()">').endswith("<p>")
    True
    """
    if POLICY_TAG in page:
        return page
    page = NAMELESS.sub(lambda found: found[0].replace(' aria-label="Search"', ""), ICONS.sub("", page))
    page = SEARCH.sub("", page)
    page = LATER.sub(r'<link rel="preload" as="script" class="vbook-later" href="\1">', page)
    parts = SCRIPT.split(page)  # handlers are looked for in markup only: every third part, between the scripts
    scripts = [match[0] for match in SCRIPT.finditer(page)]
    markup = [PLAIN.sub(r"\1", _without_handlers(part)) for part in parts[::3]]
    markup = [LONG_WORD.sub(lambda word: JOINT.sub("<wbr>", word[0]), part) for part in markup]
    markup = [OPTION.sub(r'<span class="option">\g<0></span>', part) for part in markup]
    markup = [link_imports(part, code, f"../{PAGE}") for part in markup]
    markup = [part.replace(' jax="CHTML" style="position: relative;"', ' jax="CHTML"') for part in markup]
    markup = [FORMULA.sub(lambda tag: QUOTED.sub(r"=\1", tag[0]), part) for part in markup]
    markup = [UNSEEN.sub(lambda found: ASSISTIVE.sub("", found[0]), part) for part in markup]  # hidden from screen readers
    page = "".join(a + b for a, b in zip(markup, [*scripts, ""], strict=True))
    page = CHARSET.sub(lambda found: found[0] + _start(page), page, count=1)
    meta = f'{POLICY_TAG} content="{policy(page)}">'
    return CHARSET.sub(lambda found: f"{found[0]}\n    {meta}\n    {FAVICON}", page, count=1)


def _start(page: str) -> str:
    """A script by which a browser fetches the fonts of the page's text at once, before it has seen a style sheet."""
    static = STYLE.search(page)
    fonts = [name for name, where in FONTS.items() if where in page]
    return "\n    " + START.replace("NAMES", json.dumps(fonts)).replace("STATIC", static[1]) if static else ""


def _without_handlers(markup: str) -> str:
    while HANDLER.search(markup):
        markup = HANDLER.sub(r"\1", markup)
    return markup


def slim(style: str) -> str:
    """The theme's style sheet without its icon font, whose few icons ``vbook.css`` draws.

    >>> slim("@font-face{font-family:Font Awesome;src:url(../vendor/fontawesome/a.woff2)}.fa-x:before{content:1}p{margin:0}")
    'p{margin:0}'
    """
    return ICON_RULES.sub("", ICON_FONTS.sub("", style))


def calm(script: str) -> str:
    """One of the themes' scripts without its searches through all of a long page, which take it seconds.

    Boxes to scroll are measured and written by turns: ``vbook.js`` gives such boxes their tab stops. What stands in the margin,
    so that the list of contents makes room, is looked for under 28 names: here it has one. Which entry of that list is marked,
    ``vbook.js`` says: the theme's way misses what a reader passes in one step.

    >>> calm('document.querySelectorAll(["pre",".x"].join(", ")).forEach(f)'), calm('["sidenote","margin"].forEach(f)')
    ('[].forEach(f)', '["margin"].forEach(f)')
    """
    return MARGINS.sub('["margin"]', TAB_STOPS.sub("[]", script)).replace(FOLLOWING, '"#nobody"')


def finish(outdir: Path, root: str) -> None:
    """Finish every page under ``outdir``, lead from the front door to the ``root`` page, remove what no page uses."""
    if root != "index":
        found = re.search(r"<title>(.*?)</title>", (outdir / f"{root}.html").read_text(encoding="utf-8"), re.DOTALL)
        paths.write_text(outdir / "index.html", FRONT.format(title=found[1].strip(), target=f"{root}.html"))
    code = placed((outdir / PAGE).read_text(encoding="utf-8")) if (outdir / PAGE).is_file() else frozenset()
    for file in sorted(outdir.rglob("*.html")):
        before = file.read_text(encoding="utf-8")
        after = finish_page(before, code if file.parent.name == "chapters" else frozenset())
        if after != before:
            paths.write_text(file, after)
    for name in ("pydata-sphinx-theme.js", "sphinx-book-theme.js"):
        script = outdir / "_static" / "scripts" / name
        paths.write_text(script, calm(script.read_text(encoding="utf-8")))
    used = names(outdir)
    for style in sorted((outdir / "_static").rglob("*.css")):
        if not style.name.startswith("vbook"):  # the themes' sheets, which every build copies anew
            paths.write_text(style, prune(slim(style.read_text(encoding="utf-8")), used))
    for pattern in DEAD:
        for file in sorted((outdir / "_static").glob(pattern)):
            _remove(file)


def _remove(file: Path) -> None:
    if file.is_dir():
        for inner in file.iterdir():
            _remove(inner)
        file.rmdir()
    else:
        file.unlink()
