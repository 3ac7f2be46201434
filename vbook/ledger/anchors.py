"""Places in a chapter that ledger and errata point to: equations, sections, algorithms and figures by their numbers."""

import re

NUMBER = r"\d+[a-z]?(?:\.\w+)*"
PATTERNS = {  # each finds the number in the line of a notebook's source that sets the place
    "eq": re.compile(rf"\\tag\{{({NUMBER})\}}"),
    "sec": re.compile(rf"^#{{1,6}}\s+({NUMBER})\s", re.MULTILINE),
    "alg": re.compile(rf"^\*\*Algorithm ({NUMBER})\b", re.MULTILINE),
    "fig": re.compile(rf"""caption=["']Figure ({NUMBER})\."""),
}


def anchors(notebook: dict) -> set[str]:
    """The anchors that the chapter in a notebook (as JSON) sets, such as ``eq-2.10``, ``sec-2.3``, ``alg-1``, ``fig-2.7b``.

    >>> cell = {"cell_type": "markdown", "source": "## 2.3 How good?\\n$$ a \\\\tag{2.10} $$"}
    >>> sorted(anchors({"cells": [cell]}))
    ['eq-2.10', 'sec-2.3']
    """
    found = set()
    for cell in notebook["cells"]:
        text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        kinds = ("eq", "sec", "alg") if cell["cell_type"] == "markdown" else ("fig",)
        found |= {f"{kind}-{number}" for kind in kinds for number in PATTERNS[kind].findall(text)}
    return found
