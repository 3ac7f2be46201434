"""Downloads from a web server on this machine that serves too little, too much, something else, nothing, or too slowly."""

import errno
import os
import resource
import socket

import pytest

from vbook import data
from vbook.data import fetch
from vbook.errors import VbookError


def left_in(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []


def test_a_missing_file_is_downloaded_once(served):
    server, file = served
    assert not data.available("frey-face")
    assert len(data.load("frey-face")) == 1600
    assert len(data.load("frey-face", "test")) == 200
    assert server.requests == ["/first/frey.mat"]
    assert left_in(data.data_root()) == [file.path]
    assert data.available("frey-face")


@pytest.mark.parametrize(
    "fault, words",
    [
        ("truncate", "broke off after"),
        ("missing", "404 Not Found"),
        ("other", "sends another file, sha256"),
        ("longer", "sends more than the"),
        ("slow", "timed out"),
    ],
)
def test_a_source_that_misbehaves_leaves_nothing_and_is_named(served, monkeypatch, fault, words):
    server, file = served
    server.fault = fault
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.2)
    with pytest.raises(VbookError) as error:
        data.load("frey-face")
    message = str(error.value)
    assert f"{server.address}/first/frey.mat: " in message and words in message
    for word in (str(data.data_root() / file.path), file.sha256, f"{file.size:,} bytes", "VBOOK_DATA", "load('photos')"):
        assert word in message
    assert left_in(data.data_root()) == []


@pytest.mark.parametrize("fault", ["truncate", "missing", "other", "longer"])
def test_the_next_source_is_asked_when_one_fails(served, file_of, fault):
    server, file = served
    server.fault = fault
    file_of(sources=(*file.sources, f"{server.address}/good/frey.mat"))
    assert len(data.load("frey-face")) == 1600
    assert server.requests == ["/first/frey.mat", "/good/frey.mat"]
    assert left_in(data.data_root()) == [file.path]


def test_without_a_network_each_source_tried_is_named(file_of, monkeypatch):
    file_of(sources=("https://one.invalid/a.mat", "http://two.invalid/a.mat"))

    def no_network(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(VbookError) as error:
        data.load("frey-face")
    for url in ("https://one.invalid/a.mat", "http://two.invalid/a.mat"):
        assert f"{url}: Name or service not known" in str(error.value)
    assert not data.data_root().exists()


def test_a_full_disk_leaves_nothing_half_written(served):
    _, file = served
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.size // 2, hard))
    try:
        with pytest.raises(VbookError, match=r"cannot be written to .*File too large"):
            data.load("frey-face")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(data.data_root()) == []
    assert len(data.load("frey-face")) == 1600  # and with room again all is well


def test_no_space_is_said_in_the_systems_words(served, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VbookError, match="No space left on device") as error:
        data.load("frey-face")
    assert "load('photos')" in str(error.value)
    assert left_in(data.data_root()) == []


def test_a_root_that_is_a_file_is_named(served, tmp_path):
    (tmp_path / "file").write_text("")
    for root in ("file", "file/below"):
        with pytest.raises(VbookError, match=r"can't be a folder: .*file is a file"):
            data.load("frey-face", root=tmp_path / root)
        with pytest.raises(VbookError, match=r"can't be a folder: .*file is a file"):
            data.verify("frey-face", root=tmp_path / root)


def test_ctrl_c_leaves_nothing_half_written(served, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.load("frey-face")
    assert left_in(data.data_root()) == []


def test_the_bar_is_shown_only_when_asked_for(served, capsys):
    data.get("frey-face", progress=False)
    assert capsys.readouterr().err == ""
    (data.data_root() / "frey_faces/frey_rawface.mat").unlink()
    data.get("frey-face", progress=True)
    assert "frey_rawface.mat" in capsys.readouterr().err


def test_torchvisions_mirrors_are_used_after_our_own():
    from torchvision.datasets import FashionMNIST

    card = data.card("fashion-mnist")
    urls = list(fetch.sources(card, card.forms[0][0]))
    assert urls[0].startswith("https://raw.githubusercontent.com/zalandoresearch/")
    assert urls[1:] == [f"{mirror}train-images-idx3-ubyte.gz" for mirror in FashionMNIST.mirrors]
    assert {f.name for f in card.forms[0]} == {name for name, _ in FashionMNIST.resources}
