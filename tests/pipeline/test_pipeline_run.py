"""Whole runs of a small book: what runs, what is kept, what a failure, a kill and a full disk leave behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from samples import PARAMETERS, chapter, checkout, code, markdown

from vbook import paths
from vbook.errors import VbookError
from vbook.pipeline import commit, failures, notebook, pool, run_chapters, worker

pytestmark = pytest.mark.slow

RECORD = "import os, pathlib\n_ = pathlib.Path(os.environ['VBOOK_RECORDS'], f'ch02-a.{profile}.json').write_text('{}')"
HERE = Path(__file__).parent


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Two chapters; everything that the pipeline writes goes into a temporary checkout."""
    first = chapter(
        markdown("## One"),
        code(RECORD),
        code(
            "import os, sys\nprint(profile, seed, sys.executable == PYTHON)\nos.listdir()".replace("PYTHON", repr(sys.executable))
        ),
    )
    top = checkout(tmp_path / "book", c02_first=first, c03_second=chapter(code("1 + 1")))
    monkeypatch.setattr(paths, "root", lambda: top)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]))
    return top


def edit(path, old, new):
    made = notebook.read(path)
    for cell in made["cells"]:
        cell["source"] = cell["source"].replace(old, new)
    notebook.write(made, path)


def executed(top, profile="smoke", stem="02-first"):
    return notebook.read(top / "_build" / "executed" / profile / f"{stem}.ipynb")


def test_run_again_merge_prose_and_commit(book, capsys):
    committed = {path: path.read_bytes() for path in (book / "chapters").iterdir()}
    assert run_chapters() == []
    last = notebook.code_cells(executed(book))[-1]["outputs"]
    assert last[0]["text"] == "smoke 0 True\n"  # a kernel of this very Python
    assert last[1]["data"]["text/plain"] == "[]"  # in an empty folder
    assert (book / "_build" / "records" / "ch02-a.smoke.json").exists()
    assert {path: path.read_bytes() for path in committed} == committed
    digest = json.loads((book / "_build" / "executed" / "smoke" / "02-first.digest.json").read_text())
    assert digest["records"] == ["ch02-a.smoke.json"]
    assert digest["dependencies"]["the code cells"] not in json.dumps(executed(book))

    edit(book / "chapters" / "02-first.ipynb", "## One", "## Uno")
    start = time.perf_counter()
    assert run_chapters() == []
    assert "ran" not in capsys.readouterr().err.splitlines()[-1] and time.perf_counter() - start < 2
    assert executed(book)["cells"][3]["source"] == "## Uno"
    assert notebook.code_cells(executed(book))[-1]["outputs"] == last

    assert run_chapters(["2"], do_commit=True) == []
    assert notebook.code_cells(notebook.read(book / "chapters" / "02-first.ipynb"))[-1]["outputs"] == last
    assert (book / "chapters" / "03-second.ipynb").read_bytes() == committed[book / "chapters" / "03-second.ipynb"]
    assert not (book / "book" / "results" / "ch02-a.smoke.json").exists()


def test_two_runs_give_the_same_bytes_and_parameters_go_in(book, tmp_path):
    run_chapters(["2"], "laptop", seed=3, out=tmp_path / "a")
    run_chapters(["2"], "laptop", seed=3, out=tmp_path / "b")
    assert (tmp_path / "a" / "02-first.ipynb").read_bytes() == (tmp_path / "b" / "02-first.ipynb").read_bytes()
    made = notebook.read(tmp_path / "a" / "02-first.ipynb")
    assert made["cells"][1]["source"] == PARAMETERS.replace("smoke", "laptop").replace("seed = 0", "seed = 3")
    assert notebook.code_cells(made)[-1]["outputs"][0]["text"].startswith("laptop 3 ")


