"""`vbook assign` as a teacher and a student use it."""

import csv
import os
import subprocess
import sys

import handin
import pytest
from handin import call

from vbook import paths
from vbook.assign import public, sandbox
from vbook.assign.cells import alarm
from vbook.assign.master import names
from vbook.assign.public import public_checks
from vbook.assign.release import student_copy

(MACHINE, HAND), TASKS = handin.points(), len(handin.master().tasks)
QUESTIONS = len(handin.master().questions)


@pytest.mark.parametrize("command", ["release", "grade", "check"])
def test_each_command_has_help_with_an_example(capsys, command):
    code, out, _ = call(capsys, command, "--help")
    assert code == 0 and "Example: " in out and f"vbook assign {command}" in out


def test_from_hand_out_to_grades(capsys, monkeypatch, tmp_path, walls):
    monkeypatch.setenv("VBOOK_ASSIGN_SEED", "spring")
    code, out, _ = call(capsys, "release", "A1", "--out", tmp_path / "hand-out")
    assert code == 0 and str(tmp_path / "hand-out" / "A1.ipynb") in out
    handin.write(
        tmp_path / "in", "ada", handin.changed(("kl", "0.5 *", "-0.5 *"), ("question-push", "**Model answer.**", "Mine: <b>"))
    )
    handin.write(tmp_path / "in", "=cmd()", student_copy(handin.master()))
    (tmp_path / "in" / "bob").mkdir()
    table = tmp_path / "out" / "A1.csv"
    code, out, err = call(capsys, "grade", "A1", tmp_path / "in", "--csv", table)
    assert (code, err) == (0, "") and "ada" in out and f"{MACHINE - 6} of {MACHINE}" in out
    rows = {row["student"]: row for row in csv.DictReader(table.open(encoding="utf-8-sig"))}
    assert [rows[name]["by machine"] for name in ("ada", "'=cmd()", "bob")] == [str(MACHINE - 6), "0", "0"]
    ada = rows["ada"]
    assert (ada["out of"], ada["kl (7)"], ada["train (8)"], ada[f"by hand (out of {HAND})"], ada["sandbox"]) == (
        str(MACHINE),
        "1",
        "8",
        "",
        "yes",
    )
    assert rows["bob"]["incidents"] == "there is no A1.ipynb"
    page = (table.parent / "feedback" / "ada" / "A1.md").read_text()
    assert (
        page.startswith(f"# A1: {MACHINE - 6} of {MACHINE} points")
        and "the sign is turned round" in page
        and "## kl: 1 of 7" in page
    )
    sheet = (table.parent / "by-hand" / "ada" / "A1.md").read_text()
    assert "> Mine: &lt;b>" in sheet and "**Marks.**" in sheet and "**Marks.**" not in page
    assert table.read_text() == regraded(capsys, tmp_path, table)


def regraded(capsys, tmp_path, table) -> str:
    again = tmp_path / "again" / "A1.csv"
    call(capsys, "grade", "A1", tmp_path / "in", "--csv", again)
    return again.read_text()


