"""The ledger: every closed entry resolves, and breaking a formula on purpose makes its test fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vbook.errors import VbookError
from vbook.ledger import TESTED, anchors, has_test, ledger, read_ledger, symbol

ROOT = Path(__file__).resolve().parent.parent.parent
CLOSED = [entry for entry in ledger().entries if entry.status == "closed"]
NAMES = [entry.id for entry in CLOSED]


@pytest.mark.parametrize("entry", CLOSED, ids=NAMES)
def test_symbol_and_test_are_there(entry):
    if entry.symbol:
        assert callable(symbol(entry.symbol)) or isinstance(symbol(entry.symbol), property)
    if entry.test:
        assert has_test(entry.test, ROOT), f"there is no {entry.test}"


@pytest.mark.parametrize("file", sorted({entry.where.partition("#")[0] for entry in CLOSED}))
def test_every_place_is_in_its_chapter(file):
    if not (ROOT / file).is_file():
        pytest.skip(f"{file} is not written yet")
    found = anchors(json.loads((ROOT / file).read_text(encoding="utf-8")))
    wanted = {entry.where.partition("#")[2] for entry in CLOSED if entry.where.startswith(file)}
    assert wanted <= found, f"{file} lacks {sorted(wanted - found)}"


def test_every_equation_of_a_chapter_is_in_the_ledger():
    """A chapter may not show a numbered equation that the ledger doesn't know."""
    known = {entry.where for entry in ledger().entries}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        shown = {a for a in anchors(json.loads(path.read_text(encoding="utf-8"))) if a.startswith(("eq-", "alg-"))}
        assert {f"chapters/{path.name}#{anchor}" for anchor in shown} <= known


NUMBERED = {"1": 19, "2": 89, "3": 12, "4": 9, "5": 33, "6": 41, "7": 11, "9": 15}  # the thesis's equations; chapter 8 has none


def test_equations_add_up_to_the_thesis():
    counts = ledger().equations
    assert counts == NUMBERED and sum(counts.values()) == 229
    assert ledger().closed_equations("2") == 89
    for chapter, count in counts.items():
        assert ledger().closed_equations(chapter) <= count


def test_everything_that_the_sources_number_is_in_the_ledger():
    """229 equations, seven algorithms, five research questions, all figures and tables of the thesis; the others' likewise."""
    known = {entry.id for entry in ledger().entries}
    for chapter, count in NUMBERED.items():
        assert {f"thesis/eq-{chapter}.{k}" for k in range(1, count + 1)} <= known
    numbered = {
        "thesis/alg-": range(1, 8),
        "thesis/rq-": range(1, 6),
        "thesis/table-": ["3.1", "3.2", "3.3", "5.1", "5.2", "5.B.1", "5.B.2", "6.1"],
        "thesis/fig-": ["2.9", "3.1", "3.2", "4.1", "5.1a", "5.1b", "5.2", "5.B.4", "6.1", "6.C.1", "7.1a", "7.1b", "7.2", "7.3"],
        "adams/eq-": range(1, 21),
        "adams/fig-": range(1, 9),
        "adams/table-": range(1, 5),
        "replication/eq-": range(1, 32),
        "replication/fig-": range(1, 8),
        "assignment/q-": [f"1.{k}" for k in (1, 2, 3, "4a", "4b", "5a", "5b", *range(6, 16))]
        + [f"2.{k}" for k in range(1, 8)]
        + [f"3.{k}" for k in range(1, 9)]
        + ["4.1"],
    }
    wanted = {f"{prefix}{number}" for prefix, numbers in numbered.items() for number in numbers}
    assert wanted <= known, sorted(wanted - known)


