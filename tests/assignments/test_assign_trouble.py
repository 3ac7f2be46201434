"""A grading goes on where one student is in trouble, and begins only where its table and pages can be; nothing runs here."""

import csv
import errno
import os

import handin
import pytest
from handin import call
from handin import grade_class as grade

from vbook.assign import grading, report
from vbook.assign.grading import grade_one

pytestmark = pytest.mark.usefixtures("quick")


def rows(folder) -> dict[str, dict]:
    with open(folder / "A1.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def graded(row: dict) -> str:
    return row[f"grade (out of {sum(handin.points())})"]


def meanwhile(monkeypatch, student: str, what):
    """Do ``what()`` while ``student`` is graded."""
    quick = grading.grade_one

    def one(master, name, *rest):
        if name == student:
            what()
        return quick(master, name, *rest)

    monkeypatch.setattr(grading, "grade_one", one)


def change(path, old: str, new: str):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (": __ of", ": 12 of", "a mark is a number from 0 to "),
        (": __ of", ": 12/10 of", "not '12/10'"),
        (": __ of", ": good of", "not 'good'"),
        ("**Guide**", "**Gu", "can't find the line '**Guide**'"),
    ],
)
def test_a_bad_mark_saved_meanwhile_leaves_one_grade_open_and_the_sheet_as_it_is(capsys, monkeypatch, tmp_path, old, new, words):
    grade(capsys, tmp_path, "ada", "bob", "eve")
    for student in ("ada", "bob", "eve"):
        change(tmp_path / "by-hand" / student / "A1.md", ": __ of", ": 1 of")
    assert grade(capsys, tmp_path)[0] == 0 and graded(rows(tmp_path)["bob"])
    sheet, page = (tmp_path / kind / "bob" / "A1.md" for kind in ("by-hand", "feedback"))
    change(sheet, ": 1 of", ": __ of")
    before = page.read_bytes()
    meanwhile(monkeypatch, "ada", lambda: change(sheet, old, new))
    code, out, err = grade(capsys, tmp_path)
    assert code == 2 and f"vbook: bob: {sheet}: question-" in err and words in err
    assert "1 of 3 whose marks or pages are in trouble, left as they were: bob; mend" in err and "the table: " in out
    found = rows(tmp_path)
    assert list(found) == ["ada", "bob", "eve"] and graded(found["ada"]) and graded(found["eve"]) and not graded(found["bob"])
    assert found["bob"]["by machine"] == found["eve"]["by machine"] and words in found["bob"]["incidents"]
    assert new in sheet.read_text() and page.read_bytes() == before


def test_pages_that_cant_be_written_are_one_student_s_trouble(capsys, tmp_path):
    grade(capsys, tmp_path, "ada")
    (tmp_path / "feedback" / "bob").touch()
    code, _, err = grade(capsys, tmp_path, "bob", "eve")
    assert code == 2 and f"bob: File exists: {tmp_path / 'feedback' / 'bob'}\n" in err and "1 of 3 whose marks" in err
    assert list(rows(tmp_path)) == ["ada", "bob", "eve"] and (tmp_path / "feedback" / "eve" / "A1.md").is_file()


def test_a_sheet_that_cant_be_read_is_named_before_anything_runs(capsys, monkeypatch, tmp_path):
    grade(capsys, tmp_path, "ada")
    sheet = tmp_path / "by-hand" / "ada" / "A1.md"
    sheet.unlink()
    sheet.symlink_to("/proc/self/mem")
    code, out, err = grade(capsys, tmp_path)
    assert (code, out) == (2, "") and err == f"vbook: {sheet}: can't be read (Input/output error)\n"


@pytest.mark.parametrize(("whose", "done"), [("ada", 0), ("bob", 1)])
def test_a_full_disk_ends_a_grading_with_what_is_done(capsys, monkeypatch, tmp_path, whose, done):
    write = report.paths.write_text

    def full(path, text):
        if whose in path.parts:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(report.paths, "write_text", full)
    code, out, err = grade(capsys, tmp_path, "ada", "bob", "eve")
    assert code == 2 and "No space left on device: " in err and f"{whose}/A1.md; {done} of 3 graded, no table written" in err
    assert "eve" not in out and not (tmp_path / "A1.csv").exists()


