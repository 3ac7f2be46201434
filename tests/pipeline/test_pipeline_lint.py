"""Each rule complains about what breaks it, and about nothing in a good chapter."""

import copy

import pytest
from samples import PARAMETERS, chapter, code, display, markdown, nb, stream

from vbook import results
from vbook.errors import VbookError
from vbook.pipeline import lint, normalise, notebook

PNG = "aGk="
FIGURE = {
    "vbook": {"caption": "Figure 2.1. The bound against epochs.", "alt": "Two rising curves, the upper one flat from 20 on."}
}
GOOD = chapter(
    markdown("By [(2.1)](#eq-2.1):\n\n$$ a = b \\tag{2.1} $$\n\nCosts `$$` and {x}."),
    code("print(1)", "check", outputs=[stream("1\n")]),
    code("show()", outputs=[display(FIGURE, image_png=PNG)]),
)
for number, cell in enumerate(notebook.code_cells(GOOD), 1):
    cell["execution_count"] = number


def changed(index, cell=None, **fields):
    """GOOD with the fields of its cell ``index`` changed, or ``cell`` inserted before it."""
    made = copy.deepcopy(GOOD)
    if cell is not None:
        made["cells"].insert(index, {"id": "new", "execution_count": 1} | cell | {"execution_count": 1})
    made["cells"][index] |= fields
    return made


def lines(count):
    return "\n".join(["a"] * count)


def picture(**about):
    return [display({"vbook": FIGURE["vbook"] | about}, image_png=PNG)]


BROKEN = {
    "31 lines, more than 30": changed(5, source=lines(31)),
    "median code cell has 9": changed(4, cell=code(lines(9))) | {"cells": [c | {"source": lines(9)} for c in GOOD["cells"]]},
    "setup cell has 6 lines": changed(2, source=lines(6)),
    "no setup cell": nb(code(PARAMETERS, "parameters")),
    "must say seed = 0": changed(1, source=PARAMETERS.replace("0", "1")),
    "must say data_root = None": changed(1, source=PARAMETERS.replace("\ndata_root = None", "")),
    "one code cell tagged 'parameters'": changed(1, metadata={}),
    "is used 2 times": changed(4, id=GOOD["cells"][5]["id"]),
    "is no id": changed(4, id="a b"),
    "'%pip install x' is not Python": changed(5, source="%pip install x"),
    "'!ls' is not Python": changed(2, source="import os\n!ls"),
    "cell 6 draws with Matplotlib's own commands": changed(5, source="axes[0].plot(x)", metadata={}),
    "has not been run": changed(5, execution_count=None),
    "a MyST fence": changed(0, source="```{note}\nx\n```"),
    "a MyST colon fence": changed(0, source=":::note\nx\n:::"),
    "a MyST target": changed(0, source="(here)=\n# Title"),
    "a MyST role": changed(0, source="see {eq}`here`"),
    "$$ without its partner": changed(0, source="$$ a"),
    "2 tags in one $$ block": changed(0, source="$$ a \\tag{1} b \\tag{2} $$"),
    "\\tag outside": changed(0, source="$a \\tag{1}$"),
    "\\eqref or \\label": changed(0, source="$\\eqref{a}$"),
    "an error output": changed(5, outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]),
    "a picture without text alternative": changed(5, outputs=picture(alt=" ")),
    "a picture without caption": changed(5, outputs=picture(caption="")),
    "without text alternative; show it": changed(5, outputs=picture(role="widget", caption="", alt="")),
    "only repeats the caption": changed(5, outputs=picture(alt="The bound against epochs")),
    "a check cell is exempt": changed(4, metadata={"tags": ["check", "nbval-skip"]}),
    "the next code cell is no check": changed(4, metadata={"tags": ["nbval-ignore-output"]}),
    "1 of 2 cells with output are exempt": changed(5, source="# NBVAL_IGNORE_OUTPUT\n1"),
    "names the path '/data/me/mnist'": changed(4, outputs=[stream("from /data/me/mnist")]),
    "names the path 'C:": changed(4, source="open('C:\\\\Users')"),
}


@pytest.mark.parametrize(
    "line", ["plt.show()", "axes.flat[0].legend()", "axes[0][1].axhline(0)", "fig.supxlabel('x')", "ax.step(t, y)"]
)
def test_code_that_draws_is_folded(line):
    (found,) = lint.lint_notebook(changed(5, source=line, metadata={}))
    assert "cell 6 draws with Matplotlib's own commands" in found
    assert lint.lint_notebook(changed(5, source=line, metadata={"tags": ["hide-input"]})) == []


