"""A set's files as a whole: get repairs, verify reports, either form of a set will do, and the error says everything."""

import pytest

from vbook import data
from vbook.data import catalogue
from vbook.data.store import obtain
from vbook.errors import VbookError


def test_verify_reports_and_changes_nothing(served):
    _, file = served
    path = data.data_root() / file.path
    assert data.verify("frey-face") == [(path, "missing", file.sha256, None)]
    assert not path.parent.exists()
    data.get("frey-face")
    assert data.verify("frey-face") == [(path, "ok", file.sha256, file.sha256)]
    path.write_bytes(b"tampered")
    (row,) = data.verify("frey-face")
    assert row.status == "damaged" and row.found not in (None, file.sha256)
    assert path.read_bytes() == b"tampered"


def test_get_replaces_a_damaged_file_and_keeps_the_old_one_aside(served):
    server, file = served
    path = data.data_root() / file.path
    path.parent.mkdir(parents=True)
    path.write_bytes(server.content[:1000])
    (row,) = data.get("frey-face")
    assert row.status == "ok" and path.read_bytes() == server.content
    assert path.with_name("frey_rawface.mat.damaged").read_bytes() == server.content[:1000]
    assert len(server.requests) == 1
    data.get("frey-face")
    assert len(server.requests) == 1, "what is there is not fetched again"


def test_load_refuses_a_damaged_file_and_the_next_load_fetches_a_good_one(served):
    server, file = served
    path = data.data_root() / file.path
    path.parent.mkdir(parents=True)
    path.write_bytes(server.content[:1000])
    with pytest.raises(VbookError, match=r"moved aside to frey_rawface\.mat\.damaged; run again"):
        data.load("frey-face")
    assert server.requests == []
    assert len(data.load("frey-face")) == 1600


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_embedded_sets_verify_and_get_without_a_root(name, tmp_path):
    assert [row.status for row in data.get(name, tmp_path / "nowhere")] == ["ok"] * len(data.card(name).forms[0])
    assert data.available(name) and not (tmp_path / "nowhere").exists()


def test_a_set_without_any_address_says_what_to_put_where(tmp_path):
    with pytest.raises(VbookError) as error:
        data.load("lfw", root=tmp_path)
    file = data.card("lfw").forms[0][0]
    for word in ("no address is known", str(tmp_path / file.path), file.sha256, "load('photos')"):
        assert word in str(error.value)


def test_either_form_of_binarized_mnist_will_do(tmp_path, monkeypatch):
    """With the text files there, the archive is not missed; the message names both forms where neither is."""
    monkeypatch.setattr("vbook.data.store.fetch", lambda card, file, folder, progress: [f"{file.name}: no network here"])
    with pytest.raises(VbookError) as error:
        data.load("binarized-mnist", root=tmp_path)
    for form in data.card("binarized-mnist").forms:
        assert all(str(tmp_path / file.path) in str(error.value) and file.sha256 in str(error.value) for file in form)
    assert "binarized_mnist_train.amat: no network here" in str(error.value)
    (tmp_path / "binarized_mnist").mkdir()
    (tmp_path / "binarized_mnist/binarized_mnist_test.amat").write_bytes(b"0")
    with pytest.raises(VbookError, match="1 bytes instead of 15,680,000"):
        data.load("binarized-mnist", "test", root=tmp_path)


def test_only_what_is_missing_is_fetched(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("vbook.data.store.fetch", lambda card, file, folder, progress: asked.append(file.name) or ["no network"])
    train_images, *others = data.card("mnist").forms[0]
    for file in (train_images, *others[:2]):
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_bytes(b"")
    with pytest.raises(VbookError) as error:
        data.load("mnist", "test", root=tmp_path, labels=True)
    assert asked == ["t10k-labels-idx1-ubyte.gz"]
    assert "t10k-labels" in str(error.value) and "train-images" not in str(error.value)


@pytest.mark.data
@pytest.mark.parametrize("name", [card.name for card in catalogue.CARDS if not card.embedded])
def test_real_files_are_the_cards_files(name, real_root):
    if not data.available(name):
        pytest.skip(f"no {name} in VBOOK_DATA")
    assert {row.status for row in data.verify(name)} == {"ok"}
    assert [row.file.stat().st_size for row in data.verify(name)] == [f.size for f in data.card(name).forms[0]]


@pytest.mark.data
def test_a_truncated_real_file_is_refused(real_root, tmp_path):
    file = data.card("mnist").files("test", labels=False)[0][0]
    copy = tmp_path / file.path
    copy.parent.mkdir(parents=True)
    copy.write_bytes((real_root / file.path).read_bytes()[:-1])
    with pytest.raises(VbookError, match="damaged or another file, and was not loaded"):
        obtain(data.card("mnist"), "test", False, tmp_path)
    assert not copy.exists()


def test_a_damaged_file_that_cannot_be_replaced_is_not_moved_aside_without_a_word(served, monkeypatch):
    _, file = served
    path = data.data_root() / file.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"tampered")
    monkeypatch.setattr("vbook.data.store.fetch", lambda *_: ["no network"])
    with pytest.raises(
        VbookError, match=r"(?s)frey_rawface\.mat is damaged .* moved aside to frey_rawface\.mat\.damaged.*no network"
    ):
        data.get("frey-face")