def test_records_of_another_profile_are_committed(book):
    before = (book / "chapters" / "02-first.ipynb").read_bytes()
    assert run_chapters(["2"], "laptop", do_commit=True) == []
    assert (book / "book" / "results" / "ch02-a.laptop.json").read_text() == "{}"
    assert (book / "chapters" / "02-first.ipynb").read_bytes() == before


def test_numbers_rewritten_by_a_commit_reach_the_executed_copy(book, monkeypatch):
    """Else the build that follows would complain about the old ones."""
    page = book / "chapters" / "02-first.ipynb"
    monkeypatch.setattr(commit, "rewrite_numbers", lambda pages: edit(page, "## One", "## One and a half") or [])
    assert run_chapters(["2"], do_commit=True) == []
    assert executed(book)["cells"][3]["source"] == notebook.read(page)["cells"][3]["source"] == "## One and a half"


def test_a_failing_cell_is_named_and_nothing_else_suffers(book):
    run_chapters(["2"])
    good = (book / "_build" / "executed" / "smoke" / "02-first.ipynb").read_bytes()
    edit(book / "chapters" / "02-first.ipynb", "import os, sys", "1 / 0")
    failures = run_chapters(seed=0)
    assert [(failure.stem, failure.mendable) for failure in failures] == [("02-first", False)]
    message = failures[0].message
    assert "failed in cell 6 (section 'One'): ZeroDivisionError: division by zero" in message and "1 / 0" in message
    assert notebook.read(book / "_build" / "executed" / "smoke" / "02-first.failed.ipynb")
    assert (book / "_build" / "executed" / "smoke" / "02-first.ipynb").read_bytes() == good
    assert executed(book, stem="03-second")
    edit(book / "chapters" / "02-first.ipynb", "1 / 0", "import os, sys")
    assert run_chapters(["2"], force=True) == [] and not list(book.rglob("*.failed.ipynb"))


def test_what_the_user_can_mend_comes_without_a_traceback(book):
    source = "from vbook.errors import VbookError\nraise VbookError('put mnist.npz there')"
    notebook.write(chapter(code(source)), book / "chapters" / "02-first.ipynb")
    [failure] = run_chapters(["2"], seed=1)  # an injected cell must not shift the number
    assert failure.mendable and failure.message.splitlines()[0].endswith(
        "failed in cell 4 (section 'Title'): put mnist.npz there"
    )
    assert "Traceback" not in failure.message


def test_a_kernel_that_dies_is_reported(book):
    notebook.write(chapter(code("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")), book / "chapters" / "02-first.ipynb")
    [failure] = run_chapters(["2"])
    assert "the kernel died" in failure.message and not failure.mendable


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(words=["4"]), "unknown chapter"),
        (dict(profile="smoky"), "did you mean 'smoke'"),
        (dict(extra=["sed=1"]), "02-first: this chapter has no parameter 'sed'; did you mean 'seed'"),
        (dict(seed=-1), "0 or more"),
        (dict(jobs=0), "--jobs"),
        (dict(data_root="no/such"), "not a folder"),
        (dict(seed=1, do_commit=True), "leave out seed=1"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(book, monkeypatch, options, message):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("something ran"))
    with pytest.raises(VbookError, match=message):
        run_chapters(**options)
    assert not (book / "_build").exists()


