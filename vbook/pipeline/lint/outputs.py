"""Rules about outputs: none failed, pictures can be heard as well as seen, few escape comparison, none names a machine."""

import re
from pathlib import Path

from vbook.errors import VbookError
from vbook.pipeline.lint.cells import numbered
from vbook.pipeline.normalise import check_size, machine_places, normalise
from vbook.pipeline.notebook import code_cells, dumps, tags

SHARE = 0.1  # of the cells with output that may be exempt from nbval's comparison
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
_EXEMPT_TAGS = {"nbval-ignore-output", "nbval-skip"}
_EXEMPT_COMMENT = re.compile(r"^\s*#\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)\b", re.MULTILINE)
# An absolute path of two parts or more that is neither an address nor the tail of a relative path.
_PATH = re.compile(r"(?<![\w.:/<~$-])(/[\w.+-]+){2,}/?|\b[A-Z]:\\+Users\b")


def errors(nb: dict) -> list[str]:
    """A committed notebook shows no traceback."""
    return [
        f"cell {n}: an error output ({o['ename']})"
        for n, cell in numbered(nb)
        for o in cell["outputs"]
        if o["output_type"] == "error"
    ]


def pictures(nb: dict) -> list[str]:
    """Each picture has a caption and a text alternative of its own; a widget has a title for caption."""
    found = []
    for number, cell in numbered(nb):
        for output in cell["outputs"]:
            if any(mime in output.get("data", {}) for mime in _PICTURES):
                about = output["metadata"].get("vbook", {})
                alt, caption = about.get("alt", "").strip(), about.get("caption", "").strip()
                if alt and about.get("role") == "widget":
                    continue
                if not alt or not caption:
                    missing = "caption" if alt else "text alternative"
                    found.append(f"cell {number}: a picture without {missing}; show it with vbook.plots.show")
                elif _core(alt) in _core(caption) or _core(caption) in _core(alt):
                    found.append(f"cell {number}: the text alternative only repeats the caption")
    return found


def _core(text: str) -> str:
    """The words without "Figure 2.1." in front, case and the last full stop."""
    return re.sub(r"^figure [\d.]+[a-z]?\W*", "", text.strip().casefold()).rstrip(".")


def exempt(cell: dict) -> bool:
    """Whether nbval is told not to compare this cell's outputs."""
    return bool(_EXEMPT_TAGS & set(tags(cell)) or _EXEMPT_COMMENT.search(cell["source"]))


def exemptions(nb: dict) -> list[str]:
    """At most a tenth of the cells with output, never a check, and a check follows each."""
    code = numbered(nb)
    found = []
    for index, (number, cell) in enumerate(code):
        if exempt(cell):
            if "check" in tags(cell):
                found.append(f"cell {number}: a check cell is exempt from comparison")
            following = code[index + 1][1] if index + 1 < len(code) else None
            if following is None or "check" not in tags(following):
                found.append(f"cell {number}: exempt from comparison, but the next code cell is no check")
    shown = [cell for cell in code_cells(nb) if cell["outputs"]]
    freed = [cell for cell in shown if exempt(cell)]
    if len(freed) > SHARE * len(shown):
        found.append(f"{len(freed)} of {len(shown)} cells with output are exempt from comparison, more than {SHARE:.0%}")
    return found


def machine_paths(nb: dict) -> list[str]:
    """No folder of the machine that ran it, in sources or in what they print."""
    folders = [re.compile(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])") for folder in machine_places()]
    found = []
    for number, cell in enumerate(nb["cells"], 1):
        texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.get("outputs", [])]
        texts += [cell["source"]] if cell["cell_type"] == "code" else []
        for match in [m for text in texts for pattern in (_PATH, *folders) for m in pattern.finditer(text)][:1]:
            found.append(f"cell {number}: names the path {match[0]!r} of a machine")
    return found


def not_normal(path: Path, nb: dict) -> list[str]:
    """The file is what the normaliser makes of it, byte for byte, and small enough."""
    try:
        check_size(nb, path.name)
    except VbookError as error:
        return [str(error).removeprefix(f"{path.name}: ")]
    same = path.read_text(encoding="utf-8") == dumps(normalise(nb))
    return [] if same else ["was not written by the normaliser; commit it with `vbook run --commit`"]
