"""The students' copy of a master: nbgrader's own preprocessors, and a look whether anything hidden is left."""

import re
from pathlib import Path

from vbook import paths
from vbook.assign.master import Master
from vbook.errors import VbookError
from vbook.pipeline.normalise import normalise
from vbook.pipeline.notebook import dumps, joined

ANSWER = "*Write your answer here.*"
_HIDDEN = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")


def release(master: Master, out: Path) -> Path:
    """Write the students' copy into the folder ``out`` and return its path.

    Raises VbookError where nbgrader is missing, and where its own rules find the master's metadata wrong.
    """
    path = Path(out) / f"{master.name}.ipynb"
    paths.write_text(path, dumps(student_copy(master)))
    return path


def student_copy(master: Master) -> dict:
    """The master without solutions, hidden tests, model answers and outputs; a solution raises NotImplementedError instead."""
    nbformat, stages = _tools()
    book = nbformat.from_dict(joined(master.notebook))
    try:
        for stage in stages:
            book, _ = stage.preprocess(book, {})
    except (RuntimeError, ValueError) as error:  # nbgrader's own complaints
        raise VbookError(f"{master.name}: {str(error).strip().splitlines()[0]}") from None
    copy = normalise(joined(book))
    if left := [cell["id"] for cell in copy["cells"] if _HIDDEN.search(cell["source"])]:
        raise VbookError(f"{master.name}: marks of hidden regions are left in {', '.join(left)}")
    return copy


def _tools():
    """nbformat, and nbgrader's preprocessors in the order of its own `generate_assignment`."""
    try:
        import nbformat
        from nbgrader import preprocessors as stages
    except ImportError:
        raise VbookError('releasing needs nbgrader: pip install "vbook[assign]"') from None

    class NamedStubs(stages.ClearSolutions):
        """Solutions give way to an error that names the task."""

        def preprocess_cell(self, cell, resources, cell_index):
            task = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            self.code_stub = {"python": f'raise NotImplementedError("task {task}: not begun")'}
            return super().preprocess_cell(cell, resources, cell_index)

    clear = [NamedStubs(text_stub=ANSWER), stages.ClearHiddenTests(), stages.ClearMarkScheme(), stages.ClearOutput()]
    return nbformat, [stages.CheckCellMetadata(), stages.LockCells(), *clear, stages.CheckCellMetadata()]
