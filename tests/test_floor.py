"""The floor of the package: profiles, errors with a hint, and files that are written whole or not at all."""

import os

import pytest

from vbook import paths
from vbook.errors import VbookError, nearest
from vbook.profiles import ABOUT, PROFILES, check_profile


def test_profiles_are_known_by_name_and_described():
    assert [check_profile(p) for p in PROFILES] == list(PROFILES) == list(ABOUT)
    with pytest.raises(VbookError, match="'papper'; did you mean 'paper'"):
        check_profile("papper")


def test_nearest_offers_the_word_meant_or_all_of_them():
    assert nearest("mnits", ["mnist", "digits"]) == "; did you mean 'mnist'?"
    assert nearest("zzz", ["b", "a"]) == "; known: a, b"


def test_atomic_write_replaces_the_file_only_at_the_end(tmp_path):
    target = tmp_path / "sub" / "file.txt"
    with paths.atomic_write(target, "w") as file:
        file.write("new")
        assert not target.exists()
    assert target.read_text() == "new" and [f.name for f in target.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), paths.atomic_write(target, "w") as file:
        file.write("half")
        raise error
    assert target.read_text() == "old" and [f.name for f in tmp_path.iterdir()] == ["file.txt"]


def test_only_an_ordinary_file_is_replaced(tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no ordinary file"), paths.atomic_write(pipe, "w"):
        pass
    assert pipe.is_fifo() and [f.name for f in tmp_path.iterdir()] == ["pipe"]


def test_the_books_files_are_found_in_the_checkout():
    assert paths.book("targets.yml").is_file() and paths.build("html").parts[-2:] == ("_build", "html")
