"""What is kept of a chapter that failed, or whose place can't be written, and what its reader is told."""

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vbook.errors import VbookError
from vbook.pipeline import notebook


@dataclass(frozen=True)
class Failure:
    """A chapter that failed: a message for the user, and whether the user can mend it (a VbookError in a cell)."""

    stem: str
    message: str
    mendable: bool


def fail(plan, result) -> Failure:
    """Keep the notebook as far as it came, and say what went wrong in a few lines."""
    error, cell = result.error, result.error["cell"]
    kept = ""
    if (output := result.scratch / "output.ipynb").is_file():
        try:
            notebook.write(notebook.read(output), failed_copy(plan))
            kept = f"\n  as far as it came: {failed_copy(plan)}"
        except VbookError:  # cut off while it was written
            pass
        except OSError as full:
            kept = f"\n  {failed_copy(plan)} can't be written ({full.strerror}), so the notebook isn't kept"
    place = "" if cell is None else f" in cell {cell + 1}"
    under = f" (section {section!r})" if cell is not None and (section := notebook.sections(plan.nb)[cell]) else ""
    mendable = error["ename"] == "VbookError"
    lines = [line for line in error["lines"] if line.strip("- ")]
    tail = "" if mendable else "".join(f"\n  | {line}" for line in lines[-8:])
    what = error["evalue"] if mendable else f"{error['ename']}: {error['evalue']}"
    return Failure(plan.stem, f"{plan.stem} failed{place}{under}: {what}{tail}{kept}", mendable)


def set_aside(result, error: OSError) -> str:
    """Save what a run has made from the scratch folder, where the places for it can't be written; says where it is."""
    aside = Path(tempfile.mkdtemp(prefix=f"vbook-{result.name}-"))
    for name in ("output.ipynb", "records"):
        with contextlib.suppress(OSError):
            shutil.move(result.scratch / name, aside / name)
    where = f": {error.filename}" if error.filename else ""
    return f"its place can't be written ({error.strerror}{where}); its notebook and records are in {aside}"


def failed_copy(plan) -> Path:
    """Where a chapter that failed is kept as far as it came."""
    return plan.copy.with_name(f"{plan.stem}.failed.ipynb")
