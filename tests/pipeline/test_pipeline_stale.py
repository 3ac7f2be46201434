"""What makes an executed copy stale, and what does not."""

import subprocess
import sys

import pytest
from samples import chapter, checkout, code, display, markdown, nb

from vbook.pipeline import parameters, stale


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in the place of vbook's."""
    files = {
        "__init__.py": "",
        "bounds.py": "from vbook.distributions import kl\n",
        "distributions.py": "import math\n",
        "unused.py": "import vbook.bounds\n",
        "plots/__init__.py": "NAMES = {'show': 'output', 'grid': 'vbook.plots.grids'}\n",
        "plots/output.py": "from . import style\n",
        "plots/style.py": "",
        "plots/grids.py": "",
        "plots/aside.py": "",
        "plots/cards.yml": "a: 1\n",
        "experiments/__init__.py": "from vbook.experiments import chapter02, chapter05\n",
        "experiments/chapter02.py": "def run():\n    from vbook import late\n",
        "experiments/chapter05.py": "",
        "late.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "vbook" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(stale, "PACKAGE", tmp_path / "vbook")
    stale._file.cache_clear()
    yield tmp_path / "vbook"
    stale._file.cache_clear()


def of(source, stem="02-x", **values):
    return stale.dependencies(nb(code(source)), stem, parameters.COMMITTED | values)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import vbook.bounds as b", {"vbook", "vbook.bounds", "vbook.distributions"}),
        ("from vbook import distributions", {"vbook", "vbook.distributions"}),
        ("def f():\n    from vbook.distributions import kl", {"vbook", "vbook.distributions"}),
        (
            "from vbook.plots import show",
            {"vbook", "vbook.plots", "vbook.plots.output", "vbook.plots.style", "vbook.plots.grids"},
        ),
        ("%pip install x\n!ls\nimport vbook.distributions", {"vbook", "vbook.distributions"}),
        ("import numpy, vbookish", set()),
        ("import vbook.bounds (", set()),
        ("from vbook.experiments import run", {"vbook", "vbook.experiments", "vbook.experiments.chapter02", "vbook.late"}),
    ],
)
def test_modules_are_found_through_imports(package, source, expected):
    assert stale.modules([source], "02-x") == expected


def test_another_chapters_experiments_count_when_named(package):
    assert "vbook.experiments.chapter05" in stale.modules(["from vbook.experiments import chapter05"], "02-x")
    assert "vbook.experiments.chapter05" in stale.modules(["from vbook.experiments import run"], "05-x")


@pytest.mark.parametrize("name", ["bounds.py", "distributions.py", "__init__.py"])
def test_an_edit_of_an_imported_module_counts(package, name):
    before = of("import vbook.bounds")
    (package / name).write_text("# edited\n")
    assert stale.changes(of("import vbook.bounds"), before)[0] == f"vbook/{name}"


def test_an_edit_elsewhere_does_not_count(package):
    before = of("import vbook.bounds")
    (package / "unused.py").write_text("# edited\n")
    assert of("import vbook.bounds") == before


def test_tables_of_a_package_count(package):
    before = of("import vbook.plots")
    (package / "plots" / "cards.yml").write_text("a: 2\n")
    assert stale.changes(of("import vbook.plots"), before) == ["vbook/plots/cards.yml"]


def test_code_counts_and_outputs_prose_and_tags_do_not():
    made = chapter(code("1", outputs=[display(text_plain="1")], count=3), markdown("new"))
    values = dict(parameters.COMMITTED)
    before = stale.dependencies(chapter(markdown("old"), code("1", "check")), "02-x", values)
    assert stale.dependencies(made, "02-x", values) == before
    made["cells"][-2]["source"] = "2"
    assert stale.changes(stale.dependencies(made, "02-x", values), before) == ["the code cells"]


def test_parameters_count_the_data_root_aside():
    assert stale.changes(of("1", seed=1), of("1")) == ["parameter seed"]
    assert of("1", data_root="elsewhere") == of("1")


@pytest.mark.parametrize(("version", "counts"), [("2.7.0", True), ("2.6.9", False)])
def test_libraries_count_by_major_and_minor(monkeypatch, version, counts):
    monkeypatch.setattr(stale, "version", lambda library: "2.6.1")
    before = of("1")
    monkeypatch.setattr(stale, "version", lambda library: version if library == "torch" else "2.6.1")
    assert stale.changes(of("1"), before) == ["torch"] * counts


def test_records_of_the_chapter_and_those_it_names_count(tmp_path):
    top = checkout(tmp_path, c02_x=chapter())

    def now():
        return stale.dependencies(nb(code("load('ch05-flow.laptop')")), "02-x", {}, top / "book")

    before = now()
    for name, counts in [("ch02-vae.laptop.json", True), ("ch05-flow.laptop.json", True), ("ch05-made.laptop.json", False)]:
        (top / "book" / "results" / name).write_text("{}")
        assert (f"book/results/{name}" in stale.changes(now(), before)) is counts


def test_an_unchanged_book_is_known_without_torch(tmp_path):
    top = checkout(tmp_path, c02_x=chapter(code("from vbook.experiments import run\nfrom vbook.plots import show")))
    script = (
        "import sys; from pathlib import Path; from vbook import paths; paths.root = lambda: Path(sys.argv[1])\n"
        "from vbook.pipeline import run, chapters\n"
        "top = paths.root(); plan = run._plan('02-x', top / 'chapters/02-x.ipynb', 'smoke', {}, top, top, False)\n"
        "assert 'vbook/experiments/registry.py' in plan.dependencies, plan.dependencies\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'papermill', 'nbformat', 'IPython'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script, str(top)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
