"""Rules about Markdown: it reads everywhere, its equations are found, its numbers are those of the records."""

import re
from collections import Counter

from vbook.errors import VbookError
from vbook.pipeline.markdown import equation_links, equations, number_links, without_code

_MYST = {
    "a MyST fence": re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*\{", re.MULTILINE),
    "a MyST colon fence": re.compile(r"^\s*:{3,}", re.MULTILINE),
    "a MyST target": re.compile(r"^\([\w:.-]+\)=\s*$", re.MULTILINE),
}
_ROLE = re.compile(r"\{[a-zA-Z][\w:+-]*\}`[^`]")
_REFERENCE = re.compile(r"\\(eqref|ref|label)\b")
_INLINE_TAG = re.compile(r"\\tag\b")


def markdown(nb: dict) -> str:
    """The notebook's Markdown as one text."""
    return "\n\n".join(cell["source"] for cell in nb["cells"] if cell["cell_type"] == "markdown")


def _texts(nb: dict) -> list[tuple[int, str]]:
    return [(number, cell["source"]) for number, cell in enumerate(nb["cells"], 1) if cell["cell_type"] == "markdown"]


def myst(nb: dict) -> list[str]:
    """Colab and plain JupyterLab would show MyST's own syntax raw."""
    found = []
    for number, text in _texts(nb):
        found += [
            f"cell {number}: {what}; notebooks use plain Markdown" for what, pattern in _MYST.items() if pattern.search(text)
        ]
        if _ROLE.search(re.sub(r"\$\$?[^$]*\$\$?", "", text)):
            found.append(f"cell {number}: a MyST role; notebooks use plain Markdown")
    return found


def mathematics(nb: dict) -> list[str]:
    """Display formulas are closed, carry at most one tag, and tags stand in them only."""
    found = []
    for number, text in _texts(nb):
        text = without_code(text)
        pieces = text.split("$$")
        if len(pieces) % 2 == 0:
            found.append(f"cell {number}: a $$ without its partner")
        found += [
            f"cell {number}: {len(found_tags)} tags in one $$ block ({', '.join(found_tags)})"
            for found_tags in equations(text)
            if len(found_tags) > 1
        ]
        if _INLINE_TAG.search("".join(pieces[::2])):
            found.append(f"cell {number}: a \\tag outside a $$ block")
        if _REFERENCE.search(text):
            found.append(f"cell {number}: \\ref, \\eqref or \\label; link to an equation as [(2.10)](#eq-2.10)")
    return found


def equation_complaints(pages: dict[str, str]) -> list[str]:
    """Every tag once on its page (numbers of the thesis once in the book); every link to an equation finds it and names it."""
    labels = {page: [tag for tags in equations(text) for tag in tags] for page, text in pages.items()}
    found = []
    for page, tags in labels.items():
        found += [f"{page}: equation ({tag}) is tagged {count} times" for tag, count in Counter(tags).items() if count > 1]
    homes = Counter(tag for tags in labels.values() for tag in set(tags) if re.fullmatch(r"\d+\.\d+", tag))
    found += [f"equation ({tag}) is tagged on {count} pages" for tag, count in homes.items() if count > 1]
    for page, text in pages.items():
        for words, file, label in equation_links(text):
            target = file.rpartition("/")[2] or page
            if label not in labels.get(target, []):
                found.append(f"{page}: the link {words!r} leads to #eq-{label} of {target}, where no equation has that tag")
            elif label not in words:
                found.append(f"{page}: the link {words!r} leads to equation ({label}); its text must name it")
    return found


def number_complaints(pages: dict[str, str]) -> list[str]:
    """Every number that links to a record or a target is that record's or target's number."""
    from vbook.results import format_like, resolve

    found = []
    for page, text in pages.items():
        for words, reference in number_links(text):
            try:
                number = format_like(resolve(reference).value, words)
            except VbookError as error:
                found.append(f"{page}: {error}")
                continue
            if number != words:
                found.append(
                    f"{page}: the text says {words!r} where {reference} says {number!r}; `vbook run --commit` rewrites it"
                )
    return found
