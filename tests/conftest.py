"""What all tests share: skips that say why, slow files first, reproducible draws and property tests, and the built wheel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

collect_ignore_glob = [
    "conftest.py",
    "*/conftest.py",
]  # read by pytest itself; as modules with doctests all have one name

# The same examples on every machine, and no deadline: other tests share the processor.
settings.register_profile("vbook", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("vbook")


def pytest_collection_modifyitems(items):
    """Slow files first, so that a parallel run doesn't end with one worker busy and the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item):
    """Skip, with a reason, what this machine can't do. What draws without a seed of its own draws the same in any company."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU: torch.cuda finds none")
    if item.get_closest_marker("data") and not os.environ.get("VBOOK_DATA"):
        pytest.skip("needs real data: set VBOOK_DATA to the folder that has them")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the checkout as `make wheel` does."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, or a skip that says how to get one."""
    sync_api = pytest.importorskip("playwright.sync_api")
    from vbook.site.browser import find, launch

    if find() is None:
        pytest.skip("no Chromium: set VBOOK_BROWSER, install chromium, or run `playwright install chromium`")
    with sync_api.sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()
