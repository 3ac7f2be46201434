"""Rules about code cells: short, run, with the committed parameters, and nothing but Python."""

import itertools
import re
import statistics
from collections import Counter

from vbook.errors import VbookError
from vbook.pipeline import parameters
from vbook.pipeline.notebook import code_cells, tags

MEDIAN, LONGEST, SETUP = 8, 30, 5
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DRAWS = re.compile(r"\b(?:(?:ax|axes|panels?)(?:\[[^\]]*\]|\.flat\b)*|plt|fig)\.[a-z]\w*\(")
_PIP = re.compile(r"\s*%pip install ")


def numbered(nb: dict) -> list[tuple[int, dict]]:
    """Code cells with their number among all cells, from 1, as an editor shows them."""
    return [(number, cell) for number, cell in enumerate(nb["cells"], 1) if cell["cell_type"] == "code"]


def setup_cell(nb: dict) -> dict | None:
    """The cell tagged ``setup``, or else the code cell after the parameters."""
    code = code_cells(nb)
    tagged = [cell for cell in code if "setup" in tags(cell)]
    after = [cell for before, cell in itertools.pairwise(code) if "parameters" in tags(before)]
    return next(iter(tagged + after), None)


def lengths(nb: dict) -> list[str]:
    """Blank lines and comments count: they are read too."""
    found, sizes = [], [(number, len(cell["source"].splitlines())) for number, cell in numbered(nb)]
    if sizes and (median := statistics.median(size for _, size in sizes)) > MEDIAN:
        found.append(f"the median code cell has {median:g} lines, more than {MEDIAN}")
    found += [f"cell {number}: {size} lines, more than {LONGEST}" for number, size in sizes if size > LONGEST]
    setup = setup_cell(nb)
    if setup is None:
        return [*found, "there is no setup cell behind the parameters"]
    if (size := len(setup["source"].splitlines())) > SETUP:
        found.append(f"the setup cell has {size} lines, more than {SETUP}")
    return found


def parameters_cell(nb: dict) -> list[str]:
    """One, with the four committed values; further parameters may follow."""
    try:
        found = parameters.declared(parameters.cell_of(nb)["source"])
    except VbookError as error:
        return [str(error)]
    wrong = {name: value for name, value in parameters.COMMITTED.items() if (name, value) not in found.items()}
    return [f"the parameters cell must say {name} = {value!r}" for name, value in wrong.items()]


def ids(nb: dict) -> list[str]:
    """Valid, and each once."""
    counts = Counter(cell.get("id", "") for cell in nb["cells"])
    return [
        f"cell id {name!r} is used {count} times or is no id"
        for name, count in counts.items()
        if count > 1 or not _ID.fullmatch(name)
    ]


def magics(nb: dict) -> list[str]:
    """A notebook is Python; the one exception installs the package in a fresh Colab."""
    setup = setup_cell(nb)
    found = []
    for number, cell in numbered(nb):
        lines = [line for line in cell["source"].splitlines() if re.match(r"\s*[%!]", line)]
        if [line for line in lines if not (cell is setup and _PIP.match(line))]:
            found.append(f"cell {number}: {lines[0].strip()!r} is not Python (only the setup cell may %pip install)")
    return found


def drawing(nb: dict) -> list[str]:
    """How a figure is drawn is folded on the page, and left out of the printed book."""
    open_ = [number for number, cell in numbered(nb) if _DRAWS.search(cell["source"]) and "hide-input" not in tags(cell)]
    return [f"cell {number} draws with Matplotlib's own commands; tag it hide-input" for number in open_]


def not_run(nb: dict) -> list[str]:
    """Committed notebooks carry the outputs of every cell."""
    idle = [number for number, cell in numbered(nb) if cell["source"].strip() and cell.get("execution_count") is None]
    which = f"cell {idle[0]} has" if len(idle) == 1 else f"{len(idle)} cells have"
    return [f"{which} not been run; commit the notebook with `vbook run --commit`"] if idle else []
