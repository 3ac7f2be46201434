"""Chapter 13's experiments: the template's shifts, the judges of drawn digits, the folding of batch norm, what records say."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from vbook import adversarial, data
from vbook.bounds import elbo_analytic_kl, iwae
from vbook.errors import VbookError
from vbook.evaluation import per_datapoint
from vbook.experiments import run
from vbook.experiments.chapter13 import flow, gan, judge, levels, small
from vbook.experiments.registry import find
from vbook.experiments.setup import prepare
from vbook.flows import levels_of, of_levels, to_logits
from vbook.models import GAN, RealNVP
from vbook.models.real_nvp import log_flow
from vbook.training import History


@pytest.fixture(scope="module")
def smoke():
    return prepare(find("ch13-gan"), "smoke", 0, "cpu", None, False)


def test_shifts_are_whole_pixels_with_the_templates_odds():
    x = torch.zeros(20_000, 9 * 8)
    x[:, 4 * 8 + 3] = 1.0  # one pixel, in row 4 and column 3
    moved = flow.shifted(x, (9, 8), torch.Generator().manual_seed(0)).reshape(-1, 9, 8)
    assert torch.equal(moved.sum((1, 2)), torch.ones(len(x)))
    for axis, at in ((2, 4), (1, 3)):
        found = moved.sum(axis).argmax(1) - at
        for step, odds in zip(range(-2, 3), (1 / 32, 10 / 32, 10 / 32, 10 / 32, 1 / 32), strict=True):
            share = (found == step).double().mean().item()
            assert abs(share - odds) < 4 * math.sqrt(odds * (1 - odds) / len(x)), (axis, step)


def test_a_shift_repeats_the_edge():
    x = torch.arange(12.0).reshape(1, 12).repeat(12_000, 1)  # 3 rows of 4
    moved = flow.shifted(x, (3, 4), torch.Generator().manual_seed(0)).reshape(-1, 3, 4)
    seen = {tuple(image[0].tolist()) for image in moved}
    assert (0.0, 0.0, 0.0, 1.0) in seen, "two to the right: the first column three times"
    assert (10.0, 11.0, 11.0, 11.0) in seen, "two up and two to the left"
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 25


def test_bits_of_a_density_that_knows_nothing_are_eight():
    assert flow.bits(torch.full((4,), -16 * math.log(256)), 16)["mean"] == pytest.approx(8.0)
    entry = flow.bits(torch.tensor([0.0, -16 * math.log(2)]), 16)
    assert entry["mean"] == pytest.approx(0.5) and entry["standard_error"] == pytest.approx(0.5) and entry["n"] == 2


def test_the_flows_record():
    found = run("ch13-flow", profile="smoke")
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    setup = prepare(find("ch13-flow"), "smoke", 0, "cpu", None, False)
    x, held = flow.halves(setup)
    assert len(x) == 1_200 and len(held) == 250 and not any((held[:1] == row).all() for row in x)
    fresh = RealNVP(setup.train.shape, setup.pairs, setup.hidden, 3)
    start = of_levels(log_flow)(fresh, held, generator=torch.Generator().manual_seed(5))
    assert m["bits_untrained"] == pytest.approx(flow.bits(start, 784)["mean"], abs=0.05), "whatever the seed: the identity"
    assert m["bits_valid"] < 3 < m["bits_untrained"] and -0.02 < m["bits_valid_shifted"] - m["bits_valid"] < 0.1
    assert 0 < m["inverse_error"] < 1e-5 and 0 < m["ladj_error"] < 1e-5
    assert found.series["valid"][-1] == pytest.approx(m["bits_valid"], abs=1e-3)
    assert found.series["valid_shifted"][-1] == pytest.approx(m["bits_valid_shifted"], abs=1e-3)
    assert abs(m["bits_valid_shifted"] - m["bits_valid"]) > 5e-3, "so that the two are told apart here"
    assert found.series["train"][-1] == pytest.approx(m["bits_train"], abs=1e-4), "of the last epoch"
    for images in (*found.drawings["samples"].values(), found.drawings["between"]):
        assert torch.equal((255 * images).round() / 255, images) and images.min() >= 0 and images.max() <= 1
    way, classes = found.drawings["between"], judge.Judge(setup, 10_000).classes(held[:25])
    assert way.shape == (9, 784) and (way[0] - held[0]).abs().max() < 1.5 / 255, "it begins at the first image"
    ends = [k for k in range(25) if (way[-1] - held[k]).abs().max() < 1.5 / 255]
    assert len(ends) == 1 and classes[ends[0]] != classes[0], "and ends at one of another class"
    assert all(classes[k] == classes[0] for k in range(ends[0])), "the first such"
    z = torch.randn(setup.draws, 784, generator=torch.Generator().manual_seed(setup.seed + 1))
    knows = judge.Judge(setup, 10_000)
    for name, entry in judge.worth(knows, flow.drawn(found.model, z), setup.test.x, flow.moved_test(setup)).items():
        assert found.metrics[name] == entry
    one, other = found.model.normalize(to_logits()(255 * held[[0, ends[0]]] + 0.5))[0]
    steps = flow.drawn(found.model, torch.stack([(8 - k) / 8 * one + k / 8 * other for k in range(9)]))
    assert (way - steps).abs().max() < 1.5 / 255, "nine equal steps in the latents"
    assert sorted(found.drawings["samples"]) == [0, 6, 12]
    for epoch, model in {0: fresh, 12: found.model}.items():
        assert torch.equal(found.drawings["samples"][epoch], flow.drawn(model, z[:25])), "the same latents each time"


class Told(Exception):
    """What a training was asked to do."""


@pytest.mark.parametrize(
    "name, module, train, unshifted",
    [
        ("ch13-flow", flow, flow.flow, of_levels(log_flow)),
        ("ch13-vae-levels", levels, levels.vae_levels, of_levels(elbo_analytic_kl)),
    ],
)
def test_both_are_trained_on_shifted_images(name, module, train, unshifted, monkeypatch):
    def fit(*asked, **options):
        raise Told(*asked)

    monkeypatch.setattr(module, "fit", fit)
    setup = prepare(find(name), "smoke", 0, "cpu", None, False)
    with pytest.raises(Told) as told:
        train(setup)
    model, x, objective = told.value.args
    g = torch.Generator().manual_seed(3)
    expected = unshifted(model, flow.shifted(x[:8], setup.train.shape, g), g)
    torch.testing.assert_close(objective(model, x[:8], torch.Generator().manual_seed(3)), expected)
    assert (expected - unshifted(model, x[:8], torch.Generator().manual_seed(3))).abs().max() > 1  # nats: shifts are seen


def test_a_way_needs_two_classes_if_there_are_two():
    model, x = RealNVP((2, 2), pairs=1, hidden=4), torch.tensor([0.2, 0.4, 0.6, 0.8])[:, None].repeat(1, 4)
    for classes, last in (([7, 7, 1, 7], 0.6), ([7, 1, 1], 0.4), ([7, 7, 7], 0.4)):
        way = flow.between(model, x, torch.tensor(classes), steps=3)
        assert way.shape == (5, 4) and way[[0, -1], 0].tolist() == pytest.approx([0.2, last], abs=1.5 / 255)


def test_more_draws_never_cost_bits():
    m = {key: entry["mean"] for key, entry in run("ch13-vae-levels", profile="smoke").metrics.items()}
    assert m["bits_valid"] < m["bits_elbo"] + 0.02
    model = levels.gaussian_vae(784, 5, 8, seed=0)
    assert model.decode(torch.zeros(1, 5)).base_dist.loc.min() < 0, "means of logits, not of pixels"


def test_coverage_counts_classes_and_the_largest():
    classes = torch.tensor([0] * 150 + [1] * 49 + [2])
    found = judge.coverage(classes)
    assert found["classes"]["mean"] == 2 and found["largest_class"]["mean"] == 0.75
    assert found["largest_class"]["standard_error"] == pytest.approx(math.sqrt(0.75 * 0.25 / 200))
    assert judge.coverage(torch.arange(10))["classes"]["mean"] == 10
    shares = torch.tensor([0] * 9_801 + [1] * 100 + [2] * 99)  # one class at a hundredth, one below it
    assert judge.coverage(shares)["classes"]["mean"] == 2


def test_the_judge_knows_digits(smoke):
    found = judge.Judge(smoke, 10_000)
    test = data.load("digits", "test", labels=True, protocol="real")
    right = (found.classes(test.x) == test.y).double().mean().item()
    assert right == found.accuracy > 0.97


def test_nearest_neighbours_tell_samples_apart():
    g = torch.Generator().manual_seed(0)
    one, other = torch.randn(400, 3, generator=g), torch.randn(400, 3, generator=g)
    assert judge.told_apart(one, other) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(800))
    assert judge.told_apart(one, other + 20) == 1.0
    assert judge.told_apart(one, one + 1e-4) < 0.02, "copies lie nearest to what they were copied from"


def test_the_worth_of_real_images_is_that_of_real_images(smoke):
    knows = judge.Judge(smoke, 10_000)
    x = torch.cat([smoke.test.x, smoke.valid.x])
    as_drawn = judge.worth(knows, x[:120], x[120:])
    assert as_drawn["classes"]["mean"] == 10 and as_drawn["largest_class"]["mean"] < 0.2
    assert as_drawn["told_apart"]["mean"] == pytest.approx(0.5, abs=0.15) and as_drawn["told_apart"]["n"] == 240
    noise = judge.worth(knows, torch.rand(120, 784), x)
    assert noise["told_apart"]["mean"] > 0.95 and noise["told_apart_real"]["mean"] == pytest.approx(0.5, abs=0.15)


def test_the_two_halves_of_the_neighbours_verdict(smoke):
    """Draws in one spot amid real images: each has its like about it, and hardly a real image has one of them nearest."""
    knows, x = judge.Judge(smoke, 10_000), torch.cat([smoke.test.x, smoke.valid.x])[:200]
    spot = (x[150] + 1e-3 * torch.rand(100, 784)).clamp(0, 1)
    found = judge.worth(knows, spot, x, moved=1 - x)
    halves = found["real_among_real"], found["drawn_among_drawn"]
    assert halves[1]["mean"] == 1.0 and halves[0]["mean"] > 0.9 and halves[0]["n"] == 100
    assert found["told_apart"]["mean"] == pytest.approx((halves[0]["mean"] + halves[1]["mean"]) / 2)
    share, entry = halves[0]["mean"], halves[0]
    assert entry["standard_error"] == pytest.approx(math.sqrt(share * (1 - share) / 99))
    assert found["told_apart_moved"]["mean"] == 1.0, "white paper for black: another kind"
    assert found["largest_class"]["mean"] == 1.0
    assert found["largest_class_real"] == judge.coverage(knows.classes(x))["largest_class"], "of all real images"
    assert "told_apart_moved" not in judge.worth(knows, spot, x)
    still = judge.worth(knows, spot, x, moved=x)
    assert still["told_apart_moved"] == still["told_apart_real"], "of the same images, moved by nothing"


def test_each_half_of_the_verdict_is_of_its_kind(smoke):
    """Three copies of each of 20 real images, and 40 draws like no digit: they hide 20 of 100 real images and 60 of 100 draws."""
    x = torch.cat([smoke.test.x, smoke.valid.x])[:200]
    x[:20] = 1 - x[:20]  # far from the others, so that the copies are near to their own images only
    copies = x[:20].repeat(3, 1) + 1e-4 * torch.randn(60, 784)  # each is nearer to its image than to another copy
    found = judge.worth(judge.Judge(smoke, 10_000), torch.cat([copies, 2 + torch.rand(40, 784)]), x)
    halves = found["real_among_real"], found["drawn_among_drawn"]
    assert halves[0]["mean"] == pytest.approx(0.8) and halves[1]["mean"] == pytest.approx(0.4)
    for entry in halves:
        assert entry["standard_error"] == pytest.approx(math.sqrt(entry["mean"] * (1 - entry["mean"]) / 99))


def test_the_verdict_is_of_1000_pairs(smoke):
    x = torch.rand(2_100, 784)
    found = judge.worth(judge.Judge(smoke, 1_000), torch.rand(1_500, 784), x)
    assert found["real_among_real"]["n"] == 1_000 and found["told_apart"]["n"] == 2_000


def test_a_folded_generator_draws_the_same_pixels():
    model = GAN(12, z_dim=3, sizes=(5, 6, 7), judges=(4,), slope=0.0)
    for _ in range(30):  # batch norm gathers means and variances that are not 0 and 1
        model.generate(3 + 2 * torch.randn(64, 3))
    with torch.no_grad():
        for layer in model.generator:
            if isinstance(layer, nn.BatchNorm1d):
                layer.weight.uniform_(0.5, 2.0)
                layer.bias.uniform_(-1.0, 1.0)
    z = torch.randn(50, 3)
    decoder = small.folded(model)
    assert torch.allclose(decoder.decode(z).mean, model.pictures(z), atol=1e-6)
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in decoder.modules())
    with pytest.raises(VbookError, match="slope=0"):
        small.folded(GAN(12, z_dim=3, sizes=(5, 6), judges=(4,)))


def test_the_generators_wish_leaves_the_model_as_it_was(smoke):
    model = GAN(784, z_dim=4, sizes=(8, 8), judges=(8,), dropout=0.3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = gan.wish(model, smoke.train.x[:50], 0)
    assert first == gan.wish(model, smoke.train.x[:50], 0) != gan.wish(model, smoke.train.x[:50], 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    nn.init.zeros_(model.discriminator.layers[-1].weight)
    nn.init.zeros_(model.discriminator.layers[-1].bias)
    assert gan.wish(model, smoke.train.x[:50], 0) == pytest.approx(math.log(2)), "who knows nothing says one half"


def test_the_games_record(smoke):
    found = run("ch13-gan", profile="smoke")
    m = {key: entry["mean"] for key, entry in found.metrics.items()}
    late = {name: sum(found.series[name][-4:]) / 4 for name in ("value", "generator")}  # of 40 epochs
    assert m["loss_discriminator"] == -m["value"] == pytest.approx(-late["value"], abs=1e-4)
    assert m["loss_generator"] == pytest.approx(late["generator"], abs=1e-4) and found.metrics["value"]["n"] == 4
    assert sum(found.series["shares"]) == pytest.approx(1, abs=1e-3)
    assert max(found.series["shares"]) == pytest.approx(m["largest_class"], abs=1e-4)
    assert sorted(found.drawings["samples"]) == [0, 20, 40] and found.drawings["between"].shape == (9, 784)
    assert m["told_apart_real"] < 0.6 < m["told_apart"] and m["judged"] == judge.Judge(smoke, 10_000).accuracy
    draws = found.model.pictures(gan.latents(smoke, smoke.draws, found.model))
    for name, entry in judge.worth(judge.Judge(smoke, 10_000), draws, smoke.test.x).items():
        assert found.metrics[name] == entry


def test_moved_test_images_are_the_test_images_moved():
    setup = prepare(find("ch13-flow"), "smoke", 3, "cpu", None, False)
    x, moved = setup.test.x, flow.moved_test(setup)
    assert torch.equal(moved, flow.shifted(x, (28, 28), torch.Generator().manual_seed(3)))
    assert 0.8 < (moved != x).any(1).double().mean() < 0.95, "an image stays where it is once in ten times"


def test_what_is_drawn_of_the_game(smoke):
    """At each time from the same latents, first by the network that the training starts from; and a way between two classes."""
    found = run("ch13-gan", profile="smoke")
    samples, way = found.drawings["samples"], found.drawings["between"]
    fresh = GAN(784, smoke.z_dim, smoke.sizes, smoke.judges, gan.HOW["dropout"], 0, gan.HOW["slope"])
    z = gan.latents(smoke, 25, fresh)
    assert torch.equal(samples[0], fresh.pictures(z)) and torch.equal(samples[40], found.model.pictures(z))
    assert not any(torch.allclose(samples[20], samples[k], atol=0.01) for k in (0, 40))
    classes = judge.Judge(smoke, 10_000).classes(samples[40])
    ends = [next(k for k in range(25) if torch.allclose(one, samples[40][k], atol=1e-6)) for one in way[[0, -1]]]
    assert ends[0] == 0 and classes[ends[1]] != classes[0]
    assert torch.allclose(way[4], found.model.pictures(z[ends].mean(0, keepdim=True))[0], atol=1e-6), "half of either latent"


def test_the_small_generators_record():
    found = run("ch13-gan-small", profile="smoke")
    assert found.metrics["folding_error"]["mean"] < 1e-5
    rebuilt = found.model.decode(torch.zeros(2, 16)).mean
    assert rebuilt.shape == (2, 784) and found.architecture["hidden"] == (128, 64)
    assert found.metrics["value"]["mean"] == pytest.approx(found.series["value"][-1], abs=1e-4), "of the last epoch"
    setup = prepare(find("ch13-gan-small"), "smoke", 0, "cpu", None, False)
    with torch.no_grad():
        expected = found.model.decode(gan.latents(setup, setup.draws, found.model)).mean
    assert torch.allclose(found.drawings["samples"], expected[:25], atol=1e-5)
    for name, entry in judge.coverage(judge.Judge(setup, 10_000).classes(expected)).items():
        assert found.metrics[name] == entry


def test_what_is_kept_of_each_way(monkeypatch):
    """Two seeds of each way: the value of the last epoch, not the first, and what the judge finds among the draws."""
    setup = prepare(find("ch13-gan-stability"), "smoke", 0, "cpu", None, False)
    setup = replace(setup, settings=setup.settings | {"runs": 2})
    told = []

    def trained(setup, name, seed, **change):
        told.append((name, seed, change))
        model = GAN(784, setup.z_dim, setup.sizes, setup.judges, seed=seed)
        with torch.no_grad():  # untrained, it draws even grey, which is of one class, and so is its negative
            model.generator[-2].weight.mul_(20)
            model.generator[-2].bias.sub_(1)
        made.append(model)
        rows = [{"epoch": k, "train": value} for k, value in ((1, -9.0), (2, -1.0 - seed))]
        return model, History(rows=rows, steps=5, examples=7)

    monkeypatch.setattr(small, "train_gan", trained)
    knows, made, shown = judge.Judge(setup, 10_000), [], []

    def coverage(classes):
        shown.append(classes)
        return {"classes": {"mean": float(len(shown))}, "largest_class": {"mean": len(shown) / 10}}

    monkeypatch.setattr(small, "coverage", coverage)
    found = small.gan_stability(setup)
    assert [one[:2] for one in told[:2]] == [("plain-0", 0), ("plain-1", 1)] and (found.steps, found.examples) == (40, 56)
    assert {way: change for way, (_, _, change) in zip(small.WAYS, told[::2], strict=True)} == small.WAYS
    assert len(shown) == len(made) == 8
    for model, classes in zip(made, shown, strict=True):
        assert len(classes.unique()) > 1 and torch.equal(
            classes, knows.classes(model.pictures(gan.latents(setup, setup.draws, model)))
        )
    for k, way in enumerate(small.WAYS):
        mean = 2 * k + 1.5  # of calls 2k + 1 and 2k + 2
        assert found.metrics[f"value_{way}"]["mean"] == -1.5 and found.metrics[f"value_{way}"]["n"] == 2
        assert found.metrics[f"classes_{way}"]["mean"] == mean
        assert found.metrics[f"largest_{way}"]["mean"] == pytest.approx(mean / 10)


def test_the_autoencoders_likelihood_is_importance_sampled():
    """By the record's own model on the record's points: below its bound there by more than the noise, which is small."""
    found = run("ch13-vae-levels", profile="smoke")
    setup = prepare(find("ch13-vae-levels"), "smoke", 0, "cpu", None, False)
    points = flow.halves(setup)[1][: setup.points]
    curve = [found.metrics["bits_untrained"]["mean"], *found.series["train"]]
    assert curve == sorted(curve, reverse=True), "with small first steps it never falls behind where it began"
    by = {
        name: flow.bits(per_datapoint(found.model, points, of_levels(bound), samples=setup.samples), 784)["mean"]
        for name, bound in (("elbo", elbo_analytic_kl), ("iwae", iwae))
    }
    assert by["iwae"] < by["elbo"] - 0.01
    assert found.metrics["bits_valid"]["mean"] == pytest.approx(by["iwae"], abs=0.003)
    assert found.metrics["bits_elbo"]["mean"] == pytest.approx(found.series["valid"][-1], abs=1e-3)


def test_draws_of_the_autoencoder_have_its_spread_and_their_own_entries():
    found, setup = run("ch13-vae-levels", profile="smoke"), prepare(find("ch13-vae-levels"), "smoke", 0, "cpu", None, False)
    g = torch.Generator().manual_seed(setup.seed + 1)
    with torch.no_grad():
        p = found.model.decode(torch.randn(setup.draws, setup.z_dim, generator=g))
    assert torch.equal(found.drawings["samples"], levels_of(p.mean) / 255)
    draws = found.drawings["draws"]
    low, high = (levels_of(p.mean + sign * p.stddev) / 255 for sign in (-1, 1))
    wide = (low > 0) & (high < 1) & (high - low > 0.2)
    assert wide.sum() > 200
    within = ((draws >= low) & (draws <= high))[wide].double().mean().item()
    assert within == pytest.approx(0.683, abs=4 * 0.47 / wide.sum().item() ** 0.5 + 0.02), "one standard deviation, and levels"
    knows, moved = judge.Judge(setup, 10_000), flow.moved_test(setup)
    for start, images in (("", found.drawings["samples"]), ("draws_", draws)):
        for name, entry in judge.worth(knows, images, setup.test.x, moved).items():
            assert found.metrics[start + name] == entry
    assert any(
        found.metrics[f"draws_{name}"] != found.metrics[name] for name in ("classes", "largest_class", "drawn_among_drawn")
    )


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("plain", (adversarial.non_saturating, 0.3, 0.5)),
        ("saturating", (adversarial.saturating, 0.3, 0.5)),
        ("no_dropout", (adversarial.non_saturating, 0.0, 0.5)),
        ("long_memory", (adversarial.non_saturating, 0.3, 0.9)),
    ],
)
def test_each_way_changes_one_thing(way, expected, smoke, monkeypatch):
    """Seen where it counts: in the game that is played, in the discriminator and in the optimizer."""
    told = {}
    monkeypatch.setattr(gan, "play", lambda model, batch, gain, generator: told.update(gain=gain))
    monkeypatch.setattr(gan, "fit", lambda model, x, objective, **options: told.update(options, play=objective(model, x)))
    model, _ = gan.train_gan(smoke, way, 0, **small.WAYS[way])
    assert (told["gain"], model.discriminator.dropout, told["optimizer"]["betas"][0]) == expected
    assert set(small.WAYS) == {"plain", "saturating", "no_dropout", "long_memory"}
