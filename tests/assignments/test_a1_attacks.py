"""A1: what students' code may try, by accident or not: it gains nothing, harms nothing, and is told in words."""

import json
import os

import handin
import pytest

from vbook.assign import report
from vbook.assign.table import as_csv

FORGE = """
def forge():
    import os
    for handle in range(3, 64):
        try:
            os.write(handle, b"\\x00" * 64)
        except OSError:
            pass
"""
EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __array__(self, *args, **options): raise SystemExit
    __ne__ = lambda self, other: False
    __hash__ = None
    __float__ = lambda self: 0.0
"""
DEAF = "import signal\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while True: pass"


def tells(result, text: str) -> bool:
    return any(text in incident for incident in result.incidents)


@pytest.mark.slow
@pytest.mark.usefixtures("walls", "short")
def test_functions_that_loop_exit_forge_or_pose_lose_their_own_points_only(tmp_path):
    attacks = [
        ("generate", "z = eps", "import os; os._exit(0)\n    z = eps"),
        ("log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))", "Equal()"),
        ("draws_until_hit", "return math", "while True: pass\n    return math"),
        ("examples", "(20.0, 1.0)", "Equal()"),
        ("bound_and_gap", "joint = prior", "forge()\n    joint = prior"),
        ("manifold_points", "z = torch", f"{DEAF}\n    z = torch"),
        ("Encoder", "mu, log_var = self.net(x)", "while True: pass\n        mu, log_var = self.net(x)"),
        ("imports", "", FORGE + EQUAL),
    ]
    result = handin.grade(tmp_path, handin.changed(*attacks))
    tasks = {
        "generate": 4,
        "log_evidence": 6,
        "draws_until_hit": 3,
        "examples": 1,
        "bound_and_gap": 6,
        "manifold_points": 4,
        "Encoder": 6,
    }
    assert handin.lost(result) == tasks
    assert tells(result, "generate: the process ended") and tells(result, "bound_and_gap: the process wrote into the grader")
    assert tells(result, "manifold_points: no answer in time") and tells(result, "draws_until_hit: no answer in time")
    assert "neither a number nor a tensor" in handin.reasons(result, "log_evidence")


@pytest.mark.slow
@pytest.mark.usefixtures("walls", "short")
def test_cells_that_end_their_process_are_left_out_and_the_others_count(tmp_path):
    cells = [
        "import os\nos._exit(3)",
        "import ctypes\nctypes.string_at(0)",
        DEAF.replace("\n    ", "\n"),
        "import os\nos.kill(os.getpid(), 9)",
    ]
    result = handin.grade(tmp_path, handin.appended(handin.changed(), *cells))
    assert handin.lost(result) == {} and len(result.incidents) == len(cells)
    assert tells(result, "the process ended") and tells(result, "no answer in time")


@pytest.mark.slow
@pytest.mark.usefixtures("walls", "short")
def test_cells_that_exit_eat_delete_fork_or_look_around_harm_nothing(tmp_path):
    precious = tmp_path / "grades.csv"
    precious.write_text("all ones")
    cells = [
        "import sys\nsys.exit('done')",
        "hoard = []\nwhile True: hoard.append(bytearray(1 << 30))",
        "import os\nwhile True: os.fork()",
        "import os, shutil\nfor place in ('/book', '/tmp', '/etc'): shutil.rmtree(place, ignore_errors=True)\n"
        f"for path in ({str(precious)!r}, {str(tmp_path)!r}): os.remove(path)",
        "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)",
        "import time\ntime.sleep(60)",
        "import ctypes\nraise RuntimeError('spaces %d' % ctypes.CDLL(None).unshare(0x10000000))",
        "for k in range(20): open(f'/tmp/{k}', 'wb').write(bytes(1 << 25))",
        "here = []\nfor place in ('/', '/usr', '/etc', '/book/vbook/x'):\n    try: open(place + '/mine', 'w')\n"
        "    except OSError: here.append(place)\nraise RuntimeError(f'closed {len(here)}')",
    ]
    result = handin.grade(tmp_path, handin.appended(handin.changed(), *cells))
    assert handin.lost(result) == {} and precious.read_text() == "all ones"
    for text in ("SystemExit", "MemoryError", "PermissionError", "FileNotFoundError", "Network is unreachable", "stopped after",
                 "spaces -1", "No space left", "closed 4"):  # fmt: skip
        assert tells(result, text), (text, result.incidents)


@pytest.mark.usefixtures("walls")
def test_answers_and_tests_are_nowhere_to_be_found(tmp_path):
    look = """
import glob, importlib, os, sys
found = []
for name in ("vbook.bounds", "vbook.evaluation", "vbook.distributions", "vbook.models", "vbook.plots.grids",
             "vbook.assign.master", "vbook.assign.asking", "vbook.assign.grading", "chapters.assignments.A1", "A1"):
    try: found.append(importlib.import_module(name).__name__)
    except ImportError: pass