def test_a_teacher_s_columns_stay_at_the_end_of_their_rows(capsys, monkeypatch, tmp_path):
    path = tmp_path / "A1.csv"
    grade(capsys, tmp_path, "ada", "=cmd()", "042")
    heads, *lines = list(csv.reader(path.open(encoding="utf-8-sig")))
    assert [line[0] for line in lines] == ["042", "'=cmd()", "ada"]
    own = [["42", "b", ""], ["=cmd()", "", "-0.5"], ["ada", "Zoë's twin, ill", "=B2"]]  # names as some spreadsheets save them
    table = [[*heads[:2], "remarks", *heads[2:], "bonus (5)", "incidents"]]
    table += [[name, line[1], remark, *line[2:], bonus, "one"] for (name, remark, bonus), line in zip(own, lines, strict=True)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*table, [], [""] * len(table[0])])
    code, _, err = grade(capsys, tmp_path, "bob")
    assert (code, err) == (0, "")
    found = list(csv.reader(path.open(encoding="utf-8-sig")))
    assert found[0] == [*heads, "remarks", "bonus (5)", "incidents"]
    assert [row[:1] + row[len(heads) :] for row in found[1:]] == [
        ["042", "b", "", "one"],
        ["'=cmd()", "", "-0.5", "one"],
        ["ada", "Zoë's twin, ill", "=B2", "one"],
        ["bob", "", "", ""],
    ]
    once = path.read_bytes()
    meanwhile(monkeypatch, "ada", lambda: change(path, "twin, ill", "twin, well"))
    assert grade(capsys, tmp_path)[0] == 0 and path.read_bytes() == once.replace(b"twin, ill", b"twin, well")


@pytest.mark.parametrize(
    ("encoding", "between", "end"),
    [("utf-8-sig", ";", "\r\n"), ("utf-8", ",", "\r"), ("cp1252", ";", "\r\n"), ("utf-16", "\t", "\r\n"), ("utf-8", "\t", "\n")],
)
def test_a_table_that_a_spreadsheet_saved_is_read(capsys, tmp_path, encoding, between, end):
    path = tmp_path / "A1.csv"
    grade(capsys, tmp_path, "ada", "zoë")
    (heads, *lines), once = list(csv.reader(path.open(encoding="utf-8-sig"))), path.read_text()
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=between, lineterminator=end).writerows([[*heads, ""], *([*line, "né; so"] for line in lines)])
    assert grade(capsys, tmp_path)[::2] == (0, "")
    first, *rest = once.splitlines()
    assert path.read_text().splitlines() == [f"{first},", *(f"{line},né; so" for line in rest)]


def test_a_row_without_a_name_is_told(capsys, tmp_path):
    grade(capsys, tmp_path, "ada")
    with (tmp_path / "A1.csv").open("a") as file:
        file.write(",71\n")
    code, _, err = grade(capsys, tmp_path)
    assert code == 2 and "no folder now: a row without a name; put their folders back" in err


def test_a_row_written_meanwhile_is_not_lost(capsys, monkeypatch, tmp_path):
    path = tmp_path / "A1.csv"
    grade(capsys, tmp_path, "ada")
    once = path.read_text().replace("\nada", ",remarks\nada").rstrip() + ",ill\n"
    meanwhile(monkeypatch, "ada", lambda: path.write_text(f"{once}average,71\n"))
    code, _, err = grade(capsys, tmp_path)
    assert code == 2 and "no folder now: average; " in err and f"so the new table is {tmp_path / 'A1.new.csv'}" in err
    assert path.read_text() == f"{once}average,71\n" and (tmp_path / "A1.new.csv").read_text() == once


