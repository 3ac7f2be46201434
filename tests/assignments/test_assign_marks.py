"""Marks by hand: from the sheets into grades and feedback, kept when the assignment is graded again, never guessed."""

import csv
import re

import handin
import pytest

from vbook.assign import marks as marks_
from vbook.assign import report
from vbook.assign.answers import asked, titles
from vbook.assign.grading import Graded, Outcome
from vbook.assign.marks import marks
from vbook.assign.master import names
from vbook.assign.table import as_csv
from vbook.errors import VbookError

ANSWER = "My answer.\n\n## question-bound: 4 of 4\n**Guide**\n<b>"  # which tries to mark itself

MACHINE, HAND = handin.points()
BY_HAND = f"by hand (out of {HAND})"


@pytest.fixture
def folder(tmp_path):
    """A table and what goes with it, for one student with all points by machine and one answer to all questions."""
    write(tmp_path, result(ANSWER))
    return tmp_path


def result(answer: str) -> Graded:
    master = handin.master()
    return Graded("ada", [Outcome(check, None) for check in master.checks.all], [], dict.fromkeys(master.questions, answer))


def write(folder, *results: Graded):
    master, path = handin.master(), folder / "A1.csv"
    report.marked(master, [one.student for one in results], path)
    by_hand = {one.student: report.write_pages(master, one, path) for one in results}
    path.write_text(as_csv(master, list(results), True, by_hand))
    return by_hand


def mark(folder, *changes: tuple[str, str]):
    path = folder / "by-hand" / "ada" / "A1.md"
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def mark_all(folder):
    lines = {name: (f"## {name}: __ of {points}\n", f"## {name}: {points} of {points}\n") for name, points in questions().items()}
    mark(folder, *lines.values())


def questions():
    return handin.master().questions


def row(folder) -> dict:
    return next(csv.DictReader((folder / "A1.csv").open()))


def test_an_answer_cant_mark_itself(folder):
    found = marks(handin.master(), folder / "by-hand" / "ada" / "A1.md")
    assert list(found) == list(questions()) and {one.points for one in found.values()} == {None}
    assert row(folder)[BY_HAND] == row(folder)["grade (out of 100)"] == ""


def test_marks_and_comments_reach_grade_and_feedback(folder):
    mark_all(folder)
    mark(folder, ("\n## question-bound: 4 of", "\n## question-bound: 2.5 of"))
    path = folder / "by-hand" / "ada" / "A1.md"
    head, name, rest = path.read_text().partition("\n## question-bound")
    path.write_text(head + name + rest.replace("for the student**\n", "for the student**\n\nWhy (b)?\n", 1))
    write(folder, result(ANSWER))
    assert (row(folder)[BY_HAND], row(folder)["grade (out of 100)"]) == (f"{HAND - 1.5}", f"{MACHINE + HAND - 1.5}")
    page = (folder / "feedback" / "ada" / "A1.md").read_text()
    assert (
        f"**{MACHINE + HAND - 1.5}**" in page
        and " 2.5 of 4\n\nWhy (b)?\n" in page
        and "## 2.3 What is the bound" in page
        and "**Marks.**" not in page
    )
    once = path.read_text()
    write(folder, result(ANSWER))
    assert path.read_text() == once


def test_a_mark_is_for_the_answer_that_it_was_given_for(folder):
    mark_all(folder)
    changed = result(ANSWER)
    changed.answers["question-bound"] = "Another answer."
    write(folder, changed)
    text = (folder / "by-hand" / "ada" / "A1.md").read_text()
    assert "## question-bound: __ of 4" in text and text.count(": __ of") == 1
    assert row(folder)[BY_HAND] == "" and f"{HAND} more points" in (folder / "feedback" / "ada" / "A1.md").read_text()


def test_what_a_teacher_or_an_editor_makes_of_a_text_costs_no_mark(folder):
    """A note in the answer, as on paper, and other signs for the same, as an editor may set them on saving."""
    mark_all(folder)
    path = folder / "by-hand" / "ada" / "A1.md"
    noted = path.read_text().replace("> My answer.", "> My answer. [good -- JT]", 1).replace("> ", ">")
    path.write_text(noted)
    by_hand = write(folder, result(ANSWER))
    assert path.read_text() == noted and "[good -- JT]" in noted and ": __ of" not in noted
    assert row(folder)[BY_HAND] == f"{HAND}" and report.reopened(handin.master(), result(ANSWER), by_hand["ada"]) == []


