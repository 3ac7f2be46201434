"""Figures 2.7a, 2.8 and 2.9: which latent sizes, which images, which seeds, and how seeds are averaged."""

import math
from types import SimpleNamespace

import pytest
import torch

from vbook.bounds import elbo_analytic_kl
from vbook.evaluation import Estimate
from vbook.experiments.chapter02 import pictures, rivals

TRAIN, VALID, TEST = torch.full((4, 3), 1.0), torch.full((2, 3), 2.0), torch.full((3, 3), 3.0)


def setup(name="frey-face", **settings):
    splits = dict(train=SimpleNamespace(x=TRAIN, name=name), valid=SimpleNamespace(x=VALID), test=SimpleNamespace(x=TEST))
    return SimpleNamespace(**splits, seed=5, lr=0.02, marks=(100, 300), **settings)


def shift(seed):
    """Seeds 5, 6, 7 end at different bounds, not in order."""
    return {5: 1.0, 6: 4.0, 7: -2.0}[seed]


class StubRun:
    """A run that ends with a model named by its seed, and whose two rows are the experiment's measure early and late."""

    stop, asked = -1, []

    def __init__(self, setup, method, x, z_dim, likelihood="bernoulli", seed=None):
        self.seed, self.architecture = seed, {"of": seed}
        StubRun.asked.append((method, x is TRAIN, z_dim, likelihood, seed))

    def train(self, rate, marks, measure):
        assert (rate, marks) == (0.02, (100, 300))
        rows = [measure(SimpleNamespace(seed=self.seed, late=late)) for late in (0, 1)]
        self.history = SimpleNamespace(
            steps=3, examples=300, interrupted=self.seed == self.stop, column=lambda name: [row[name] for row in rows]
        )
        return SimpleNamespace(seed=self.seed, late=1)


@pytest.fixture
def stub(monkeypatch):
    def evaluate(model, x, bound):
        assert bound is elbo_analytic_kl
        return Estimate(10 * x.mean().item() + 100 * model.late + shift(model.seed or 5), 0.25, len(x))

    monkeypatch.setattr(pictures, "Run", StubRun)
    monkeypatch.setattr(StubRun, "asked", [])
    monkeypatch.setattr(StubRun, "stop", -1)
    for module in (pictures, rivals):
        monkeypatch.setattr(module, "evaluate", evaluate)


def test_frey_2_averages_over_seeds_at_each_mark(stub):
    outcome = pictures.frey_2(setup(runs=3))
    error = math.sqrt((0 + 9 + 9) / 2 / 3)  # of 1, 4 and -2, whose mean is 1
    for end, mean in (("train", 10), ("test", 10 * (2 * 2 + 3 * 3) / 5)):  # valid and test frames, by number
        for at, late in (("early", 0), ("late", 100)):
            entry = outcome.metrics[f"elbo_{end}_{at}"]
            assert entry["mean"] == pytest.approx(mean + late + 1) and entry["standard_error"] == pytest.approx(error)
            assert (entry["n"], entry["unit"], entry["over"]) == (3, "nats", "seeds")
    assert len(outcome.metrics) == 4 and outcome.seeds == [5, 6, 7]
    assert (outcome.steps, outcome.examples, outcome.interrupted) == (9, 900, False)


def test_frey_2_keeps_a_curve_per_seed_and_draws_the_first_model(stub):
    outcome = pictures.frey_2(setup(runs=2))
    assert outcome.series == {
        "examples": [100, 300],
        "train_5": [11.0, 111.0],
        "train_6": [14.0, 114.0],
        "test_5": [27.0, 127.0],
        "test_6": [30.0, 130.0],
    }
    assert outcome.model.seed == 5 and outcome.architecture == {"of": 5}
    assert StubRun.asked == [("aevb", True, 2, "gaussian", 5), ("aevb", True, 2, "gaussian", 6)]


def test_frey_2_of_other_images_is_measured_on_test_images_alone(stub):
    metrics = pictures.frey_2(setup(name="photos", runs=1)).metrics
    assert metrics["elbo_test_early"] == {"mean": 31.0, "standard_error": None, "n": 1, "unit": "nats", "over": "seeds"}


def test_an_interrupted_seed_ends_frey_2(stub, monkeypatch):
    monkeypatch.setattr(StubRun, "stop", 6)
    outcome = pictures.frey_2(setup(runs=3))
    assert outcome.interrupted and outcome.steps == 6 and outcome.metrics == {} and outcome.model.seed == 5
    assert outcome.seeds == [5, 6, 7]


def test_faces_are_measured_on_validation_images(stub):
    outcome = pictures.faces(setup(name="lfw", z_dim=20))
    assert StubRun.asked == [("aevb", True, 20, "gaussian", None)]
    assert outcome.series == {"examples": [100, 300], "valid": [21.0, 121.0]}
    assert outcome.metrics == {"elbo_valid": {"mean": 121.0, "standard_error": 0.25, "n": 2, "unit": "nats"}}
    assert (outcome.steps, outcome.examples, outcome.architecture, outcome.model.late) == (3, 300, {"of": None}, 1)


def test_interrupted_faces_have_no_metric(stub, monkeypatch):
    monkeypatch.setattr(StubRun, "stop", None)
    outcome = pictures.faces(setup(name="lfw", z_dim=20))
    assert outcome.interrupted and outcome.metrics == {} and outcome.series["valid"] == [21.0, 121.0]


@pytest.mark.parametrize(("experiment", "z_dim"), [(pictures.vae_5, 5), (pictures.vae_10, 10)])
def test_figure_2_8_has_the_latent_sizes_of_its_panels(monkeypatch, experiment, z_dim):
    monkeypatch.setattr(pictures, "train_vae", lambda setup, z_dim: (setup, z_dim))
    monkeypatch.setattr(pictures, "with_bounds", lambda setup, outcome: (setup, outcome))
    assert experiment("here") == ("here", ("here", z_dim))
