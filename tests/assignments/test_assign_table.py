"""What a grading leaves behind, by the command and page by page; nothing of a student runs here."""

import csv

import handin
import pytest
from handin import call
from handin import grade_class as grade

from vbook.assign import grading, report
from vbook.assign.grading import Graded
from vbook.assign.table import as_csv


def test_feedback_escapes_what_comes_from_a_process():
    result = Graded("s", [], ["<script>`*"], {})
    assert "&lt;script&gt;\\`\\*" in report.feedback(handin.master(), result, {})


@pytest.mark.usefixtures("quick")
def test_a_table_loses_no_student(capsys, tmp_path):
    assert grade(capsys, tmp_path, "ada", "bob", "=cmd()")[0] == 0
    before = (tmp_path / "A1.csv").read_bytes()
    (tmp_path / "in" / "bob").rmdir()
    code, _, err = grade(capsys, tmp_path, "eve")
    assert code == 2 and "1 who would be lost" in err and ": bob; put their folders back" in err
    assert (tmp_path / "A1.csv").read_bytes() == before
    assert grade(capsys, tmp_path, "bob")[0] == 0
    for text in ("names\nada\n", "my notes\n", "student,by machine\n", '"' + "a" * 200_000):
        (tmp_path / "A1.csv").write_text(text)
        code, _, err = grade(capsys, tmp_path)
        assert code == 2 and "no table of a grading" in err and (tmp_path / "A1.csv").read_text() == text
    (tmp_path / "A1.csv").write_text("")
    assert grade(capsys, tmp_path)[0] == 0


