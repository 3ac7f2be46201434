"""The code page: what the chapters take from the package, where each name is first used, and which equations it computes."""

import ast
import importlib
import inspect
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes

import vbook
from vbook.errors import VbookError
from vbook.ledger import ledger
from vbook.ledger.anchors import PATTERNS
from vbook.pipeline.stale import without_magics
from vbook.site.generated import Page, table
from vbook.site.theme import home

PAGE = "book/code.html"
IMPORT = re.compile(r"^from (vbook[\w.]*) import ([\w, ]+)$", re.MULTILINE)
HIGHLIGHTED = re.compile(r'(<span class="nn">(vbook[\w.]*)</span> <span class="kn">import</span> )(\w+(?:, \w+)*)')
PACKAGE = Path(vbook.__file__).parent


@dataclass
class Name:
    """A public function or class: its module and name as readers import it, the thing itself, and where it is first used."""

    module: str
    name: str
    thing: object
    uses: dict[str, str] = field(default_factory=dict)  # chapter's file -> number of the section that uses it first

    @property
    def id(self) -> str:
        """Its place on the page."""
        return f"code-{self.module}.{self.name}"


def names(notebooks: dict[str, dict]) -> dict[str, Name]:
    """What the notebooks (as JSON, by file) take from the package by ``from vbook.… import …``, by full name.

    A module that is taken as a whole, such as ``hmc``, stands for the functions that are called through it. Raises VbookError for
    a name that the package doesn't have.
    """
    found: dict[str, Name] = {}
    for file, notebook in notebooks.items():
        known, section = {}, ""  # the name in the notebook -> (module, name)
        for cell in notebook["cells"]:
            text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                section = (PATTERNS["sec"].findall(text) or [section])[-1]
                continue
            for module, taken in IMPORT.findall(text):
                for part in taken.split(","):
                    name, _, alias = part.strip().partition(" as ")
                    known[alias or name] = (module, name)
            words = _words(text)
            for alias, (module, name) in known.items():
                for one in _called(file, words, alias, module, name):
                    found.setdefault(f"{one.module}.{one.name}", one).uses.setdefault(file, section)
    return found


def _words(source: str) -> list[str]:
    """The names that a cell's code uses, dotted where it looks into one; not its strings and comments, nor its magics."""
    found = []
    for node in ast.walk(ast.parse(without_magics(source))):
        if isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append(f"{node.value.id}.{node.attr}")
    return found


def _called(file: str, words: list[str], alias: str, module: str, name: str) -> list[Name]:
    """What a cell uses under ``alias``: the thing itself, or, of a module, its functions and classes."""
    try:
        whole = importlib.import_module(module)
        thing = getattr(whole, name) if hasattr(whole, name) else importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError as error:
        raise VbookError(f"{file} takes {name} from {module}, which doesn't have it ({error})") from error
    if inspect.ismodule(thing):
        parts = dict.fromkeys(word.partition(".")[2] for word in words if word.startswith(f"{alias}."))
        return [Name(thing.__name__, part, getattr(thing, part)) for part in parts if callable(getattr(thing, part, None))]
    return [Name(module, name, thing)] if callable(thing) and alias in words else []


def equations() -> dict[int, list[str]]:
    """Links to the equations that each thing computes, by the ``id`` of the thing, as the ledger has them."""
    found: dict[int, list[str]] = {}
    for entry in ledger().entries:
        if entry.status == "closed" and entry.symbol and "/eq-" in entry.id:
            thing = _outermost(entry.symbol)
            found.setdefault(id(thing), []).append(f"[{entry.label}](../{entry.where})")
    return found


def _outermost(symbol: str) -> object:
    """The function or class that a dotted name of the ledger is or is part of."""
    module, parts = symbol, []
    while True:
        try:
            thing = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            parts.insert(0, last)
    return getattr(thing, parts[0])


def code_tables(found: dict[str, Name]) -> dict[str, str]:
    """For each module what it is and the table of its names, in the order of first use; those that answer for equations first."""
    address, branch = home()
    computed, made = equations(), {}
    answering = {one.module for one in found.values() if id(one.thing) in computed}
    modules = dict.fromkeys(one.module for one in found.values())
    for module in sorted(modules, key=lambda module: module not in answering):
        rows = [_row(one, computed, f"{address}/blob/{branch}") for one in found.values() if one.module == module]
        said = (inspect.getdoc(importlib.import_module(module)) or "").split("\n\n")[0].replace("\n", " ")
        made[module] = f"{said}\n\n{table(['name', 'what it does', 'equations', 'first used in'], rows)}"
    return made


def _row(one: Name, computed: dict[int, list[str]], address: str) -> list[str]:
    doc = (inspect.getdoc(one.thing) or "").split("\n\n")[0].replace("\n", " ").replace("->", "→")
    thing = inspect.unwrap(one.thing)  # not what a decorator made of it
    file, line = Path(inspect.getsourcefile(thing)), inspect.getsourcelines(thing)[1]
    source = f"{address}/{file.relative_to(PACKAGE.parent).as_posix()}#L{line}"
    used = [
        f"[§{section}](../{file}#sec-{section})" if section else f"[its head](../{file})" for file, section in one.uses.items()
    ]
    return [
        f'<span id="{one.id}"></span>[`{one.name}`]({source})',
        doc,
        ", ".join(computed.get(id(one.thing), ["–"])),
        ", ".join(used),
    ]


def placed(page: str) -> frozenset[str]:
    """The full names that the built code page has."""
    return frozenset(re.findall(r'id="code-(vbook[\w.]+)"', page))


def link_imports(markup: str, known: frozenset[str], address: str) -> str:
    """The highlighted code of a page with the ``known`` names of its import lines as links to the code page at ``address``.

    >>> line = '<span class="nn">vbook.bounds</span> <span class="kn">import</span> elbo, other'
    >>> link_imports(line, frozenset(["vbook.bounds.elbo"]), "code.html").partition("import</span> ")[2]
    '<a class="vbook-code" href="code.html#code-vbook.bounds.elbo">elbo</a>, other'
    """

    def link(found: re.Match) -> str:
        names = [name.strip() for name in found[3].split(",")]
        return found[1] + ", ".join(
            f'<a class="vbook-code" href="{address}#code-{found[2]}.{name}">{name}</a>' if f"{found[2]}.{name}" in known else name
            for name in names
        )

    return HIGHLIGHTED.sub(link, markup)


class Code(Page):
    """``{vbook-code}``: a section for each module."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        chapters = sorted((Path(self.env.srcdir) / "chapters").glob("*.ipynb"))
        read = {f"chapters/{file.name}": json.loads(file.read_text(encoding="utf-8")) for file in chapters}
        sections = []
        for module, text in code_tables(names(read)).items():
            title = nodes.title("", "", nodes.literal("", module))
            sections.append(nodes.section("", title, *self.parse(text), ids=[nodes.make_id(module)]))
        return sections
