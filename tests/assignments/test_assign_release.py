"""Nothing hidden leaves the house: the students' copy, feedback, table, wheel; and the copy works as it is handed out."""

import copy
import json
import re
import statistics
import zipfile
from pathlib import Path

import handin
import pytest

from vbook.assign import report
from vbook.assign.answers import asked
from vbook.assign.grading import Graded, Outcome
from vbook.assign.master import PREFIX, assemble, checks_of, graded, load, names, place
from vbook.assign.release import ANSWER, release, student_copy
from vbook.assign.table import as_csv
from vbook.errors import VbookError
from vbook.pipeline.notebook import code_cells, dumps, read, tags

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary7c3e91"
ALL = names()


@pytest.fixture(scope="module")
def handed_out():
    return student_copy(handin.master())


@pytest.fixture(scope="module", params=ALL)
def planted(request, tmp_path_factory):
    """An assignment with a canary in every solution, every model answer and the hidden checks."""
    name, count = request.param, 0
    master = handin.master(name)
    notebook = copy.deepcopy(master.notebook)
    for cell, known in graded(notebook):
        if known["solution"]:
            mark = "### BEGIN SOLUTION"
            count += 1
            text = cell["source"]
            cell["source"] = text.replace(mark, f"{mark}\n    # {CANARY}") if mark in text else f"{CANARY} {text}"
            assert CANARY in cell["source"]
            if cell["cell_type"] == "code":
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": CANARY}]
    assert count == len(master.tasks) + len(master.questions)
    path = tmp_path_factory.mktemp("hidden") / f"{name}.py"
    hidden = (ROOT / "chapters" / "assignments" / f"{name}.py").read_text()
    planted = hidden.replace("checks = Checks", f"{CANARY} = '{CANARY}'\nchecks = Checks")
    assert CANARY in planted
    path.write_text(planted)
    return assemble(name, notebook, checks_of(path))


def test_no_canary_in_the_copy_the_feedback_or_the_table(planted, tmp_path):
    handed = dumps(student_copy(planted))
    result = Graded("s", [Outcome(check, "wrong") for check in planted.checks.all], [], {})
    pages = [handed, report.feedback(planted, result, {}), as_csv(planted, [result], True, {})]
    assert all(CANARY not in page for page in pages) and len(handed) > 20_000
    assert CANARY in report.sheet(planted, result, {})  # the guide, for the teacher: the canary sings where it should


@pytest.mark.parametrize("name", ALL)
def test_nothing_of_masters_is_in_the_wheel(name, wheel):
    hidden = [cell["source"] for cell, known in graded(handin.master(name).notebook) if known["solution"]]
    hidden.append((ROOT / "chapters" / "assignments" / f"{name}.py").read_text())
    lines = {line.strip() for text in hidden for line in text.split("\n")}
    telling = [line.encode() for line in lines if len(line) > 60]
    assert len(telling) > 60
    with zipfile.ZipFile(wheel) as packed:
        content = {file: packed.read(file) for file in packed.namelist()}
    assert {file: line for file, text in content.items() for line in telling if line in text} == {}
    assert not [file for file in content if name in file or "assignments" in file]


@pytest.mark.parametrize("name", ALL)
def test_the_teaching_guide_knows_every_assignment_and_its_points(name):
    text = (ROOT / "book" / "teaching.md").read_text()
    one = handin.master(name)
    machine, hand = sum(one.tasks.values()), sum(one.questions.values())
    rows = [line for line in text.splitlines() if re.match(rf"\| {name} \|.*\| \d+ \|", line)]
    assert len(rows) == 1, f"the guide's table of assignments has {len(rows)} rows for {name}"
    printed = [cell.strip() for cell in rows[0].split("|")][3:5]
    assert printed == [str(machine), str(hand)], f"{name}: the guide says {printed}, the notebook has {machine} and {hand}"
    assert machine + hand == 100, f"{name}: {machine} and {hand} points, together not 100"


def points_printed(text: str) -> dict[str, int]:
    """Tasks with the points that ``text`` promises: ``Task `name`, 5 points`` or ``1 point``."""
    return {task: int(points) for task, points in re.findall(r"`(\w+)`, (\d+) points?\b", text)}


@pytest.mark.parametrize("name", ALL)
def test_printed_points_are_those_of_the_metadata(name):
    """Of tasks, of questions, of parts in their headings and in the table of the introduction."""
    assert_points(load(name))