for top, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(top, f) not in ("/proc", "/sys", "/usr", sys.prefix, sys.base_prefix)]
    found += [os.path.join(top, f) for f in files if f.endswith((".ipynb", ".csv")) or f in ("A1.py", "bounds.py")]
found += glob.glob(sys.prefix + "/lib/python*/site-packages/vbook*/**", recursive=True)[2:]
found += [name for name in os.environ if "VBOOK" in name] + [p for p in os.listdir("/proc") if p.isdigit() and int(p) > 2]
raise RuntimeError(f"found {found}")
"""
    result = handin.grade(tmp_path, handin.appended(handin.changed(), look))
    assert handin.lost(result) == {} and tells(result, "found []"), result.incidents


@pytest.mark.usefixtures("walls")
def test_patches_of_what_compares_gain_nothing(tmp_path):
    patch = """
import builtins, sys
import numpy as np
import vbook.assign.channel, vbook.assign.compare, vbook.assign.worker, vbook.checks
torch.allclose = torch.equal = np.allclose = lambda *args, **options: True
torch.Tensor.__eq__ = np.testing.assert_allclose = lambda *args, **options: True
vbook.assign.compare.require = vbook.assign.compare.numbers = lambda *args, **options: None
vbook.checks.CheckFailed.__init__ = lambda *args: None
builtins.abs = lambda value: 0
sys.modules["vbook.assign.asking"] = sys
"""
    result = handin.grade(tmp_path, handin.appended(handin.changed(("kl", "0.5 *", "-0.5 *")), patch))
    assert handin.lost(result) == {"kl": 6}


@pytest.mark.usefixtures("walls")
def test_a_worker_taken_over_can_only_say_wrong_things(tmp_path):
    """The process answers whatever it likes to every request: numbers, lies about points, broken forms."""
    take = """
import vbook.assign.worker as worker
lies = iter([{"value": {"plain": 1e400}}, {"value": {"list": [{"list": []}] * 60}}, {"points": 75},
             {"value": {"array": "x"}}, {"error": "no"}, {"error": {"type": "NotImplementedError"}},
             {"handle": -1}, {"value": {"plain": "75"}}, {"value": 1}])
def call(self, request, arrays):
    return next(lies, {"value": {"list": [{"plain": True}, {"list": []}]}}), {}
worker.Worker.call = call
"""
    result = handin.grade(tmp_path, handin.appended(handin.changed(), take))
    assert result.points() == 2 and result.points("examples") == 2  # plain values, which it left alone


@pytest.mark.usefixtures("walls")
def test_hidden_cases_don_t_come_back_through_errors_or_prints(tmp_path):
    leak = "print('LEAK', mu)\n    raise type(f'LEAK{mu.sum():.0f}', (Exception,), {})(f'LEAK {mu}')\n    return 0.5"
    notebook = handin.appended(handin.changed(("kl", "return 0.5", leak)), "raise ValueError('**bold** <b>`')")
    result = handin.grade(tmp_path, notebook)
    page = report.feedback(handin.master(), result, {})
    assert "LEAK" not in page + as_csv(handin.master(), [result], True, {}) and "raises an error of its own" in page
    assert result.points("kl") == 0 and "\\*\\*bold\\*\\* &lt;b&gt;\\`" in page


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no A1.ipynb"),
        (b"not JSON", "no Jupyter notebook"),
        (b"[" * 100_000, "no Jupyter notebook"),
        (b'{"nbformat": 4, "cells": [1]}', "no Jupyter notebook"),
        (json.dumps({"nbformat": 4, "cells": [dict(cell_type="code", source=3, metadata={})]}).encode(), "no Jupyter notebook"),
        (json.dumps({"nbformat": 4, "cells": [dict(cell_type="code", source="", metadata=[])]}).encode(), "no Jupyter notebook"),
        (b" " * 20_000_001, "larger than 20 MB"),
    ],
)
def test_files_that_are_no_notebooks_get_no_points_and_a_reason(tmp_path, content, words):
    from vbook.assign.grading import grade_one

    path = tmp_path / "A1.ipynb"
    if content is not None:
        path.write_bytes(content)
    result = grade_one(handin.master(), "s", path, tmp_path, "1")
    assert result.points() == 0 and words in result.incidents[0] and len(result.outcomes) == len(handin.master().checks.all)


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_links_and_pipes_aren_t_opened(tmp_path, kind):
    from vbook.assign.grading import grade_one

    other = handin.write(tmp_path, "other", handin.changed())
    place = tmp_path / "s"
    if kind == "folder":
        place.symlink_to(other.parent)
    else:
        place.mkdir()
        os.mkfifo(place / "A1.ipynb") if kind == "pipe" else (place / "A1.ipynb").symlink_to(other)
    result = grade_one(handin.master(), "s", place / "A1.ipynb", tmp_path, "1")
    assert result.points() == 0 and "not opened" in result.incidents[0]