def test_without_a_sandbox_it_refuses_unless_told(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "missing", lambda: "bubblewrap is not installed")
    monkeypatch.delenv("VBOOK_ASSIGN_SEED", raising=False)
    handin.write(tmp_path / "in", "ada", handin.changed())
    code, _, err = call(capsys, "grade", "A1", tmp_path / "in", "--csv", tmp_path / "A1.csv")
    assert code == 2 and "no sandbox" in err and "--unsafe" in err and not (tmp_path / "A1.csv").exists()
    code, _, err = call(capsys, "grade", "A1", tmp_path / "in", "--csv", tmp_path / "A1.csv", "--unsafe")
    assert code == 0 and "VBOOK_ASSIGN_SEED is not set" in err
    (row,) = csv.DictReader((tmp_path / "A1.csv").open())
    assert row["by machine"] == str(MACHINE) and row["sandbox"] == "NO: run with --unsafe"


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["release", "A11", "--out", "x"], "unknown assignment 'A11'; did you mean 'A1'?"),
        (["grade", "A1", "nowhere", "--csv", "x.csv"], "nowhere: no such folder; submissions are FOLDER/<student>/A1.ipynb"),
        (["grade", "A1", ".", "--csv", "."], "is a folder; name the file"),
        (["grade", "A1", ".", "--csv", "file/A1.csv"], "file is a file, a folder is needed there"),
        (["release", "A1", "--out", "file"], "file is a file, a folder is needed there"),
        (["release", "A1", "--out", "file/deep"], "file is a file, a folder is needed there"),
        (["release", "A1", "--out", ""], "--out is empty, as a variable that isn't set leaves it: name a folder"),
        (["release", "A1", "--out", "pipes"], "pipes/A1.ipynb is there and no ordinary file"),
        (["grade", "A1", "", "--csv", "x/A1.csv"], "FOLDER is empty, as a variable that isn't set leaves it"),
        (["grade", "A1", ".", "--csv", ""], "--csv is empty, as a variable that isn't set leaves it"),
        (["check", ""], "NOTEBOOK is empty, as a variable that isn't set leaves it"),
        (["check", "pipes/A1.ipynb"], "pipes/A1.ipynb is no ordinary file, but a pipe or a device; name a notebook"),
        (["check", "/proc/self/mem"], "/proc/self/mem can't be read (Input/output error); make it readable"),
        (["check", "loop.ipynb"], "NOTEBOOK can't be loop.ipynb (Too many levels of symbolic links): name your notebook"),
        (["grade", "A1", ".", "--csv", "loop.ipynb"], "--csv can't be loop.ipynb (Too many levels of symbolic links)"),
        (["grade", "A1", "x" * 300, "--csv", "A1.csv"], f"FOLDER can't be {'x' * 99} (File name too long)"),
        (["grade", "A1", ".", "--csv", "x" * 240], "is longer than 200 bytes: name a shorter --csv"),
        (["release", "A1", "--out", "x" * 300], f"--out can't be {'x' * 99} (File name too long)"),
        (["check", "large.ipynb"], "large.ipynb is larger than 20 MB, so it wouldn't be graded; clear its outputs"),
        (["release", "A1", "--out", "taken"], "taken/A1.ipynb is a folder, where the notebook is to be written"),
        (["release", "A1", "--out", "/proc/x"], "/proc/x: nothing can be written there"),
        (["grade", "A1", ".", "--csv", "/proc/x/A1.csv"], "/proc/x: nothing can be written there"),
        (["check", "deep.ipynb"], "deep.ipynb: no Jupyter notebook that can be read"),
        (["check", "nowhere.ipynb"], "no such notebook"),
        (["check", "."], ". is a folder; name a notebook"),
        (["check", "file/A1.ipynb"], "file/A1.ipynb lies in no folder; name a notebook"),
        (["grade", "A1", "."], "--csv"),
    ],
)
def test_bad_input_is_one_clear_message_and_code_2(capsys, monkeypatch, tmp_path, args, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "A1.ipynb").mkdir(parents=True)
    (tmp_path / "deep.ipynb").write_text("[" * 100_000)
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "A1.ipynb")
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    with open(tmp_path / "large.ipynb", "wb") as file:
        file.truncate(20_000_001)
    with alarm(20):  # what waits for a pipe waits for ever
        code, out, err = call(capsys, *args)
    assert code == 2 and hint in err and "Traceback" not in out + err


def test_an_empty_folder_and_a_wheel_without_masters_are_told(capsys, monkeypatch, tmp_path):
    code, _, err = call(capsys, "grade", "A1", tmp_path, "--csv", tmp_path / "a.csv", "--unsafe")
    assert code == 2 and "no submissions" in err
    monkeypatch.setattr(paths, "root", lambda: None)
    code, _, err = call(capsys, "release", "A1", "--out", tmp_path)
    assert code == 2 and "in a checkout of the book" in err


def test_a_student_sees_what_is_done_wrong_and_not_begun(capsys, tmp_path):
    notebook = student_copy(handin.master())
    answers = {"generate": "(u < decoder(eps).sigmoid()).float()", "kl": "-0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(-1)"}
    for cell in notebook["cells"]:
        if (name := cell["metadata"].get("nbgrader", {}).get("grade_id")) in answers:
            cell["source"] = cell["source"].replace(
                f'raise NotImplementedError("task {name}: not begun")', f"return {answers[name]}"
            )
    mine = handin.appended(notebook, "import sys; sys.exit(3)")
    code, out, _ = call(capsys, "check", handin.write(tmp_path, "me", mine))
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 1 and lines["generate"] == "passes" and lines["draw"] == lines["examples"] == "not begun"
    assert lines["kl"] == "N(0, I), and N((1, 3), I): the sign is turned round"
    assert f"{QUESTIONS} of {QUESTIONS} questions have nothing in their cell yet" in out
    assert "SystemExit" in lines["cell"] and f"1 of {TASKS} tasks pass their public check, {TASKS - 2} not begun" in out


