"""Two runs give the same bytes, whatever the tools left in the notebook; sources never change."""

import copy

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import code, display, markdown, nb, stream

from vbook.errors import VbookError
from vbook.pipeline import notebook
from vbook.pipeline.normalise import LIMIT, check_size, machine_places, normalise

WIDGET = "application_vnd.jupyter.widget-view+json"
PLACES = {"/home/reader": "~", "/home/reader/vbook": ".", "/scratch": "$TMPDIR"}


def outputs_of(*outputs, **options):
    return normalise(nb(code("1", outputs=outputs, count=5)), PLACES, **options)["cells"][0]["outputs"]


def test_tools_leave_no_trace():
    sample = nb(
        code("seed = 0", "parameters", count=3),
        code("seed = 1", "injected-parameters", count=4),
        markdown("text"),
        code(
            "seed",
            outputs=[{"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": 9}],
            count=9,
        ),
    )
    sample["metadata"] = {
        "papermill": {"duration": 3.2},
        "widgets": {"state": {}},
        "kernelspec": {"name": "mine"},
        "vbook": {"a": 1},
    }
    sample["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}
    sample["cells"][0]["metadata"] |= {"papermill": {"status": "completed"}, "execution": {"iopub.execute_input": "now"}}
    made = normalise(sample)
    assert [cell["source"] for cell in made["cells"]] == ["seed = 0", "text", "seed"]
    assert made["cells"][0]["metadata"] == {"tags": ["parameters"]}
    assert [cell.get("execution_count") for cell in made["cells"]] == [1, None, 2]
    assert made["cells"][2]["outputs"][0]["execution_count"] == 2
    assert made["metadata"]["kernelspec"]["name"] == "python3"
    assert set(made["metadata"]) == {"kernelspec", "language_info", "vbook"}
    assert "version" not in made["metadata"]["language_info"]
    nbformat.validate(nbformat.from_dict(made))


def test_streams_are_joined_and_progress_is_dropped():
    bar = "\r  0%|          | 0/9 [00:00<?, ?it/s]\r100%|##########| 9/9 [00:01<00:00,  8.1it/s]\n"
    assert outputs_of(stream("a"), stream("Warning", "stderr"), stream("b\n"), stream(bar), stream("c\rd\n")) == [
        stream("ab\nd\n")
    ]
    assert outputs_of(stream("noise", "stderr"), stream(bar)) == []
    assert outputs_of(stream("50%| of the mass |\n")) == [stream("50%| of the mass |\n")]


def test_widgets_keep_their_picture_and_text():
    view = {WIDGET: {"model_id": "abc"}}
    assert outputs_of(display(image_png="aGk=", text_plain="Manifold", **view)) == [
        display(image_png="aGk=", text_plain="Manifold")
    ]
    assert outputs_of(display(text_plain="  0%|          | 0/9 [00:00<?, ?it/s]", **view)) == []
    assert outputs_of(display(**view)) == []


def test_paths_and_addresses_are_replaced():
    text = "/home/reader/vbook/data.npz /home/reader/x /home/readers /scratch/tmp1 <A object at 0x7f00aa11bb22>"
    expected = "./data.npz ~/x /home/readers $TMPDIR/tmp1 <A object at …>"
    assert outputs_of(stream(text), display(text_plain=text, text_html=text)) == [
        stream(expected),
        display(text_plain=expected, text_html=expected),
    ]


def test_a_path_cut_in_two_by_the_kernel_is_replaced_too():
    assert outputs_of(stream("/home/rea"), stream("der/x")) == [stream("~/x")]


def test_the_checkout_is_a_place():
    assert "." in machine_places().values()


def test_random_ids_become_stable_and_chosen_ones_stay():
    sample = nb(code("a"), code("a"), code("b"), code("c"))
    for cell, name in zip(sample["cells"], ["3f9a0c2e", "abad1dea-0000-4000-8000-000000000000", "setup", "setup"], strict=True):
        cell["id"] = name
    names = [cell["id"] for cell in normalise(sample)["cells"]]
    assert names[2] == "setup" and len(set(names)) == 4
    assert all(name.startswith("cell-") for name in names[:2] + names[3:])
    sample["cells"][0]["id"] = "ffffffff"
    assert [cell["id"] for cell in normalise(sample)["cells"]] == names


def test_an_id_once_given_survives_edits():
    made = normalise(nb(code("a = 1")))
    name = made["cells"][0]["id"]
    made["cells"][0]["source"] = "a = 2"
    assert normalise(made)["cells"][0]["id"] == name


def test_too_large_is_refused_and_the_cell_named():
    big = nb(markdown("x"), code("1", outputs=[display(image_png="A" * LIMIT)]))
    with pytest.raises(VbookError, match=r"02\.ipynb: 2\.00 MB.*cell 2"):
        check_size(big, "02.ipynb")
    check_size(nb(code("1", outputs=[display(image_png="A" * (LIMIT - 2000))])), "02.ipynb")


words = st.text(st.sampled_from("ab \n\r%|[]:0123456789/~.<>x") | st.sampled_from(["é"]), max_size=12)
texts = st.lists(
    words | st.sampled_from(["/home/reader", "/scratch", " at 0x12ab34", " 5%|#| 1/2 [00:01<0, ", "12it [00:03, "]), max_size=5
).map("".join)
metadata = st.dictionaries(
    st.sampled_from(["tags", "papermill", "vbook", "collapsed"]), st.lists(st.sampled_from(["check", "a"]), max_size=2)
)
some_outputs = st.one_of(
    st.builds(stream, texts, st.sampled_from(["stdout", "stderr"])),
    st.dictionaries(st.sampled_from(["text_plain", "text_html", "image_png", WIDGET]), texts, max_size=3).map(
        lambda data: display(**data)
    ),
    st.just({"output_type": "execute_result", "data": {"text/plain": "<A at 0x1234567>"}, "metadata": {}, "execution_count": 8}),
    st.just({"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["t"]}),
)
counts = st.none() | st.integers(0, 99)
code_cells = st.builds(
    lambda source, outputs, count: code(source, outputs=outputs, count=count), texts, st.lists(some_outputs, max_size=4), counts
)
names = st.sampled_from(["setup", "3f9a0c2e", "", "A b", "cell-12345678"]) | st.text(st.sampled_from("abf0-"), max_size=9)
cells = st.builds(
    lambda cell, extra, name: cell | {"metadata": extra, "id": name}, code_cells | texts.map(markdown), metadata, names
)
notebooks = st.lists(cells, max_size=5).map(
    lambda cells: {"cells": cells, "metadata": {"a": 1}, "nbformat": 4, "nbformat_minor": 4}
)


@given(notebooks)
def test_idempotent(sample):
    once = normalise(sample, PLACES)
    assert normalise(once, PLACES) == once
    assert notebook.joined(once) == once


@given(notebooks)
def test_sources_never_change_and_the_argument_neither(sample):
    before = copy.deepcopy(sample)
    made = normalise(sample, PLACES)
    assert [cell["source"] for cell in made["cells"]] == [cell["source"] for cell in sample["cells"]]
    assert sample == before
    names = [cell["id"] for cell in made["cells"]]
    assert len(set(names)) == len(names)
