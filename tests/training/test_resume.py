"""A run that was cut off goes on bit for bit, wherever that was; a checkpoint that doesn't fit is refused."""

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import deque
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from vbook import checkpoints, paths
from vbook.bounds import elbo, elbo_analytic_kl
from vbook.descriptions import describe_function, describe_model, describe_schedule
from vbook.errors import Diverged, VbookError
from vbook.mcem import fit_mcem
from vbook.models import vae
from vbook.networks import GaussianDecoder
from vbook.objectives import annealed, with_weight_prior
from vbook.training import decay, fit, fit_many, loop, warmup

X = (torch.rand(60, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()
GREY = torch.rand(60, 12, generator=torch.Generator().manual_seed(1))


class Cut(Exception):
    """Stands for a kill between two steps."""


def small(seed=1):
    return vae(12, 2, hidden=(6,), seed=seed)


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def cut_after(steps):
    def on_step(step, bound):
        if step == steps:
            raise Cut

    return on_step


WAYS = {
    "adam": dict(),
    "adagrad": dict(optimizer="adagrad", lr=0.02, weight_decay=1 / 60),
    "sgd": dict(optimizer="sgd", lr=decay(0.01, 5)),
    "momentum": dict(optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True}, lr=0.01),
    "rmsprop": dict(optimizer={"name": "rmsprop", "alpha": 0.9, "momentum": 0.5, "centered": True}, lr=1e-3),
    "amsgrad": dict(optimizer={"name": "adam", "betas": (0.8, 0.9), "amsgrad": True}),
    "schedule": dict(objective=annealed, schedules={"beta": warmup(9)}),
    "binarize": dict(x=GREY, binarize=True),
    "average": dict(average=0.8, evaluate=lambda m: {"valid": flat(m).sum().item()}),
    "tensor rows": dict(evaluate=lambda m: {"each": elbo(m, X[:3], generator=torch.Generator().manual_seed(0)).detach()}),
    "patience": dict(evaluate=lambda m: {"valid": -abs(flat(m).sum().item())}, patience=2, epochs=6),
}


def run(way, **more):
    options = dict(epochs=3, batch_size=16, seed=4) | WAYS[way] | more
    model = small()
    objective = options.pop("objective", elbo)
    history = fit(model, options.pop("x", X), objective, **options)
    return model, history


def same_rows(a, b):
    assert len(a) == len(b)
    for row, other in zip(a, b, strict=True):
        assert row.keys() == other.keys()
        assert all(torch.equal(torch.as_tensor(row[k]), torch.as_tensor(other[k])) for k in row)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("steps", [1, 3, 4, 6, 11])
def test_a_run_cut_off_after_any_step_ends_as_if_it_had_not_been(way, steps, tmp_path):
    """Four steps an epoch: inside the first epoch, at its end, inside the second, before the end of the third."""
    whole, history = run(way)
    file = tmp_path / "run.safetensors"
    with pytest.raises(Cut):
        run(way, checkpoint=file, save_every=0, on_step=cut_after(steps + 1))
    resumed, again = run(way, checkpoint=file)
    assert torch.equal(flat(resumed), flat(whole))
    same_rows(again.rows, history.rows)
    assert (again.steps, again.examples, again.stopped) == (history.steps, history.examples, history.stopped)
    if history.averaged is not None:
        assert torch.equal(flat(again.averaged), flat(history.averaged)) and not torch.equal(flat(whole), flat(history.averaged))


def test_what_is_saved_is_older_than_the_cut(tmp_path):
    """The test above would pass with a run that begins anew; here the checkpoint holds step 6, and the rest is two steps."""
    file, seen = tmp_path / "run.safetensors", []
    with pytest.raises(Cut):
        run("adam", epochs=2, checkpoint=file, save_every=0, on_step=cut_after(7))
    run("adam", epochs=2, checkpoint=file, on_step=lambda step, bound: seen.append(step))
    assert seen == [7, 8]
    run("adam", epochs=2, checkpoint=file, on_step=lambda step, bound: seen.append(step))  # a run that has ended stays so
    assert seen == [7, 8]


def test_a_longer_run_goes_on_and_a_shorter_one_is_refused(tmp_path):
    file = tmp_path / "run.safetensors"
    run("adam", epochs=2, checkpoint=file)
    longer, history = run("adam", epochs=3, checkpoint=file)
    assert torch.equal(flat(longer), flat(run("adam")[0])) and len(history.rows) == 3
    with pytest.raises(VbookError, match="has gone 12 steps, more than the 4 asked for"):
        run("adam", epochs=1, checkpoint=file)
    model = vae(12, 2, hidden=(6,), seed=1)
    start = flat(model)
    with pytest.raises(VbookError, match="has gone 12 steps"):
        fit(model, X, elbo, epochs=1, batch_size=16, seed=4, checkpoint=file)
    assert torch.equal(flat(model), start), "nothing is put into a model whose run is refused"


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_monte_carlo_em_resumes_with_its_chains_and_its_step_size(steps, tmp_path):
    def em(**more):
        model = small()
        return model, fit_mcem(model, X, epochs=2, batch_size=16, updates=2, leapfrogs=3, **more)

    whole, history = em()
    calls = []

    def cut(step):
        calls.append(step)
        if len(calls) == steps + 1:
            raise Cut

    file = tmp_path / "em.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        real = checkpoints.Checkpoint.write
        patch.setattr(checkpoints.Checkpoint, "write", lambda self, state: (cut(state["done"]), real(self, state)))
        with pytest.raises(Cut):
            em(checkpoint=file, save_every=0)
    resumed, again = em(checkpoint=file)
    assert torch.equal(flat(resumed), flat(whole)) and torch.equal(again.chains, history.chains)
    assert (again.rows, again.step_size, again.steps) == (history.rows, history.step_size, history.steps)


SCRIPT = """
import sys, torch
from vbook.bounds import elbo
from vbook.models import vae
from vbook.training import fit
x = (torch.rand(60, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()
model = vae(12, 2, hidden=(6,), seed=1)
print("ready", flush=True)
history = fit(model, x, elbo, epochs=150, batch_size=16, seed=4, checkpoint=sys.argv[1], save_every=0)
print("end", float(sum(p.double().abs().sum() for p in model.parameters())).hex(), len(history.rows), flush=True)
"""


def test_twenty_kills_at_random_moments_leave_the_same_end(tmp_path):
    """SIGKILL, as when memory runs out: in the middle of steps and of writing. The end is that of a run nobody killed."""

    def begin(file):
        return subprocess.Popen([sys.executable, "-c", SCRIPT, str(file)], stdout=subprocess.PIPE, text=True)

    moments, kills = random.Random(0), 0
    file = tmp_path / "killed.safetensors"
    for _ in range(20):
        process = begin(file)
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.12))
        process.send_signal(signal.SIGKILL)
        kills += "end" not in process.communicate()[0]
    assert kills >= 15  # else the moments were no test
    ends = [begin(path).communicate()[0].splitlines()[-1] for path in (file, tmp_path / "whole.safetensors")]
    assert ends[0] == ends[1] and ends[0].startswith("end") and ends[0].endswith(" 150")
    assert {path.name for path in tmp_path.iterdir()} == {file.name, "whole.safetensors"}  # what kills left half written is swept


