"""The parts of grading one by one: frames, filters of system calls, cells, comparison, forms of answers."""

import json
import os
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from vbook.assign import asking, channel, compare, sandbox, session, syscalls, worker
from vbook.assign.cells import CELL, define, run_cell
from vbook.assign.process import Trouble
from vbook.assign.words import clean
from vbook.checks import CheckFailed
from vbook.errors import VbookError


@pytest.mark.parametrize("array", [np.ones((2, 3)), np.array(2.0), np.zeros((0, 4)), np.array([True]), np.arange(3)[::-1]])
def test_a_frame_comes_back_as_it_was(array):
    frame = channel.pack({"a": [1, None]}, {"x": array})
    text, block = channel.sizes(frame[: channel.HEAD.size])
    rest = frame[channel.HEAD.size :]
    message, arrays = channel.unpack(rest[:text], rest[text : text + block])
    assert message == {"a": [1, None]} and arrays["x"].shape == array.shape and (arrays["x"] == array).all()


@pytest.mark.parametrize(
    ("text", "block"),
    [(b"[" * 99_999, b""), (b"[]", b""), (b"\xff", b""), (b"{}", b"PK\x03\x04"), (b"{}", struct.pack("<Q", 1 << 60)),
     (b'{"a": ' + b"9" * 9999 + b"}", b"")],
)  # fmt: skip
def test_bytes_that_are_no_frame_are_told_apart(text, block):
    with pytest.raises(channel.Unreadable):
        channel.unpack(text, block)


def test_sizes_beyond_the_limits_are_refused_before_anything_is_read():
    for sizes in ((channel.JSON_LIMIT + 1, 0), (0, channel.ARRAY_LIMIT + 1), (1 << 63, 1 << 63)):
        with pytest.raises(channel.Unreadable, match="larger"):
            channel.sizes(channel.HEAD.pack(*sizes))
    with pytest.raises(channel.Unreadable, match="larger"):
        channel.pack({"a": "b" * channel.JSON_LIMIT})


DEEP = {"list": [{"list": [{"list": [{"list": [{"list": []}]}]}]}]}


@pytest.mark.parametrize("tree", [None, 3, "x", [], {}, {"plain": "x"}, {"plain": []}, {"array": "y"}, {"list": 3},
                                  {"other": 1}, {"plain": 1, "array": "x"}, DEEP])  # fmt: skip
def test_answers_of_no_known_form_are_trouble(tree):
    with pytest.raises(Trouble):
        session._plain(tree, {"x": np.ones(2)}, 4)


def test_arguments_may_be_lists_of_networks_whose_gradients_are_asked_for():
    arrays = {}
    nets = [session.Affine(np.full((1, 2), k, np.float32), np.zeros(1, np.float32)) for k in (1, 2)]
    spec = session._spec([*nets, [3, np.ones(2)]], arrays)
    one, other, rest = worker.Worker()._argument(json.loads(json.dumps(spec)), arrays)
    assert one(torch.ones(2)).item() == 2 and other(torch.ones(2)).item() == 4 and rest[0] == 3 and rest[1].tolist() == [1, 1]
    assert [leaf.numel() for leaf in worker._leaves([one, other])] == [2, 1, 2, 1]


def machine(program: bytes, audit: int, number: int, first: int = 0) -> int:
    """What the kernel would answer: an interpreter of the five instructions that the filter uses."""
    seen, k = {0: number, 4: audit, 16: first}, 0
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    held = 0
    while True:
        code, yes, no, value = lines[k]
        if code == 0x06:
            return value
        if code == 0x20:
            held, k = seen[value], k + 1
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            k += 1 + (yes if holds else no)


ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026


@pytest.mark.parametrize(
    ("name", "audit", "clone", "fork", "read"), [("x86_64", 0xC000003E, 56, 57, 0), ("aarch64", 0xC00000B7, 220, None, 63)]
)
def test_the_filter_stops_processes_and_namespaces_and_lets_threads_pass(name, audit, clone, fork, read):
    program = syscalls.program(name)
    assert machine(program, audit, read) == ALLOW
    assert machine(program, audit, clone, 0x003D0F00) == ALLOW  # pthread_create
    for flags in (0x11, 0x4111, 0x10000011):  # fork, vfork, a user namespace
        assert machine(program, audit, clone, flags) == REFUSE
    assert machine(program, audit, 435) == UNKNOWN and machine(program, 0x40000003, read) == REFUSE
    for number in (425, 430, *((fork, 58, 165, 272, 0x40000000 + read) if fork else (40, 97))):
        assert machine(program, audit, number) == REFUSE
    with pytest.raises(VbookError, match="m68k"):
        syscalls.program("m68k")


def test_cells_run_as_in_a_notebook():
    space = {}
    cells = [
        "%matplotlib inline\nx = 1",
        "if True:\n    !ls\n    y = '''\n%kept'''",
        "%%bash\nrm -rf /",
        "%%time\nz = 3",
        "?print",
        "",
    ]
    assert [run_cell(cell, f"{CELL} 1>", space) for cell in cells] == [None] * 6
    assert (space["x"], space["y"], space["z"]) == (1, "\n%kept", 3)


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [("x = 1\n1 / 0", "ZeroDivisionError", 2), ("def f(:", "SyntaxError", 1), ("raise SystemExit(2)", "SystemExit", 1),
     ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E", 3)],
)  # fmt: skip
def test_errors_of_cells_are_words(source, kind, line):
    failed = run_cell(source, f"{CELL} 7>", {})
    assert (failed["type"], failed["cell"], failed["line"]) == (kind, "<cell 7>", line)


