"""The house: its layout, its one address, imports in one direction, and a wheel that is complete."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

LAYOUT = {
    "README.md": "",
    "LICENSE": "",
    "CITATION.cff": "",
    "Makefile": "",
    "_config.yml": "",
    "_toc.yml": "",
    "package.json": "",
    "package-lock.json": "",
    "pyproject.toml": "",
    "requirements.txt": "",
    "book": "index.md references.bib assets targets.yml ledger.yml errata.yml results weights",
    "chapters": "",
    "vbook": "",
    "tests": "notebooks site",
    ".ci": "run",
    ".github": "workflows",
}


def committed_files() -> list[Path]:
    """What a clone would have, new files included and ignored ones not."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so generated files can't be told from committed ones")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("name", LAYOUT)
def test_the_layout_is_there(name):
    assert (ROOT / name).exists(), f"{name} is missing"
    for inside in LAYOUT[name].split():
        assert (ROOT / name / inside).exists(), f"{name}/{inside} is missing"


def test_nothing_else_lies_at_the_top():
    top = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    assert {name for name in top if not name.startswith(".")} <= set(LAYOUT)


def test_no_two_test_files_share_a_name():
    """The folders of tests aren't packages, so pytest, asked for all of them, would refuse the second file of a name."""
    names = [path.name for path in committed_files() if ROOT / "tests" in path.parents and path.name.startswith("test_")]
    assert names and not {name for name in names if names.count(name) > 1}


def test_generated_things_are_ignored():
    names = [
        "_build/html/index.html",
        ".venv/bin/python",
        "node_modules/a.js",
        "vbook/__pycache__/a.pyc",
        ".ipynb_checkpoints/a.ipynb",
    ]
    ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", *names], capture_output=True, text=True)
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.stdout.split() == names


def test_the_repositorys_address_stands_in_pyproject_alone():
    owner, name = PROJECT["project"]["urls"]["Repository"].rstrip("/").split("/")[-2:]
    mention = re.compile(
        rf"(?:github(?:usercontent)?\.com|colab\.research\.google\.com/github)[/:]([\w.-]+)/({name}|vbook)\b|([\w-]+)\.github\.io/vbook"
    )
    wrong = []
    for path in committed_files():
        for match in mention.finditer(text_of(path)):
            if (match[1] or match[3]) != owner or (match[2] or name) != name:
                wrong.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert not wrong, "\n".join(wrong)


def test_no_registry_and_no_home_folder_is_named():
    # A lock file or a requirement that names a host works only where that host is; a home folder only on one machine.
    pattern = re.compile(r"registry\.npmjs\.org|files\.pythonhosted\.org|pypi\.org/simple|/home/(?!reader\b)\w+/|/Users/\w+/")
    wrong = [
        str(path.relative_to(ROOT)) for path in committed_files() if path != Path(__file__) and pattern.search(text_of(path))
    ]
    assert not wrong


def test_ci_calls_make_test_and_nothing_of_its_own():
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    assert ".ci/run" in workflow
    actions = re.findall(r"uses: *(\S+)", "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir()))
    assert actions and all(action.startswith("actions/") for action in actions)


def test_the_workflows_name_the_branch_that_the_project_names():
    said = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir())
    named = re.findall(r"branches: *\[(.*?)\]", said)
    assert named == [PROJECT["tool"]["vbook"]["branch"]] * 2  # what is tested when it is pushed, what is published


# Who may import whom: a module imports from the same group or from those to its left (DESIGN: one direction, no cycles).
FLOOR = [
    "loaded",
    "errors",
    "paths",
    "profiles",
    "budget",
    "devices",
    "descriptions",
    "checkpoints",
    "noise",
    "distributions",
    "networks",
]
FLOOR += ["descriptions", "flows", "hmc"]
CHAIN = [
    ["data"],
    ["models"],
    ["adversarial", "bounds", "objectives", "score", "variational_bayes"],
    ["training", "mcem"],
    ["evaluation"],
    ["results"],
    ["experiments"],
]
TOP = ["ledger", "plots", "checks", "widgets", "pipeline", "site", "assign", "bench", "cli"]
RANK = dict.fromkeys(FLOOR, 0) | {name: k for k, names in enumerate(CHAIN, 1) for name in names}
MODULES = sorted(path for path in (ROOT / "vbook").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Names of the parts of vbook (second component) that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "vbook":
            names = [f"vbook.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("vbook.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_to_the_left(path):
    part = path.relative_to(ROOT / "vbook").parts[0].removesuffix(".py")
    known = set(RANK) | set(TOP)
    assert part == "__init__" or part in known, f"{part} has no place in the order of the package"
    others = imported(path) - {part}
    assert others <= known, f"imports {others - known}, which has no place in the order"
    if part in TOP:
        assert "cli" not in others, "the command line is imported by nobody"
    elif part == "__init__":
        assert others <= {"loaded"}
    else:
        wrong = {other for other in others if other in TOP or RANK[other] > RANK[part]}
        assert not wrong, f"vbook.{part} may not import {wrong}"


def test_modules_are_small():
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 250} == {}


def test_import_vbook_is_light():
    script = """
import sys, time
import torch
start = time.process_time()
import vbook, vbook.errors, vbook.paths, vbook.profiles, vbook.distributions, vbook.networks, vbook.data, vbook.models
import vbook.bounds, vbook.training, vbook.evaluation, vbook.results, vbook.plots
spent = time.process_time() - start
heavy = {"torchvision", "sklearn", "matplotlib", "scipy", "pandas", "IPython", "papermill", "sphinx"} & set(sys.modules)
assert not heavy, heavy
assert spent < 0.5, f"{spent:.2f} s of processor time beyond torch's own import"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_complete_and_holds_nothing_else(wheel):
    assert wheel.stat().st_size <= 15_000_000
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name.removeprefix("vbook/_book/") for name in names if name.startswith("vbook/_book/")}
    expected = {f"book/{name}" for name in ("targets.yml", "ledger.yml", "errata.yml")}
    expected |= {
        p.relative_to(ROOT).as_posix() for folder in ("results", "weights") for p in (ROOT / "book" / folder).glob("*.*")
    }
    assert {f"book/{name}" for name in inside if not Path(name).name.startswith(".")} == {
        name for name in expected if not Path(name).name.startswith(".")
    }
    assert {path.relative_to(ROOT).as_posix() for path in MODULES} <= set(names)
    assert {name.split("/")[0] for name in names} == {"vbook", f"vbook-{PROJECT['project']['version']}.dist-info"}
    assert not [name for name in names if re.search(r"solution|hidden|test_|\.ipynb|__pycache__", name)]


def test_the_package_and_its_project_say_the_same_version():
    import vbook

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert vbook.__version__ == PROJECT["project"]["version"]
    assert f"version: {vbook.__version__}\n" in citation
