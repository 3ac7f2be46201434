"""Experiments side by side: the same outcomes as one after the other, kept for ``run``, errors included."""

import io
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
import torch

from vbook.errors import VbookError
from vbook.experiments import registry, run, start, together

PAIR = ("ch02-posterior", "ch02-vae-2")
OTHERS = set()  # joblib's idle workers, which earlier tests of this process have left


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(registry, "FINISHED", {})
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    OTHERS.update(workers())
    yield
    torch.set_num_threads(threads)
    for wait in list(registry.BEGUN.values()):
        wait.end()


def test_side_by_side_gives_what_one_after_the_other_gives(two_threads, monkeypatch, tmp_path):
    monkeypatch.setenv("VBOOK_RECORDS", str(tmp_path))
    start(*PAIR)
    apart = {id: run(id) for id in PAIR}
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [f"{id}.smoke.json" for id in PAIR]
    monkeypatch.setattr(registry, "FINISHED", {})
    torch.set_num_threads(1)
    here = {id: run(id) for id in PAIR}
    for id in PAIR:
        assert apart[id].metrics == here[id].metrics and apart[id].series == here[id].series
        assert all(torch.equal(a, b) for a, b in zip(apart[id].model.parameters(), here[id].model.parameters(), strict=True))


@pytest.mark.parametrize("profile", ["smoke", "laptop"])
def test_one_thread_here_until_the_last_has_been_waited_for(monkeypatch, profile):
    monkeypatch.setattr(registry, "FINISHED", {})
    monkeypatch.setattr(together, "_apart", _profile)
    now, made = [3], []
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: now.__setitem__(0, n))
    real = together._begin
    monkeypatch.setattr(together, "_begin", lambda keys, workers, threads: (made.append(workers), real(keys, workers, threads)))
    start(PAIR[0], profile=profile)
    assert now == [1]
    start(PAIR[1], profile=profile)  # the first call's threads, not what is left
    assert now == [1] and made == [1, 1]
    for id, after in zip(PAIR, (1, 3), strict=True):
        assert run(id, profile=profile).metrics == {"profile": profile}
        assert now == [after]
    monkeypatch.setattr(registry, "FINISHED", {})
    start(*PAIR, profile=profile)
    assert made[-1] == (1 if profile == "smoke" else 2)
    for wait in list(registry.BEGUN.values()):
        wait.end()
    assert now == [3]


def _profile(key):
    buffer = io.BytesIO()
    torch.save(registry.Outcome({"profile": key[1]}), buffer)
    return buffer.getvalue()


