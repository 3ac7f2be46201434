"""What the search finds: each section, folded block, equation, figure, algorithm, exercise, symbol, term, function and
cited work as a place of its own."""

import html
import json
import re
from pathlib import Path

from docutils import nodes

from vbook import paths
from vbook.site import citations, glossary, vendor
from vbook.site.directive import vbook_details, vbook_summary
from vbook.site.figures import vbook_caption
from vbook.site.maths import ASSISTIVE, Typesetter
from vbook.site.page import pages
from vbook.site.places import ALGORITHM, EXERCISE, FIGURE, SECTION
from vbook.site.plain import plain

PLACES, EQUATIONS, LIBRARY, STEMMER = "vbook-places.js", "vbook-equations.js", "minisearch.js", "stemmer.js"
NOTATION = "book/notation"
UNSAID = (nodes.raw, nodes.comment, nodes.image, nodes.math_block, nodes.literal_block, nodes.section, nodes.system_message)
OPEN, CLOSE = "\ue000", "\ue001"  # around the TeX of a formula, until all are typeset
FORMULA = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
NUMBERED = (
    ("figure", "fig", FIGURE, vbook_caption),
    ("algorithm", "alg", ALGORITHM, nodes.paragraph),
    ("exercise", "ex", EXERCISE, nodes.paragraph),
)
CODE_ID = re.compile(r'id="(code-[\w.]+)"')
DESCRIBED = 200  # characters at most, but for one long sentence
TOLD = re.compile(r"(?<=[.:?!])\s+")  # between sentences


def collect(app, doctree) -> None:
    """Note a page's places in the environment's metadata, which Sphinx forgets and merges with the page."""
    name = app.env.docname
    for k, block in enumerate(doctree.findall(vbook_details), 1):
        block["ids"] = [f"fold-{k}"]
    functions = [one for row in doctree.findall(nodes.row) for one in _function(row)]
    entries = [
        item for listed in doctree.findall(nodes.bullet_list) if "vbook-references" in listed["classes"] for item in listed
    ]
    skipped = UNSAID + (nodes.table,) * bool(functions) + (nodes.bullet_list,) * bool(entries)  # each is found under its own name
    found = [place for section in doctree.findall(nodes.section) for place in _places(section, skipped)]
    if name == glossary.PAGE:
        found += [_term(item) for item in doctree.findall(nodes.definition_list_item)]
    if name == NOTATION:
        found += [_symbol(row, k) for k, row in enumerate(doctree.findall(nodes.row)) if isinstance(row.parent, nodes.tbody)]
    app.env.metadata[name]["vbook_search"] = found + functions + [_work(item) for item in entries]


def _places(section: nodes.section, skipped: tuple):
    """The section itself, then what stands in it and not in a section of its own."""
    title = _words(section[0])
    text, code, inner = _gathered(section, skipped)
    number = SECTION.match(title)
    yield place("section", section["ids"][0], title, text, code, number[1] if number else "")
    yield from inner


def _gathered(block: nodes.Element, skipped: tuple) -> tuple[str, str, list[dict]]:
    """What a section or a folded block says, its code, and the places in it."""
    said, code, inner = [], [], []
    last = exercise = ""
    for node in _own(block, skipped):
        if isinstance(node, nodes.literal_block):
            if "output" not in node.get("classes", ()) and node.get("language") not in ("none", "text"):
                code.append(node.astext())
        elif isinstance(node, nodes.math_block):
            if node.get("tag"):
                inner.append(place("equation", node["ids"][0], f"Equation ({node['tag']})", last, label=node["tag"]))
        elif isinstance(node, vbook_details) and not any(node.findall(_is_bibtex)):  # its works are places
            title = _words(node[0])
            title = f"{title} of {exercise}" if exercise and title == "Solution" else title
            text, its_code, more = _gathered(node, skipped)
            inner += [place("fold", node["ids"][0], title, text, its_code), *more]
        elif text := _words(node):
            said.append(text)
            last = TOLD.split(text)[-1]
            found = list(_numbered(node, text))
            exercise = next((one["title"].lower() for one in found if one["kind"] == "exercise"), exercise)
            inner += found
    return " ".join(said), "\n".join(code), inner


def _own(node: nodes.Element, skipped: tuple):
    """The paragraphs, captions, code, displayed formulas and folded blocks of a section or block, not what is inside another
    section or a folded block, and no output of code."""
    for part in node.children:
        if isinstance(part, vbook_details) and not _is_cell(part):
            yield part
        elif isinstance(part, nodes.math_block | nodes.literal_block | vbook_caption):
            yield part
        elif isinstance(part, skipped) or getattr(part, "attributes", {}).get("nb_element") == "mime_bundle":
            continue
        elif isinstance(part, nodes.TextElement):
            if not isinstance(part, nodes.title | vbook_summary):
                yield part
        else:
            yield from _own(part, skipped)


def _is_bibtex(node: nodes.Node) -> bool:
    return isinstance(node, nodes.literal_block) and node.get("language") == "bibtex"


def _is_cell(block: vbook_details) -> bool:
    return any("nb_element" in part.attributes for part in block.children)


def _numbered(node: nodes.Element, text: str):
    for kind, at, pattern, form in NUMBERED:
        if isinstance(node, form) and (number := pattern.match(text)):
            rest = text[number.end() :].lstrip(" .:")
            yield place(kind, f"{at}-{number[1]}", f"{kind.title()} {number[1]}", rest, label=number[1])


