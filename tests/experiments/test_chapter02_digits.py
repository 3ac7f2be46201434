"""The metrics of chapter 2's experiments, on weights that are known: signs, groups and means."""

import math
from types import SimpleNamespace

import pytest
import torch

from vbook.bounds import terms
from vbook.evaluation import evaluate
from vbook.experiments.chapter02 import digits
from vbook.experiments.registry import Outcome
from vbook.models import vae

ROWS = 3


def setup(**settings):
    x = torch.zeros(10, 4)
    split = SimpleNamespace(x=x)
    trained = SimpleNamespace(model="model", steps=0)
    return SimpleNamespace(train=split, valid=split, test=split, seed=0, z_dim=2, run=lambda id: trained, **settings)


@pytest.fixture
def weights(monkeypatch):
    """16 known log weights for each of three images, in place of a model's."""
    log_w = torch.randn(16, ROWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 100
    monkeypatch.setattr(digits, "all_log_weights", lambda model, x, samples, seed: log_w[:samples])
    return log_w


def test_marginal_averages_disjoint_groups_and_reports_the_gap(weights):
    outcome = digits.marginal(setup(points=ROWS, samples=16))
    w = weights.exp()
    by_four = [w[start::4].mean(0).log().mean().item() for start in range(4)]  # samples l, l + 4, l + 8, l + 12
    assert outcome.series["L"] == [1, 4, 16]
    assert outcome.series["bound"] == pytest.approx(
        [weights.mean().item(), sum(by_four) / 4, w.mean(0).log().mean().item()], abs=1e-3
    )
    assert outcome.series["standard_error"][1] == pytest.approx(torch.tensor(by_four).std().item() / 2, abs=1e-3)
    gap = w.mean(0).log() - weights.mean(0)
    assert outcome.metrics["gap"]["mean"] == pytest.approx(gap.mean().item())
    assert outcome.metrics["gap"]["standard_error"] == pytest.approx(gap.std().item() / math.sqrt(ROWS))
    assert outcome.metrics["elbo_test"]["mean"] == pytest.approx(weights.mean().item())


def test_the_error_of_the_largest_l_is_the_scatter_of_its_quarters(weights):
    outcome = digits.marginal(setup(points=ROWS, samples=16))
    quarters = [weights[k::4].exp().mean(0).log().mean().item() for k in range(4)]  # unflatten(0, (4, 4)) takes every fourth
    error = torch.tensor(quarters).std().item() / 2
    assert outcome.metrics["monte_carlo_error"]["mean"] == pytest.approx(error, abs=1e-3)
    assert outcome.series["standard_error"][-1] == outcome.metrics["monte_carlo_error"]["mean"]


def test_importance_weighted_reports_each_size(weights, monkeypatch):
    seen = []

    def train(setup, z_dim, objective, images, curve):
        assert images == 8
        seen.append(objective(None, torch.zeros(2, 4), generator=None))
        return SimpleNamespace(model=None, series={"epoch": [1], "train": [-1.0]}, steps=2, examples=4, interrupted=False)

    monkeypatch.setattr(digits, "iwae", lambda model, x, samples, generator: samples)
    monkeypatch.setattr(digits, "elbo", lambda model, x, samples, generator: -samples)
    monkeypatch.setattr(digits, "train_vae", train)
    outcome = digits.importance_weighted(setup(points=ROWS, samples=16, images=8))
    assert seen == [1, -20, 5, 20] and outcome.steps == 8
    assert outcome.metrics["log_px_L5"]["mean"] == pytest.approx(weights.exp().mean(0).log().mean().item())
    assert outcome.metrics["elbo_L20"]["mean"] == pytest.approx(weights.mean().item())


def test_gains_are_paired_differences_of_the_right_runs(monkeypatch):
    """Each run's weights are constant and known: 1 for L = 1, 3 for the control, 4 for L = 5, 8 for L = 20."""
    level = {("iwae", 1): 1.0, ("elbo", 20): 3.0, ("iwae", 5): 4.0, ("iwae", 20): 8.0}
    monkeypatch.setattr(digits, "iwae", lambda model, x, samples, generator: ("iwae", samples))
    monkeypatch.setattr(digits, "elbo", lambda model, x, samples, generator: ("elbo", samples))

    def train(setup, z_dim, objective, images, curve):
        model = level[objective(None, None, generator=None)]
        return SimpleNamespace(model=model, series={"epoch": [1], "train": [-1.0]}, steps=2, examples=4, interrupted=False)

    monkeypatch.setattr(digits, "train_vae", train)
    image = torch.tensor([0.0, -50.0, 20.0], dtype=torch.float64)  # large differences between images cancel in pairs
    monkeypatch.setattr(digits, "all_log_weights", lambda model, x, samples, seed: (image + model).expand(samples, ROWS))
    metrics = digits.importance_weighted(setup(points=ROWS, samples=16, images=8)).metrics
    assert metrics["gain_samples"]["mean"] == pytest.approx(2.0) and metrics["gain_bound"]["mean"] == pytest.approx(5.0)
    assert metrics["gain_bound"]["standard_error"] == pytest.approx(0.0, abs=1e-9)


def test_bounds_come_from_the_right_images_and_terms(monkeypatch):
    model = vae(4, 2, hidden=(3,))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3)
    outcome = Outcome({}, model=model, architecture=dict(x_dim=4, z_dim=2, hidden=(3,)))
    train, valid = torch.zeros(6, 4), torch.ones(5, 4)
    where = SimpleNamespace(train=SimpleNamespace(x=train), valid=SimpleNamespace(x=valid), device="cpu")
    metrics = digits.with_bounds(where, outcome).metrics
    with torch.no_grad():
        pieces = terms(model, valid, 1, torch.Generator().manual_seed(0))
    assert metrics["reconstruction_valid"]["mean"] == pytest.approx(pieces["log_px_z"].mean().item(), rel=1e-5)
    assert metrics["elbo_valid"]["mean"] == pytest.approx(evaluate(model, valid).mean, rel=1e-5)
    assert metrics["elbo_train"]["mean"] == pytest.approx(evaluate(model, train).mean, rel=1e-5)
    untrained = evaluate(vae(4, 2, hidden=(3,)), valid).mean
    assert metrics["elbo_untrained"]["mean"] == pytest.approx(untrained, rel=1e-5) and metrics["elbo_train"]["n"] == 6


@pytest.fixture
def bounds(monkeypatch):
    """The full-covariance model lies one nat above the factorised one on every image."""
    monkeypatch.setattr(
        digits,
        "train_vae",
        lambda setup, z_dim, objective, posterior: SimpleNamespace(
            model=posterior, series={"epoch": [1], "valid": [-1.0]}, steps=1, examples=2, interrupted=posterior == setup.stop
        ),
    )
    monkeypatch.setattr(
        digits, "per_datapoint", lambda model, x, bound, samples: torch.tensor([-5.0, -7.0]) + (model == "full-covariance")
    )


def test_gain_is_what_full_covariance_adds(bounds):
    outcome = digits.posterior(setup(stop=None))
    assert outcome.metrics["gain"] == {"mean": 1.0, "standard_error": 0.0, "n": 2, "unit": "nats"}
    assert outcome.metrics["elbo_factorized"]["mean"] == -6 and outcome.steps == 2


def test_an_interrupted_first_model_ends_the_experiment(bounds):
    outcome = digits.posterior(setup(stop="factorized"))
    assert outcome.interrupted and outcome.steps == 1 and "gain" not in outcome.metrics
