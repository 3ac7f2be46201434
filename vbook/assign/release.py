"""The students' copy of a master: nbgrader's own preprocessors, and a look whether anything hidden is left."""

import re
from pathlib import Path

from vbook import paths
from vbook.assign.master import Master, place
from vbook.errors import VbookError
from vbook.pipeline.normalise import normalise
from vbook.pipeline.notebook import dumps, joined

ANSWER = "*Write your answer here.*"
_MODEL = "**Model answer.**"
_HIDDEN = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")


def release(master: Master, out: Path) -> Path:
    """Write the students' copy into the folder ``out`` and return its path.

    Raises VbookError where nbgrader is missing, where its own rules find the master's metadata wrong, and where the file to
    write is there and says something else: it may be the master, or a student's work.
    """
    path = Path(out) / f"{master.name}.ipynb"
    if _holds_answers(path, master):
        raise VbookError(f"{path} holds solutions or model answers, which the students' copy would replace: name another --out")
    text = dumps(student_copy(master))
    if path.is_dir():
        raise VbookError(f"{path} is a folder, where the notebook is to be written: name another --out")
    if path.exists() and not path.is_file():  # a pipe: to read it waits, for ever perhaps
        raise VbookError(f"{path} is there and no ordinary file: name another --out")
    if path.exists() and path.read_bytes() != text.encode():
        raise VbookError(f"{path} is there and holds something else, perhaps work: name another --out, or move it away")
    paths.write_text(path, text)
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


def _holds_answers(path: Path, master: Master) -> bool:
    """Whether the file at ``path`` is a master, this one or another, by its place, its marks or its model answers."""
    if not path.is_file():
        return False
    if path.resolve() == place(master.name).resolve():
        return True
    text = path.read_text(encoding="utf-8", errors="replace")
    return bool(_HIDDEN.search(text)) or _MODEL in text


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
