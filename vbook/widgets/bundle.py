"""The widgets' one script, made from the small modules in ``static``: for a built page and for a notebook."""

import functools
import re
from pathlib import Path

STATIC = Path(__file__).with_name("static")
SHARED = ("runtime", "maths", "shapes", "ui", "ink", "plane", "bell", "style")  # each after what it imports
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:\{.*\};\n)?", re.MULTILINE)
ONCE = """if (!window.vbookNetworks) {
window.vbookNetworks = {};
const base = document.currentScript.src.replace(/[^/]*$/, "");"""


@functools.cache
def source() -> str:
    """All modules in one scope, without their imports and exports; each widget's in a scope of its own."""
    widgets = {file.stem: _plain(file) for file in sorted((STATIC / "widgets").glob("*.js"))}
    scopes = [f'"{name}": (() => {{\n{text}\nreturn {_camel(name)};\n}})(),' for name, text in widgets.items()]
    parts = [*(module(name) for name in SHARED), "const WIDGETS = {", *scopes, "};", module("main")]
    return "\n".join(parts)


def module(name: str) -> str:
    """A shared module's text for a scope that has what it imports."""
    return _plain(STATIC / f"{name}.js")


def _plain(file: Path) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", file.read_text(encoding="utf-8")))


def _camel(name: str) -> str:
    return re.sub(r"-(\w)", lambda found: found[1].upper(), name)


def for_page() -> str:
    """A plain script, for a page from disk may not load modules; a second one on the same page does nothing."""
    return f'"use strict";\n(() => {{\n{ONCE}\n{source()}\nboot(base);\n}}\n}})();\n'


def for_notebook() -> str:
    """An ES module as anywidget takes it."""
    return f"{source()}\nexport default {{ render }};\n"
