"""Posterior collapse and gradient variance: the KL of each latent, the ways and their seeds, and variances against formulas."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vbook.bounds import elbo, elbo_analytic_kl
from vbook.evaluation import Estimate
from vbook.experiments.chapter02 import challenges
from vbook.experiments.chapter02.challenges import gradient_variance, kl_per_latent
from vbook.models import vae
from vbook.objectives import annealed, free_bits
from vbook.score import score_function

X = (torch.rand(12, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()
VALID = X[:5].clone()
WAYS = ("plain", "warmup", "free_bits")


def test_kl_per_latent_is_the_formula():
    """KL(N(μ, σ²)||N(0, 1)) = (μ² + σ² − 1 − log σ²)/2, averaged over the images, for each latent."""
    model = vae(6, 3, hidden=(4,), init_sd=0.7, seed=1).double()
    mean, log_variance = model.encoder.net(X.double()).detach().chunk(2, -1)
    found = kl_per_latent(model, X.double())
    torch.testing.assert_close(found, (mean.square() + log_variance.exp() - 1 - log_variance).mean(0) / 2)
    assert found.shape == (3,) and not found.requires_grad


@pytest.fixture
def ways(monkeypatch):
    """Trainings that only name their model by way and seed; KLs, bounds and what ``fit`` was given."""
    seen = []

    def name_of(objective):
        return {elbo_analytic_kl: "plain", annealed: "warmup"}.get(objective, "free_bits")

    def fit(model, x, objective, *, evaluate, **options):
        model.way, model.seed = name_of(objective), options["seed"]
        seen.append(
            SimpleNamespace(way=model.way, x=x, objective=objective, options=options, weights=model.encoder.net[0].weight)
        )
        rows = [evaluate(model) for _ in range(options["epochs"])]
        stop = len(seen) == fit.stop
        return SimpleNamespace(steps=15, examples=50, interrupted=stop, column=lambda name: [row[name] for row in rows])

    def kl(model, x):
        assert x is VALID
        level = {"plain": [0.5, 0.05, 0.0], "warmup": [1.0, 2.0, 0.04], "free_bits": [0.25, 0.25, 0.25]}[model.way]
        return torch.tensor(level) + torch.tensor([model.seed - 5.0, 0.0, 0.0])

    def evaluate(model, x, bound):
        assert x is VALID and bound is elbo
        return Estimate(-100.0 * (1 + WAYS.index(model.way)) + {5: 0.0, 6: 4.0}[model.seed], 9.9, 5)

    fit.stop = None
    for name, stand_in in dict(fit=fit, kl_per_latent=kl, evaluate=evaluate, warmup=lambda half: ("warmup", half)).items():
        monkeypatch.setattr(challenges, name, stand_in)
    return seen, fit


def collapse(runs=2):
    splits = dict(train=SimpleNamespace(x=X), valid=SimpleNamespace(x=VALID), test=None)
    sizes = dict(images=10, batch_size=4, epochs=5, runs=runs, z_dim=3, hidden=(4, 4), lr=0.01, minimum=0.25, active=0.05)
    return challenges.collapse(
        SimpleNamespace(**splits, **sizes, seed=5, device="cpu", progress=False, resumable=lambda name: {"checkpoint": name})
    )


def test_collapse_counts_and_averages_each_way_over_the_seeds(ways):
    outcome = collapse()
    expected = {  # of seeds 5 and 6: total KLs, latents above 0.05, ELBOs
        "plain": ((0.55, 1.55), (1, 1), (-100, -96)),
        "warmup": ((3.04, 4.04), (2, 2), (-200, -196)),
        "free_bits": ((0.75, 1.75), (3, 3), (-300, -296)),
    }
    for way, values in expected.items():
        for (name, unit), (a, b) in zip((("kl", "nats"), ("active", "latents"), ("elbo", "nats")), values, strict=True):
            entry = outcome.metrics[f"{name}_{way}"]
            assert entry["mean"] == pytest.approx((a + b) / 2) and entry["standard_error"] == pytest.approx(abs(a - b) / 2)
            assert (entry["n"], entry["unit"], entry["over"]) == (2, unit, "seeds")
    assert len(outcome.metrics) == 9 and outcome.seeds == [5, 6]
    assert outcome.series["epoch"] == [1, 2, 3, 4, 5] and len(outcome.series) == 7
    assert outcome.series["warmup_6"] == [4.04] * 5 and outcome.series["plain_5"] == [0.55] * 5
    assert (outcome.steps, outcome.examples, outcome.interrupted) == (90, 300, False)


def test_the_three_ways_differ_in_their_objective_alone(ways):
    """Ten images in batches of four are three steps an epoch: warm-up lasts seven of the fifteen."""
    collapse()
    seen, _ = ways
    assert [(call.way, call.options["seed"]) for call in seen] == [(way, seed) for seed in (5, 6) for way in WAYS]
    for call in seen:
        assert torch.equal(call.x, X[:10])
        assert {k: call.options[k] for k in ("epochs", "batch_size", "lr")} == {"epochs": 5, "batch_size": 4, "lr": 0.01}
        start = vae(6, 3, hidden=(4, 4), activation="relu", seed=call.options["seed"])
        assert torch.equal(call.weights, start.encoder.net[0].weight)
        assert call.options["schedules"] == ({"beta": ("warmup", 7)} if call.way == "warmup" else None)
    assert len({call.options["checkpoint"] for call in seen}) == 6
    assert seen[2].objective.func is free_bits and seen[2].objective.keywords == {"minimum": 0.25}


def test_collapse_is_of_relu_networks(ways):
    assert isinstance(collapse(runs=1).model.encoder.net[1], nn.ReLU)


def test_an_interrupted_way_ends_collapse(ways):
    ways[1].stop = 2
    outcome = collapse()
    assert outcome.interrupted and outcome.metrics == {} and (outcome.steps, outcome.examples) == (30, 100)
    assert outcome.seeds == [5, 6] and set(outcome.series) == {"epoch", "plain_5"}


class OneParameter(nn.Module):
    """An encoder with a single weight m; the decoder's must stay out of the variance."""

    def __init__(self, m):
        super().__init__()
        self.encoder, self.decoder = nn.ParameterList([torch.tensor(m, dtype=torch.float64)]), nn.Linear(1, 1).double()

    def z(self, x, generator):
        return self.encoder[0] + torch.randn(len(x), generator=generator, dtype=torch.float64)


