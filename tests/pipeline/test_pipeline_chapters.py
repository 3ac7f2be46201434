"""A chapter is found by its number or its stem, and by nothing else."""

import pytest
from samples import chapter, checkout

from vbook.errors import VbookError
from vbook.pipeline import chapters


@pytest.fixture
def known(tmp_path):
    return chapters.all_chapters(checkout(tmp_path, c02_variational=chapter(), c12_replication=chapter()))


@pytest.mark.parametrize("word", ["2", "02", "02-variational", "chapters/02-variational.ipynb"])
def test_number_stem_and_path_mean_the_chapter(known, word):
    assert list(chapters.select([word], known)) == ["02-variational"]


@pytest.mark.parametrize("words", [[], ["all"], ["12", "2"]])
def test_all_in_reading_order(known, words):
    assert list(chapters.select(words, known)) == ["02-variational", "12-replication"]


@pytest.mark.parametrize("word", ["3", "1", "22", "02-variationl", "", "-2"])
def test_unknown_words_are_refused(known, word):
    with pytest.raises(VbookError, match="unknown chapter"):
        chapters.select([word], known)


def test_the_nearest_is_offered(known):
    with pytest.raises(VbookError, match="did you mean '02-variational'"):
        chapters.select(["02-variationl"], known)


def test_a_listed_chapter_without_a_notebook_is_named(known):
    known["12-replication"].unlink()
    with pytest.raises(VbookError, match=r"12-replication\.ipynb"):
        chapters.select([], known)
    assert list(chapters.select(["2"], known)) == ["02-variational"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chapters: [{file: chapters/02-variational}]", "names no root"),
        ("root: a\nparts: [{chapter: []}]", "a part needs its chapters, got .*chapter"),
        (
            "root: a\nchapters: [{fiel: chapters/02-variational}]",
            "an entry of chapters needs one of file, glob and url, got .*fiel",
        ),
        (
            "root: a\nparts: [{chapters: [{file: a, sections: [b]}]}]",
            "an entry of sections needs one of file, glob and url, got 'b'",
        ),
        ("- file: [", r"can't be read \(.*line 1"),
        ("", "lists no chapter"),
        ("root: book/index", "lists no chapter"),
    ],
)
def test_a_broken_table_of_contents_is_told_in_words(text, words, tmp_path):
    top = checkout(tmp_path, c02_variational=chapter())
    (top / "_toc.yml").write_text(text)
    with pytest.raises(VbookError, match=f"^_toc.yml:? {words}"):
        chapters.all_chapters(top)


def test_only_the_notebooks_of_chapters_count(tmp_path):
    top = checkout(tmp_path, c02_variational=chapter())
    (top / "_toc.yml").write_text(
        "root: book/index\nparts: [{chapters: [{file: chapters/02-variational.ipynb}, {file: book/use}]}]"
    )
    assert list(chapters.all_chapters(top)) == ["02-variational"]
