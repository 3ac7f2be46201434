"""Cards: complete, consistent, and checked against what torchvision says of the same files."""

import re

import pytest

from vbook import data
from vbook.data.cards import PROTOCOLS, check_protocol, check_split
from vbook.errors import VbookError


@pytest.mark.parametrize("name", data.names())
def test_every_card_is_complete(name):
    card = data.card(name)
    texts = (card.title, card.preprocessing, card.licence, card.citation, card.home)
    assert all(text.strip() for text in texts) and card.home.startswith("http")
    assert list(card.sizes) == ["train", "valid", "test"] and min(card.sizes.values()) > 0
    assert set(card.protocols) <= set(PROTOCOLS) and card.protocols
    for form in card.forms:
        assert form
        for file in form:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0
            assert not file.path.startswith(("/", ".")) and ".." not in file.path
    for split in card.sizes:
        assert all(card.files(split, labels=False)), "each form has a file for each split"


def test_stand_ins_are_embedded_and_admit_a_protocol_of_the_set():
    for name in data.names():
        stand_in = data.card(data.stand_in(name))
        assert stand_in.embedded
        assert data.card(name).protocols[0] in stand_in.protocols


def test_digests_are_distinct():
    digests = [file.sha256 for card in data.cards().values() for form in card.forms for file in form]
    assert len(set(digests)) == len(digests)


@pytest.mark.data
def test_the_md5_of_torchvision_is_that_of_the_file_with_our_sha256(real_root):
    import hashlib

    from torchvision.datasets import MNIST

    expected = dict(MNIST.resources)
    for status in data.verify("mnist", real_root):
        assert status.status == "ok"
        assert hashlib.md5(status.file.read_bytes()).hexdigest() == expected[status.file.name]


def test_labels_are_needed_only_when_asked_for():
    card = data.card("mnist")
    assert [f.name for f in card.files("valid", labels=False)[0]] == ["train-images-idx3-ubyte.gz"]
    assert [f.name for f in card.files("test")[0]] == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert len(card.files()[0]) == 4


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: data.card("mnits"), "unknown data set 'mnits'; did you mean 'mnist'?"),
        (lambda: data.card(""), "known: binarized-mnist, digits"),
        (lambda: check_split(data.card("mnist"), "validation"), "mnist has no split 'validation'; did you mean 'valid'?"),
        (lambda: check_split(data.card("mnist"), "train+train"), "names one part twice"),
        (lambda: check_split(data.card("mnist"), ""), "no split ''"),
        (lambda: check_protocol(data.card("mnist"), "statik"), "did you mean 'static'?"),
        (lambda: check_protocol(data.card("binarized-mnist"), "real"), "has no protocol 'real'; it has: static"),
    ],
)
def test_unknown_words_are_answered_with_the_nearest(call, words):
    with pytest.raises(VbookError) as error:
        call()
    assert words in str(error.value)
