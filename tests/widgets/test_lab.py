"""A live widget in a real JupyterLab: its buttons are pressed in a browser, and Python trains."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from vbook.site import browser

PATIENCE = 240_000  # ms, for a machine that has other work; alone it takes half a minute
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "one",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": "from vbook.widgets.live import train_live\nrun = train_live(hidden=(20,), batch_size=32)\nrun",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab of our own, with a notebook in an empty folder."""
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    pytest.importorskip("playwright", reason="needs Playwright")
    if browser.find() is None:
        pytest.skip("needs a Chromium: none is found")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "live.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    own = {name: str(tmp_path / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "spaces"), "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ServerApp.port=0",
        "--IdentityProvider.token=",
        "--allow-root",
    ]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = open(tmp_path / "log", "w")
    server = subprocess.Popen(command, cwd=tmp_path / "work", env=os.environ | own, stdout=log, stderr=log)
    try:
        yield _address(server, tmp_path / "log")
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()
        shutil.rmtree(tmp_path, ignore_errors=True)


def _address(server, log: Path, seconds: float = PATIENCE / 1000) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        if found := re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", log.read_text()):
            address = f"http://127.0.0.1:{found[1]}"
            urllib.request.urlopen(f"{address}/api", timeout=20).close()
            return address
        time.sleep(0.2)
    raise AssertionError(f"no address in {seconds} s: {log.read_text()}")


@pytest.mark.browser
@pytest.mark.slow
def test_play_trains_in_jupyterlab_and_pause_holds(lab):
    from playwright.sync_api import sync_playwright

    def step(page) -> int:
        found = re.search(r"step (\d+) of", page.locator(".jp-OutputArea").first.inner_text())
        return int(found[1]) if found else -1

    def bound(page) -> float:
        found = re.search(r"bound (-[\d.]+) nats", page.locator(".jp-OutputArea").first.inner_text())
        return float(found[1]) if found else float("nan")

    def until(page, what, seconds=PATIENCE / 1000):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, page.locator("body").inner_text()
            page.wait_for_timeout(100)

    with sync_playwright() as playwright:
        program = browser.launch(playwright)
        try:
            page = program.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"{lab}/lab/tree/live.ipynb", wait_until="domcontentloaded")
            page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
            page.locator(".jp-CodeCell .cm-content").first.click()
            page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached")
            page.keyboard.press("Shift+Enter")
            play = page.get_by_role("button", name="Play")
            play.wait_for()
            assert step(page) == 0
            play.click()
            until(page, lambda: step(page) >= 40)
            early = bound(page)
            until(page, lambda: step(page) >= 200)
            assert bound(page) > early + 5  # nats
            page.get_by_role("button", name="Pause").click()
            page.wait_for_timeout(1000)
            held = step(page)
            page.wait_for_timeout(1500)
            assert step(page) == held and "Held" in page.locator(".jp-OutputArea").first.inner_text()
            curve = page.locator(".jp-OutputArea img").first
            assert curve.get_attribute("alt").startswith("A curve of the bound")
            page.get_by_role("button", name="Reset").click()
            until(page, lambda: step(page) == 0)
        finally:
            program.close()