def _term(item: nodes.definition_list_item) -> dict:
    """A term, whose other names are its initials, what its definition has in italics, and an abbreviation at its beginning."""
    title, definition = _words(item[0]), item[-1]
    words = re.split(r"[ –-]+", title)
    initials = "".join(word if word.isupper() else word[0].upper() for word in words) if len(words) > 1 else ""
    names = [node.astext() for node in definition.findall(nodes.emphasis)] + re.findall(r"\b[A-Z]{2,}\b", _words(definition)[:12])
    return place("term", item[0]["ids"][0], title, _words(definition)) | {"names": " ".join([initials, *names])}


def _function(row: nodes.row):
    for mark in row[0].findall(nodes.raw):
        if name := CODE_ID.search(mark.astext()):
            yield place("function", name[1], _words(row[0]), _words(row[1])) | {"names": name[1].removeprefix("code-")}


def place(kind: str, at: str, title: str, text: str, code: str = "", label: str = "") -> dict:
    """A place as the search's script reads it: ``at`` is its id in the page, ``label`` its number, formulas in marks."""
    return {"kind": kind, "at": at, "title": title, "text": text, "code": code, "label": label}


def _words(node: nodes.Node) -> str:
    """What a node says, in one line, its formulas as TeX in marks."""
    return " ".join("".join(_parts(node)).split())


def _parts(node: nodes.Node):
    if isinstance(node, nodes.Text):
        yield node.astext()
    elif isinstance(node, nodes.math):
        yield f"{OPEN}{node['tex'] if 'tex' in node else node.astext().strip()}{CLOSE}"
    elif not isinstance(node, UNSAID):
        for part in node.children:
            yield from _parts(part)
        if isinstance(node, nodes.paragraph | nodes.entry):
            yield " "


def _symbol(row: nodes.row, k: int) -> dict:
    row[0][0]["ids"] = [f"symbol-{k}"]
    return place("symbol", f"symbol-{k}", _words(row[0]), " · ".join(_words(cell) for cell in row[1:]))


def _work(item: nodes.list_item) -> dict:
    work = citations.works()[item["ids"][0]]
    names = [work.names, *re.findall(r"[0-9]{4}", work.key)]  # known by the year of the preprint, too
    return place("work", work.key, work.title, _words(item)) | {"authors": " ".join(names)}


def describe(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Give a page the description that search engines and previews of links show: its first sentences."""
    if found := app.env.metadata.get(pagename, {}).get("vbook_search"):
        said = ""
        for sentence in TOLD.split(_told(found[0]["text"], app.vbook_typesetter)):
            if said and len(said) + len(sentence) > DESCRIBED:
                break
            said = f"{said} {sentence}".strip()
        context["metatags"] = f'{context.get("metatags") or ""}<meta name="description" content="{html.escape(said)}">\n'


def write(app, static: Path) -> None:
    """Write what the search's script reads into the folder ``static``: all places, the typeset equations, the library."""
    env, typesetter = app.env, app.vbook_typesetter
    formulas = {
        f"{app.builder.get_target_uri(name)}#{at}": typesetter.html(tex, True)
        for name, page in pages(env).items()
        for at, tex in page.equations.items()
    }
    known = [name for name in env.metadata if env.metadata[name].get("vbook_search")]
    order = {name: k for k, name in enumerate(_reading_order(env))}
    known.sort(key=lambda name: order.get(name, len(order)))
    titles = [[app.builder.get_target_uri(name), _told(_words(env.titles[name]), typesetter)] for name in known]
    found = []
    for k, name in enumerate(known):
        for one in env.metadata[name]["vbook_search"]:
            shown = one | {"title": _told(one["title"], typesetter), "text": _told(one["text"], typesetter), "page": k}
            if one["kind"] == "equation":
                shown["formula"] = plain(formulas[f"{app.builder.get_target_uri(name)}#{one['at']}"])
            found.append({key: value for key, value in shown.items() if value != ""})
    _write_script(static / PLACES, "vbookPlaces", {"pages": titles, "places": found})
    _write_script(static / EQUATIONS, "vbookEquations", {at: ASSISTIVE.sub("", typeset) for at, typeset in formulas.items()})
    modules = vendor.modules()
    library, its_licence = (modules / "minisearch" / name for name in ("dist/umd/index.js", "LICENSE.txt"))
    script = re.sub(r"//# sourceMappingURL=.*", "", library.read_text(encoding="utf-8"))
    paths.write_text(static / LIBRARY, f"/*! {its_licence.read_text(encoding='utf-8').strip()}\n*/\n{script}")
    script = (modules / "wink-porter2-stemmer" / "src" / "wink-porter2-stemmer.js").read_text(encoding="utf-8")
    wrapped = f"globalThis.stem = (() => {{\nconst module = {{}};\n{script}\nreturn module.exports;\n}})();\n"
    paths.write_text(static / STEMMER, wrapped)


def _reading_order(env) -> list[str]:
    """The pages as the sidebar lists them."""
    root, found = env.config.root_doc, []
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        found.append(name)
        waiting = [page for page in env.toctree_includes.get(name, ()) if page not in found] + waiting
    return found


def _write_script(file: Path, name: str, content) -> None:
    """A script, where JSON would do: a page that was opened from disk may load no other file."""
    said = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    paths.write_text(file, f"globalThis.{name}={said};\n")


def _told(text: str, typesetter: Typesetter) -> str:
    return FORMULA.sub(lambda found: plain(typesetter.html(found[1], False)), text)