def test_what_calls_a_blank_task_is_told_apart_from_it(capsys, tmp_path):
    code, out, _ = call(capsys, "check", handin.write(tmp_path, "me", handin.blank("kl")))
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 1 and lines["kl"] == "not begun" and lines["losses"] == "calls kl, which is not begun"
    assert f"{TASKS - 3} of {TASKS} tasks pass" in out and ", 1 not begun" in out


def test_the_master_passes_its_public_checks(capsys, tmp_path):
    code, out, _ = call(capsys, "check", handin.write(tmp_path, "me", handin.changed()))
    assert code == 0 and f"{TASKS} of {TASKS} tasks" in out and "questions" not in out


def test_a_cell_that_runs_and_runs_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(public, "PATIENCE", 0.1)
    loop = "import time\nuntil = time.monotonic() + 1\nwhile time.monotonic() < until: pass"
    notebook = handin.appended(handin.changed() | {"cells": handin.changed()["cells"][:6]}, loop)
    code, _, err = call(capsys, "check", handin.write(tmp_path, "me", notebook))
    assert code == 0 and "cell 7 still runs after 0.1 s" in err


def test_another_notebook_has_no_public_checks_and_isn_t_run(capsys, tmp_path):
    ran = tmp_path / "ran"
    notebook = handin.appended(handin.changed() | {"cells": []}, f"open({str(ran)!r}, 'w')")
    code, _, err = call(capsys, "check", handin.write(tmp_path, "me", notebook))
    assert code == 2 and "no public checks" in err and not ran.exists()


def test_check_works_from_the_wheel_alone(wheel, tmp_path):
    path = handin.write(tmp_path, "me", handin.changed())
    target = tmp_path / "installed"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(target)], check=True)
    script = (
        f"import sys; sys.path.insert(0, {str(target)!r}); from vbook.cli import main; main(['assign', 'check', {str(path)!r}])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and f"{TASKS} of {TASKS} tasks" in done.stdout, done.stderr


def test_a_notebook_may_change_the_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    notebook = handin.appended(handin.changed(), "import os\nos.chdir('/')")
    code, out, _ = call(capsys, "check", handin.write(tmp_path, "me", notebook).relative_to(tmp_path))
    assert code == 0 and f"{TASKS} of {TASKS} tasks" in out


def test_tags_that_are_none_are_passed_over(tmp_path):
    notebook = handin.changed() | {"cells": handin.changed()["cells"][:6]}
    notebook["cells"][2]["metadata"]["tags"] = None
    assert [one.says for one in public_checks(handin.write(tmp_path, "me", notebook))] == ["passes"]


def test_a_task_s_own_cell_has_no_row_beside_its_check(capsys, tmp_path):
    notebook = handin.appended(student_copy(handin.master()), "kl(0, 0)", "raise NotImplementedError('task kl: not begun')")
    lines = call(capsys, "check", handin.write(tmp_path, "me", notebook))[1].splitlines()
    assert len([line for line in lines if line.startswith("examples ")]) == 1
    last = len(notebook["cells"])
    assert [line.split(None, 2)[1:] for line in lines if line.startswith("cell")] == [
        [str(last - 1), "calls kl, which is not begun"],
        [str(last), "calls kl, which is not begun"],
    ]


@pytest.mark.parametrize("name", names())
def test_checks_are_found_by_their_texts_where_the_metadata_are_lost(name, tmp_path):
    notebook, master = handin.changed(name=name), handin.master(name)
    bare = [{key: value for key, value in cell.items() if key != "metadata"} for cell in notebook["cells"]]
    found = public_checks(handin.write(tmp_path, "me", notebook | {"cells": bare}, name))
    assert {one.name: one.points for one in found} == master.tasks and {one.says for one in found} == {"passes"}


def test_public_mistakes_are_named(tmp_path):
    """Checks of the student's own notebook say what is wrong for the commonest slips."""
    slips = [("log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))", "log_px_z.mean(0)", "outside the mean"),
             ("draw", "(0.5 * log_var).exp()", "log_var", "log_var is not sigma"),
             ("negative_bound", ").mean()", ").sum()", "not a sum"),
             ("train", "value.item() * len(rows)", "value.item() * batch_size", "differ"),
             ("manifold_points", "z.flip(0)", "z", "second latent falls"),
             ("generate", "u < decoder", "u > decoder", "black where u < p")]  # fmt: skip
    path = handin.write(tmp_path, "me", handin.changed(*(slip[:3] for slip in slips)))
    says = {one.name: one.says for one in public_checks(path)}
    assert all(word in says[task] for task, _, _, word in slips), says
