"""Widgets in a real JupyterLab: a live one trains, and the page's own explorer runs there and talks with Python."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from PIL import Image

from vbook.results.weights import load_model

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 240_000  # ms, for a machine that has other work; alone it takes half a minute
ROOT = Path(__file__).resolve().parents[2]
LIVE = ["from vbook.widgets.live import train_live\nrun = train_live(hidden=(20,), batch_size=32)\nrun"]
PLANE = [
    "from vbook.widgets import latent_manifold\nw = latent_manifold()\nw",
    'print("at", w.live.state["z1"])',
    'w.live.state = {"z1": 1.0, "z2": -1.0, "asked": 1}',
]


def notebook(*sources: str) -> str:
    cells = [
        dict(cell_type="code", id=f"cell-{k}", execution_count=None, metadata={}, outputs=[], source=source)
        for k, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab of our own, with two notebooks in a folder."""
    tmp_path = tmp_path_factory.mktemp("lab")
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    (tmp_path / "work").mkdir()
    for name, sources in (("live", LIVE), ("plane", PLANE)):
        (tmp_path / "work" / f"{name}.ipynb").write_text(notebook(*sources), encoding="utf-8")
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
            with suppress(OSError):  # it says its address a moment before it listens there
                urllib.request.urlopen(f"{address}/api", timeout=20).close()
                return address
        time.sleep(0.2)
    raise AssertionError(f"no address in {seconds} s: {log.read_text()}")


@contextmanager
def opened(browser, lab, name):
    """The page of a notebook, its kernel ready."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.said = []  # by the page's own scripts
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.add_locator_handler(page.locator("dialog.jp-Dialog"), lambda dialog: dismiss(page, dialog))
        page.goto(f"{lab}/lab/workspaces/{name}/tree/{name}.ipynb", wait_until="domcontentloaded")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached")
        yield page
    finally:
        context.close()


def dismiss(page, dialog):
    """Confirm what JupyterLab says by itself, as a reader would (on a busy machine: that a kernel died and starts again)."""
    page.said.append(f"dialog: {dialog.inner_text()}")
    dialog.locator("button.jp-mod-accept").last.click()


def until(page, what, seconds=PATIENCE / 1000):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "\n".join([page.locator("body").inner_text(), *page.said[-20:]])
        page.wait_for_timeout(100)


def run(page, number):
    """Run a cell; asked again while nothing comes of it, for what is asked of a kernel before it is connected is lost."""
    cell = page.locator(".jp-CodeCell").nth(number)

    def begun():
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(2000)
        return re.search(r"[\d*]", cell.locator(".jp-InputPrompt").inner_text())

    until(page, begun)


def test_play_trains_in_jupyterlab_and_pause_holds(browser, lab):
    with opened(browser, lab, "live") as page:

        def said():
            return page.locator(".jp-OutputArea").first.inner_text()

        def step() -> int:
            found = re.search(r"step (\d+) of", said())
            return int(found[1]) if found else -1

        def bound() -> float:
            found = re.search(r"bound (-[\d.]+) nats", said())
            return float(found[1]) if found else float("nan")

        run(page, 0)
        play = page.get_by_role("button", name="Play")
        play.wait_for()
        assert step() == 0
        play.click()
        until(page, lambda: step() >= 40)
        early = bound()
        until(page, lambda: step() >= 200)
        assert bound() > early + 5  # nats
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(1000)
        held = step()
        page.wait_for_timeout(1500)
        assert step() == held and "Held" in said()
        curve = page.locator(".jp-OutputArea img").first
        assert f"nats in {held} steps" in curve.get_attribute("alt")
        page.get_by_role("button", name="Reset").click()
        until(page, lambda: step() == 0)


def test_the_explorer_runs_in_jupyterlab_and_its_state_goes_both_ways(browser, lab):
    with opened(browser, lab, "plane") as page:
        run(page, 0)
        root = page.locator("[data-vbook-widget=latent-manifold].vw-on")
        until(page, root.is_visible)
        root.get_by_role("button", name="Just show me").click()
        numbers = root.locator(".vw-numbers dd").first
        assert numbers.inner_text() == "0.00, 0.00"
        root.locator(".vw-plane").focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        until(page, lambda: numbers.inner_text() == "0.34, 0.00")  # three steps of 8/70
        run(page, 1)
        until(page, lambda: "at 0.342857" in page.locator(".jp-CodeCell").nth(1).inner_text())
        run(page, 2)
        until(page, lambda: numbers.inner_text() == "1.00, −1.00")
        painted = root.locator(".vw-decoded").evaluate("(canvas) => canvas.toDataURL()")
        with torch.no_grad():
            expected = load_model("ch02-vae-2.laptop").decode(torch.tensor([[1.0, -1.0]])).mean[0]
        with Image.open(io.BytesIO(base64.b64decode(painted.split(",")[1]))) as picture:
            grey = picture.convert("RGB").resize((28, 28), Image.Resampling.BOX).getchannel(0)
        found = torch.tensor(list(grey.tobytes()), dtype=torch.float32)
        paper, ink = 0xFD, 0x1B  # of the widget itself, where the page brings no colours
        assert (found - (paper + expected * (ink - paper))).abs().max() <= 1.5 + 0.01 * (paper - ink)
