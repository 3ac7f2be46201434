"""Which text answers which question, in notebooks that students have moved about."""

import handin
import pytest

from vbook.assign.answers import answers
from vbook.assign.release import ANSWER

NOTE = {"cell_type": "markdown", "metadata": {}, "id": "note", "source": "My note."}


@pytest.fixture
def notebook():
    return handin.blank(*handin.master().questions)


def place(notebook: dict, question: str) -> int:
    return next(k for k, cell in enumerate(notebook["cells"]) if cell["metadata"].get("nbgrader", {}).get("grade_id") == question)


def bare(notebook: dict) -> dict:
    return notebook | {"cells": [{**cell, "metadata": {}, "id": f"c{k}"} for k, cell in enumerate(notebook["cells"])]}


def found(notebook: dict) -> dict:
    """The answers that aren't empty; no cell may be missing."""
    texts, missing = answers(notebook, handin.master())
    assert missing == [] and list(texts) == list(handin.master().questions)
    return {name: text for name, text in texts.items() if text}


def test_a_placeholder_is_no_answer(notebook):
    assert found(notebook) == found(bare(notebook)) == {}


@pytest.mark.parametrize("lose", [lambda notebook: notebook, bare])
def test_answers_below_the_placeholder_and_in_several_cells_count(notebook, lose):
    at = place(notebook, "question-prior")
    notebook["cells"].insert(at + 1, NOTE)
    notebook["cells"].insert(at + 2, NOTE | {"source": "And more."})
    assert found(lose(notebook)) == {"question-prior": "My note.\n\nAnd more."}


CODE = NOTE | {"cell_type": "code"}


@pytest.mark.parametrize("lose", [lambda notebook: notebook, bare])
@pytest.mark.parametrize(
    ("source", "text"),
    [("It has nothing to learn.", "It has nothing to learn."),
     ("# It has nothing\n# to learn.", "It has nothing\nto learn."),
     ("'Nothing.'", "'Nothing.'"),
     ("%matplotlib inline", ""),
     ("x = 1  # of the next task", "")],
)  # fmt: skip
def test_an_answer_in_a_cell_of_code_counts(notebook, lose, source, text):
    notebook["cells"].insert(place(notebook, "question-prior") + 1, CODE | {"source": source})
    assert found(lose(notebook)) == ({"question-prior": text} if text else {})


@pytest.mark.parametrize("lose", [lambda notebook: notebook, bare])
def test_code_that_isn_t_right_below_a_question_is_no_answer(notebook, lose):
    at = place(notebook, "question-prior")
    notebook["cells"].insert(at + 2, CODE | {"source": "# a helper of the next task"})
    notebook["cells"][at + 3] |= {"source": "def log_evidence(log_px_z):\n    ("}
    notebook["cells"].insert(at + 4, CODE | {"source": "# and another"})
    assert found(lose(notebook)) == {}


@pytest.mark.parametrize("lose", [lambda notebook: notebook, bare])
def test_answers_in_their_cell_or_in_the_question_s_count(notebook, lose):
    at = place(notebook, "question-prior")
    notebook["cells"][at] |= {"source": f"{ANSWER}\n\nFirst."}
    notebook["cells"][at - 1] |= {"source": notebook["cells"][at - 1]["source"] + "\n\nZeroth."}
    assert found(lose(notebook)) == {"question-prior": "Zeroth.\n\nFirst."}


def test_a_deleted_cell_is_told(notebook):
    at = place(notebook, "question-prior")
    del notebook["cells"][at - 1 : at + 1]
    assert answers(notebook, handin.master())[1] == ["question-prior"]


def test_a_sheet_has_an_answer_that_stands_below_its_cell_though_the_cell_is_gone(notebook):
    at = place(notebook, "question-prior")
    notebook["cells"][at] = NOTE
    assert found(notebook) == {"question-prior": "My note."}
