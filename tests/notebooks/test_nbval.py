"""Run again, every chapter prints what its committed notebook shows, on processors of another kind too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def nbval(path: Path, folder: Path) -> subprocess.CompletedProcess:
    """nbval, strictly, over a copy of ``path`` in the empty ``folder``."""
    shutil.copy(path, folder)
    # nbval starts its own pytest, which must not take this one's options, nor a kernel its user's settings.
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV_", "MPLBACKEND"))}
    # The plainest arithmetic there is, so that what is compared doesn't hang on one processor's rounding.
    env |= {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "TQDM_DISABLE": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    options = [
        "--nbval",
        "--nbval-current-env",
        "--nbval-cell-timeout=120",
        f"--nbval-sanitize-with={Path(__file__).parent / 'sanitise.cfg'}",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options, path.name]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=1500)


@pytest.mark.slow
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_committed_outputs_come_out_again(path, tmp_path):
    done = nbval(path, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