@pytest.fixture
def sizes_of_latents(monkeypatch):
    """Trainings that do nothing: after them a model of Z latents uses every second one, and its bound tells Z and seed apart."""
    seen = []

    def fit(model, x, objective, **options):
        seen.append((model.z_dim, model.seed, x, objective, options))
        return SimpleNamespace(steps=3, examples=30, interrupted=(model.z_dim, model.seed) == stop[0])

    def make(x_dim, z_dim, hidden, seed):
        model = SimpleNamespace(z_dim=z_dim, seed=seed, made=(x_dim, hidden))
        model.to = lambda device: model
        return model

    stop = [None]
    kl = {"kl_per_latent": lambda model, x: torch.tensor([0.1, 0.11] * (model.z_dim // 2))}
    bound = {"evaluate": lambda model, x, bound: SimpleNamespace(mean=-100.0 + model.z_dim + 3 * model.seed * (model.z_dim == 8))}
    for name, stand_in in (kl | bound | {"fit": fit, "vae": make}).items():
        monkeypatch.setattr(challenges, name, stand_in)
    splits = dict(train=SimpleNamespace(x=X), valid=SimpleNamespace(x=VALID), test=None)
    settings = dict(
        sizes=(2, 4, 8), hidden=7, images=10, batch_size=4, lr=0.01, active=0.1, epochs=2, runs=2, seed=5, device="cpu"
    )
    setup = SimpleNamespace(**splits, **settings, progress=False, resumable=lambda name: {"checkpoint": name})
    return lambda: challenges.latents_used(setup), seen, stop


def test_latents_in_use_are_counted_for_each_size_over_the_seeds(sizes_of_latents):
    measure, seen, _ = sizes_of_latents
    outcome = measure()
    for z_dim, bound in ((2, -98.0), (4, -96.0), (8, -75.5)):  # of seeds 5 and 6
        assert outcome.metrics[f"elbo_{z_dim}"]["mean"] == bound
        used = outcome.metrics[f"used_{z_dim}"]
        assert (used["mean"], used["n"], used["unit"], used["over"]) == (z_dim / 2, 2, "latents", "seeds")
    assert outcome.metrics["gain"] == pytest.approx(dict(mean=20.5, standard_error=1.5, n=2, unit="nats", over="seeds"))
    assert [(z, seed) for z, seed, *_ in seen] == [(z, seed) for seed in (5, 6) for z in (2, 4, 8)]
    names = {options.pop("checkpoint") for *_, options in seen}
    assert len(names) == 6, "each training has a checkpoint of its own"
    for _, seed, x, objective, options in seen:
        assert torch.equal(x, X[:10]) and objective is elbo
        assert options == dict(epochs=2, batch_size=4, lr=0.01, seed=seed, progress=False)
    assert (outcome.steps, outcome.examples, outcome.seeds) == (18, 180, [5, 6])


def test_an_interrupted_size_ends_the_count(sizes_of_latents):
    measure, _, stop = sizes_of_latents
    stop[0] = (4, 6)
    outcome = measure()
    assert outcome.interrupted and not outcome.metrics and outcome.steps == 15


def test_gradient_variance_of_known_slopes():
    """Slopes 1001, 1004, 1007 have variance 9 and 2, 4, 3 have 1, whatever the decoder's slopes do; an eighth is left out."""
    slopes = iter([1001.0, 1004.0, 1007.0, 2.0, 4.0, 3.0])

    def objective(model, x, generator):
        slope = next(slopes)
        return slope * model.encoder[0] + slope**2 * model.decoder.weight[0] + x[:, 0]

    assert gradient_variance(OneParameter(0.5), torch.zeros(4, 1).double(), objective, 8, 3, None).tolist() == pytest.approx(
        [9, 1]
    )


@pytest.mark.parametrize("m", [0.0, 1.5])
def test_gradient_variance_of_a_solvable_problem(m):
    """z = m + ε and f(z) = −z²/2 for 4 images: the reparameterised slope −z has variance 1/4; the score function's f(z) ε has
    (E[z⁴ε²]/4 − m²)/4 = ((m⁴ + 18 m² + 15)/4 − m²)/4. Their fourth moments set the tolerance of four standard errors.
    """
    model, x, repeats = OneParameter(m), torch.zeros(4, 1).double(), 3_000

    def reparameterized(model, x, generator):
        return -model.z(x, generator).square() / 2

    def score(model, x, generator):
        z = model.z(x, generator).detach()
        return -z.square() / 2 * (-(z - model.encoder[0]).square() / 2)

    found = gradient_variance(model, x, reparameterized, repeats, repeats, torch.Generator().manual_seed(1)).item()
    assert abs(found / 0.25 - 1) < 4 * math.sqrt(2 / repeats)
    g = torch.Generator().manual_seed(1)
    eps = torch.stack([torch.randn(4, generator=g, dtype=torch.float64) for _ in range(repeats)])
    slopes = (-(m + eps).square() / 2 * eps).mean(1)
    found = gradient_variance(model, x, score, repeats, repeats, torch.Generator().manual_seed(1)).item()
    assert found == pytest.approx(slopes.var().item())
    error = (slopes - slopes.mean()).square().std().item() / math.sqrt(repeats)
    assert abs(found - ((m**4 + 18 * m**2 + 15) / 4 - m**2) / 4) < 4 * error


def test_gradient_variance_is_that_of_the_stacked_gradients_of_the_encoder():
    model, g = vae(6, 2, hidden=(4,), init_sd=0.5, seed=1), torch.Generator().manual_seed(2)
    found = gradient_variance(model, X, elbo, 7, 7, g).item()
    g, rows = torch.Generator().manual_seed(2), []
    for _ in range(7):
        model.zero_grad()
        elbo(model, X, generator=g).mean().backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.encoder.parameters()]))
    assert found == pytest.approx(torch.stack(rows).double().var(0).sum().item(), rel=1e-5)