def assert_points(master):
    text = "\n".join(cell["source"] for cell in master.notebook["cells"] if cell["cell_type"] == "markdown")
    printed = points_printed(text)
    for task, points in master.tasks.items():
        assert printed.get(task) == points, f"{task}: the text says {printed.get(task)} points, the notebook has {points}"
    for question, text_ in asked(master).items():
        said = re.match(r"\*\*Question[^*]*, (\d+) points?\.\*\*", text_)
        assert said, f"{question}: the cell before it doesn't begin with **Question, N points.**"
        points = master.questions[question]
        assert int(said[1]) == points, f"{question}: the text says {said[1]} points, the notebook has {points}"
    parts: dict[str, list[int]] = {}
    sums: dict[str, int] = {}
    part = None
    for cell in master.notebook["cells"]:
        if heading := re.search(r"^## Part (\d+): .*?\((\d+) points?\b", cell["source"], re.MULTILINE):
            part, sums[heading[1]] = heading[1], int(heading[2])
        known = cell["metadata"].get("nbgrader", {})
        if known.get("grade"):
            assert part, f"{known['grade_id']} stands before the first heading '## Part 1: … (N points)'"
            parts.setdefault(part, [0, 0])[bool(known["solution"])] += known["points"]
    assert sums == {part: sum(both) for part, both in parts.items()}, f"the parts' headings say {sums}, by tasks it is {parts}"
    rows = re.findall(r"^\| (\d+) \|[^|]*\| (\d+) \| (\d+) \|", master.notebook["cells"][0]["source"], re.MULTILINE)
    table = {part: [int(machine), int(hand)] for part, machine, hand in rows}
    assert table == parts, f"the introduction's table says {table}, the notebook has {parts}"
    total = f"| **{sum(master.tasks.values())}** | **{sum(master.questions.values())}** |"
    assert total in text, f"the introduction's table doesn't end in {total}"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("printed", "words"),
    [(r"^\| 1 \|[^|]*\| (\d+) \|", "introduction's table says"),
     (r"^\| \| \*\*together\*\* \| \*\*(\d+)\*\*", "doesn't end in"),
     (r"^## Part 1: .*\((\d+) points?\b", "headings say"),
     (r"^\*\*Question, (\d+) points?\.\*\*", "{question}: the text says {wrong}"),
     (r"^\*\*Question(, \d+ points?)\.\*\*", "{question}: the cell before"),
     (r"`{task}`, (\d+) points?\b", "{task}: the text says {wrong}")],
)  # fmt: skip
def test_a_wrong_sum_in_print_is_found(name, printed, words):
    """The first such number is made one more, or nothing; it is found by its place, in an adapted master, too."""
    master = load(name)
    task, question = next(iter(master.tasks)), next(iter(master.questions))
    pattern = re.compile(printed.replace("{task}", task), re.MULTILINE)
    cells = [cell for cell in master.notebook["cells"] if cell["cell_type"] == "markdown" and pattern.search(cell["source"])]
    assert cells, f"{name}: no text has {pattern.pattern}"
    found = pattern.search(source := cells[0]["source"])
    wrong = str(int(found[1]) + 1) if found[1].isdigit() else ""
    cells[0]["source"] = source[: found.start(1)] + wrong + source[found.end(1) :]
    with pytest.raises(AssertionError, match=re.escape(words.format(task=task, question=question, wrong=wrong))):
        assert_points(assemble(name, master.notebook, master.checks))


def test_one_point_may_be_printed_as_one_point():
    assert points_printed("**Tasks `a`, 1 point, and `b`, 4 points.**") == {"a": 1, "b": 4}


@pytest.mark.parametrize("name", ALL)
def test_the_copy_is_locked_named_and_whole(name):
    master = load(name)
    copy_ = student_copy(master)
    cells = {known["grade_id"]: cell for cell, known in graded(copy_)}
    assert len(copy_["cells"]) == len(master.notebook["cells"])
    for task in master.tasks:
        assert f'raise NotImplementedError("task {task}: not begun")' in cells[task]["source"]
        public, known = cells[PREFIX + task], cells[PREFIX + task]["metadata"]
        assert known["editable"] is known["deletable"] is False and public["source"] == _source(master, PREFIX + task)
        assert cells[task]["metadata"]["deletable"] is False and "editable" not in cells[task]["metadata"]
    assert all(cells[question]["source"] == ANSWER for question in master.questions)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code_cells(copy_))


def _source(master, name):
    return next(cell["source"] for cell, known in graded(master.notebook) if known["grade_id"] == name)


