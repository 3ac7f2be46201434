import os

import pytest

from vbook.errors import VbookError
from vbook.site import browser


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that makes a program on an otherwise empty path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VBOOK_BROWSER", raising=False)
    monkeypatch.setattr(browser, "_playwrights_own", lambda: None)

    def make(name):
        file = tmp_path / name
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        return str(file)

    return make


def test_a_named_browser_comes_first(programs, monkeypatch):
    programs("chromium")
    monkeypatch.setenv("VBOOK_BROWSER", programs("mine"))
    assert browser.find() == os.environ["VBOOK_BROWSER"]


def test_then_the_path_then_playwrights_own(programs, monkeypatch):
    assert browser.find() is None
    monkeypatch.setattr(browser, "_playwrights_own", lambda: "own")
    assert browser.find() == "own"
    chrome = programs("google-chrome")
    assert browser.find() == chrome
    chromium = programs("chromium")
    assert browser.find() == chromium


def test_a_named_browser_that_is_not_there_is_an_error(programs, monkeypatch):
    monkeypatch.setenv("VBOOK_BROWSER", "nowhere")
    with pytest.raises(VbookError, match="VBOOK_BROWSER names 'nowhere'"):
        browser.find()


def test_none_says_how_to_get_one(programs):
    with pytest.raises(VbookError, match="no Chromium found"):
        browser.launch(None)
