"""What grading says of a submission that isn't whole, in words and in the sheets."""

import handin
import numpy as np
import pytest

from vbook.assign import grading, report, sandbox, session
from vbook.assign.answers import answers
from vbook.assign.compare import expect, shape_words
from vbook.assign.opening import belongs
from vbook.assign.release import student_copy
from vbook.assign.session import Session
from vbook.assign.table import as_csv
from vbook.checks import CheckFailed
from vbook.paths import write_text


@pytest.mark.usefixtures("walls")
def test_a_blank_task_is_named_by_those_that_call_it(tmp_path):
    result = handin.grade(tmp_path, handin.blank("scale_and_shift", name="A3"), "A3")
    begun = {outcome.check.task: outcome.begun for outcome in result.outcomes if outcome.words}
    assert begun == {"scale_and_shift": False} | dict.fromkeys(("couple", "uncouple", "encode", "decode", "log_likelihood"), True)
    assert handin.reasons(result, "scale_and_shift").startswith("not begun")
    assert "calls scale_and_shift, which is not begun" in handin.reasons(result, "couple")


@pytest.mark.usefixtures("walls")
def test_a_not_begun_that_the_notebook_doesn_t_hold_says_nothing(tmp_path):
    """Else a name made of what was asked would come back."""
    leak = 'raise NotImplementedError(f"task leak_{mu.shape[0]}: not begun")\n    return 0.5'
    result = handin.grade(tmp_path, handin.changed(("kl", "return 0.5", leak)))
    assert "leak" not in handin.reasons(result, "kl")


@pytest.mark.usefixtures("walls")
def test_an_error_names_what_it_is_about_if_the_notebook_has_it(tmp_path):
    changes = [
        ("kl", "return 0.5", "return half"),
        ("generate", "z = eps", "z = eps.sample"),
        ("draw", "return mu", "raise KeyError(f'leak_{len(mu)}')\n    return mu"),
    ]
    result = handin.grade(tmp_path, handin.appended(handin.changed(*changes), "def mine():\n    pass\n\n\n1 / 0"))
    assert result.incidents == ["mine's cell raises ZeroDivisionError in its line 5: division by zero"]
    assert "kl raises NameError about 'half' (kl's cell, line 3)" in handin.reasons(result, "kl")
    assert "generate raises AttributeError about 'sample' (" in handin.reasons(result, "generate")
    assert "draw raises KeyError (" in handin.reasons(result, "draw")


@pytest.mark.usefixtures("walls")
def test_an_error_in_a_called_function_names_that_function(tmp_path):
    result = handin.grade(
        tmp_path, handin.changed(("scale_and_shift", "scale, shift = net(", "scale, shift = nets("), name="A3"), "A3"
    )
    place = "raises NameError about 'nets' (scale_and_shift's cell, line 3)"
    assert f"scale_and_shift {place}" in handin.reasons(result, "scale_and_shift")
    assert f"couple calls scale_and_shift, which {place}" in handin.reasons(result, "couple")


@pytest.mark.usefixtures("walls")
def test_half_a_character_and_a_folder_of_another_encoding_end_in_points_and_a_sheet(tmp_path):
    """JSON may hold the first half of an emoji alone, which no file in UTF-8 can."""
    name = "zo\udceb"
    changes = [("question-prior", "**Model answer.**", "SMILE"), ("kl", "return 0.5", "note = 'SMILE'\n    return 0.5")]
    path = handin.write(tmp_path, name, handin.changed(*changes))
    path.write_text(path.read_text().replace("SMILE", "So \\ud83d."))
    with sandbox.staged(handin.master().checks.allowed) as stage:
        result = grading.grade_one(handin.master(), name, path, stage, handin.SEED)
    marks = report.write_pages(handin.master(), result, tmp_path / "A1.csv")
    write_text(tmp_path / "A1.csv", as_csv(handin.master(), [result], True, {name: marks}))
    assert handin.lost(result) == {} and marks["question-prior"].points is None
    assert "> So \ufffd." in (tmp_path / "by-hand" / name / "A1.md").read_text()


@pytest.mark.usefixtures("walls")
def test_cells_that_take_too_long_together_leave_the_later_ones_their_definitions(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "CELLS", 1.0)
    monkeypatch.setattr(session, "ALL", 0.0)
    slow = handin.changed(
        ("imports", "", "import os, time\ntime.sleep(1.2)"), ("kl", "return 0.5", "os._exit(3)\n    return 0.5")
    )
    result = handin.grade(tmp_path, handin.appended(slow, "raise ValueError('late')"))
    assert result.incidents[0].endswith("'s cell on only definitions count: the cells took more than 1 s")
    assert "late" not in str(result.incidents) and result.points("generate") == handin.master().tasks["generate"]
    assert "the process ended" in handin.reasons(result, "kl")
    assert "not asked: the notebook took more than 0 s before" in handin.reasons(result, "train")


