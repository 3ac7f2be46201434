import os
from types import SimpleNamespace

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


@pytest.mark.browser
def test_one_that_does_not_start_is_named_with_its_last_words(request, tmp_path):
    playwright = SimpleNamespace(chromium=request.getfixturevalue("browser").browser_type)
    file = tmp_path / "chrome"
    file.write_text("#!/bin/sh\necho 'chrome: error while loading shared libraries: libnss3.so: no such file' >&2\nexit 127\n")
    file.chmod(0o755)
    with pytest.raises(VbookError, match=r"the browser .*chrome doesn't start: .*libnss3\.so"):
        browser.launch(playwright, str(file))
    with pytest.raises(VbookError, match=r"doesn't start: .*; VBOOK_BROWSER names another"):
        browser.launch(playwright, "/bin/true")