def test_a_mark_of_an_earlier_text_is_told(folder):
    mark_all(folder)
    changed = result(ANSWER)
    changed.answers["question-bound"] = "Another answer."
    said = "question-bound is open again: its text is another than the one that had 4 of 4"
    sheet = folder / "by-hand" / "ada" / "A1.md"
    for text in ("Another answer.", "Another answer.", "", "My answer."):  # each time until it is marked anew
        changed.answers["question-bound"] = text
        assert report.reopened(handin.master(), changed, write(folder, changed)["ada"]) == [said]
        assert "marked here before, with 4.)" in sheet.read_text()
    sheet.write_text(sheet.read_text().replace("__ of 4", "2,5 of 4"))
    assert report.reopened(handin.master(), changed, write(folder, changed)["ada"]) == []
    assert "## question-bound: 2.5 of 4" in sheet.read_text() and "before" not in sheet.read_text()


def test_a_text_that_is_gone_is_open_and_no_silent_0(folder):
    mark_all(folder)
    changed = result(ANSWER)
    changed.answers["question-bound"] = ""
    for _ in range(3):
        by_hand = write(folder, changed)
        assert report.reopened(handin.master(), changed, by_hand["ada"]) and row(folder)[BY_HAND] == ""
        sheet = folder / "by-hand" / "ada" / "A1.md"
        sheet.write_text(sheet.read_text().replace("before, with 4.)", "before, with 4"))  # a teacher's hand slips
    changed.answers.clear()  # a notebook that can't be read: its marks wait, and nothing is said
    assert report.reopened(handin.master(), changed, write(folder, changed)["ada"]) == []


def test_what_was_never_marked_stays_open_where_nothing_can_be_read(folder):
    unread = Graded("ada", [], ["can't be read"])
    assert {mark.points for mark in write(folder, unread)["ada"].values()} == {None} and row(folder)[BY_HAND] == ""


def test_a_comment_outlives_the_text_it_was_written_for(folder):
    sheet = folder / "by-hand" / "ada" / "A1.md"
    head, name, rest = sheet.read_text().partition("\n## question-bound")
    sheet.write_text(head + name + rest.replace("for the student**\n", "for the student**\n\nWhy (b)?\n", 1))
    changed = result(ANSWER)
    changed.answers["question-bound"] = "Another answer."
    assert write(folder, changed)["ada"]["question-bound"].comment == "Why (b)?" and "\n\nWhy (b)?\n" in sheet.read_text()


def test_a_text_with_0_that_is_gone_stays_at_0(folder):
    mark_all(folder)
    sheet = folder / "by-hand" / "ada" / "A1.md"
    sheet.write_text(sheet.read_text().replace("## question-bound: 4 of 4", "## question-bound: 0 of 4"))
    changed = result(ANSWER)
    changed.answers["question-bound"] = ""
    assert report.reopened(handin.master(), changed, write(folder, changed)["ada"]) == []
    assert "## question-bound: 0 of 4" in sheet.read_text()


def test_a_sheet_of_before_without_fingerprints_keeps_its_marks(folder):
    mark_all(folder)
    path = folder / "by-hand" / "ada" / "A1.md"
    path.write_text(re.sub(r"(?m)^(\*\*Answer\*\*) \(\w{8}\)$", r"\1", path.read_text()))
    write(folder, result(ANSWER))
    assert ": __ of" not in path.read_text() and row(folder)[BY_HAND] == f"{HAND}"


@pytest.mark.parametrize("written", ["5", "-1", "two", "nan", "inf", "1 2"])
def test_a_mark_that_cant_be_is_named_before_anything_is_written(folder, written):
    before = (folder / "A1.csv").read_bytes()
    mark(folder, ("question-bound: __ of", f"question-bound: {written} of"))
    with pytest.raises(VbookError, match="question-bound: a mark is a number from 0 to 4"):
        write(folder, result(ANSWER))
    assert (folder / "A1.csv").read_bytes() == before


def test_a_mark_out_of_other_points_is_named(folder):
    mark(folder, ("question-prior: __ of 3", "question-prior: 2 of 4"))
    with pytest.raises(VbookError, match="question-prior: 2 of 4, but it has 3 points"):
        write(folder, result(ANSWER))
    mark(folder, ("question-prior: 2 of 4", "question-prior: __ of 4"))  # as it was before the master changed
    write(folder, result(ANSWER))
    assert "question-prior: __ of 3" in (folder / "by-hand" / "ada" / "A1.md").read_text()


def test_control_characters_of_a_student_reach_no_sheet(folder):
    one = result("a\0b\x1b[2J\x9bc\x7f\td\ne")
    for _ in range(2):
        write(folder, one)
        assert "> ab[2Jc\td\n> e\n" in (folder / "by-hand" / "ada" / "A1.md").read_text()
        mark(folder, *([] if _ else [("question-prior: __ of", "question-prior: 2 of")]))
    assert "question-prior: 2 of 3" in (folder / "by-hand" / "ada" / "A1.md").read_text()


