"""Two runs of a chapter give the same bytes, the second with nothing but the built wheel in an empty folder, as in Colab."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vbook import paths
from vbook.pipeline import run_chapters

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
RUN = """
import sys
from pathlib import Path
import vbook.paths
from vbook.pipeline import normalise, notebook, pool
assert vbook.paths.root() is None, "a checkout is in the way"
def keep(result):
    assert result.error is None, result.error
    ran = notebook.read(result.scratch / "output.ipynb")
    notebook.write(normalise(ran), Path(sys.argv[2]))
task = pool.Task("chapter", notebook.read(Path(sys.argv[1])), {}, threads=1)
pool.run_tasks([task], 1, lambda name, cell: None, keep)
"""


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder with the wheel's content: what an installer unpacks, since the package is pure Python."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_two_runs_give_the_same_bytes_with_only_the_wheel(path, installed, tmp_path):
    first = paths.build("executed", "smoke", path.name)
    assert run_chapters([path.stem]) == []  # up to date after `make run`
    env = {key: value for key, value in os.environ.items() if key != "VBOOK_DATA"} | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", RUN, str(path), str(tmp_path / "second.ipynb")]
    (tmp_path / "empty").mkdir()
    done = subprocess.run(command, cwd=tmp_path / "empty", env=env, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / "second.ipynb").read_bytes() == first.read_bytes()
    assert not list((tmp_path / "empty").iterdir())