@pytest.mark.parametrize(
    "line", ["x.max(axis=0)", "book.figure(ax, 'A')", "relax.step(x)", "ax, panel = pair()", "widgets.show()"]
)
def test_code_that_only_names_a_panel_is_not_folded(line):
    assert lint.lint_notebook(changed(5, source=line, metadata={})) == []


def test_a_widgets_picture_needs_no_caption():
    assert lint.lint_notebook(changed(5, outputs=picture(role="widget", caption=""))) == []


def test_a_good_chapter_passes():
    assert lint.lint_notebook(GOOD) == []


@pytest.mark.parametrize("complaint", BROKEN)
def test_each_rule_complains(complaint):
    assert any(complaint in found for found in lint.lint_notebook(BROKEN[complaint])), lint.lint_notebook(BROKEN[complaint])


def test_pip_in_the_setup_cell_addresses_and_divisions_are_fine():
    made = changed(2, source="%pip install -q vbook\nimport os")
    made["cells"][4] |= {"source": "x = a / b / c", "outputs": [stream("bits/dim, see https://example.org/a/b\n1 / 2 / 3")]}
    assert lint.lint_notebook(made) == []


def test_an_exemption_followed_by_a_check_is_fine_up_to_a_tenth():
    free = code("draw()", "nbval-ignore-output", outputs=[stream("x")])
    cells = [free, *[code("check()", "check", outputs=[stream("1")])] * 9]
    assert lint.outputs.exemptions(chapter(*cells)) == []
    assert lint.outputs.exemptions(chapter(*cells[:-1])) == ["1 of 9 cells with output are exempt from comparison, more than 10%"]


TAGGED = "$$ a \\tag{2.1} $$"


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [
        ({"a.ipynb": f"{TAGGED} {TAGGED}"}, "a.ipynb: equation (2.1) is tagged 2 times"),
        ({"a.ipynb": TAGGED, "b.ipynb": TAGGED}, "equation (2.1) is tagged on 2 pages"),
        (
            {"a.ipynb": "[(2.1)](#eq-2.1)"},
            "a.ipynb: the link '(2.1)' leads to #eq-2.1 of a.ipynb, where no equation has that tag",
        ),
        (
            {"a.ipynb": TAGGED, "b.md": "[(2.1)](../chapters/c.ipynb#eq-2.1)"},
            "b.md: the link '(2.1)' leads to #eq-2.1 of c.ipynb",
        ),
        ({"a.ipynb": TAGGED + "[(2.2)](#eq-2.1)"}, "its text must name it"),
    ],
)
def test_equations_and_links_to_them(pages, complaint):
    assert any(complaint in found for found in lint.prose.equation_complaints(pages))


def test_links_across_pages_and_equal_numbers_of_other_sources_are_fine():
    pages = {"a.ipynb": TAGGED + "$$ b \\tag{1} $$", "b.ipynb": "[by (2.1)](a.ipynb#eq-2.1) $$ c \\tag{1} $$"}
    assert lint.prose.equation_complaints(pages) == []


def test_numbers_must_be_those_of_the_records(monkeypatch):
    def resolve(reference):
        if reference != "record:a/elbo":
            raise VbookError(f"no {reference}")
        return results.Quantity(-101.27, "nats", "measured")

    monkeypatch.setattr(results, "resolve", resolve)
    assert lint.prose.number_complaints({"a.ipynb": "[−101.3](record:a/elbo)"}) == []
    [wrong] = lint.prose.number_complaints({"a.ipynb": "[−101.2](record:a/elbo)"})
    assert "'−101.2' where record:a/elbo says '−101.3'" in wrong
    assert lint.prose.number_complaints({"a.ipynb": "[1](record:gone)"}) == ["a.ipynb: no record:gone"]


def test_a_file_that_the_normaliser_did_not_write_is_found(tmp_path):
    path = tmp_path / "a.ipynb"
    notebook.write(normalise(GOOD), path)
    assert lint.lint_book([path]) == []
    path.write_text(path.read_text().replace('"nbformat_minor": 5', '"nbformat_minor": 4'))
    assert lint.lint_book([path]) == ["a.ipynb: was not written by the normaliser; commit it with `vbook run --commit`"]
