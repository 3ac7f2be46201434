"""The rules that every committed chapter keeps, as functions from notebooks to complaints; ``lint_book`` applies them all."""

from pathlib import Path

from vbook.pipeline import notebook
from vbook.pipeline.lint import cells, outputs, prose

__all__ = ["lint_book", "lint_notebook"]


def lint_book(chapters: list[Path], pages: list[Path] = ()) -> list[str]:
    """Complaints about the notebooks ``chapters`` and about the links and numbers of the Markdown ``pages``."""
    nbs = {path.name: notebook.read(path) for path in chapters}
    texts = {path.name: path.read_text(encoding="utf-8") for path in pages}
    found = [f"{path.name}: {complaint}" for path in chapters for complaint in outputs.not_normal(path, nbs[path.name])]
    for name, nb in nbs.items():
        found += [f"{name}: {complaint}" for complaint in lint_notebook(nb)]
    prose_of = {name: prose.markdown(nb) for name, nb in nbs.items()} | texts
    return found + prose.equation_complaints(prose_of) + prose.number_complaints(prose_of)


def lint_notebook(nb: dict) -> list[str]:
    """Complaints about one notebook that need no other."""
    rules = (
        cells.lengths,
        cells.parameters_cell,
        cells.ids,
        cells.magics,
        cells.not_run,
        cells.drawing,
        prose.myst,
        prose.mathematics,
        outputs.errors,
        outputs.pictures,
        outputs.exemptions,
        outputs.machine_paths,
    )
    return [complaint for rule in rules for complaint in rule(nb)]
