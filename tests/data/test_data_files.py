"""Files: the right one is read, a wrong one never, and the reader learns both digests and what became of it."""

import hashlib
import os

import pytest

from vbook.data import files
from vbook.data.cards import File
from vbook.errors import VbookError

CONTENT = b"the right bytes"
FILE = File("set/part.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def put(root, content):
    path = root / FILE.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_right_file_is_read(tmp_path):
    put(tmp_path, CONTENT)
    assert files.read_verified(FILE, tmp_path) == CONTENT


@pytest.mark.parametrize(
    "wrong", [CONTENT[:-3], b"THE right bytes", b"", CONTENT + b"!"], ids=["truncated", "tampered", "empty", "longer"]
)
def test_a_wrong_file_is_moved_aside_and_never_loaded(tmp_path, wrong):
    path = put(tmp_path, wrong)
    with pytest.raises(VbookError) as error:
        files.read_verified(FILE, tmp_path)
    for word in (
        str(path),
        FILE.sha256,
        hashlib.sha256(wrong).hexdigest(),
        "" if len(wrong) == 15 else f"{len(wrong)} bytes instead of 15",
        "part.bin.damaged",
    ):
        assert word in str(error.value)
    assert not path.exists() and (path.parent / "part.bin.damaged").read_bytes() == wrong


def test_a_wrong_file_in_a_read_only_folder_stays_and_is_not_loaded(tmp_path, monkeypatch):
    path = put(tmp_path, b"wrong")

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)  # the permission bits don't stop a superuser
    with pytest.raises(VbookError, match=r"could not be moved aside.*Read-only file system") as error:
        files.read_verified(FILE, tmp_path)
    assert "not loaded" in str(error.value) and FILE.sha256 in str(error.value)
    assert path.read_bytes() == b"wrong"


def test_a_file_is_hashed_once_in_a_process_and_again_when_it_changed(tmp_path, monkeypatch):
    path = put(tmp_path, CONTENT)
    hashed = []
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda *a: hashed.append(1) or sha256(*a))
    for _ in range(3):
        files.read_verified(FILE, tmp_path)
    assert len(hashed) == 1
    path.write_bytes(b"The right bytes")  # as long as before
    os.utime(path, ns=(1, 1))
    with pytest.raises(VbookError, match="damaged"):
        files.read_verified(FILE, tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / FILE.path).mkdir(parents=True)
    with pytest.raises(VbookError, match=r"cannot read .*part\.bin"):
        files.read_verified(FILE, tmp_path)
    with pytest.raises(VbookError, match=r"cannot read .*part\.bin"):
        files.sha256_of(tmp_path / FILE.path)


@pytest.mark.parametrize("root", [5, True, ["a"]])
def test_what_names_no_folder_is_no_data_root(root):
    with pytest.raises(VbookError, match="the data root is the name of a folder, got"):
        files.data_root(root)


def test_the_data_root_is_the_argument_else_the_variable_else_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VBOOK_DATA", str(tmp_path / "variable"))
    assert files.data_root(tmp_path / "argument") == tmp_path / "argument"
    assert files.data_root() == tmp_path / "variable"
    monkeypatch.delenv("VBOOK_DATA")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert files.data_root() == tmp_path / "cache" / "vbook" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.data_root() == tmp_path / ".cache" / "vbook" / "data"
    assert files.data_root("~/mine") == tmp_path / "mine"
