"""What ``--commit`` writes: records and weights into ``book/``, numbers into prose, executed notebooks into ``chapters/``."""

import shutil
from pathlib import Path

from vbook.errors import VbookError
from vbook.paths import atomic_write
from vbook.pipeline import notebook
from vbook.pipeline.markdown import with_numbers
from vbook.pipeline.normalise import check_size, normalise


def take_records(source: Path, target: Path) -> list[str]:
    """Copy the files that a run left in ``source`` to ``target``, each whole or not at all; returns their relative names."""
    names = sorted(file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file())
    copy_files(source, target, names)
    return names


def copy_files(source: Path, target: Path, names: list[str]) -> None:
    """Copy ``names`` from ``source`` to ``target`` through a temporary file each; VbookError when one of them is gone."""
    for name in names:
        if not (source / name).is_file():
            raise VbookError(f"{source / name} is gone; run the chapter again with --force")
        with atomic_write(target / name) as file, open(source / name, "rb") as data:
            shutil.copyfileobj(data, file)


def commit_records(kept: Path, book: Path, names: list[str]) -> None:
    """Copy records from ``kept`` to ``book/results`` and weights to ``book/weights``."""
    from vbook.experiments.carrying import carrying  # brings PyTorch along, which an unchanged book does without

    weights = [name.removeprefix("weights/") for name in names if name.startswith("weights/")]
    # Weights first: a record that names weights must never be there without them.
    copy_files(kept / "weights", book / "weights", weights)
    with carrying(book / "results"):
        copy_files(kept, book / "results", [name for name in names if not name.startswith("weights/")])


def rewrite_numbers(files: list[Path]) -> list[str]:
    """Bring the text of every ``record:`` and ``target:`` link in ``files`` up to date; returns complaints about unknown ones."""
    complaints: list[str] = []
    for path in files:

        def number(text, reference, name=path.name):
            from vbook.results import format_like, resolve

            try:
                return format_like(resolve(reference).value, text)
            except VbookError as error:
                complaints.append(f"{name}: {error}; the text stays {text!r}")
                return text

        if path.suffix == ".ipynb":
            nb = notebook.read(path)
            for cell in nb["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = with_numbers(cell["source"], number)
            if nb != notebook.read(path):
                notebook.write(nb, path)
        else:
            text = path.read_text(encoding="utf-8")
            if (new := with_numbers(text, number)) != text:
                with atomic_write(path, "w") as file:
                    file.write(new)
    return complaints


def commit_notebook(path: Path, executed: Path, code: list[str]) -> bool:
    """Write the chapter at ``path`` with the outputs of its ``executed`` copy; returns False when nothing changed.

    ``code`` holds the code cells that ran. Raises VbookError when the chapter was edited meanwhile or grew too large.
    """
    nb = notebook.read(path)
    if [cell["source"] for cell in notebook.code_cells(nb)] != code:
        raise VbookError(f"{path.name} was edited while it ran; nothing is committed, run it again")
    nb = normalise(notebook.with_outputs(nb, notebook.read(executed)))
    check_size(nb, path.name)
    return notebook.write(nb, path)
