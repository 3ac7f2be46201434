"""What the replication report says of times, rivals and numba: the tools of each answer by scripted runs, then the records."""

import cProfile
import itertools
from statistics import fmean, stdev
from types import SimpleNamespace

import pytest
import torch

from vbook.experiments.chapter02 import rivals
from vbook.experiments.chapter12 import optimizers, profiler
from vbook.results import records, targets


def setup(**settings):
    x = torch.rand(30, 6, generator=torch.Generator().manual_seed(0)).round()
    part = SimpleNamespace(x=x, shape=(2, 3), name="scripted", select=None)
    splits = dict(train=part, valid=part, test=part)
    return optimizers.Setup(settings, 0, "cpu", "smoke", None, False, **splits)


def paired(record, one: str, other: str) -> tuple[float, float]:
    """What ``one`` takes more than ``other`` in rounds in which both had their turn, and its error; seconds."""
    more = [a - b for a, b in zip(record.series[one], record.series[other], strict=True)]
    return fmean(more), stdev(more) / len(more) ** 0.5


def test_claim_5_1_momentum_is_second_by_its_own_steps_and_not_told_from_adagrad_on_whole_trainings(monkeypatch):
    """Five scripted trainings whose second half takes known seconds: 10,000 updates of it are reported. Then the record."""
    cost, round_ = {"sgd": 1.0, "momentum": 2.0, "adagrad": 3.0, "adam": 5.0, "rmsprop": 8.0}, itertools.count()

    def scripted(setup, name, model, x, updates, *, optimizer, lr, rows, evaluate):
        late = 0.25 * (next(round_) // len(cost))
        ends = [{"step": updates // 2, "clock": 100.0}, {"step": updates, "clock": 100.0 + cost[optimizer] + late}]
        return SimpleNamespace(rows=ends, steps=updates, examples=9, interrupted=False)

    monkeypatch.setattr(optimizers, "ascend", scripted)
    found = optimizers.times(setup(hidden=3, z_dim=2, updates=40, rounds=3))
    for name, seconds in cost.items():
        entry = found.metrics[f"seconds_{name}"]
        assert entry["mean"] == pytest.approx((seconds + 0.25) * 10_000 / 20) and entry["n"] == 3
        assert entry["standard_error"] == pytest.approx(0.25 * 10_000 / 20 / 3**0.5)
    assert found.steps == 15 * 40

    for id in ("ch12-times.laptop", "ch12-times.paper"):
        record = records()[id]
        own = {name: record.metrics[f"own_{name}"]["mean"] for name in cost}
        assert sorted(own, key=own.get) == ["sgd", "momentum", "adagrad", "adam", "rmsprop"]
        more, error = paired(record, "seconds_adagrad", "seconds_momentum")
        assert abs(more) < 2 * error, "momentum isn't told from AdaGrad"
        more, error = paired(record, "seconds_rmsprop", "seconds_adam")
        assert more > 2 * error, "RMSprop is the dearest"
    more, error = paired(records()["ch12-times.paper"], "seconds_adam", "seconds_momentum")
    assert more > 2 * error, "at rest Adam takes more than momentum"
    more, error = paired(records()["ch12-times.laptop"], "seconds_adam", "seconds_momentum")
    assert abs(more) < 2 * error, "beside other programs they aren't told apart"
    theirs = {name: targets()[f"replication/times/{name}/seconds"]["value"] for name in cost}
    assert sorted(theirs, key=theirs.get)[:2] == ["sgd", "momentum"], "what the report's own table says"


def test_claim_5_2_aevb_ends_above_both_rivals_and_monte_carlo_em_leads_at_first(monkeypatch):
    """Three scripted runs with known log p(x) on each test image: the leads by hand. Then the records."""
    levels = {"aevb": 3.0, "wake_sleep": 1.0, "mcem": 2.5}

    class Scripted:
        def __init__(self, setup, method, x, z_dim):
            self.method, self.steps, self.examples, self.architecture = method, 2, 200, {}

        def train_at_the_best_rate(self, pilot, marks, measure):
            low = levels[self.method] + torch.arange(4.0).double() * (1 + (self.method == "mcem"))
            rows = {f"{end}_{side}": [low - 9, low + (side == "high")] for end in ("train", "test") for side in ("low", "high")}
            self.history = SimpleNamespace(interrupted=False, column=(rows | {"acceptance": [0.9, 0.9]}).__getitem__)
            return None, 0.02

    monkeypatch.setattr(rivals, "Run", Scripted)
    found = rivals.rivals_marginal(setup(size=8, points=4, marks=(100, 200), pilot=100, z_dim=2, draws=2, warm_up=1)).metrics
    assert found["lead_wake_sleep"]["mean"] == pytest.approx(2.0) and found["lead_wake_sleep"]["standard_error"] == 0
    assert found["lead_mcem"]["mean"] == pytest.approx(3.0 - 2.5 - 1.5)
    assert found["lead_mcem"]["standard_error"] == pytest.approx(torch.arange(4.0).std().item() / 2)

    bounds = [record for id, record in records().items() if "advantage" in record.metrics and id.endswith(".paper")]
    assert len(bounds) == 9 and all(record.metrics["advantage"]["mean"] > 8 for record in bounds)
    record = records()["ch02-rivals-marginal-small.paper"]
    for rival in ("wake_sleep", "mcem"):
        lead = record.metrics[f"lead_{rival}"]
        assert lead["mean"] > 3 * lead["standard_error"], "better"
    ahead = [a - b for a, b in zip(record.series["aevb_test_low"], record.series["mcem_test_low"], strict=True)]
    assert ahead[0] < -10 and ahead[1] < 0 < min(ahead[2:]), "faster, counted in images, it isn't"


def test_claim_7_python_leaves_numba_a_seventh_of_the_time_at_most(monkeypatch):
    """A scripted profile: what isn't Python's is inside. By that share, the most that taking Python away could gain."""
    spent = [("run_backward", 3.0), ("torch._C._nn.linear", 1.0), ("torch._foreach_add_", 0.5), ("torch.exp", 1.5), ("len", 1.0)]
    entries = [SimpleNamespace(code=f"<built-in method {name}>", inlinetime=t, callcount=2) for name, t in spent]
    entries.append(SimpleNamespace(code=profiler.shares.__code__, inlinetime=3.0, callcount=1))
    scripted = SimpleNamespace(runcall=lambda action: action(), getstats=lambda: entries)
    monkeypatch.setattr(cProfile, "Profile", lambda: scripted)
    expected = {"slopes": 0.3, "layers": 0.1, "optimizer": 0.05, "rest": 0.15, "python": 0.4, "calls": 2}
    assert profiler.shares(lambda: None) == pytest.approx(expected)

    theirs = targets()["replication/profile/compiled-share"]["value"]
    ours = records()["ch12-profile.laptop"].metrics
    assert 1 - theirs < 1 / 7, "by the report's own figure"
    assert ours["inside"]["mean"] + ours["python"]["mean"] == pytest.approx(1)
    assert 1.1 < 1 / theirs < 1.2 < 1 / ours["inside"]["mean"] < 1.5