def test_a_cell_that_takes_too_long_is_stopped():
    assert run_cell("while True: pass", f"{CELL} 1>", {}, seconds=0.2)["type"] == "TimeIsUp"


def test_of_a_given_cell_only_definitions_count():
    space = {"made": []}
    define("import math, no_such_module\nfrom os import sep\nn = 3\nmade.append(1)\nx = made + [2]", space)
    define("def f(): return n\nclass A: pass", space)
    assert space["made"] == [] and {"sep", "n", "f", "A"} <= set(space) and "x" not in space and space["f"]() == 3
    define("def broken(:", space)


def test_comparison_says_what_is_wrong(capsys):
    compare.expect(torch.tensor([1.0, 2.0], requires_grad=True), [1, 2], "two numbers; 0: you were told")
    assert capsys.readouterr().out == "ok: two numbers\n"
    cases = [(None, "return"), ("text", "str"), (float("nan"), "nan"), (float("inf"), "infinite"), ([1.0], "shape"),
             (3.0, "differ"), (-1.0, "the sign"), (1j, "complex"), ([[1.0], [1.0, 2.0]], "list")]  # fmt: skip
    for got, word in cases:
        with pytest.raises(CheckFailed, match=word):
            compare.expect(got, 1.0, "a number", {"the sign": -1.0})
    with pytest.raises(VbookError):
        compare.expect(1, 1, "x", rel=-1)


class TestOwnValues:
    right, own = np.array([1.0, 2.0]), np.array([5.0, 6.0])

    @pytest.mark.parametrize("got", [right, own])
    def test_count(self, got):
        asking.own_or_right(got, self.right, self.own, "x")

    @pytest.mark.parametrize("own", [np.array([5.0, 5.0]), np.array([np.nan, 5.0]), np.array(5.0), np.array([5.0, np.inf])])
    def test_don_t_count_when_they_follow_from_nothing(self, own):
        with pytest.raises(CheckFailed):
            asking.own_or_right(np.broadcast_to(own, 2), self.right, own, "x")

    def test_are_nan_where_earlier_answers_fail(self):
        def fails():
            raise Trouble("gone")

        assert np.isnan(asking.earlier(fails)) and asking.earlier(lambda: [1, 2]).shape == (2,)


def test_text_from_a_process_is_tame():
    assert clean("a\x1b[2J\nb" + "c" * 99, 12) == "a [2J bcccc…"


def test_only_named_modules_are_staged():
    with sandbox.staged(("plots/style.py",)) as stage:
        there = {str(path.relative_to(stage / "vbook")) for path in stage.rglob("*.py")}
        assert {"assign/worker.py", "data/read.py", "plots/style.py"} <= there
        assert not there & {"bounds.py", "distributions.py", "assign/asking.py", "assign/master.py", "plots/grids.py"}
        assert all(os.stat(path).st_mode & 0o004 for path in stage.rglob("*"))
    assert not stage.exists()


def test_what_a_killed_grading_left_behind_goes_after_a_day(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, young, other = (tmp_path / name for name in ("vbook-assign-old", "vbook-assign-young", "other"))
    for place, hours in ((old, 25), (young, 23), (other, 25)):
        (place / "vbook").mkdir(parents=True)
        os.utime(place, (time.time() - 3600 * hours,) * 2)
    (tmp_path / "vbook-assign-link").symlink_to(other)
    os.utime(tmp_path / "vbook-assign-link", (0, 0), follow_symlinks=False)
    with sandbox.staged():
        assert not old.exists() and young.exists() and (other / "vbook").exists()


def test_what_an_optimizer_loads_is_loaded_before_a_call_s_seconds_begin():
    text = """
import sys
from vbook.assign.worker import Worker
one = Worker()
for source in ("def step(p): return p", "def train(p): return torch.optim.Adam([p])"):
    assert one.cell({"source": source, "name": "a", "graded": False}, {})[0] == {"failed": None}
    print("torch._dynamo" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]


def test_a_worker_that_doesn_t_start_is_our_fault_not_the_student_s(monkeypatch, tmp_path):
    walls = lambda *args: [sandbox.sys.executable, "-c", "raise SystemExit('no room')", "--"]  # noqa: E731
    monkeypatch.setattr(sandbox, "missing", lambda: None)
    monkeypatch.setattr(sandbox, "_walls", walls)
    with session.Session([], tmp_path) as one, pytest.raises(VbookError, match="worker doesn't start: no room"):
        one.run()


def test_cases_depend_on_the_seed_and_on_nothing_before():
    from handin import master

    first, second = master().checks.all[:2]
    draw = lambda check, seed: json.dumps(check.cases(seed, "A1").normal(size=2).tolist())  # noqa: E731
    assert draw(first, "1") == draw(first, "1") and len({draw(first, "1"), draw(first, "2"), draw(second, "1")}) == 3
