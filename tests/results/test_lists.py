"""The lists of the book: what is wrong with a file is told in one line that names it."""

import pytest

from vbook import paths
from vbook.errors import VbookError
from vbook.results.lists import check_fields, check_once, read_list


def test_a_list_is_read_from_the_book_or_from_a_text(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "book", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(VbookError, match=r"^some\.yml can't be read \(No such file"):
        read_list("some.yml")
    (tmp_path / "some.yml").write_text("- {a: 1, b: [x]}")
    assert read_list("some.yml") == [{"a": 1, "b": ["x"]}] and read_list("some.yml", "- 2") == [2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {id: [", "line 1"),
        ("-\ta: 1", "."),
        ("- \x07", "special characters"),
        ("- !!python/object:a {}", "constructor"),
        ("- {id: a, id: b}", "'id' stands twice"),
        ("- 2020-13-45", "month must be in 1..12"),
        ("- !!timestamp abc", ""),
        ("- !!int ''", ""),
        ("- !!bool maybe", ""),
        ("- !!map [a]", ""),
        (f"- {'9' * 5000}", "digits"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(text, words):
    with pytest.raises(VbookError, match=r"^some\.yml can't be read as YAML: ") as caught:
        read_list("some.yml", text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a: 1", "a"])
def test_a_list_belongs_there(text):
    with pytest.raises(VbookError, match=r"^some\.yml: a list of entries belongs there"):
        read_list("some.yml", text)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (7, "7 is no thing, which has id, size"),
        ({"id": "a"}, r"missing \['size'\], unknown \[\]"),
        ({"id": "a", "size": 1, "nte": "x"}, r"missing \[\], unknown \['nte'\]; did you mean 'note'"),
        ({"id": "a", "size": 1, 3: "x", "y": 4}, r"unknown \['3', 'y'\]"),
        ({"id": "a", "size": "1"}, "'1' is no size that a thing can have"),
        ({"id": "a", "size": True}, "True is no size"),
        ({"id": "a", "size": 1, "note": ["x"]}, r"\['x'\] is no note"),
    ],
)
def test_fields_are_there_known_and_of_their_types(entry, words):
    with pytest.raises(VbookError, match=rf"^some\.yml, 'it': .*{words}"):
        check_fields("some.yml", "it", entry, {"id": str, "size": float}, {"note": str | None}, "thing")


def test_an_entry_without_fault_passes():
    check_fields(
        "some.yml", "it", {"id": "a", "size": 1, "note": None}, {"id": str, "size": float}, {"note": str | None}, "thing"
    )
    check_once("some.yml", ["a", "b"])
    with pytest.raises(VbookError, match=r"^some\.yml: a, c stands twice"):
        check_once("some.yml", ["c", "a", "b", "a", "c"])
