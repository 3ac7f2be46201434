"""What is noted in a built site: where it comes from."""

import json
import subprocess

import pytest

from vbook.site.state import STATE, origin, read_state, write_state

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


@pytest.fixture
def checkout(tmp_path):
    """A repository with one page, committed on New Year's Eve, late enough to be the next year in UTC."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.md").write_text("# A book\n")
    when = {"GIT_AUTHOR_DATE": "2024-12-31T22:00:00-0500", "GIT_COMMITTER_DATE": "2024-12-31T22:00:00-0500"}
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "A book")):
        subprocess.run([*GIT, *command], cwd=tmp_path, env={"PATH": "/usr/bin:/bin:/usr/local/bin", **when}, check=True)
    return tmp_path


def test_the_origin_is_the_commit_and_its_day_in_utc(checkout):
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()
    found = origin(checkout, "laptop", ["02-x"])
    assert found == {"profile": "laptop", "committed": ["02-x"], "commit": head, "day": "2025-01-01", "changed": False}


def test_a_changed_source_is_told_and_another_file_is_not(checkout):
    (checkout / "notes.txt").write_text("mine")
    assert origin(checkout, "smoke", [])["changed"] is False
    (checkout / "book" / "new.md").write_text("# New\n")
    assert origin(checkout, "smoke", [])["changed"] is True


def test_without_a_repository_of_its_own_no_commit_is_named(checkout):
    inside = checkout / "copy"
    (inside / "book").mkdir(parents=True)
    for top in (inside, checkout.parent):
        found = origin(top, "smoke", [])
        assert (found["commit"], found["day"], found["changed"]) == (None, None, None)


def test_a_state_is_read_as_it_was_written_and_is_no_file_of_the_site(tmp_path):
    (tmp_path / "index.html").write_text("<p>")
    write_state(tmp_path, "abc", {"profile": "smoke"})
    state = read_state(tmp_path)
    assert state["inputs"] == "abc" and state["origin"] == {"profile": "smoke"} and list(state["files"]) == ["index.html"]
    (tmp_path / STATE).write_text(json.dumps(["no state"]))
    assert read_state(tmp_path) is None
