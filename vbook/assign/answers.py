"""The questions of an assignment, and what a student wrote under each, wherever it stands in the notebook."""

import ast
import re
import warnings

from vbook.assign.cells import plain
from vbook.assign.master import Master, flat, graded
from vbook.assign.release import ANSWER
from vbook.pipeline.notebook import sections

_LONG = 10_000  # characters of a cell that are looked at
_LABEL = re.compile(r"^\*\*Question[^*]*\*\*\s*")


def asked(master: Master) -> dict[str, str]:
    """Each question's own text: the cell before its answer."""
    cells = master.notebook["cells"]
    return {name: cells[k - 1]["source"].strip() for name, k in _places(master).items()}


def titles(master: Master) -> dict[str, str]:
    """Each question as students know it: the heading of its section and its own first words."""
    headings = sections(master.notebook)
    return {name: f"{headings[k]} “{_first_words(asked(master)[name])}”" for name, k in _places(master).items()}


def answers(notebook: dict, master: Master) -> tuple[dict[str, str], list[str]]:
    """What a student wrote under each question ('' for nothing), and the questions whose cells are missing.

    Further Markdown cells count for the question before them, and code cells right below it that hold no code. A notebook that
    lost its metadata is read by the questions' texts.
    """
    texts = asked(master)
    given = {flat(cell["source"]) for cell in master.notebook["cells"] if cell["cell_type"] == "markdown"}
    ids = {id(cell): known["grade_id"] for cell, known in graded(notebook) if known["grade_id"] in texts}
    parts: dict[str, list[str]] = {}
    current, below = None, False
    for cell in notebook["cells"]:
        text = cell["source"].strip()
        if name := ids.get(id(cell)):
            current, below = name, True
        elif cell["cell_type"] != "markdown":
            below = below and "nbgrader" not in cell["metadata"]
            if not (below and (text := _prose(text))):
                continue
        elif name := next((name for name, question in texts.items() if text.startswith(question)), None):
            current, below, text = name, True, text.removeprefix(texts[name])
            if not text:
                continue
        elif current is None or flat(text) in given:
            below = False
            continue
        parts.setdefault(current, []).append("" if text == ANSWER else text.removeprefix(ANSWER).strip())
    found = {name: "\n\n".join(filter(None, parts.get(name, []))) for name in texts}
    return found, [name for name in texts if name not in parts]


def _prose(source: str) -> str:
    """What was written into a cell of code that should be one of text: comments, bare strings, what is no Python; else ''.

    >>> _prose("# Because\\n# it is."), _prose("It is so."), _prose("'So.'"), _prose("x = 1  # so")
    ('Because\\nit is.', 'It is so.', "'So.'", '')
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            body = ast.parse(plain(source[:_LONG])).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    if not body:
        return re.sub(r"^[ \t]*# ?", "", source, flags=re.MULTILINE)
    return source if all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body) else ""


def _places(master: Master) -> dict[str, int]:
    """Where in the master each question's answer stands."""
    ids = {id(cell): known["grade_id"] for cell, known in graded(master.notebook)}
    places = {ids.get(id(cell)): k for k, cell in enumerate(master.notebook["cells"])}
    return {name: places[name] for name in master.questions}


def _first_words(question: str) -> str:
    words, many = _LABEL.sub("", question).split(), 8
    while many < len(words) and any(" ".join(words[:many]).count(mark) % 2 for mark in "$*"):  # no formula is cut
        many += 1
    return " ".join(words[:many]) + (" …" if many < len(words) else "")