def test_a_full_disk_leaves_the_old_copy(book, monkeypatch):
    run_chapters(["2"])
    place = book / "_build" / "executed" / "smoke"
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device", "02-first.ipynb")

    begin = subprocess.Popen

    def begun(*args, **options):  # the disk is full by the time that the run is over
        monkeypatch.setattr(paths.os, "fsync", full)
        return begin(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", begun)
    with pytest.raises(
        VbookError, match=r"02-first ran, but its place can't be written \(No space left .*; its notebook and"
    ) as told:
        run_chapters(["2"], force=True)
    monkeypatch.undo()
    left = {path.name: path.read_bytes() for path in place.iterdir()}
    assert left == before
    aside = Path(str(told.value).rpartition(" ")[2])
    assert notebook.code_cells(notebook.read(aside / "output.ipynb")), "what has run is not lost"
    shutil.rmtree(aside)


@pytest.mark.parametrize("room", [True, False])
def test_a_full_temporary_folder_is_told_and_the_notebook_saved_elsewhere(tmp_path, room):
    (tmp_path / "output.ipynb").symlink_to("/dev/full")
    notebook.write(chapter(code("print('it ran')")), tmp_path / "input.ipynb")
    job = {name: str(tmp_path / f"{name}.ipynb") for name in ("output", "spare")} | {"notebook": str(tmp_path / "input.ipynb")}
    if not room:
        (tmp_path / "file").write_text("")
        job["spare"] = str(tmp_path / "file" / "spare.ipynb")
    error = worker.execute(job | {"parameters": {}, "kernel": "python3", "cwd": str(tmp_path)})
    assert (
        error["ename"] == "VbookError" and "can't be written (No space left on device); TMPDIR names another" in error["evalue"]
    )
    if room:
        assert "it ran" in str(notebook.read(tmp_path / "spare.ipynb")) and str(tmp_path / "spare.ipynb") in error["evalue"]
    else:
        assert error["evalue"].endswith("what has run is lost")


def test_a_notebook_cut_off_while_it_was_written_is_not_kept(tmp_path):
    (tmp_path / "output.ipynb").write_text('{"cells": [')
    plan = SimpleNamespace(stem="02-first", copy=tmp_path / "02-first.ipynb", nb=chapter(code("1")))
    error = dict(cell=None, ename="the runner", evalue="ended by signal 9", lines=[])
    failure = failures.fail(plan, pool.Result("02-first", tmp_path, 1.0, error))
    assert failure.message == "02-first failed: the runner: ended by signal 9"
    assert [file.name for file in tmp_path.iterdir()] == ["output.ipynb"]


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(book, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("something ran"))
    (book / "_build").write_text("a file")
    with pytest.raises(OSError, match="_build"):
        run_chapters(["2"])


def test_a_full_disk_names_the_place(tmp_path):
    with pytest.raises(OSError, match="No space") as caught, paths.atomic_write(tmp_path / "a") as file:
        file.write(b"a")
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a") and not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_kill_leaves_no_kernel_and_nothing_half_written(book, tmp_path, number):
    edit(
        book / "chapters" / "03-second.ipynb",
        "1 + 1",
        f"open({str(tmp_path / 'started')!r}, 'w').close()\nimport time\ntime.sleep(60)",
    )
    script = (
        # A shell that starts the tests in the background has SIGINT ignored, and Python inherits that.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; from pathlib import Path; from vbook import paths; paths.root = lambda: Path(sys.argv[1])\n"
        "from vbook.pipeline import run_chapters; run_chapters(['3'])"
    )
    (scratch := tmp_path / "scratch").mkdir()
    where = os.environ | {"TMPDIR": str(scratch)}
    process = subprocess.Popen([sys.executable, "-c", script, str(book)], stderr=subprocess.DEVNULL, env=where)
    until(lambda: (tmp_path / "started").exists(), 60)
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("ipykernel_launcher" in " ".join(child.cmdline()) for child in family)
    process.send_signal(number)
    assert process.wait(30) != 0
    until(lambda: not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE], 15)
    until(lambda: not list(scratch.glob("vbook-*")), 5)  # its scratch folder goes too
    assert not list((book / "_build").rglob("*.ipynb")) if (book / "_build").exists() else True


def test_an_interrupted_run_ends_its_processes_before_it_returns():
    def interrupt(name, cell):
        if cell == 3:
            raise KeyboardInterrupt

    task = pool.Task("a", chapter(code("import time\ntime.sleep(60)")), {}, threads=1)
    with pytest.raises(KeyboardInterrupt):
        pool.run_tasks([task], 1, interrupt, done=None)
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert not [command for command in commands if "vbook.pipeline.worker" in command or "ipykernel_launcher" in command]


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