@pytest.mark.usefixtures("quick")
def test_long_cells_are_read_again_and_incidents_fit_a_spreadsheet_s_cell(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(grading, "grade_one", lambda master, student, *rest: Graded(student, [], ["b" * 200_000]))
    assert grade(capsys, tmp_path, "ada")[0] == 0
    text = (tmp_path / "A1.csv").read_text().splitlines()
    assert len(text[1]) < 32_767 and "… (the rest is in the feedback)" in text[1]
    (tmp_path / "A1.csv").write_text(f"{text[0]},remarks\n{text[1]},{'a' * 200_000}\n")
    assert grade(capsys, tmp_path)[0] == 0
    assert "a" * 200_000 in (tmp_path / "A1.csv").read_text()
    assert "b" * 200_000 in (tmp_path / "feedback" / "ada" / "A1.md").read_text()


@pytest.mark.usefixtures("quick")
def test_another_assignment_s_table_is_not_written_over(capsys, tmp_path):
    assert grade(capsys, tmp_path, "ada")[0] == 0
    before = (tmp_path / "A1.csv").read_bytes()
    code, _, err = call(capsys, "grade", "A2", tmp_path / "in", "--csv", tmp_path / "A1.csv")
    assert code == 2 and "other tasks (generate, log_likelihood" in err and "than A2 has" in err
    assert (tmp_path / "A1.csv").read_bytes() == before


@pytest.mark.usefixtures("quick")
def test_a_table_among_the_submissions_is_refused(capsys, tmp_path):
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for place in ("in/A1.csv", "in/ada/A1.csv", "in/grades/A1.csv", "link/A1.csv"):
        code, _, err = call(capsys, "grade", "A1", tmp_path / "in", "--csv", tmp_path / place)
        assert code == 2 and "lies among the submissions" in err
    assert [path.name for path in (tmp_path / "in").rglob("*")] == ["ada"]


@pytest.mark.usefixtures("quick")
def test_marks_that_are_saved_while_others_are_graded_count(capsys, monkeypatch, tmp_path):
    sheet, quick = tmp_path / "by-hand" / "bob" / "A1.md", grading.grade_one
    grade(capsys, tmp_path, "ada", "bob")

    def one(master, student, *rest):
        if student == "ada":
            sheet.write_text(sheet.read_text().replace(": __ of ", ": 1 of ").replace("student**\n", "student**\n\nSaved.\n"))
        return quick(master, student, *rest)

    monkeypatch.setattr(grading, "grade_one", one)
    assert grade(capsys, tmp_path)[0] == 0
    questions = len(handin.master().questions)
    assert ": __ of " not in sheet.read_text() and sheet.read_text().count("Saved.") == questions
    (_, bob) = csv.DictReader((tmp_path / "A1.csv").open(encoding="utf-8-sig"))
    assert bob[f"by hand (out of {sum(handin.master().questions.values())})"] == str(questions)
    assert "Saved." in (tmp_path / "feedback" / "bob" / "A1.md").read_text()


@pytest.mark.usefixtures("quick")
def test_a_table_made_with_a_seed_needs_one(capsys, monkeypatch, tmp_path):
    grade(capsys, tmp_path, "ada")
    before = (tmp_path / "A1.csv").read_bytes()
    monkeypatch.delenv("VBOOK_ASSIGN_SEED")
    code, out, err = grade(capsys, tmp_path)
    assert code == 2 and "none is set now: export VBOOK_ASSIGN_SEED with" in err and "ada" not in out
    assert (tmp_path / "A1.csv").read_bytes() == before


@pytest.mark.usefixtures("quick")
def test_a_seed_may_be_any_bytes(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("VBOOK_ASSIGN_SEED", "h\udce9")
    assert grade(capsys, tmp_path, "ada")[::2] == grade(capsys, tmp_path)[::2] == (0, "")
    one, other = (handin.master().checks.all[0].cases(seed, "A1").random() for seed in ("h\udce9", "h\udcea"))
    assert one != other


@pytest.mark.usefixtures("quick")
def test_another_seed_is_told(capsys, monkeypatch, tmp_path):
    assert grade(capsys, tmp_path, "ada")[2] == grade(capsys, tmp_path, "bob")[2] == ""
    monkeypatch.setenv("VBOOK_ASSIGN_SEED", "autumn")
    code, _, err = grade(capsys, tmp_path)
    assert code == 0 and "made with another seed" in err
    assert "autumn" not in (tmp_path / "A1.csv").read_text() and grade(capsys, tmp_path)[2] == ""


@pytest.mark.usefixtures("quick")
def test_ctrl_c_says_how_many_are_done_and_that_there_is_no_table(capsys, tmp_path):
    code, _, err = grade(capsys, tmp_path, "ada", "stop")
    assert (code, err) == (130, "vbook: interrupted: 1 of 2 graded; no table written\n")
    assert not (tmp_path / "A1.csv").exists()
    assert (tmp_path / "feedback" / "ada" / "A1.md").is_file() and (tmp_path / "by-hand" / "ada" / "A1.md").is_file()


@pytest.mark.usefixtures("quick")
def test_a_table_begins_with_a_mark_for_spreadsheets_and_is_read_without_it_too(capsys, tmp_path):
    path = tmp_path / "A1.csv"
    assert grade(capsys, tmp_path, "zoë", "=cmd()")[0] == 0
    written = path.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfstudent,") and "\nzoë,".encode() in written
    path.write_bytes(written[3:])  # as it was written before
    assert grade(capsys, tmp_path)[::2] == (0, "") and path.read_bytes() == written
    assert grade(capsys, tmp_path)[::2] == (0, "") and path.read_bytes() == written


@pytest.mark.usefixtures("quick")
def test_loose_files_are_told_and_hidden_folders_passed_over(capsys, tmp_path):
    code, out, err = grade(capsys, tmp_path, "ada", ".ipynb_checkpoints")
    (tmp_path / "in" / "eve.ipynb").touch()
    assert (code, err) == (0, "") and "checkpoints" not in out
    assert "in no student's folder: eve.ipynb" in grade(capsys, tmp_path)[2]


@pytest.mark.usefixtures("quick")
def test_a_name_that_is_no_utf_8_is_spelt_out(capsys, tmp_path):
    for _ in range(2):
        assert grade(capsys, tmp_path, "zo\udceb")[::2] == (0, "")
    assert "\nzo\\udceb," in (tmp_path / "A1.csv").read_text()
    one = Graded("zo\udceb", [], path=tmp_path / "zo\udceb" / "A1.ipynb")
    (tmp_path / "by-hand" / "zo\udceb" / "A1.md").unlink()
    report.write_pages(handin.master(), one, tmp_path / "A1.csv")
    assert "zo\\udceb/A1.ipynb`" in (tmp_path / "by-hand" / "zo\udceb" / "A1.md").read_text()


@pytest.mark.usefixtures("quick")
def test_marks_wait_while_nothing_can_be_read(capsys, tmp_path):
    grade(capsys, tmp_path, "ada")
    sheet = tmp_path / "by-hand" / "ada" / "A1.md"
    marked = sheet.read_text().replace(": __ of ", ": 1 of ")
    sheet.write_text(marked)
    one = Graded("ada", [], path=tmp_path / "in" / "ada" / "A1.ipynb")
    report.write_pages(handin.master(), one, tmp_path / "A1.csv")
    assert ": 1 of " in marked and sheet.read_text() == marked


def nothing(folder) -> Graded:
    return grading.grade_one(handin.master(), "ada", folder / "ada" / "A1.ipynb", folder, "1")


def test_a_page_for_nothing_begins_with_the_reason_and_leaves_the_grade_open(tmp_path):
    (tmp_path / "ada").mkdir()
    for name in ("A1 (1).ipynb", "a1.ipynb"):
        (tmp_path / "ada" / name).touch()
    marks = report.write_pages(handin.master(), nothing(tmp_path), tmp_path / "A1.csv")
    page = (tmp_path / "feedback" / "ada" / "A1.md").read_text()
    assert page.startswith("# A1: not graded\n\nThe grade is open, ")
    assert "**Nothing could be run:**\n\n- there is no A1.ipynb; there is A1 (1).ipynb, a1.ipynb\n" in page
    assert "##" not in page and "0" not in page and page.count("there is no") == 1
    (row,) = csv.DictReader(as_csv(handin.master(), [nothing(tmp_path)], True, {"ada": marks}).splitlines())
    assert row["by machine"] == "0" and row["grade (out of 100)"] == "" and "there is no A1.ipynb" in row["incidents"]


def test_a_teacher_may_close_the_grade_of_nothing(tmp_path):
    path = tmp_path / "A1.csv"
    report.write_pages(handin.master(), nothing(tmp_path), path)
    sheet = tmp_path / "by-hand" / "ada" / "A1.md"
    assert sheet.read_text().count(": __ of ") == len(handin.master().questions)
    sheet.write_text(sheet.read_text().replace(": __ of ", ": 0 of "))
    marks = report.write_pages(handin.master(), nothing(tmp_path), path)
    assert {mark.points for mark in marks.values()} == {0.0}
    assert ": **0**" in (tmp_path / "feedback" / "ada" / "A1.md").read_text()
