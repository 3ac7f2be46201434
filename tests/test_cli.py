"""The command line: quick help with examples, one clear line for a mistake, the right exit code."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

import vbook
from vbook import budget, cli, data, experiments, paths, pipeline, results
from vbook.cli import tables
from vbook.errors import VbookError

COMMANDS = ["run", "build", "reproduce", "results", "data list", "data get", "data verify"]


def call(capsys, *args) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``vbook args``."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(capsys, command):
    code, out, _ = call(capsys, *command.split(), "--help")
    assert code == 0 and f"Example: vbook {command}" in out


def test_help_and_version_load_nothing_heavy(capsys):
    assert call(capsys, "--version") == (0, f"vbook {vbook.__version__}\n", "")
    heavy = "{'torch', 'numpy', 'yaml', 'papermill', 'sphinx', 'vbook.data'}"
    script = f"import sys, vbook.cli; print({heavy} & set(sys.modules) or 'light')"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "light\n"


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["rnu"], "Did you mean 'run'"),
        (["data", "verfy"], "Did you mean 'verify'"),
        (["run", "--proflie", "smoke"], "--profile"),
        (["run", "--seed", "two"], "--seed"),
        (["data", "get"], "names"),
        (["run", "99"], "vbook: unknown chapter '99'"),
        (["run", "--profile", "laptpo"], "vbook: unknown profile 'laptpo'; did you mean 'laptop'?"),
        (["build", "--profile", "smok"], "did you mean 'smoke'"),
        (["reproduce", "--budget", "soon"], "vbook: a budget is a time"),
        (["reproduce", "ch02-vae-21"], "vbook: unknown experiment 'ch02-vae-21'; did you mean"),
        (["reproduce", "--profile", "papre"], "did you mean 'paper'"),
        (["data", "get", "mnits"], "vbook: unknown data set 'mnits'; did you mean 'mnist'?"),
        (["data", "verify", "mnits"], "did you mean 'mnist'"),
    ],
)
def test_bad_input_is_one_clear_message_and_code_2(capsys, args, hint):
    code, out, err = call(capsys, *args)
    assert code == 2 and hint in err and "Traceback" not in out + err
    if err.startswith("vbook:"):
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("mendable", "expected"), [([], 0), ([True], 2), ([False], 1), ([True, False], 1)]
)  # a VbookError in a cell is the user's to mend
def test_failing_chapters_decide_the_exit_code(capsys, monkeypatch, mendable, expected):
    failures = [pipeline.Failure("02-x", "02-x failed in cell 4: no", value) for value in mendable]
    monkeypatch.setattr(pipeline, "run_chapters", lambda *args, **options: failures)
    code, _, err = call(capsys, "run")
    assert code == expected and err.count("vbook: 02-x failed in cell 4: no") == len(mendable)


def test_run_passes_everything_on(capsys, monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(
        pipeline, "run_chapters", lambda words, profile, **options: seen.update(options, words=words, profile=profile) or []
    )
    args = ["2", "03", "--profile", "laptop", "--seed", 3, "--device", "cuda", "--data-root", tmp_path, "-p", "a=1", "-p", "b=2"]
    assert call(capsys, "run", *args, "--jobs", 2, "--commit", "--force")[0] == 0
    expected = dict(words=["2", "03"], profile="laptop", seed=3, device="cuda", data_root=tmp_path, extra=["a=1", "b=2"])
    assert seen == expected | dict(jobs=2, do_commit=True, force=True)


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (VbookError("put it there"), 2, "vbook: put it there\n"),
        (
            OSError(28, "No space left on device", "a.ipynb"),
            2,
            "vbook: No space left on device: a.ipynb; nothing was left half written",
        ),
        (PermissionError(13, "Permission denied", "a.ipynb"), 2, "vbook: Permission denied: a.ipynb"),
        (KeyboardInterrupt(), 130, "vbook: interrupted"),
    ],
)
def test_faults_are_told_in_words(capsys, monkeypatch, error, expected, message):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(pipeline, "run_chapters", fail)
    code, _, err = call(capsys, "run")
    assert code == expected and message in err and "Traceback" not in err


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(pipeline, "run_chapters", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


@pytest.mark.parametrize("text", ["", "0m", "5x", "m", "-3m", "1m1h", "inf", True])
def test_budgets_that_are_no_time(text):
    with pytest.raises(VbookError, match="a budget is a time"):
        budget.seconds(text)


def test_reproduce_passes_everything_on(capsys, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        experiments, "reproduce", lambda *args, **options: seen.append((args, options)) or {"a.paper": "complete"}
    )
    options = ("--profile", "paper", "--budget", "25m", "--data-root", tmp_path, "--jobs", "3", "--scheduler", "tcp://a:8786")
    assert call(capsys, "reproduce", "a", "b", *options)[0] == 0
    expected = dict(seed=0, device="cpu", data_root=str(tmp_path), budget_seconds=1500.0, force=False)
    expected |= dict(jobs=3, scheduler="tcp://a:8786")
    monkeypatch.setattr(experiments, "reproduce", lambda *args, **options: {"a.paper": "failed: no luck", "b.paper": "complete"})
    code, _, err = call(capsys, "reproduce", "a", "b")
    assert (code, err) == (2, "vbook: a.paper: failed, see above\n")
    assert seen == [((["a", "b"], "paper"), expected)]


def test_an_interrupted_reproduce_ends_with_130(capsys, monkeypatch):
    monkeypatch.setattr(experiments, "reproduce", lambda *args, **options: {"a.laptop": "interrupted; run again"})
    assert call(capsys, "reproduce", "a")[0] == 130
    monkeypatch.setattr(experiments, "reproduce", lambda *args, **options: {"a.laptop": "the budget is spent; run again"})
    assert call(capsys, "reproduce", "a")[0] == 0


def known(monkeypatch, records: list, targets: list):
    """``vbook results`` finds these records and targets."""
    judge = sys.modules["vbook.ledger.verdicts"]  # by name: as an attribute the function of the same name hides it
    for module in (tables, judge):
        monkeypatch.setattr(module, "records", lambda: {record.id: record for record in records})
    monkeypatch.setattr(judge, "targets", lambda: {target["id"]: target for target in targets})


METRICS = {"elbo": dict(mean=-101.3, standard_error=0.25, unit="nats"), "steps": dict(mean=4.0, unit="steps")}
RECORD = results.Record("ch02-vae-20", "laptop", [0], METRICS, {}, {})
REPORTED = dict(id="thesis/table-2.1/a", value=-103.0, unit="nats", direction="higher", record="ch02-vae-20.laptop/elbo")
UNMEASURED = dict(id="adams/table-2/b", value=3.5, unit="%", direction="lower")


@pytest.fixture
def measured(monkeypatch):
    """One record with two metrics, one of them answering a target; another target that nothing answers."""
    known(monkeypatch, [RECORD], [REPORTED, UNMEASURED])


def test_results_as_json(capsys, measured):
    code, out, _ = call(capsys, "results", "--json")
    rows = json.loads(out)
    keys = ("id", "target", "measured", "verdict", "profile", "chapter")
    assert code == 0 and [tuple(row[key] for key in keys) for row in rows] == [
        ("thesis/table-2.1/a", -103.0, -101.3, "better", "laptop", 2),
        ("adams/table-2/b", 3.5, None, "not run", None, 10),
        ("ch02-vae-20.laptop/steps", None, 4.0, "own", "laptop", 2),
    ]
    assert rows[0]["difference"] == pytest.approx(1.7) and rows[0]["standard_error"] == 0.25


def test_a_record_of_no_chapter_is_listed_without_one(capsys, monkeypatch):
    known(monkeypatch, [dataclasses.replace(RECORD, experiment="my-vae")], [])
    rows = json.loads(call(capsys, "results", "--json")[1])
    assert [(row["id"], row["chapter"]) for row in rows] == [("my-vae.laptop/elbo", None), ("my-vae.laptop/steps", None)]
    assert call(capsys, "results")[0] == 0 and json.loads(call(capsys, "results", "--json", "--chapter", "2")[1]) == []


def test_results_as_text(capsys, measured):
    _, text, _ = call(capsys, "results")
    lines = text.splitlines()
    assert lines[0] == "1 of 2 reported numbers measured: 1 better."
    assert lines[2].split() == "better −103.00 −101.30 0.25 nats 1.70 thesis/table-2.1/a ch02-vae-20.laptop/elbo".split()
    assert "Not run: 1 (adams 1); --verdict 'not run' lists them." in lines
    assert any(line.startswith("No record at paper: ch02-vae-20, ") for line in lines)
    assert any(line.startswith("No record at laptop: ") and "ch02-vae-20," not in line for line in lines)


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (["--source", "adams"], ["adams/table-2/b"]),
        (["--source", "own"], ["ch02-vae-20.laptop/steps"]),
        (["--chapter", "2"], ["thesis/table-2.1/a", "ch02-vae-20.laptop/steps"]),
        (["--verdict", "not run"], ["adams/table-2/b"]),
        (["--verdict", "short"], []),
    ],
)
def test_results_can_be_asked_for_in_part(capsys, measured, chosen, ids):
    assert [row["id"] for row in json.loads(call(capsys, "results", "--json", *chosen)[1])] == ids
    text = call(capsys, "results", *chosen)[1]
    assert ("nothing of that kind" in text) == (not ids) and all(id in text for id in ids)


def test_results_of_unknown_kind_are_refused(capsys, measured):
    assert "unknown source 'adam'; did you mean 'adams'?" in call(capsys, "results", "--source", "adam")[2]
    assert "the book has the chapters 1 to 13, not 99" in call(capsys, "results", "--chapter", "99")[2]
    assert "unknown verdict 'shorter'; did you mean 'short'?" in call(capsys, "results", "--verdict", "shorter")[2]


@pytest.mark.parametrize(
    ("change", "words"), [(dict(status="partial"), "partial"), (dict(experiment_digest="sha256:old"), "stale")]
)
def test_results_say_what_keeps_a_record_from_counting(capsys, monkeypatch, change, words):
    known(monkeypatch, [dataclasses.replace(RECORD, **change)], [REPORTED])
    assert [row["verdict"] for row in json.loads(call(capsys, "results", "--json")[1])] == [words, words]


def test_results_tell_a_broken_record_or_a_broken_list_of_targets(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "book", lambda *parts: tmp_path.joinpath(*parts))
    results.targets.cache_clear()
    (tmp_path / "targets.yml").write_text("- id: [")
    code, _, err = call(capsys, "results")
    assert code == 2 and err.startswith("vbook: targets.yml can't be read") and len(err.splitlines()) == 1
    (tmp_path / "targets.yml").write_text("")
    metrics = {"elbo": {"mean": "good", "unit": "nats"}}
    record = results.new_record(experiment="a", profile="laptop", seeds=[0], metrics=metrics, data={"title": "d"}, settings={})
    results.save_record(record, tmp_path / "results")
    code, _, err = call(capsys, "results")
    assert code == 2 and "a.laptop.json: not a record" in err and "'good' where a number belongs" in err
    results.targets.cache_clear()


def test_build_refuses_a_folder_with_other_things_in_it(capsys, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    code, _, err = call(capsys, "build", "--out", tmp_path)
    assert code == 2 and "holds thesis.tex" in err and [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_terminal_that_has_no_minus_sign_gets_a_hyphen():
    command = [sys.executable, "-m", "vbook.cli", "results", "--chapter", "2"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run(command, capture_output=True, env=environment, timeout=120)
    assert found.returncode == 0 and b"-101.60" in found.stdout and not found.stderr


def test_browser_is_named_missing_or_wrong(capsys, monkeypatch):
    monkeypatch.setenv("VBOOK_BROWSER", sys.executable)
    assert call(capsys, "browser")[:2] == (0, f"{sys.executable}\n")
    monkeypatch.setenv("VBOOK_BROWSER", "no-such-browser")
    code, _, err = call(capsys, "browser")
    assert code == 2 and "no-such-browser" in err
    monkeypatch.setattr("vbook.site.browser.find", lambda: None)
    assert call(capsys, "browser")[0] == 1


def test_data_commands(capsys, tmp_path):
    code, out, _ = call(capsys, "data", "list", "--data-root", tmp_path)
    assert code == 0 and str(tmp_path) in out.splitlines()[0]
    assert [line.split()[0] for line in out.splitlines()[1:]].count("embedded") == sum(
        card.embedded for card in data.cards().values()
    )
    code, out, _ = call(capsys, "data", "verify", "digits")
    assert code == 0 and out.startswith("ok ")
    code, out, _ = call(capsys, "data", "verify", "frey-face", "--data-root", tmp_path)
    assert code == 1 and out.startswith("missing ")
    face = tmp_path / "frey_faces" / "frey_rawface.mat"
    face.parent.mkdir()
    face.write_bytes(b"not a face")
    code, out, _ = call(capsys, "data", "verify", "frey-face", "--data-root", tmp_path)
    assert code == 1 and out.startswith("damaged ") and "expected" in out


def test_the_module_runs_as_a_program(tmp_path):
    done = subprocess.run([sys.executable, "-m", "vbook.cli", "run", "99"], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("vbook: unknown chapter '99'")
