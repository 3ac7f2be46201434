"""A sandbox, or a skip that says why there is none; limits short enough for tests; and gradings that run nothing."""

import pytest

from vbook.assign import grading, process, sandbox, session
from vbook.assign.grading import Graded, Outcome

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


@pytest.fixture
def quick(monkeypatch):
    """Grading that runs nothing: `stop` names the student at whom the teacher gives up."""

    def one(master, student, path, *rest):
        if student == "stop":
            raise KeyboardInterrupt
        return Graded(student, [Outcome(check, None) for check in master.checks.all])

    monkeypatch.setattr(sandbox, "missing", lambda: None)
    monkeypatch.setattr(grading, "grade_one", one)
    monkeypatch.setenv("VBOOK_ASSIGN_SEED", "spring")