@pytest.mark.parametrize("name", ALL)
def test_a_master_is_a_lesson(name):
    """Short cells, and a model answer and marks for each question."""
    master = load(name)
    sizes = [len(cell["source"].splitlines()) for cell in code_cells(master.notebook)]
    assert statistics.median(sizes) <= 8, f"half of the code cells have {statistics.median(sizes)} lines or more, 8 are enough"
    assert max(sizes) <= 30, f"a code cell has {max(sizes)} lines, 30 are enough"
    text = "\n".join(cell["source"] for cell in master.notebook["cells"] if cell["cell_type"] == "markdown")
    for mark in ("**Model answer.**", "**Marks.**", "**Question, "):
        assert text.count(mark) == len(master.questions), (
            f"{text.count(mark)} times {mark!r} for {len(master.questions)} questions"
        )


@pytest.mark.parametrize("name", ALL)
def test_experiments_say_so_in_their_first_line(name):
    """JupyterLab doesn't show the tag."""
    for notebook in (handin.master(name).notebook, student_copy(handin.master(name))):
        for cell in code_cells(notebook):
            said, tagged = cell["source"].startswith("# experiment\n"), "experiment" in tags(cell)
            assert said == tagged, f"{cell['id']}: {'tagged experiment' if tagged else '# experiment'} only"


def test_release_writes_the_same_bytes_each_time(handed_out, tmp_path):
    first, second = (release(handin.master(), tmp_path / name).read_bytes() for name in ("a", "b/c"))
    assert first == second == dumps(handed_out).encode() and read(tmp_path / "a" / "A1.ipynb") == handed_out


def test_a_file_with_answers_is_never_written_over(tmp_path):
    master, parts = handin.master(), ("### BEGIN SOLUTION\\n    return 1", "**Model answer.** It is.", None)
    for k, part in enumerate(parts):
        path = tmp_path / str(k) / "A1.ipynb"
        path.parent.mkdir()
        path.write_text(f'{{"source": "{part}"}}') if part else path.symlink_to(place("A1"))
        before = path.read_bytes()
        with pytest.raises(VbookError, match="holds solutions or model answers"):
            release(master, path.parent)
        assert path.read_bytes() == before
    path.unlink()
    assert release(master, path.parent).read_bytes() == release(master, path.parent).read_bytes()


def test_a_file_with_work_in_it_is_never_written_over(handed_out, tmp_path):
    path = release(handin.master(), tmp_path)
    worked = dumps(handed_out).replace('raise NotImplementedError(\\"task kl: not begun\\")', "return 0.5")
    assert worked != dumps(handed_out)
    path.write_text(worked)
    with pytest.raises(VbookError, match="holds something else, perhaps work: name another --out"):
        release(handin.master(), tmp_path)
    assert path.read_text() == worked


def broken(change) -> dict:
    notebook = copy.deepcopy(handin.master().notebook)
    change({known["grade_id"]: cell for cell, known in graded(notebook)}, notebook)
    return notebook


def test_masters_that_contradict_their_checks_are_refused():
    kl = handin.master().tasks["kl"]
    changes = {
        f"kl has {kl + 1} points in the notebook and {kl}": lambda cells, _: cells["check-kl"]["metadata"]["nbgrader"].update(
            points=kl + 1
        ),
        "draw has no solution cell": lambda cells, nb: nb["cells"].remove(cells["draw"]),
        "train has no public check": lambda cells, nb: nb["cells"].remove(cells["check-train"]),
    }
    for words, change in changes.items():
        with pytest.raises(VbookError, match=words):
            assemble("A1", broken(change), handin.master().checks)


def test_a_solution_outside_its_cell_is_never_released():
    change = lambda cells, nb: cells["imports"].update(source="### BEGIN SOLUTION\nx = 1\n### END SOLUTION")  # noqa: E731
    with pytest.raises(VbookError, match="Solution region"):
        student_copy(assemble("A1", broken(change), handin.master().checks))
    half = lambda cells, nb: cells["kl"].update(source="### BEGIN SOLUTION\nx = 1")  # noqa: E731
    with pytest.raises(VbookError, match="no end solution"):
        student_copy(assemble("A1", broken(half), handin.master().checks))


def test_masters_are_no_pages_of_the_site():
    toc = (ROOT / "_toc.yml").read_text()
    assert "assignments" not in toc and "only_build_toc_files: true" in (ROOT / "_config.yml").read_text()
    assert ALL and all(json.loads((ROOT / "chapters" / "assignments" / f"{name}.ipynb").read_text()) for name in ALL)
