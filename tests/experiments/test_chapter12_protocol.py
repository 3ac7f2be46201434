"""The replication's protocol and the functions behind its experiments, against closed forms and counting."""

import collections
import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.distributions import kl_divergence

from vbook.bounds import elbo_analytic_kl
from vbook.distributions import FactorizedNormal
from vbook.errors import Diverged, VbookError
from vbook.experiments import run
from vbook.experiments.chapter12 import bounds, codes, estimators, frey, optimizers, profiler, simulated
from vbook.experiments.chapter12.protocol import OPTIMIZERS, ascend, both_parts, network
from vbook.models import LinearGaussian
from vbook.training.optimizers import optimizer_for

X = (torch.rand(250, 6, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def setup(train=X, valid=X[:30], test=X[:50], **settings):
    splits = {k: SimpleNamespace(x=v, name="digits") for k, v in dict(train=train, valid=valid, test=test).items()}
    return SimpleNamespace(
        **splits, seed=7, device="cpu", progress=False, resumable=lambda name: {"checkpoint": None, "budget": None}, **settings
    )


def flat(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("likelihood", ["bernoulli", "sigmoid-gaussian", "linear-gaussian"])
def test_every_weight_is_a_draw_of_the_given_width(likelihood):
    before = torch.get_rng_state()
    model = network(200, 3, 100, likelihood, init_sd=0.01, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert abs(flat(model).std().item() / 0.01 - 1) < 0.02 and abs(flat(model).mean().item()) < 2e-4
    assert flat(model).abs().min() < 1e-5, "biases too, and none at zero"
    assert torch.equal(flat(model), flat(network(200, 3, 100, likelihood, init_sd=0.01, seed=1)))
    assert not torch.equal(flat(model), flat(network(200, 3, 100, likelihood, init_sd=0.01, seed=2)))


def test_the_mean_of_a_linear_gaussian_leaves_the_unit_interval():
    z = torch.zeros(1, 2)
    for likelihood, expected in (("linear-gaussian", 150.0), ("sigmoid-gaussian", 1.0)):
        model = network(4, 2, 3, likelihood)
        with torch.no_grad():
            model.decoder.net[-1].bias[:4] = 150.0
        assert model.decode(z).mean.mean().item() == pytest.approx(expected, rel=1e-3)


def test_an_unknown_likelihood_is_named():
    with pytest.raises(VbookError, match="did you mean 'linear-gaussian'"):
        network(4, 2, 3, "linear-gausian")


def test_adagrad_has_its_floor_under_the_root():
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_for(OPTIMIZERS["adagrad"], [weight], 0.02, 0.0, weight.device)
    slope = torch.tensor([1e-5, 1e-3, 1.0], dtype=torch.float64)
    weight.grad = slope
    optimizer.step()
    torch.testing.assert_close(1 - weight.detach(), 0.02 * slope / (1e-6 + slope**2).sqrt(), rtol=1e-6, atol=0)


def test_averaged_momentum_is_momentum_at_another_step():
    weight, averaged, velocity = torch.zeros(2, requires_grad=True), torch.zeros(2), torch.zeros(2)
    optimizer = optimizer_for(OPTIMIZERS["momentum"], [weight], 0.01, 0.0, torch.device("cpu"))
    for slope in torch.randn(20, 2, generator=torch.Generator().manual_seed(0)):
        velocity = 0.9 * velocity + 0.1 * slope
        averaged -= 0.1 * velocity
        weight.grad = slope
        optimizer.step()
    torch.testing.assert_close(weight.detach(), averaged)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_climbs(optimizer):
    model = network(6, 2, 5, "bernoulli", init_sd=0.1)
    rate = {"sgd": 0.05, "momentum": 0.01, "adagrad": 0.1}.get(optimizer, 0.01)
    x = (torch.rand(250, 6, generator=torch.Generator().manual_seed(1)) < 0.1).float()  # worth −1.95 nats, −4.16 at the start
    history = ascend(setup(), "run", model, x, 200, optimizer=optimizer, lr=rate)
    assert len(history.rows) == 20 and history.steps == 200
    assert history.rows[-1]["train"] > history.rows[0]["train"] + 0.5


def test_a_cut_off_run_goes_on_as_if_it_had_not_been(tmp_path):
    def train(budget):
        model = network(6, 2, 5, "bernoulli", init_sd=0.1, seed=3)
        s = setup()
        s.resumable = lambda name: {"checkpoint": tmp_path / f"{name}.safetensors", "budget": budget}
        return model, ascend(s, f"run-{budget is None}" if budget == "never" else "run", model, X, 400, seed=2)

    whole = network(6, 2, 5, "bernoulli", init_sd=0.1, seed=3)
    ascend(setup(), "whole", whole, X, 400, seed=2)
    _, first = train(0.05)
    model, second = train(None)
    assert first.interrupted and not second.interrupted and second.steps == 400
    assert torch.equal(flat(model), flat(whole))


def test_both_parts_are_one_after_the_other():
    assert torch.equal(both_parts(setup()), torch.cat([X, X[:30]]))


def test_the_bound_is_the_first_part_minus_the_second():
    model = network(6, 2, 5, "bernoulli", init_sd=0.5)
    g = [torch.Generator().manual_seed(1) for _ in range(2)]
    pieces = bounds.reconstruction_and_kl(model, X, g[0])
    torch.testing.assert_close(pieces[:, 0] - pieces[:, 1], elbo_analytic_kl(model, X, 1, g[1]))
    torch.testing.assert_close(pieces[:, 1], kl_divergence(model.encode(X), model.prior()))
    found = bounds.parts_on(X)(model)
    assert found["kl"] == pytest.approx(pieces[:, 1].mean().item(), rel=1e-5)


def test_the_experiment_on_bounds_is_consistent():
    row = dict(hidden=8, sizes=(2, 3), updates=40, runs=2, points=30, samples=20)
    found = bounds.bounds(setup(**row))
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    for z in (2, 3):
        assert m[f"reconstruction_test_{z}"] - m[f"kl_test_{z}"] == pytest.approx(m[f"elbo_test_{z}"], abs=1e-4)
        assert m[f"log_px_test_{z}"] - m[f"elbo_test_{z}"] == pytest.approx(m[f"gap_test_{z}"], abs=1e-4)
    assert m["least_gain"] == pytest.approx(m["bound_3"] - m["bound_2"], abs=1e-6)
    assert m["bound_mean"] == pytest.approx((m["bound_2"] + m["bound_3"]) / 2, abs=1e-6)
    assert found.seeds == [7, 8] and found.steps == 2 * 2 * 2 * 40 and found.model.z_dim == 2


def test_without_latents_is_the_best_gaussian_for_each_pixel():
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)).double() * torch.tensor([0.5, 1.0, 3.0, 60.0])
    one = torch.distributions.Normal(x.mean(0), x.std(0, correction=0))
    assert frey.without_latents(x) == pytest.approx(one.log_prob(x).sum(1).mean().item())
    assert frey.without_latents(x / 256) == pytest.approx(frey.without_latents(x) + frey.shift(4, 256.0))


def test_a_started_decoder_gives_the_bound_without_latents():
    x = 40 * torch.rand(300, 6, generator=torch.Generator().manual_seed(0)) + 100
    model = network(6, 2, 5, "linear-gaussian", init_sd=1e-6)
    frey.start_at(model, x)
    bound = elbo_analytic_kl(model, x, 1, torch.Generator().manual_seed(1)).mean().item()
    assert bound == pytest.approx(frey.without_latents(x), abs=1e-3)


def test_saturation_counts_first_units_in_the_flat_of_the_tanh():
    model = network(2, 1, 3, "linear-gaussian")
    with torch.no_grad():
        first = model.encoder.net[0]
        first.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
        first.bias.zero_()
    x = torch.tensor([[5.0, 0.1], [0.2, 5.0]])  # units 5, 0.1, -5 and 0.2, 5, -0.2
    assert frey.saturation(model, x) == pytest.approx(0.5)
    model.encoder.net = nn.Sequential(frey.Scaled(0.01), *model.encoder.net)
    assert frey.saturation(model, x) == 0


def test_the_experiments_on_faces_are_consistent():
    x = torch.rand(120, 6, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    row = dict(hidden=8, thesis_hidden=9, z_dim=2, updates=40, points=100)
    m = {key: entry["mean"] for key, entry in frey.frey_scale(setup(train=x, **row)).metrics.items()}
    for name in frey.SETUPS:
        assert m[f"unit_{name}"] - m[f"raw_{name}"] == pytest.approx(6 * math.log(256), abs=1e-3)
    assert m["unit_started"] == pytest.approx(m["unit_without_latents"], abs=1.0) and m["unit_started"] > m["unit_raw"]
    starts = {name: m[f"saturated_start_{name}"] for name in frey.SETUPS}
    assert starts["started_small_step"] == starts["raw"] > 0.1, "it starts as the report does"
    assert starts["started_small_start"] == starts["small_input"] == 0
    found = frey.frey(setup(train=x, hidden=8, sizes=(2, 3), updates=40, points=100))
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    assert m["unit_3"] - m["bound_3"] == pytest.approx(6 * math.log(256), abs=1e-3)
    assert m["least_gain"] == pytest.approx(m["bound_3"] - m["bound_2"], abs=1e-3)


def test_the_second_training_goes_on_from_the_first():
    x = torch.rand(120, 6, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    row = dict(train=x, hidden=8, sizes=(2, 3), updates=40, points=100)
    once, again = frey.frey(setup(**row)), frey.frey_again(setup(**row))
    m = {key: entry["mean"] for key, entry in again.metrics.items()}
    for z_dim in (2, 3):
        assert m[f"first_{z_dim}"] == once.metrics[f"bound_{z_dim}"]["mean"], "the first part is the report's figure 1"
        curve = again.series[f"train_{z_dim}"]
        assert curve[20] > curve[0] + 100, "the second doesn't start anew"
        assert again.series[f"reconstruction_{z_dim}"][-1] == pytest.approx(m[f"reconstruction_{z_dim}"], abs=0.01)
    assert m["least_gain"] == pytest.approx(m["reconstruction_3"] - m["reconstruction_2"], abs=1e-3)
    assert again.series["updates"] == list(range(2, 81, 2)) and again.steps == 160


def test_the_expected_best_by_counting_all_orders():
    values = torch.tensor([-3.0, -1.0, -7.5, -2.0])
    orders = torch.tensor(list(itertools.permutations(values.tolist())), dtype=torch.float64)
    torch.testing.assert_close(optimizers.expected_best(values), orders.cummax(1).values.mean(0))


def test_the_best_step_runs_from_seeds_that_did_not_choose_it(monkeypatch):
    """Scripted runs: the bound is a peak over the step, sgd's largest step diverges, and each seed adds its own number."""
    seen = []

    def scripted(setup, name, model, x, updates, *, optimizer, lr, seed):
        seen.append((optimizer, lr, seed))
        if optimizer == "sgd" and lr == 1e-2:
            raise Diverged("step 3: not finite")
        bound = -2.0 - abs(math.log10(lr) + 2.5) - 0.01 * seed
        return SimpleNamespace(
            rows=[{"train": bound, "step": 5}], steps=5, examples=500, interrupted=False, column=lambda k: [bound]
        )

    monkeypatch.setattr(optimizers, "ascend", scripted)
    found = optimizers.optimizers(setup(hidden=3, z_dim=2, updates=5, trials=3, runs=2))
    assert found.series["trials_sgd"][2] == pytest.approx(-6 * math.log(2), abs=1e-3), "a run that diverged counts as its start"
    for name in OPTIMIZERS:
        best = found.metrics[f"rate_{name}"]["mean"]
        assert [(rate, seed) for other, rate, seed in seen if other == name][3:] == [(best, 8), (best, 9)]
        assert found.metrics[f"bound_{name}"]["n"] == 2
    gains = [found.metrics[f"bound_{b}"]["mean"] - found.metrics[f"bound_{a}"]["mean"] for a, b in
             itertools.pairwise(optimizers.CLAIMED)]  # fmt: skip
    assert found.metrics["least_step"]["mean"] == pytest.approx(min(gains))


def test_the_truth_about_simulated_data():
    g = torch.Generator().manual_seed(0)
    coins, normal = (simulated.draw_points(kind, (4_000, 50), g).double() for kind in ("coins", "normal"))
    assert set(coins.unique().tolist()) == {0.0, 1.0} and coins.mean().item() == pytest.approx(0.5, abs=0.005)
    assert 50 * simulated.TRUTH["coins"] == pytest.approx(-34.657, abs=1e-3)
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(normal).sum(1)
    assert abs(log_p.mean().item() - 50 * simulated.TRUTH["normal"]) < 4 * log_p.std().item() / math.sqrt(4_000)


def test_no_bound_exceeds_the_truth_on_fresh_points():
    found = simulated.simulated(setup(hidden=20, z_dim=2, images=300, x_dim=20, updates=150))
    for kind in simulated.TRUTH:
        fresh, truth = found.metrics[f"{kind}_fresh"], found.metrics[f"{kind}_truth"]["mean"]
        assert fresh["mean"] < truth + 4 * fresh["standard_error"] and fresh["mean"] > 1.1 * truth


def spin():
    count = 0
    for _ in range(10**6):  # no call inside: it would be built-in
        count += 1


def test_shares_of_time_go_where_it_was_spent():
    weight, many = torch.ones(400, 400, requires_grad=True), torch.ones(2000, 1000, requires_grad=True)
    adagrad, many.grad = optimizer_for("adagrad", [many], 0.02, 0.0, many.device), torch.ones_like(many)
    big = torch.ones(2000, 400)

    def slopes():
        nn.functional.linear(big, weight).sum().backward()

    def bare(times):
        bound = nn.functional.linear(big, weight).sum()
        for _ in range(times):
            torch.autograd.Variable._execution_engine.run_backward(
                (bound,), (torch.ones(()),), True, False, (), allow_unreachable=True, accumulate_grad=True
            )

    def layers():
        for _ in range(50):
            nn.functional.linear(big, weight)

    def steps():
        for _ in range(20):
            adagrad.step()

    slopes()
    expected = {
        "slopes": (lambda: bare(30), 30),
        "layers": (layers, 0),
        "optimizer": (steps, 0),
        "rest": (lambda: [torch.tanh(big).exp() for _ in range(30)], 0),
        "python": (spin, 0),
    }
    found = profiler.shares(lambda: sorted(range(10**6), key=lambda k: -k))
    assert found["python"] > 0.99, "Python's own built-in functions are Python"
    for kind, (action, calls) in expected.items():
        found = profiler.shares(action)
        assert found.pop("calls") == calls and max(found, key=found.get) == kind, kind
        assert sum(found.values()) == pytest.approx(1.0)


def test_a_training_is_profiled_whole_and_after_one_minibatch():
    record = run("ch12-profile").record
    metrics = record.metrics
    assert record.steps == 1 + 3 * (20 + 1), "one that nobody watches, then rounds of twenty updates and of one"
    assert metrics["calls"]["mean"] == 60.0, "each update of the whole training computes its slopes once"
    for prefix in ("", "one_"):
        kinds = [metrics[f"{prefix}{kind}"]["mean"] for kind in ("slopes", "layers", "optimizer", "rest", "python")]
        assert sum(kinds) == pytest.approx(1.0) and min(kinds) > 0
        assert metrics[f"{prefix}inside"]["mean"] == pytest.approx(1 - kinds[-1])
    assert metrics["slopes"]["mean"] > metrics["one_slopes"]["mean"], "to begin takes a larger share than an update's slopes"


def test_the_optimizers_own_steps_are_timed_in_both_forms(monkeypatch):
    ticks, taken = itertools.count(), collections.Counter()
    for kind in (torch.optim.SGD, torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.Adam):

        def step(self, plain=kind.step):
            taken[type(self).__name__, self.defaults.get("fused"), self.defaults["foreach"]] += 1
            return plain(self)

        monkeypatch.setattr(kind, "step", step)
    found = optimizers._own_steps(network(6, 2, 3, "bernoulli"), 3, 5, lambda: next(ticks))
    names = [f"{form}_{name}" for name in OPTIMIZERS for form in ("own", "own_foreach")]
    assert found == {name: [10_000 / 5] * 3 for name in names}
    once = 1 + 3 * 5  # the step that makes the state, then three rounds of five
    expected = {(name, *form): once for name in ("Adagrad", "Adam") for form in ((True, None), (None, True))}
    expected |= {("SGD", True, None): 2 * once, ("SGD", None, True): 2 * once}  # with momentum and without
    expected |= {("RMSprop", None, True): 2 * once}  # it has no fused form
    assert taken == expected


def test_scatter_of_a_solvable_model_is_that_of_theory():
    """By q's mean, its one weight, the slopes scatter by (λ + 1)σ and λσ; at the posterior A's values don't scatter at all."""
    weight, x = torch.tensor([[1.0], [-0.4]]).double(), torch.tensor([[0.9, -0.3]]).double().expand(500, 2)
    at, precision = LinearGaussian(weight, torch.zeros(2).double(), 0.5).posterior(x[:1]), (weight.T @ weight / 0.25).item()

    class Mean(nn.Module):
        def __init__(self, loc, scale):
            super().__init__()
            self.loc, self.scale = nn.Parameter(torch.tensor([loc]).double()), scale

        def forward(self, x):
            loc = self.loc.expand(len(x), 1)
            return FactorizedNormal(loc, torch.full_like(loc, self.scale))

    for loc, scale, calmer in ((at.mean[0].item(), at.stddev[0].item(), 1.0), (-1.5, 1.0, 0.0)):
        encoder = Mean(loc, scale)
        found = estimators.scatter(LinearGaussian(weight, torch.zeros(2).double(), 0.5, encoder), x, 200)
        assert found["ratio"] == pytest.approx(precision / (precision + 1), abs=1e-6), "the same noise for both"
        assert found["calmer"] == calmer


def test_the_experiment_on_estimators_takes_its_marks_from_every_run():
    row = dict(hidden=8, sizes=(2, 3), updates=30, runs=2, images=40, draws=5)
    found = estimators.estimators(setup(**row))
    assert found.series["updates"] == [1, 10, 30] and found.seeds == [7, 8] and found.steps == 2 * 2 * 30
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    for z in (2, 3):
        for name in ("calmer", "ratio"):
            curve = found.series[f"{name}_{z}"]
            assert (curve[0], curve[-1]) == pytest.approx((m[f"{name}_start_{z}"], m[f"{name}_{z}"]), abs=1e-4)
            assert len(curve) == 3 and found.metrics[f"{name}_{z}"]["n"] == 2
        assert m["ratio_most"] >= max(found.series[f"ratio_{z}"]) - 1e-4 and m["calmer_least"] <= m[f"calmer_{z}"]


def test_another_images_code_costs_what_the_code_says():
    """A decoder that hears z pays for a foreign one; one that doesn't, pays nothing."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(400, 1, generator=g).double()
    one = torch.ones(1, 1).double()
    for weight in (1.0, 0.0):
        model = LinearGaussian(weight * one, torch.zeros(1).double(), 0.5, lambda x: FactorizedNormal(x, 0.1 + 0 * x))
        own, other = codes.shuffled(model, x, torch.Generator().manual_seed(1)).mean(0).tolist()
        # by theory E(x − z)²/2s²: own 0.1², another's 2 Var x + 0.1²
        expected = (2 * x.var().item() / (2 * 0.25)) if weight else 0.0
        assert own - other == pytest.approx(expected, rel=0.15, abs=1e-12)


def test_units_that_answer_with_one_sign_are_counted():
    model = network(2, 1, 3, "linear-gaussian")
    with torch.no_grad():
        first = model.encoder.net[0]
        first.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, -1.0], [-1.0, -1.0]]))
        first.bias.zero_()
    assert codes.one_sided(model, torch.tensor([[1.0, 2.0], [2.0, 1.0]])) == pytest.approx(2 / 3)


def test_the_watched_faces_begin_and_climb_as_the_nine_do():
    x = torch.rand(120, 6, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    nine = frey.frey_scale(setup(train=x, hidden=8, thesis_hidden=9, z_dim=2, updates=40, points=100)).metrics
    found = codes.frey_codes(setup(train=x, hidden=8, z_dim=2, updates=40))
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    for name in codes.WATCHED:
        assert m[f"bound_{name}"] == nine[f"unit_{name}"]["mean"], name
        assert m[f"cost_{name}"] == pytest.approx(m[f"own_{name}"] - m[f"other_{name}"], abs=1e-3)
    assert m["thrown_0_raw"] == m["thrown_0_started"] == codes.one_sided(codes.begin("raw", x * 256, 2, 8, 7), x * 256)
    three = codes.begin("started", x * 256, 2, 8, 7)
    ascend(setup(), "", three, x * 256, 3, seed=7)
    assert m["thrown_3_started"] == codes.one_sided(three, x * 256)
    kl = kl_divergence(found.model.encode(x * 256), found.model.prior()).mean().item()
    assert m["kl_started_small_step"] == pytest.approx(kl, abs=1e-3)
    bounds = elbo_analytic_kl(found.model, x * 256, 1, torch.Generator().manual_seed(7))
    assert m["batch_started_small_step"] == pytest.approx(bounds.std().item() / 10, rel=1e-4)


@pytest.mark.parametrize("name", ["unit", "thesis", "startd"])
def test_a_setup_that_needs_another_network_is_refused(name):
    assert name not in codes.ON_LEVELS and "restarted" in codes.ON_LEVELS
    with pytest.raises(VbookError, match=f"can't begin {name!r}" + ("; did you mean 'started'" if name == "startd" else "")):
        codes.begin(name, torch.rand(9, 6), 2, 8, 7)


def test_simulated_data_are_named_in_the_record():
    record = run("ch12-simulated").record
    assert record.data == {"name": "simulated", "title": "simulated, 1,000 × 50"}
