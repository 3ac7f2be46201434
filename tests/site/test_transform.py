import copy

import pytest
import sample

from vbook.errors import VbookError
from vbook.plots import figure, svg_text
from vbook.site.transform import transform, widget_html


def _cells(*cells):
    return transform(sample.notebook(*cells), "page")["cells"]


def test_leaves_its_argument_alone():
    notebook = sample.chapter()
    before = copy.deepcopy(notebook)
    transform(notebook, "page")
    assert notebook == before


def test_injected_values_move_into_the_parameters_cell():
    cells = _cells(
        ("code", 'profile = "smoke"  # a comment\nseed = 0\ndata_root = None', ["parameters"]),
        ("code", '# Parameters\nprofile = "laptop"\nseed = 7\n', ["injected-parameters"]),
    )
    assert [cell["source"] for cell in cells] == ['profile = "laptop"  # a comment\nseed = 7\ndata_root = None']


def test_parameters_setup_and_solution_fold():
    cells = _cells(("code", "seed = 0", ["parameters"]), ("code", "import torch"), ("code", "1"), ("code", "2", ["solution"]))
    folds = [cell["metadata"].get("vbook_fold") for cell in cells]
    assert folds == [
        {"title": "Parameters", "whole": False},
        {"title": "Setup", "whole": False},
        None,
        {"title": "Solution in code", "whole": True},
    ]


def test_code_that_only_draws_can_fold():
    cell = _cells(("code", "draw()", ["hide-input", "x"]))[0]
    assert cell["metadata"] == {"tags": ["x"], "vbook_fold": {"title": "Code", "whole": False}}


def test_a_cell_tagged_setup_is_the_only_setup():
    cells = _cells(("code", "seed = 0", ["parameters"]), ("code", "1"), ("code", "2", ["setup"]))
    assert [cell["metadata"].get("vbook_fold", {}).get("title") for cell in cells] == ["Parameters", None, "Setup"]


def test_figures_and_captions_are_noted_in_order():
    cell = _cells(("code", "show()", (), [sample._html("<b>x</b>"), *sample._figure(1, "lines"), *sample._figure(2, "image")]))[0]
    roles = cell["metadata"]["vbook_outputs"]
    assert [role and role["role"] for role in roles] == [None, "figure", "caption", "figure", "caption"]
    assert (roles[1]["tone"], roles[3]["tone"], roles[1]["width"]) == ("lines", "image", 640)
    assert list(cell["outputs"][1]["data"]) == ["image/png"]
    assert cell["outputs"][2]["data"]["text/markdown"] == "**Figure 2.1.** The bound rises; $\\mathcal L$ in nats."


def test_a_drawing_leaves_its_white_ground_to_the_notebook():
    fig, _ = figure(3, 2)
    picture, caption = sample._figure(1, "lines")
    picture["data"] = {"image/svg+xml": svg_text(fig).splitlines(keepends=True)}
    picture["metadata"]["image/svg+xml"] = picture["metadata"].pop("image/png")
    drawn = _cells(("code", "show()", (), [picture, caption]))[0]["outputs"][0]["data"]["image/svg+xml"]
    assert "background: white" in "".join(picture["data"]["image/svg+xml"]).split(">")[0]
    assert drawn.startswith("<svg ") and "background" not in drawn


def test_a_figure_without_alternative_text_is_refused():
    picture = sample._figure(1, "lines")[:1]
    picture[0]["metadata"]["vbook"]["alt"] = ""
    with pytest.raises(VbookError, match="page: a figure has no alternative text"):
        _cells(("code", "show()", (), picture))


def test_progress_bars_and_live_widgets_stay_out():
    live = {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}, "metadata": {}}
    notebook = sample.notebook(("code", "fit()", (), [sample._stream("50%", "stderr"), live, sample._stream("done")]))
    notebook["metadata"]["widgets"] = {"state": 1}
    made = transform(notebook, "page")
    assert [output["text"] for output in made["cells"][0]["outputs"]] == ["done"]
    assert "widgets" not in made["metadata"]


def test_a_cell_that_failed_is_no_page():
    failed = {"output_type": "error", "ename": "NameError", "evalue": "secret", "traceback": ["secret"]}
    with pytest.raises(VbookError, match="page: a cell ended in an error") as told:
        _cells(("code", "x", (), [failed]))
    assert "secret" not in str(told.value)


def test_a_widget_keeps_only_its_self_contained_form():
    output = _cells(("code", "explorer()", (), [sample._html("<p>alive</p>", role="widget")]))[0]["outputs"][0]
    assert output["data"] == {"text/html": '<div class="vbook-widget"><p>alive</p></div>'}


def test_a_widget_without_a_static_form_is_refused():
    with pytest.raises(VbookError, match="self-contained"):
        widget_html({"data": {"application/vnd.vbook.widget+json": {}}})
    bare = {"output_type": "display_data", "data": {"application/vnd.vbook.widget+json": {}}, "metadata": {}}
    with pytest.raises(VbookError, match=r"^page: "):
        _cells(("code", "explorer()", (), [bare]))


def test_markdown_given_as_lines_is_read_too():
    notebook = sample.notebook(("markdown", ["<details><summary>A</summary>\n", "b\n", "</details>\n"]))
    assert transform(notebook, "page")["cells"][0]["source"].startswith("~~~~{vbook-details} A\n")
