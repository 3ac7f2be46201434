"""The browser that checks the built site: found, not installed."""

import os
import shutil
from pathlib import Path

from vbook.errors import VbookError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


def find() -> str | None:
    """The program: ``$VBOOK_BROWSER``, a Chromium or Chrome on the path, Playwright's own; None where there is none.

    Raises VbookError when ``$VBOOK_BROWSER`` names a file that isn't there.
    """
    named = os.environ.get("VBOOK_BROWSER")
    if named:
        program = shutil.which(named)
        if program is None:
            raise VbookError(f"VBOOK_BROWSER names {named!r}, which is no program; set it to a Chromium or unset it")
        return program
    return next((program for name in NAMES if (program := shutil.which(name))), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        program = playwright.chromium.executable_path
    return program if Path(program).is_file() else None


def launch(playwright, program: str | None = None):
    """A headless browser that asks nothing of the network by itself.

    Raises VbookError when no browser is found, and when the one that is found doesn't start.
    """
    from playwright.sync_api import Error

    program = program or find()
    if program is None:
        raise VbookError("no Chromium found: set VBOOK_BROWSER, install chromium, or run `playwright install chromium`")
    sandbox = () if hasattr(os, "geteuid") and os.geteuid() else ("--no-sandbox",)  # root has no sandbox to offer
    try:
        return playwright.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
    except Error as error:
        said = [line.strip() for line in str(error).splitlines() if "error while loading" in line or "[err]" in line]
        why = (said or [str(error).partition("\n")[0]])[-1]
        raise VbookError(f"the browser {program} doesn't start: {why}; VBOOK_BROWSER names another") from error