@pytest.mark.slow
def test_every_symbol_breaks_its_test():
    """One sign, operation or sum of each formula's symbol is changed; the entry's test must fail.

    ``python tests/ledger/mutants.py all`` changes every one of them.
    """
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork, which this system lacks")
    claims = {(entry.symbol, entry.line, entry.test) for entry in CLOSED if entry.kind in TESTED}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("mutants.py"))],
        input=json.dumps(sorted(claims, key=str)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    whole = [row for row in rows if row[0] is None]
    broken = [row for row in rows if row[0] is not None]
    assert [test for _, _, test, rc in whole if rc != 0] == [], "these fail although nothing is broken"
    assert [(test, change) for _, change, test, rc in broken if rc != 1] == [], "nobody noticed"
    assert len(broken) == len(claims), "a formula that can't be broken has no place among the tested ones"


GOOD = dict(id="thesis/eq-1.1", kind="identity", title="t", status="closed", where="a#b", symbol="c", test="d")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(kind="identty"), "did you mean 'identity'"),
        (dict(status="done"), "open or closed"),
        (dict(symbol=None), "a closed identity needs symbol"),
        (dict(test=None, where=None), "needs where and test"),
        (dict(tset="d"), "did you mean 'test'"),
        (dict(title=...), r"missing \['title'\]"),
        (dict(title=3), "3 is no title"),
        (dict(where=["a"]), r"\['a'\] is no where"),
        (dict(symbol=3, test={"a": "b"}), "3 is no symbol"),
        (dict(id="thesis/eq-1.1/"), "'thesis/eq-1.1/': names nothing in its source"),
    ],
)
def test_a_bad_entry_is_named(change, message):
    row = {key: value for key, value in (GOOD | change).items() if value is not ...}
    with pytest.raises(VbookError, match=message) as caught:
        read_ledger(json.dumps([row]))
    assert "thesis/eq-1.1" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("entries: []", "a list of entries belongs there"),
        ("", "a list of entries belongs there"),
        ("[a]", "'a': 'a' is no ledger entry, which has id"),
        ("- {id: thesis/banana, kind: claim, title: t, status: open}", "'thesis/banana': names no place of the thesis"),
        ("- {id: thesis/eq-2, kind: claim, title: t, status: open}", "'thesis/eq-2': an id is <source>/<kind>-<place>"),
        ("- {id: 'thesis/eq-2.1 ', kind: claim, title: t, status: open}", "'thesis/eq-2.1 ': an id is <source>"),
        ("- {id: adams/, kind: claim, title: t, status: open}", "'adams/': names nothing in its source"),
        ("- {id: bogus/eq-1, kind: claim, title: t, status: open}", "'bogus/eq-1': begins with none of thesis, adams"),
        ("- {id: thesis/alg-8, kind: claim, title: t, status: open}", "'thesis/alg-8': names no place of the thesis"),
        ("- {id: thesis/table-14.1, kind: claim, title: t, status: open}", "'thesis/table-14.1': names no place"),
        ("- {id: [", "can't be read as YAML: .*line 1"),
        ("- {id: 3, kind: claim, title: t, status: open}", "3: 3 is no id"),
        ("- {1: a, foo: b}", r"None: missing \['id', 'kind', 'status', 'title'\], unknown \['1', 'foo'\]"),
    ],
)
def test_what_is_no_ledger_is_told_in_one_line(text, words):
    with pytest.raises(VbookError, match=f"^ledger.yml.*{words}") as caught:
        read_ledger(text)
    assert "\n" not in str(caught.value)


def test_an_entry_may_not_stand_twice():
    with pytest.raises(VbookError, match=r"thesis/eq-1\.1 stands twice"):
        read_ledger(json.dumps([GOOD, GOOD]))


def test_open_entries_need_no_proof():
    row = dict(id="adams/claim-a", kind="claim", title="t", status="open")
    assert read_ledger(json.dumps([row])).entries[0].symbol is None


def test_labels():
    rows = [GOOD | dict(id=f"thesis/{name}") for name in ("eq-2.10", "sec-2.3", "alg-1", "fig-2.7b", "claim-2.7-tightens")]
    entries = read_ledger(json.dumps(rows)).entries
    assert [entry.label for entry in entries] == ["(2.10)", "section 2.3", "algorithm 1", "figure 2.7b", "section 2.7"]


def test_anchors_of_a_notebook():
    prose = ["### 2.5.3 The estimator\n", "$$ a \\tag{2.29} $$\n", "\n", "**Algorithm 1: AEVB.** Two"]
    cells = [
        dict(cell_type="markdown", source=prose),
        dict(cell_type="code", source='show(fig, caption="Figure 2.7b. The plane.", alt="Figure 9.9.")\n# \\tag{9.9}'),
    ]
    assert anchors({"cells": cells}) == {"sec-2.5.3", "eq-2.29", "alg-1", "fig-2.7b"}


@pytest.mark.parametrize("name", ["vbook.bounds.elbow", "vbook.nothing", "nothing.at.all"])
def test_a_symbol_that_is_not_there(name):
    with pytest.raises(VbookError, match=name):
        symbol(name)


def test_a_test_that_is_not_there(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_it(): pass\ndef helper(): pass\n")
    assert has_test("test_a.py::test_it", tmp_path)
    absent = ("test_a.py::test_no", "test_a.py::helper", "test_b.py::test_it", "test_a.py")
    assert not any(has_test(name, tmp_path) for name in absent)