def test_a_sheet_in_another_encoding_is_named(folder):
    path = folder / "by-hand" / "ada" / "A1.md"
    path.write_bytes(path.read_text().replace("My answer", "Mäh").encode("cp1252", "replace"))
    with pytest.raises(VbookError, match=r"ada/A1\.md: not UTF-8"):
        write(folder, result(ANSWER))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("## question-bound: 4 of 4", "## question-bound 4 of 4", "question-bound: can't read '## question-bound 4 of 4'"),
        ("## question-bound: 4 of 4", "##question-bound: 4 of 4", "question-bound: can't read '##question-bound: 4 of 4'"),
        ("## question-bound: 4 of 4", "## question-bound:  of 4", "question-bound: a mark is a number from 0 to 4"),
        ("## question-bound: 4 of 4", "## question-bound: of 4", "question-bound: can't read '## question-bound: of 4'"),
        ("## question-bound: 4 of 4", "", "question-bound: 0 headings that can be read"),
        ("## question-prior: 3 of 3", "## question-bound: 4 of 4", "question-prior: 0 headings"),
        ("## question-push: 2 of 2", "## question-push: 2 of 2\n## question-push: 1 of 2", "question-push: 2 headings"),
    ],
)
def test_a_heading_that_cant_be_read_is_named_before_anything_is_written(folder, old, new, words):
    mark_all(folder)
    mark(folder, (f"\n{old}\n", f"\n{new}\n"))
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(VbookError, match=re.escape(f"ada/A1.md: {words}")):
        write(folder, result(ANSWER))
    assert before == {path: path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("line", [marks_.ANSWER, marks_.COMMENT, marks_.GUIDE])
def test_without_its_lines_no_comment_can_be_told_from_the_guide(folder, line):
    """Else the model answer would go to the student, or the comment be lost."""
    path = folder / "by-hand" / "ada" / "A1.md"
    path.write_text(re.sub(rf"(?m)^{re.escape(line)}( \(\w+\))?$", f"{line} (Good.)", path.read_text(), count=1))
    with pytest.raises(VbookError, match=re.escape(f"question-autoencoder: can't find the line '{line}'")):
        write(folder, result(ANSWER))


def test_spaces_at_the_end_of_a_line_and_open_marks_are_no_slips(folder):
    mark_all(folder)
    path = folder / "by-hand" / "ada" / "A1.md"
    path.write_text(path.read_text().replace("**\n", "** \n").replace(": 4 of 4\n", ": __ of 4 \n"))
    found = marks(handin.master(), path)
    assert found["question-bound"].points is None and found["question-prior"].points == 3.0
    assert {one.comment for one in found.values()} == {""} and len({one.answer for one in found.values()}) == 1


def test_a_file_that_is_no_sheet_is_not_written_over(folder):
    path = folder / "by-hand" / "ada" / "A1.md"
    path.write_text("# Something else\n\n## question-unknown: 3 of 3\n")
    with pytest.raises(VbookError, match="question-autoencoder: 0 headings that can be read"):
        marks(handin.master(), path)
    assert marks(handin.master(), folder / "nothing.md") == {}


def test_no_answer_is_0_until_the_teacher_says_otherwise(folder):
    empty = result("")
    write(folder, empty)
    path = folder / "by-hand" / "ada" / "A1.md"
    assert (row(folder)[BY_HAND], row(folder)["grade (out of 100)"]) == ("0", str(MACHINE))
    assert ": __ of" not in path.read_text() and "No answer was found." in (folder / "feedback" / "ada" / "A1.md").read_text()
    mark(folder, ("\n## question-bound: 0 of", "\n## question-bound: 1 of"))  # after a talk, say
    write(folder, empty)
    assert row(folder)[BY_HAND] == "1"
    write(folder, result(ANSWER))
    assert path.read_text().count(": __ of") == len(questions())


def test_a_sheet_has_the_question_and_where_the_pictures_are(folder):
    one = result(ANSWER)
    one.path = folder / "in" / "ada" / "A1.ipynb"
    write(folder, one)
    text = (folder / "by-hand" / "ada" / "A1.md").read_text()
    asked = "**Question, 3 points.** The prior has nothing to learn"
    assert f"`{one.path}`" in text and f"## question-prior: __ of 3\n\n{asked}" in text


@pytest.mark.parametrize("name", names())
def test_every_question_has_a_title_that_students_know(name):
    known = titles(handin.master(name))
    assert len(set(known.values())) == len(handin.master(name).questions)
    assert all(one[0].isdigit() and one.count("$") % 2 == one.count("*") % 2 == 0 for one in known.values())
    assert all(text.startswith("**Question, ") for text in asked(handin.master(name)).values())