def test_what_is_known_does_not_run_again(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_begin", None)
    for id in PAIR:
        registry.remember(registry.arguments(id, "smoke", 0, "cpu", None), registry.Outcome({}))
    start(*PAIR)


def test_what_has_finished_is_kept_when_another_fails(two_threads, monkeypatch, tmp_path):
    """The first experiment can't write its record, an error of the worker alone; the other finishes all the same."""
    monkeypatch.setenv("VBOOK_RECORDS", str(tmp_path))
    (tmp_path / f"{PAIR[0]}.smoke.json").mkdir()
    monkeypatch.setattr(registry, "_run", None)  # nothing runs here
    start(*PAIR)
    with pytest.raises((VbookError, OSError)):
        run(PAIR[0])
    assert run(PAIR[1]).metrics and [key[0] for key in registry.FINISHED] == [PAIR[1]]


def test_a_killed_process_is_named(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_apart", _die)
    start(*PAIR)
    with pytest.raises(VbookError, match=f"the process of {PAIR[0]} was killed, perhaps for want of memory"):
        run(PAIR[0])
    assert next(iter(registry.BEGUN.values())).failed()  # the other, in the same pool
    monkeypatch.undo()
    monkeypatch.setattr(registry, "FINISHED", {})
    torch.set_num_threads(1)
    start(PAIR[1])
    assert run(PAIR[1]).metrics


def _die(key):
    os.kill(os.getpid(), 9)


def _sleep(key):
    time.sleep(60)


def workers():
    found = [p for p in psutil.Process().children() if p not in OTHERS]
    return [p for p in found if "loky" in " ".join(p.cmdline()) and "resource_tracker" not in str(p.cmdline())]


def test_start_returns_at_once_and_run_waits(two_threads, monkeypatch, capsys):
    """With one thread too, and the second call of ``start`` begins nothing twice. Who asks for progress sees a clock."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    start(*PAIR)
    assert [key[0] for key in registry.BEGUN] == list(PAIR) and not registry.FINISHED
    begun = dict(registry.BEGUN)
    start(*PAIR)
    assert registry.BEGUN == begun
    monkeypatch.setattr(registry, "_run", None)  # nothing runs here
    outcome = run(PAIR[1], progress=True)
    assert f"waiting for {PAIR[1]} 00:0" in capsys.readouterr().err
    assert outcome.record.experiment == PAIR[1] and "elbo_valid" in outcome.metrics
    assert run(PAIR[1]) is outcome and [key[0] for key in registry.BEGUN] == [PAIR[0]]


def test_other_settings_end_what_runs_with_the_old_ones(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_apart", _sleep)
    start(*PAIR)
    start(PAIR[0], seed=1)
    assert [(key[0], key[2]) for key in registry.BEGUN] == [(PAIR[0], 1)]
    deadline = time.monotonic() + 20
    while len(workers()) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers()) <= 1


def test_nothing_starts_on_a_gpu(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_begin", None)
    monkeypatch.setattr(registry, "check_device", str)
    start(*PAIR, device="cuda")
    assert not registry.BEGUN


def test_ctrl_c_while_waiting_ends_the_processes(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_apart", _sleep)
    start(*PAIR)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            run(PAIR[0])
    finally:
        signal.signal(signal.SIGINT, before)
    psutil.wait_procs(workers(), timeout=20)
    assert not registry.BEGUN and not workers()


def test_an_interrupt_of_another_cell_leaves_the_trainings_alone(two_threads, monkeypatch):
    """Jupyter interrupts a kernel's whole process group."""
    start(*PAIR)
    while not (found := workers()):
        time.sleep(0.1)
    psutil.wait_procs(found, timeout=8)  # time to come up: it may not die, so this lasts 8 seconds
    for worker in found:
        worker.send_signal(signal.SIGINT)
    assert all(run(id).record.status == "complete" for id in PAIR)


BEGIN = """
import os, time
from vbook.experiments import start, together
from tests.experiments.test_together import _sleep, workers
together._apart = _sleep
start("ch02-vae-2")
while not workers(): time.sleep(0.1)
print(workers()[0].pid, flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["", "os.kill(os.getpid(), 9)"], ids=["end of the script", "killed"])
def test_the_processes_end_with_their_parent(then):
    done = subprocess.run([sys.executable, "-c", BEGIN.format(then=then)], capture_output=True, text=True, timeout=60)
    worker = int(done.stdout)
    if psutil.pid_exists(worker):
        psutil.wait_procs([psutil.Process(worker)], timeout=20)
    assert not psutil.pid_exists(worker), done.stderr


def test_an_error_in_another_process_is_this_process_error(two_threads, tmp_path):
    nowhere = dict(profile="laptop", data_root=str(tmp_path / "nowhere"))
    start(*PAIR, **nowhere)
    with pytest.raises(VbookError, match="binarized-mnist"):
        run(PAIR[0], **nowhere)
    assert not registry.FINISHED


@pytest.mark.parametrize(
    ("asked", "variable", "drawn"), [(True, None, True), (True, "1", False), (True, "0", True), (False, None, False)]
)
def test_bars_are_drawn_when_asked_for_and_not_switched_off(monkeypatch, asked, variable, drawn):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if variable is not None:
        monkeypatch.setenv("TQDM_DISABLE", variable)
    assert registry.shows(asked) is drawn


def test_bad_arguments_start_nothing(two_threads, monkeypatch):
    monkeypatch.setattr(together, "_begin", None)
    with pytest.raises(VbookError, match="unknown experiment"):
        start("ch02-posterior", "ch02-nothing")
    with pytest.raises(VbookError, match="unknown profile"):
        start(*PAIR, profile="fast")
