"""What --commit writes is whole, and numbers in prose are those of the records."""

import pytest
from samples import chapter, code, markdown, stream

from vbook import results
from vbook.errors import VbookError
from vbook.pipeline import commit, notebook


@pytest.fixture
def numbers(monkeypatch):
    """Two references that resolve, everything else does not."""
    known = {"record:a.laptop/elbo": -101.27, "target:t": 3.333}

    def resolve(reference):
        if reference not in known:
            raise VbookError(f"no {reference}")
        return results.Quantity(known[reference], "nats", "measured")

    monkeypatch.setattr(results, "resolve", resolve)
    return known


def test_records_are_taken_and_committed_weights_first(tmp_path, monkeypatch):
    left, kept, book = tmp_path / "left", tmp_path / "kept", tmp_path / "book"
    (left / "weights").mkdir(parents=True)
    (left / "a.laptop.json").write_text("{}")
    (left / "weights" / "a.laptop.encoder.safetensors").write_bytes(b"\0")
    names = commit.take_records(left, kept)
    assert names == ["a.laptop.json", "weights/a.laptop.encoder.safetensors"]
    commit.commit_records(kept, book, names)
    assert (book / "results" / "a.laptop.json").read_text() == "{}"
    assert (book / "weights" / "a.laptop.encoder.safetensors").read_bytes() == b"\0"
    (kept / "weights" / "a.laptop.encoder.safetensors").unlink()
    (book / "results" / "a.laptop.json").unlink()
    with pytest.raises(VbookError, match="--force"):
        commit.commit_records(kept, book, names)
    assert not (book / "results" / "a.laptop.json").exists()


def test_numbers_are_rewritten_in_notebooks_and_pages(tmp_path, numbers):
    text = "from [−99.0](record:a.laptop/elbo) to [3.00](target:t), code `[1](target:t)`"
    notebook.write(chapter(markdown(text), code("'[1.0](target:t)'")), tmp_path / "02.ipynb")
    (tmp_path / "use.md").write_text(text)
    assert commit.rewrite_numbers([tmp_path / "02.ipynb", tmp_path / "use.md"]) == []
    new = "from [−101.3](record:a.laptop/elbo) to [3.33](target:t), code `[1](target:t)`"
    assert (tmp_path / "use.md").read_text() == new
    cells = notebook.read(tmp_path / "02.ipynb")["cells"]
    assert [cell["source"] for cell in cells[-2:]] == [new, "'[1.0](target:t)'"]


def test_files_with_right_numbers_are_not_touched(tmp_path, numbers):
    (tmp_path / "02.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    (tmp_path / "use.md").write_text("[−101.3](record:a.laptop/elbo)")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    commit.rewrite_numbers(list(before))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_an_unknown_number_stays_and_is_reported(tmp_path, numbers):
    (tmp_path / "use.md").write_text("[1.0](record:gone/elbo) [1.00](target:t)")
    assert commit.rewrite_numbers([tmp_path / "use.md"]) == ["use.md: no record:gone/elbo; the text stays '1.0'"]
    assert (tmp_path / "use.md").read_text() == "[1.0](record:gone/elbo) [3.33](target:t)"


def test_a_chapter_edited_meanwhile_is_not_overwritten(tmp_path):
    ran = chapter(code("1", outputs=[stream("1")], count=1))
    notebook.write(ran, tmp_path / "executed.ipynb")
    path = tmp_path / "02.ipynb"
    notebook.write(chapter(markdown("new prose"), code("1")), path)
    sources = [cell["source"] for cell in notebook.code_cells(ran)]
    assert commit.commit_notebook(path, tmp_path / "executed.ipynb", sources)
    assert "new prose" in path.read_text() and not commit.commit_notebook(path, tmp_path / "executed.ipynb", sources)
    notebook.write(chapter(code("2")), path)
    with pytest.raises(VbookError, match="edited while it ran"):
        commit.commit_notebook(path, tmp_path / "executed.ipynb", sources)
    assert notebook.code_cells(notebook.read(path))[-1]["source"] == "2"