def test_a_budget_stops_at_a_checkpoint_and_the_next_call_goes_on(tmp_path):
    file, calls = tmp_path / "run.safetensors", 0
    while True:
        model, history = run("adam", checkpoint=file, budget=1e-9)  # one step a call
        calls += 1
        if not history.interrupted:
            break
        assert history.steps == calls
    assert calls == 12 and torch.equal(flat(model), flat(run("adam")[0]))
    with pytest.raises(VbookError, match="a budget is a time"):
        run("adam", budget="soon")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(batch_size=8), "batch_size is 16 there and 8 here"),
        (dict(seed=5), "seed is 4 there and 5 here"),
        (dict(lr=0.5), "lr is 0.001 there and 0.5 here"),
        (dict(x=1 - X), "data is 60×12 float32, sha256 .* there and 60×12 float32, sha256"),
        (dict(x=X[:50]), "data is 60×12 .* there and 50×12"),
        (dict(weight_decay=0.1), "weight_decay is 0.0 there and 0.1 here"),
        (dict(average=0.5), "average is None there and 0.5 here"),
        (dict(patience=2, watch="train"), "patience is None there and 2 here"),
        (dict(lr=warmup(3)), r"lr is 0.001 there and 0 at step 1, 0.333333 at 2, 1 at 10"),
        (dict(schedules={"samples": lambda step: 1}), r"schedules samples is absent there and 1 at step 1"),
        (dict(rows_at=[4]), r"rows_at is None there and \[4\] here"),
        (dict(binarize=True), "binarize is False there and True here"),
        (dict(optimizer="sgd"), "optimizer is adam there and sgd here"),
        (dict(optimizer={"name": "adam", "eps": 1e-6}), r"optimizer is adam there and adam\(eps=1e-06\) here"),
        (dict(objective=elbo_analytic_kl), r"objective is elbo\(\) there|objective is elbo there and elbo_analytic_kl here"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_with_the_difference(change, words, tmp_path):
    file = tmp_path / "run.safetensors"
    run("adam", checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(VbookError, match=words):
        run("adam", checkpoint=file, **change)
    assert file.read_bytes() == before


def test_what_patience_listens_to_is_part_of_the_run(tmp_path):
    file, options = tmp_path / "run.safetensors", dict(patience=2, watch="valid")
    run("adam", checkpoint=file, evaluate=lambda m: {"valid": 1.0}, **options)
    with pytest.raises(VbookError, match=r"evaluate is lambda.* there and lambda"):
        run("adam", checkpoint=file, evaluate=lambda m: {"valid": 2.0}, **options)
    run("adam", checkpoint=tmp_path / "other", evaluate=lambda m: {"valid": 1.0})
    run("adam", checkpoint=tmp_path / "other", evaluate=lambda m: {"valid": 2.0})  # here it only measures


def test_a_schedule_is_known_by_its_values(tmp_path):
    """Two warm-ups have the same name and the same type."""
    file = tmp_path / "run.safetensors"
    run("adam", objective=annealed, schedules={"beta": warmup(3)}, checkpoint=file)
    run("adam", objective=annealed, schedules={"beta": warmup(3)}, checkpoint=file)
    with pytest.raises(VbookError, match=r"beta is 0 at step 1, 0.333333 at 2, .* there and 0 at step 1, 0.5 at 2"):
        run("adam", objective=annealed, schedules={"beta": warmup(2)}, checkpoint=file)


def test_only_what_was_left_half_written_is_swept(tmp_path):
    """A checkpoint named "env" lies beside somebody's .env.local."""
    names = (".env.local", ".env.12345678", ".envy.abcdefgh.unfinished", "env.unfinished", ".env.2.abcdefgh.unfinished")
    theirs = [tmp_path / name for name in names]
    ours = tmp_path / ".env.k3j4h5g6.unfinished"
    for file in (*theirs, ours):
        file.write_text("kept")
    run("adam", epochs=1, checkpoint=tmp_path / "env")
    assert [file.read_text() for file in theirs] == ["kept"] * 5 and not ours.exists()


def test_a_budget_spent_with_the_last_row_of_patience_is_no_interruption(tmp_path):
    values = iter([2.0, 1.0, 1.0])
    options = dict(patience=1, rows_at=[1, 2], watch="valid", evaluate=lambda m: {"valid": next(values)})
    _, first = run("adam", checkpoint=tmp_path / "a", budget=1e-9, **options)
    assert first.interrupted and not first.stopped
    _, second = run("adam", checkpoint=tmp_path / "a", budget=1e-9, **options)
    assert second.stopped and not second.interrupted


def test_a_checkpoint_of_another_model_or_version_is_refused(tmp_path, monkeypatch):
    file, wider = tmp_path / "run.safetensors", vae(12, 2, hidden=(7,), seed=1)
    run("adam", checkpoint=file)
    start = flat(wider)
    with pytest.raises(VbookError, match=r"model encoder.net.0.weight is 6×12 float32 there and 7×12 float32 here"):
        fit(wider, X, elbo, epochs=3, batch_size=16, seed=4, checkpoint=file)
    assert torch.equal(flat(wider), start)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "FORMAT", 4)
        with pytest.raises(VbookError, match="format is 3 there and 4 here"):
            run("adam", checkpoint=file)
    monkeypatch.setattr(checkpoints.torch, "__version__", "99.0.0")
    with pytest.raises(VbookError, match=r"torch is .* there and 99\.0\.0 here"):
        run("adam", checkpoint=file)


def with_facts(facts) -> bytes:
    from safetensors.torch import save

    return save({"weight": torch.ones(2)}, {"facts": json.dumps(facts)})


FOREIGN = [with_facts(facts) for facts in ({}, [], {"run": [], "state": {}}, {"run": {}, "state": 3})]


@pytest.mark.parametrize("content", [b"", b"no tensors", None, *FOREIGN])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(content, tmp_path):
    file = tmp_path / "run.safetensors"
    if content is None:  # one of ours, cut short by a full disk of somebody else's making
        run("adam", checkpoint=file)
        content = file.read_bytes()[:-40]
    file.write_bytes(content)
    with pytest.raises(VbookError, match="not a checkpoint of ours"):
        run("adam", checkpoint=file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_checkpoint_damaged_on_the_disk_is_never_trained_on(share, tmp_path):
    file = tmp_path / "run.safetensors"
    run("adam", checkpoint=file, epochs=1)
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 1  # one bit
    file.write_bytes(content)
    with pytest.raises(VbookError, match="damaged"):
        run("adam", checkpoint=file)
    assert file.read_bytes() == content


def test_a_home_folder_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run("adam", checkpoint="~/run.safetensors", epochs=1)
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def test_numbers_of_numpys_are_numbers(tmp_path):
    _, history = run("adam", evaluate=lambda m: {"valid": np.float32(1.5), "good": np.True_}, checkpoint=tmp_path / "run")
    assert run("adam", evaluate=lambda m: {}, checkpoint=tmp_path / "run")[1].rows == history.rows


def test_columns_that_look_alike_are_kept_apart(tmp_path):
    columns = {"a.b": torch.ones(2), "a": {"b": torch.zeros(2)}}
    run("adam", evaluate=lambda m: columns, checkpoint=tmp_path / "run", epochs=1)
    _, history = run("adam", evaluate=lambda m: columns, checkpoint=tmp_path / "run")
    assert len(history.rows) > 1
    for row in history.rows:
        assert torch.equal(row["a.b"], columns["a.b"]) and torch.equal(row["a"]["b"], columns["a"]["b"])


def test_what_a_checkpoint_cannot_hold_is_told_at_the_first_row(tmp_path):
    rows = []
    with pytest.raises(VbookError, match=r"can't hold row\.odd, a ndarray"):
        run("adam", evaluate=lambda m: {"odd": np.ones(2)}, on_epoch=lambda m, row: rows.append(row), checkpoint=tmp_path / "run")
    for odd, words in (({1: 2.0}, "which has the key 1"), (torch.eye(3).to_sparse(), r"a tensor of layout torch\.sparse_coo")):
        with pytest.raises(VbookError, match=rf"can't hold row\.odd, {words}"):
            run("adam", evaluate=lambda m, odd=odd: {"odd": odd}, checkpoint=tmp_path / "run")
    assert not rows and not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    file = tmp_path / "run.safetensors"
    run("adam", epochs=1, checkpoint=file)
    before, real = file.read_bytes(), os.fsync

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(
        VbookError, match=r"can't be written \(No space left on device; .* bytes\), the one before it is as it was"
    ):
        run("adam", epochs=2, checkpoint=file)
    monkeypatch.setattr(paths.os, "fsync", real)
    assert file.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("where", ["/proc/nope/run.safetensors", "folder"])
def test_a_place_for_no_checkpoint_is_named_before_the_first_step(where, tmp_path):
    steps = []
    path = tmp_path if where == "folder" else where
    with pytest.raises(
        VbookError, match="is a folder; a checkpoint is a file" if where == "folder" else "no checkpoint can be written there"
    ):
        run("adam", checkpoint=path, on_step=lambda step, bound: steps.append(step))
    assert steps == []


def test_checkpoints_are_as_far_apart_as_asked(tmp_path, monkeypatch):
    """Twelve steps, one a second by this clock: saved after 5 and 10, and at the end; a budget counts anew in each sitting."""
    clock, saved = [0.0], []
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])
    real = checkpoints.Checkpoint.write
    monkeypatch.setattr(checkpoints.Checkpoint, "write", lambda self, state: (saved.append(state["done"]), real(self, state)))

    def tick(step, bound):
        clock[0] += 1

    _, history = run("adam", checkpoint=tmp_path / "a", save_every=5, on_step=tick)
    assert saved == [5, 10, 12] and history.seconds == 12
    sittings = []
    while not sittings or sittings[-1].interrupted:
        sittings.append(run("adam", checkpoint=tmp_path / "b", budget=5, on_step=tick)[1])
    assert [(h.steps, h.seconds) for h in sittings] == [(5, 5), (10, 10), (12, 12)]


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    """A finite bound whose slope is not: the square root at zero."""
    file, calls = tmp_path / "run.safetensors", []

    def cusp(model, batch, generator):
        calls.append(1)
        edge = sum((p * 0).sum() for p in model.parameters())
        return elbo(model, batch, generator=generator) + (edge.sqrt() if len(calls) == 7 else 0)

    with pytest.raises(VbookError, match="is not finite any more; the checkpoint before"):
        run("adam", objective=cusp, checkpoint=file, save_every=0)
    with safe_open(file, "pt") as saved:
        assert json.loads(saved.metadata()["facts"])["state"]["done"] == 6