class TestAnotherFile:
    """No work is 0 points by mistake: where nothing of the assignment is there, the grade stays open."""

    def incidents(self, tmp_path, notebook):
        result = grading.grade_one(handin.master(), "s", handin.write(tmp_path, "s", notebook), tmp_path, "1")
        assert {outcome.words for outcome in result.outcomes} == {grading.NOTHING} and result.answers == {}
        return result.incidents

    @pytest.mark.parametrize("name", ["A2", "A4"])
    @pytest.mark.parametrize("metadata", [True, False])
    def test_of_another_assignment_is_named(self, tmp_path, name, metadata):
        notebook = student_copy(handin.master(name))
        for cell in notebook["cells"] if not metadata else ():
            cell["metadata"] = {}
        assert self.incidents(tmp_path, notebook) == [f"A1.ipynb holds tasks and questions of {name}, not of A1"]

    @pytest.mark.parametrize("sources", [(), ("",), ("x = 1",), ("def kl(mu, log_var):\n    return 0",)])
    def test_with_next_to_nothing_is_told(self, tmp_path, sources):
        notebook = handin.appended(handin.changed() | {"cells": []}, *sources)
        assert self.incidents(tmp_path, notebook) == ["A1.ipynb holds next to nothing of the tasks and questions of A1"]

    @pytest.mark.parametrize("keep", [slice(None), slice(30), slice(30, None)])
    @pytest.mark.parametrize("metadata", [True, False])
    def test_of_the_assignment_or_part_of_it_is_graded(self, keep, metadata):
        notebook = student_copy(handin.master())
        notebook["cells"] = [cell if metadata else cell | {"metadata": {}} for cell in notebook["cells"][keep]]
        assert belongs(notebook, handin.master(), answers(notebook, handin.master())[1]) is None


CELLS = [("<cell 1>", "x = 1", False),
         ("<cell 2>", "def f(x):\n    return half\n\n\ndef g(x):\n    # a\n\n    return f(x)", True),
         ("<cell 3>", 'def h(x):\n    raise NotImplementedError("task h: not begun")', True),
         ("<cell 4>", "texts = 'task a: not begun', 'task b: not begun'; names = 'one two'", True)]  # fmt: skip


class TestWhatAProcessClaims:
    """Its words may be made of what was asked: places, names and sizes are shown only where they tell next to nothing."""

    def says(self, tmp_path, name="f", kind="NameError", cell="<cell 2>", line=2, text="name 'half' is not defined"):
        return str(Session(CELLS, tmp_path)._failure(name, {"type": kind, "cell": cell, "line": line, "text": text}))

    def test_a_place_that_the_notebook_has_is_told(self, tmp_path):
        assert self.says(tmp_path) == "f raises NameError about 'half' (f's cell, line 2)"
        assert self.says(tmp_path, "g") == "g calls f, which raises NameError about 'half' (f's cell, line 2)"
        assert self.says(tmp_path, "g", line=8) == "g raises NameError (f's cell, line 8)"
        assert (
            self.says(tmp_path, "f", "NotImplementedError", "<cell 3>", 2, "task h: not begun") == "calls h, which is not begun"
        )

    @pytest.mark.parametrize(
        ("cell", "line"),
        [("<cell 2>", 9), ("<cell 2>", 0), ("<cell 2>", -1), ("<cell 2>", True), ("<cell 2>", "2"), ("<cell 2>", None),
         ("<cell 7731>", 2), ("<cell 0.37>", 2), ("mu 0.37", 2), (["<cell 2>"], 2), (None, 2)],
    )  # fmt: skip
    def test_any_other_is_not(self, tmp_path, cell, line):
        assert self.says(tmp_path, cell=cell, line=line) == "f raises NameError"

    def test_a_cell_that_defines_nothing_has_its_number(self, tmp_path):
        assert self.says(tmp_path, cell="<cell 1>", line=1) == "f raises NameError (cell 1, line 1)"

    def test_a_name_or_a_text_that_stands_elsewhere_is_not(self, tmp_path):
        assert self.says(tmp_path, line=1, text="name 'two' is not defined") == "f raises NameError (f's cell, line 1)"
        assert self.says(tmp_path, "f", "NotImplementedError", "<cell 4>", 1, "task b: not begun") == "not begun"

    def test_a_shape_of_other_sizes_or_many_dimensions_is_not(self):
        right = np.zeros((5, 2))
        for shape in ((9776, 1), (5, 3), (0,), (5, 2, 1, 1), (5, 2) * 9):
            assert shape_words(shape, right.shape) == "another shape than (5, 2)"
        for shape in ((), (1,), (5,), (2, 5), (5, 5, 1)):
            assert shape_words(shape, right.shape) == f"the shape is {shape} instead of (5, 2)"

    def test_in_their_own_notebook_students_see_every_shape(self):
        with pytest.raises(CheckFailed, match=r"the shape is \(7,\) instead of \(5, 2\)"):
            expect(np.zeros(7), np.zeros((5, 2)), "z")
