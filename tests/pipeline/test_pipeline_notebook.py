"""Notebooks on disk are what Jupyter would have written."""

import nbformat
import pytest
from samples import code, display, markdown, nb, stream

from vbook.errors import VbookError
from vbook.pipeline import notebook

SAMPLE = nb(
    markdown("# A\n\nüber"),
    code(
        "1\n2", outputs=[stream("a\nb\n"), display(text_html="<p>\n</p>", image_png="aGk=", **{"image_svg+xml": "<svg>\n</svg>"})]
    ),
    code("", outputs=[display(**{"application_json": {"a": ["x", "y"]}})]),
)


def test_written_byte_for_byte_as_nbformat_does():
    assert notebook.dumps(SAMPLE) == nbformat.writes(nbformat.from_dict(SAMPLE)) + "\n"


def test_read_gives_back_what_was_written(tmp_path):
    assert notebook.write(SAMPLE, tmp_path / "a.ipynb")
    assert notebook.read(tmp_path / "a.ipynb") == SAMPLE


def test_an_unchanged_notebook_is_left_alone(tmp_path):
    path = tmp_path / "a.ipynb"
    notebook.write(SAMPLE, path)
    before = path.stat().st_mtime_ns
    assert not notebook.write(SAMPLE, path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", ["", "[]", '{"nbformat": 3, "worksheets": []}', '{"nbformat": 4}', '{"nbformat": 4, "cells'])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    (tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(VbookError, match="not a Jupyter notebook"):
        notebook.read(tmp_path / "a.ipynb")


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(VbookError, match=r"gone\.ipynb: no such notebook"):
        notebook.read(tmp_path / "gone.ipynb")


def test_outputs_go_to_the_code_cells_in_order_and_prose_stays():
    old = nb(markdown("old"), code("1", outputs=[stream("one")], count=1), code("2", outputs=[stream("two")], count=2))
    new = nb(code("1"), markdown("new"), markdown("more"), code("2"))
    merged = notebook.with_outputs(new, old)
    assert [cell["source"] for cell in merged["cells"]] == ["1", "new", "more", "2"]
    assert [cell["outputs"][0]["text"] for cell in notebook.code_cells(merged)] == ["one", "two"]
    assert notebook.code_cells(new)[0]["outputs"] == []


def test_outputs_of_another_notebook_are_refused():
    with pytest.raises(VbookError, match="1 code cells, its executed copy 2"):
        notebook.with_outputs(nb(code("1")), nb(code("1"), code("2")))