def test_after_nan_the_last_good_checkpoint_is_there(tmp_path):
    file, calls = tmp_path / "run.safetensors", []

    def spoiled(model, batch, generator):
        calls.append(1)
        return elbo(model, batch, generator=generator) * (float("nan") if len(calls) == 7 else 1)

    with pytest.raises(VbookError, match="step 7"):
        run("adam", objective=spoiled, checkpoint=file, save_every=0)
    with safe_open(file, "pt") as saved:
        facts = json.loads(saved.metadata()["facts"])
    assert facts["state"]["done"] == 6


@pytest.mark.parametrize("checkpoint", [True, False])
def test_weights_that_the_last_update_spoils_are_a_divergence(checkpoint, tmp_path):
    """There is no bound after the last step that would tell; nor before a save in the middle."""

    def spoiling(model, x, generator):
        return elbo(model, x, generator=generator) + 0 * model.decoder.net[0].weight.sum().sqrt()

    model = small()
    with torch.no_grad():
        model.decoder.net[0].weight.zero_()  # the square root is 0 there and its slope infinite
    file = tmp_path / "run" if checkpoint else None
    with pytest.raises(Diverged, match=r"decoder.net.0.weight is not finite|not finite any more"):
        fit(model, X, spoiling, steps=1, batch_size=16, checkpoint=file)
    assert not checkpoint or not file.exists()