@pytest.mark.parametrize(
    ("folder", "table", "words"),
    [
        ("in", "feedback", "feedback: pages go into a folder of that name; name the file, such as A1.csv"),
        ("in", "w3/by-hand", "w3/by-hand: pages go into a folder of that name; name the file, such as w3/A1.csv"),
        ("w4/feedback", "w4/A1.csv", "pages go into w4/feedback, and submissions are in w4/feedback: name a --csv in another"),
        ("w4/feedback/week", "w4/A1.csv", "pages go into w4/feedback, and submissions are in w4/feedback/week"),
        ("in", "linked/A1.csv", "pages go into linked/by-hand, and submissions are in in: name a --csv in another folder"),
        ("in", "file/A1.csv", "file is a file, a folder is needed there"),
        ("in", "taken/A1.csv", "taken/feedback is a file, a folder is needed there"),
        ("in", "/proc/x/y/A1.csv", "/proc/x/y: nothing can be written there"),
        ("in", "pipe", "pipe is no ordinary file, so no table can take its place"),
        ("in", "final.csv", "final.csv is read-only: give it the right to be written, or name another --csv"),
    ],
)
def test_a_place_that_takes_no_table_or_no_pages_is_refused_before_anybody_is_graded(
    capsys, monkeypatch, tmp_path, folder, table, words
):
    monkeypatch.chdir(tmp_path)
    for place in ("in/ada", "w4/feedback/ada", "w4/feedback/week/ada", "linked", "taken"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "linked" / "by-hand").symlink_to(tmp_path / "in")
    (tmp_path / "file").touch(), (tmp_path / "taken" / "feedback").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "final.csv").touch(0o444)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(capsys, "grade", "A1", folder, "--csv", table)
    assert (code, out) == (2, "") and words in err and sorted(tmp_path.rglob("*")) == before


def test_names_are_shown_without_what_a_terminal_obeys_and_found_again(capsys, tmp_path):
    names = ["a\x1b[2Jb", "a\nb", "a\\nb", "a\tb", "=1\r", "x;=cmd()", "\u202enib"]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loose\x1b[2J").touch()
    code, out, err = grade(capsys, tmp_path, *names)
    assert code == 0 and "lie in no student's folder: loose\\x1b[2J" in err
    assert all(c.isprintable() for c in (out + err).replace("\n", "")) and out.count("\n") == len(names) + 1
    text = (tmp_path / "A1.csv").read_text()
    assert set(rows(tmp_path)) == {"a\\x1b[2Jb", "a\\nb", "a\\\\nb", "a\\tb", "'=1\\r", "x;'=cmd()", "\\u202enib"}
    assert grade(capsys, tmp_path)[0] == 0 and (tmp_path / "A1.csv").read_text() == text
    sheet = tmp_path / "by-hand" / names[0] / "A1.md"
    assert f"{names[0]}" not in sheet.read_text()
    change(sheet, ": __ of", ": much of")
    code, _, err = grade(capsys, tmp_path)
    assert code == 2 and "\x1b" not in err and "a\\x1b[2Jb/A1.md: question-" in err


def test_what_a_spreadsheet_would_cut_out_of_a_cell_and_run_is_quoted(capsys, monkeypatch, tmp_path):
    said = ["kl raises ValueError: a;=HYPERLINK(1)", "-1", "+2"]
    monkeypatch.setattr(grading, "grade_one", lambda master, student, *rest: grading.Graded(student, [], said))
    assert grade(capsys, tmp_path, "ada")[0] == 0
    assert rows(tmp_path)["ada"]["incidents"] == "kl raises ValueError: a;'=HYPERLINK(1); '-1; '+2"


def test_a_broken_link_in_place_of_a_student_s_folder_is_told(capsys, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bob").symlink_to(tmp_path / "gone")
    assert "in no student's folder: bob" in grade(capsys, tmp_path, "ada")[2]


def test_a_notebook_that_cant_be_read_says_why(monkeypatch, tmp_path):
    (tmp_path / "ada").mkdir()
    path = tmp_path / "ada" / "A1.ipynb"
    path.touch()
    monkeypatch.setattr("vbook.assign.opening.read", lambda path: open("/proc/self/mem").read())
    assert grade_one(handin.master(), "ada", path, tmp_path, "1").incidents == ["A1.ipynb can't be read (Input/output error)"]
    folder = tmp_path / "loop"
    folder.symlink_to(folder)
    found = grade_one(handin.master(), "loop", folder / "A1.ipynb", tmp_path, "1").incidents
    assert found == ["A1.ipynb can't be read (Too many levels of symbolic links)"]