def test_gradient_variance_leaves_frozen_weights_out():
    model = vae(6, 2, hidden=(4,), init_sd=0.5, seed=1)
    model.encoder.net[0].requires_grad_(False)
    g = torch.Generator().manual_seed(2)
    part = gradient_variance(model, X, elbo, 7, 7, g)
    assert 0 < part < gradient_variance(model.requires_grad_(), X, elbo, 7, 7, g.manual_seed(2))


def test_ratios_are_score_function_over_reparameterization(monkeypatch):
    """Known variances for each estimator and model, in two blocks; the reference is 2 before training and 4 ± 1 after."""
    trained = {
        z: SimpleNamespace(architecture=dict(x_dim=6, z_dim=z, hidden=(4,), seed=z), model=f"trained {z}") for z in (2, 20)
    }
    monkeypatch.setattr(challenges, "vae", lambda **architecture: SimpleNamespace(to=lambda device: architecture))
    seeds = []

    def variance(model, x, objective, repeats, block, generator):
        assert torch.equal(x, X[:10]) and (repeats, block) == (30, 15) and objective.keywords["samples"] == 5
        seeds.append(generator.initial_seed())
        z_dim = int(model.split()[1]) if isinstance(model, str) else model["z_dim"]
        if not isinstance(model, str):
            assert model == trained[z_dim].architecture
        if objective.func is elbo:
            return torch.tensor([3.0, 5.0] if isinstance(model, str) else [2.0, 2.0])
        assert objective.func is score_function
        return {"none": torch.tensor([30.0, 50.0]), "leave-one-out": torch.tensor([8.0, 8.0])}[
            objective.keywords.get("baseline", "none")
        ] * z_dim

    monkeypatch.setattr(challenges, "gradient_variance", variance)
    where = SimpleNamespace(train=SimpleNamespace(x=X), seed=7, device="cpu", images=10, samples=5, repeats=30, block=15)
    where.run = lambda id: trained[int(id.removeprefix("ch02-vae-"))]
    outcome = challenges.gradients(where)
    expected = {f"score_untrained_{z}": 20.0 * z for z in (2, 20)} | {f"score_trained_{z}": 10.0 * z for z in (2, 20)}
    expected |= {f"baseline_untrained_{z}": 4.0 * z for z in (2, 20)} | {f"baseline_trained_{z}": 2.0 * z for z in (2, 20)}
    relative = {"score_un": 1 / 4, "score_tr": math.hypot(1 / 4, 1 / 4), "baseline_un": 0.0, "baseline_tr": 1 / 4}
    assert set(outcome.metrics) == set(expected)
    for name, entry in outcome.metrics.items():
        error = next(share for start, share in relative.items() if name.startswith(start)) * expected[name]
        assert (entry["mean"], entry["standard_error"]) == pytest.approx((expected[name], error))
        assert (entry["n"], entry["unit"], entry["over"]) == (2, "times", "blocks")
    assert set(seeds) == {7}