def enclosing(weight, inner):
    return lambda model, x, generator: weight * inner(model, x, generator=generator)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (enclosing(1.0, elbo), enclosing(2.0, elbo)),
        (enclosing(1.0, elbo), enclosing(1.0, elbo_analytic_kl)),
        (partial(elbo, samples=1), partial(elbo, samples=2)),
        (with_weight_prior(elbo, 60), with_weight_prior(elbo, 30)),
    ],
)
def test_objectives_are_told_apart_by_what_they_enclose(one, other, tmp_path):
    file = tmp_path / "run"
    run("adam", objective=one, checkpoint=file)
    run("adam", objective=one, checkpoint=file)
    with pytest.raises(VbookError, match=r"objective is .* there and"):
        run("adam", objective=other, checkpoint=file)


def test_descriptions_are_the_same_in_the_next_process():
    """No address of an object is in them."""
    known = describe_function(partial(with_weight_prior(elbo, 3), inner=elbo, f=lambda x: [y for y in x if y], model=small()))
    assert re.fullmatch(r"penalized\[\w{8}, generator=None, 3, elbo\]\(f=lambda\[\w{8}\], inner=elbo, model=VAE \w{8}\)", known)
    told = (
        "from vbook.descriptions import describe_function; print(describe_function(lambda x: (lambda y: y in {'a', 'b', 'c'})))"
    )
    said = {subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(said) == 1 and said != {""}


def test_code_defaults_and_contents_tell_functions_apart():
    def recursive(x):
        return recursive(x)

    data = torch.ones(2)
    functions = [lambda m: elbo(m), lambda m: elbo_analytic_kl(m), lambda m, k=1: elbo(m), lambda m, k=2: elbo(m), recursive]
    functions += [enclosing(value, elbo) for value in ([1], [2], {"a": 1}, {"a": 2}, data, 2 * data)]
    for of in (np.float32, np.int64, lambda k: np.full(3, k), lambda k: np.array([k], dtype=object)):
        functions += [partial(elbo, samples=of(k)) for k in (3, 5)] + [enclosing(of(k), elbo) for k in (3, 5)]
    told = [describe_function(f) for f in functions]
    assert len(set(told)) == len(told) - 4, "np.float32(3) and np.int64(3) are one number, plain or enclosed"


def test_equal_numbers_are_one_option():
    told = {describe_function(partial(elbo, samples=value)) for value in (1, 1.0, np.float64(1), np.int64(1), np.float32(1))}
    assert told == {"elbo(samples=1)"}
    assert describe_function(partial(elbo, samples=True)) == "elbo(samples=True)"


def test_seeds_and_options_of_numpys_can_be_saved(tmp_path):
    for _ in range(2):  # begun, and found again
        run("adam", seed=np.int64(4), checkpoint=tmp_path / "one")
        fit_mcem(vae(12, 2, hidden=(6,), seed=1), X, epochs=1, seed=np.int64(4), checkpoint=tmp_path / "mcem")
        models = [vae(12, 2, hidden=(6,), seed=1) for _ in "ab"]
        options = {"beta": [np.float32(0.5), torch.tensor(1.0)]}
        for together in (True, False):
            where = dict(checkpoint=tmp_path / f"{together}", together=together)
            fit_many(models, X, annealed, epochs=1, options=options, **where)


def test_a_schedule_is_told_by_all_of_its_values():
    drops = [lambda step, at=at: 0.1 if step < at else 0.01 for at in (11, 19, 400, 500, 3_500, 100_001)]
    told = [describe_schedule(f) for f in drops]
    assert len(set(told)) == len(told)
    assert "0.1 at 100, 0.01 at 1000, 0.01 at 10000, in all " in told[2]
    for table in ({1: 0.1, 2: 0.2}.get, [0.0, 0.1, 0.2].__getitem__):
        assert describe_schedule(table) == describe_schedule({1: 0.1, 2: 0.2}.__getitem__)
    assert describe_schedule(lambda step: 1j) == describe_schedule([].__getitem__)


def test_describing_a_schedule_leaves_everything_as_it_was():
    counting = iter(range(1, 10))
    with pytest.raises(VbookError, match="must be a function of the step alone to be saved"):
        describe_schedule(lambda step: 0.1 / next(counting))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    describe_schedule(lambda step: 0.1 if torch.rand(1) < 2 else 0.0)
    assert torch.rand(1) == expected


GLOBAL, OTHER = 0.5, 0.5


def reads_a_global(model, x, generator=None):
    return GLOBAL * elbo(model, x, generator=generator)


class Settings:
    __slots__ = ("beta",)

    def __init__(self, beta):
        self.beta = beta


class Weighted:
    def __init__(self, beta):
        self.beta = beta

    def __call__(self, model, x, generator=None):
        return self.beta * elbo(model, x, generator=generator)


def keyword_only(beta):
    def objective(model, x, *, beta=beta, generator=None):
        return beta * elbo(model, x, generator=generator)

    return objective


class OfClass:
    beta = 0.5

    def __call__(self, model, x, generator=None):
        return self.factor() * elbo(model, x, generator=generator)

    def factor(self):
        return self.beta


def with_class(beta):
    return type("Mine", (OfClass,), {"beta": beta})


def with_helper(beta):
    return type("Mine", (OfClass,), {"factor": (lambda self: 0.5) if beta < 1 else (lambda self: 3.0)})()


class Bent(nn.Module):
    def __init__(self, slope):
        super().__init__()
        self.slope, self.layer = slope, nn.Linear(2, 2)

    def forward(self, x):
        return self.slope * self.layer(x)


def bent(slope):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Bent(slope)


APART = {
    "class": lambda beta: enclosing(with_class(beta), elbo),
    "attribute of a class": lambda beta: with_class(beta)(),
    "method that another one calls": with_helper,
    "range": lambda beta: enclosing(range(int(2 * beta)), elbo),
    "slice": lambda beta: enclosing(slice(int(2 * beta)), elbo),
    "type of numbers": lambda beta: enclosing(torch.float32 if beta < 1 else torch.float64, elbo),
    "deque": lambda beta: enclosing(deque([beta]), elbo),
    "long list": lambda beta: enclosing([0.0] * 20_000 + [beta], elbo),
    "network with an attribute": lambda beta: enclosing(bent(beta), elbo),
    "share of dropout": lambda beta: enclosing(nn.Dropout(beta / 4), elbo),
    "conjugate": lambda beta: enclosing(torch.full((2,), beta + 1j).conj(), elbo),
    "keyword-only default": keyword_only,
    "object in a closure": lambda beta: enclosing(SimpleNamespace(beta=beta), elbo),
    "object with slots": lambda beta: enclosing(Settings(beta), elbo),
    "object that is called": Weighted,
    "method": lambda beta: Weighted(beta).__call__,
    "network in a closure": lambda beta: enclosing(vae(12, 2, hidden=(6,), seed=int(2 * beta)), elbo),
    "tensor of another type": lambda beta: partial(elbo, samples=torch.full((2,), beta, dtype=torch.bfloat16)),
    "reversed array": lambda beta: partial(elbo, samples=(beta * np.arange(4.0))[::-1]),
    "big-endian array": lambda beta: partial(elbo, samples=np.full(2, beta, dtype=">f8")),
}


@pytest.mark.parametrize("way", APART)
def test_whatever_decides_the_numbers_tells_objectives_apart(way):
    one, same, other = (describe_function(APART[way](beta)) for beta in (0.5, 0.5, 3.0))
    assert one == same != other and len(one) < 1_000


def test_a_model_is_told_by_what_its_modules_do(tmp_path):
    told = [describe_model(bent(slope)) for slope in (0.5, 0.5, 3.0)]
    assert told[0] == told[1] != told[2]
    on_units, on_levels = (GaussianDecoder(2, 8, (5,), sigmoid_mean=kind) for kind in (False, True))
    assert describe_model(on_units)["layers"] != describe_model(on_levels)["layers"]


def test_a_global_that_an_objective_reads_is_part_of_it(monkeypatch):
    before = describe_function(reads_a_global)
    monkeypatch.setitem(globals(), "OTHER", 3.0)
    assert describe_function(reads_a_global) == before
    monkeypatch.setitem(globals(), "GLOBAL", 3.0)
    assert describe_function(reads_a_global) != before


def test_the_weights_that_are_trained_are_no_part_of_the_objective():
    model = small()
    inside = enclosing(model.decoder, elbo)
    before = describe_function(inside, model)
    with torch.no_grad():
        next(model.decoder.parameters()).add_(1)
    assert describe_function(inside, model) == before and describe_function(inside) != describe_function(inside, model)


def test_copies_trained_together_are_no_part_of_the_objective(tmp_path):
    models = [small(), small()]

    def reads_all(model, x, generator):
        return elbo(model, x, generator=generator) if models else None

    for epochs in (1, 2):
        histories = fit_many(models, X, reads_all, epochs=epochs, together=True, checkpoint=tmp_path / "both")
    assert [len(history.rows) for history in histories] == [2, 2]


def test_what_is_not_there_yet_or_not_one_by_one():
    def early():
        return late

    assert "empty" in describe_function(early)
    late = 1
    assert "empty" not in describe_function(early)
    with pytest.raises(VbookError, match=r"can't tell tensors of layout torch\.sparse_coo"):
        describe_function(partial(elbo, samples=torch.ones(2).to_sparse()))


def test_half_precision_can_be_resumed(tmp_path):
    models = [small().bfloat16() for _ in "ab"]
    whole = fit(models[0], X.bfloat16(), epochs=2, lr=1e-3, checkpoint=tmp_path / "a").rows
    fit(models[1], X.bfloat16(), epochs=1, lr=1e-3, checkpoint=tmp_path / "b")
    assert fit(models[1], X.bfloat16(), epochs=2, lr=1e-3, checkpoint=tmp_path / "b").rows == whole


def test_another_activation_is_another_model(tmp_path):
    file = tmp_path / "run"
    run("adam", checkpoint=file)
    with pytest.raises(VbookError, match=r"layers is .*Tanh.* there and .*ReLU"):
        fit(vae(12, 2, hidden=(6,), activation="relu", seed=1), X, elbo, epochs=3, batch_size=16, seed=4, checkpoint=file)


def test_nothing_of_a_checkpoint_is_pickled(tmp_path):
    file = tmp_path / "run.safetensors"
    run("tensor rows", checkpoint=file)
    with safe_open(file, "pt") as saved:
        facts = json.loads(saved.metadata()["facts"])
        assert set(facts) == {"run", "state"} and facts["run"]["batch_size"] == 16
    with pytest.raises(VbookError, match=r"can't hold row.odd, a object"):
        run("adam", evaluate=lambda m: {"odd": object()}, checkpoint=tmp_path / "other.safetensors")
