"""Figures 2.5 and 2.6: the protocol that each run follows, how its rate is chosen, and where its numbers go."""

from types import SimpleNamespace

import pytest
import torch

from vbook.bounds import elbo_analytic_kl
from vbook.errors import Diverged, VbookError
from vbook.evaluation import summarize
from vbook.experiments import experiments
from vbook.experiments.chapter02 import rivals
from vbook.models import vae
from vbook.objectives import wake_sleep

X = (torch.rand(250, 4, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def setup(train=X, valid=X[:3], test=X[:5], name="digits", **settings):
    splits = dict(train=SimpleNamespace(x=train, name=name), valid=SimpleNamespace(x=valid), test=SimpleNamespace(x=test))
    return SimpleNamespace(**splits, seed=7, device="cpu", progress=False, resumable=lambda name: {}, hidden=3, **settings)


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture
def calls(monkeypatch):
    """What ``fit`` and ``fit_mcem`` were called with, in place of a training."""
    seen = []

    def record(model, x, *objective, **options):
        seen.append(SimpleNamespace(model=model, x=x, objective=objective, options=options))
        return SimpleNamespace(rows=[], interrupted=False, steps=0, examples=0)

    monkeypatch.setattr(rivals, "fit", record)
    monkeypatch.setattr(rivals, "fit_mcem", lambda *args, **options: record(*args, mcem=True, **options))
    return seen


def measure(model):
    return {}


@pytest.mark.parametrize("method", ["aevb", "wake_sleep"])
def test_a_run_trains_by_adagrad_on_minibatches_of_100(calls, method):
    run = rivals.Run(setup(), method, X, 2, "gaussian", seed=3)
    model = run.train(0.02, (100, 350, 600), measure)
    (call,) = calls
    expected = dict(steps=6, rows_at=[1, 3, 6], batch_size=100, lr=0.02, seed=3, evaluate=measure, progress=False)
    assert call.options == expected | {"optimizer": "adagrad", "weight_decay": 1 / 250}
    assert call.model is model and call.x is X and call.objective == (rivals.OBJECTIVES[method],)
    fresh = vae(4, 2, hidden=(3,), likelihood="gaussian", init_sd=0.1, seed=3)
    assert torch.equal(flat(model), flat(fresh)) and torch.equal(flat(vae(**run.architecture)), flat(fresh))


def test_the_methods_are_those_of_the_chapter():
    assert {"aevb": elbo_analytic_kl, "wake_sleep": wake_sleep} == rivals.OBJECTIVES


def test_monte_carlo_em_keeps_the_same_protocol(calls):
    run = rivals.Run(setup(), "mcem", X, 2)
    model = run.train(0.1, (100, 350, 600), measure)
    expected = dict(steps=6, rows_at=[1, 3, 6], batch_size=100, lr=0.1, seed=7, evaluate=measure, progress=False)
    assert calls[0].options == expected | {"mcem": True, "weight_prior": True} and not calls[0].objective
    assert calls[0].x is X and torch.equal(flat(model), flat(vae(4, 2, hidden=(3,), init_sd=0.1, seed=7)))


@pytest.mark.parametrize("method", ["aevb", "wake_sleep", "mcem"])
def test_a_run_has_a_row_at_each_mark(method):
    run = rivals.Run(setup(), method, X, 2)
    run.train(0.02, (100, 300, 400), lambda model: {"there": True})
    assert [row["there"] for row in run.history.rows] == [True] * 3
    assert run.history.examples == 350  # 250 data points: batches of 100, 100, 50, 100


def pilot_and_run(monkeypatch, pilots, late=()):
    """Scripted trainings: ``pilots`` maps a rate to its bounds in the two halves of the pilot, or None where it diverges there;
    the rates in ``late`` diverge later. Each training spoils the weights that it was given.
    """
    seen = []

    def fit(model, x, objective, *, lr, steps, rows_at, evaluate, **options):
        assert torch.equal(flat(model), flat(vae(4, 2, hidden=(3,), init_sd=0.1, seed=7)))
        with torch.no_grad():
            for p in model.parameters():
                p.add_(lr)
        seen.append((lr, steps))
        if evaluate is None:
            assert rows_at == [2, 5]
        if (pilots[lr] is None) if evaluate is None else (lr in late):
            raise Diverged("step 1: log p(x|z) is not finite")
        rows = [{"train": bound} for bound in pilots[lr]] if evaluate is None else [{"train": -1.0}]
        return SimpleNamespace(rows=rows, interrupted=pilots[lr] == (0, 0), lr=lr, steps=steps, examples=100 * steps)

    monkeypatch.setattr(rivals, "fit", fit)
    run = rivals.Run(setup(), "aevb", X, 2)
    return run, seen, lambda: run.train_at_the_best_rate(500, (1_000, 2_000), measure)


PILOTS = {0.01: (-1.0, -5.0), 0.02: (-9.0, -3.0), 0.1: (-2.0, -4.0)}


def test_the_rate_is_the_best_in_the_second_half_of_the_pilot(monkeypatch):
    run, seen, train = pilot_and_run(monkeypatch, PILOTS)
    model, rate = train()
    assert rate == 0.02 and seen == [(0.01, 5), (0.02, 5), (0.1, 5), (0.02, 20)]
    assert (run.history.lr, run.history.steps) == (0.02, 20)
    assert (run.steps, run.examples) == (35, 3_500), "the pilots count"
    torch.testing.assert_close(flat(model), flat(vae(4, 2, hidden=(3,), init_sd=0.1, seed=7)) + 0.02)


def test_a_rate_that_diverges_in_the_pilot_is_passed_over(monkeypatch):
    _, seen, train = pilot_and_run(monkeypatch, PILOTS | {0.02: None})
    assert train()[1] == 0.1 and seen[-1] == (0.1, 20) and len(seen) == 4


def test_a_rate_that_diverges_later_makes_room_for_the_second_best(monkeypatch):
    run, seen, train = pilot_and_run(monkeypatch, PILOTS, late=[0.02])
    assert train()[1] == 0.1 and seen[3:] == [(0.02, 20), (0.1, 20)] and run.history.lr == 0.1


@pytest.mark.parametrize(("pilots", "late"), [(dict.fromkeys(PILOTS), ()), (PILOTS, PILOTS)])
def test_a_method_that_diverges_at_every_rate_is_named(monkeypatch, pilots, late):
    *_, train = pilot_and_run(monkeypatch, pilots, late)
    with pytest.raises(Diverged, match="aevb with 2 latents diverges at every rate"):
        train()


def test_only_a_divergence_passes_a_rate_over(monkeypatch):
    """A full disk must not choose the step size."""
    *_, train = pilot_and_run(monkeypatch, PILOTS)
    monkeypatch.setattr(rivals.Run, "train", lambda *args: (_ for _ in ()).throw(VbookError("no space left")))
    with pytest.raises(VbookError, match="no space left"):
        train()


def test_an_interrupted_pilot_ends_the_search(monkeypatch):
    run, seen, train = pilot_and_run(monkeypatch, PILOTS | {0.02: (0, 0)})
    assert train() == (None, 0.02) and len(seen) == 2 and run.history.interrupted


def test_outside_is_what_was_left_out_of_training_and_of_choices():
    valid, test = torch.zeros(2, 4), torch.ones(3, 4)
    assert torch.equal(rivals.outside(setup(valid=valid, test=test, name="frey-face")), torch.cat([valid, test]))
    assert torch.equal(rivals.outside(setup(valid=valid, test=test, name="photos")), test)


class StubRun:
    """A run whose model is what it was asked for, with a history of two marks (t = 0, 1) made by the experiment's measure."""

    stop = None

    def __init__(self, setup, method, x, z_dim, likelihood="bernoulli", seed=None):
        self.asked = dict(method=method, x=x, z_dim=z_dim, likelihood=likelihood)

    def train_at_the_best_rate(self, pilot, marks, measure):
        assert (pilot, marks) == (500, (100, 200))
        rows = [measure(SimpleNamespace(t=t, **self.asked)) | {"acceptance": 0.9} for t in range(2)]
        self.steps, self.examples = 2, 200
        self.history = SimpleNamespace(
            interrupted=self.asked["method"] == self.stop, column=lambda name: [row[name] for row in rows]
        )
        return SimpleNamespace(t=1, **self.asked), {"aevb": 0.01, "wake_sleep": 0.02, "mcem": 0.1}[self.asked["method"]]


@pytest.fixture
def stub(monkeypatch):
    """Runs in place of trainings, and ``level``: the bound of each method and size, with large differences between images."""
    level = {("aevb", 3): 2.0, ("wake_sleep", 3): 0.0, ("aevb", 20): 4.0, ("wake_sleep", 20): 7.0}
    level |= {("aevb", 5): 9.0, ("wake_sleep", 5): 1.0}

    def bounds(model, x, bound):
        assert bound is elbo_analytic_kl
        return x[:, 0] + level[model.method, model.z_dim] + 100 * model.t

    monkeypatch.setattr(rivals, "Run", StubRun)
    monkeypatch.setattr(rivals, "per_datapoint", bounds)
    monkeypatch.setattr(rivals, "evaluate", lambda model, x, bound: SimpleNamespace(mean=bounds(model, x, bound).mean().item()))


TRAIN = torch.tensor([[1.0], [2.0], [4.0], [8.0]]).double()
TEST = torch.tensor([[16.0], [64.0], [256.0]]).double()


def compare(z_dim, **options):
    where = setup(TRAIN, TEST[:0], TEST, z_dim=z_dim, pilot=500, marks=(100, 200), points=2, **options)
    return rivals.compare_bounds(where, "gaussian")


@pytest.mark.parametrize(("z_dim", "advantage"), [(3, 2.0), (20, -3.0), (5, 8.0)])
def test_the_advantage_is_aevb_minus_wake_sleep_on_the_same_test_images(stub, z_dim, advantage):
    assert compare(z_dim).metrics["advantage"] == {"mean": advantage, "standard_error": 0.0, "n": 2, "unit": "nats"}


def test_each_method_has_its_bound_on_test_images(stub):
    wake_sleep = {"mean": 147.0, "standard_error": pytest.approx(24.0), "n": 2, "unit": "nats"}
    metrics = compare(20).metrics
    assert metrics["elbo_test_wake_sleep"] == wake_sleep and metrics["elbo_test_aevb"]["mean"] == 144.0


def test_curves_come_from_the_first_training_and_test_images(stub):
    outcome = compare(3)
    assert outcome.series == {
        "examples": [100, 200],
        "aevb_train": [3.5, 103.5],
        "aevb_test": [42.0, 142.0],
        "aevb_rate": [0.01],
        "wake_sleep_train": [1.5, 101.5],
        "wake_sleep_test": [40.0, 140.0],
        "wake_sleep_rate": [0.02],
    }
    assert (outcome.steps, outcome.examples, outcome.interrupted) == (4, 400, False)


@pytest.mark.parametrize(("experiment", "likelihood"), [("rivals_mnist", "bernoulli"), ("rivals_frey", "gaussian")])
def test_figure_2_5_trains_on_all_training_images_of_each_data_set(stub, monkeypatch, experiment, likelihood):
    asked = []

    class Watched(StubRun):
        def __init__(self, *args):
            super().__init__(*args)
            asked.append(self.asked)

    monkeypatch.setattr(rivals, "Run", Watched)
    where = setup(TRAIN, TEST[:0], TEST, z_dim=20, pilot=500, marks=(100, 200), points=2)
    getattr(rivals, experiment)(where)
    assert [(a["method"], a["z_dim"]) for a in asked] == [("aevb", 20), ("wake_sleep", 20)]
    assert all(a["x"] is TRAIN and a["likelihood"] == likelihood for a in asked)


def test_every_panel_of_figure_2_5_is_an_experiment():
    panels = {("mnist", z): (500, rivals.rivals_mnist) for z in (3, 5, 10, 20, 200)}
    panels |= {("frey", z): (200, rivals.rivals_frey) for z in (2, 5, 10, 20)}
    found = {name: one for name, one in experiments().items() if name.startswith(("ch02-rivals-mnist", "ch02-rivals-frey"))}
    assert found.keys() == {f"ch02-rivals-{data}-{z}" for data, z in panels}
    for (data, z), (hidden, function) in panels.items():
        one = found[f"ch02-rivals-{data}-{z}"]
        assert one.function is function and one.data == {"mnist": "binarized-mnist", "frey": "frey-face"}[data]
        assert {row["z_dim"] for row in one.profiles.values()} == {z}
        assert one.profiles["paper"]["hidden"] == hidden and one.profiles["paper"]["marks"][-1] == 10_000_000


def test_an_interrupted_rival_ends_the_comparison(stub, monkeypatch):
    monkeypatch.setattr(StubRun, "stop", "wake_sleep")
    outcome = compare(3)
    assert outcome.interrupted and (outcome.steps, outcome.examples) == (4, 400) and set(outcome.metrics) == {"elbo_test_aevb"}


@pytest.fixture
def between(monkeypatch):
    """Estimates that tell image, training set, method and time apart; the high one is half a nat above the low one."""

    def sandwich(model, x, draws, warm_up, seed):
        assert (draws, warm_up, seed, len(x)) == (16, 9, 7, 4)
        low = x[:, 0] + 1_000 * len(model.x) + 10_000 * ("aevb", "wake_sleep", "mcem").index(model.method) + 100_000 * model.t
        return low, low + 0.5

    monkeypatch.setattr(rivals, "Run", StubRun)
    monkeypatch.setattr(rivals, "sandwich", sandwich)
    where = dict(pilot=500, marks=(100, 200), points=2, draws=16, warm_up=9, z_dim=3)
    return lambda size: rivals.rivals_marginal(setup(TRAIN, TEST[:0], TEST, size=size, **where))


@pytest.mark.parametrize("n", [2, 4])
def test_figure_2_6_keeps_train_from_test_low_from_high_and_small_from_large(between, n):
    outcome = between(n)
    for k, method in enumerate(("aevb", "wake_sleep", "mcem")):
        for end, images in (("train", TRAIN[:2, 0]), ("test", TEST[:2, 0])):
            for side, more in (("low", 0.0), ("high", 0.5)):
                early = images + 1_000 * n + 10_000 * k + more
                assert outcome.series[f"{method}_{end}_{side}"] == [early.mean().item(), early.mean().item() + 100_000]
                assert outcome.metrics[f"{end}_{side}_{method}"] == summarize(early + 100_000).metric()
        # Each method's stub lies 10,000 nats above the one before.
        lead = {"mean": -10_000.0 * k, "standard_error": 0.0, "n": 2, "unit": "nats"}
        assert k == 0 or outcome.metrics[f"lead_{method}"] == lead
    rate = {"aevb": 0.01, "wake_sleep": 0.02, "mcem": 0.1}
    assert [outcome.series[f"{method}_rate"] for method in rate] == [[value] for value in rate.values()]
    assert outcome.series["acceptance"] == [0.9, 0.9]
    assert outcome.series["examples"] == [100, 200] and (len(outcome.series), len(outcome.metrics)) == (17, 14)
    assert (outcome.steps, outcome.examples, outcome.interrupted) == (6, 600, False)


def test_both_panels_of_figure_2_6_are_experiments_that_differ_in_size_alone():
    small, large = (experiments()[f"ch02-rivals-marginal-{name}"] for name in ("small", "large"))
    assert small.function is large.function is rivals.rivals_marginal
    assert (small.data, small.protocol) == (large.data, large.protocol) == ("binarized-mnist", "static")
    for profile, sizes in {"smoke": (100, 400), "laptop": (1_000, 50_000), "paper": (1_000, 50_000)}.items():
        one, other = (dict(panel.profiles[profile]) for panel in (small, large))
        assert (one.pop("size"), other.pop("size")) == sizes and one == other


def test_an_interrupted_method_ends_figure_2_6(between, monkeypatch):
    monkeypatch.setattr(StubRun, "stop", "mcem")
    outcome = between(2)
    assert outcome.interrupted and outcome.steps == 6 and len(outcome.metrics) == 8
