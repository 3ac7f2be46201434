"""A sandbox, or a skip that says why there is none; and limits short enough for tests."""

import pytest

from vbook.assign import process, sandbox, session

pytest.register_assert_rewrite("mistakes")


@pytest.fixture(scope="session")
def walls():
    if trouble := sandbox.missing():
        pytest.skip(f"no sandbox: {trouble}")


@pytest.fixture(scope="module")
def folder(walls, tmp_path_factory):
    """Where submissions lie, those of a whole file of tests."""
    return tmp_path_factory.mktemp("submissions")


@pytest.fixture
def short(monkeypatch):
    """What takes long is stopped early; START stays, for other tests share the processor."""
    monkeypatch.setattr(session, "CELL", 4.0)
    monkeypatch.setattr(session, "CALL", 5.0)
    monkeypatch.setattr(session, "GRACE", 4.0)
    monkeypatch.setattr(process, "GRACE", 4.0)
