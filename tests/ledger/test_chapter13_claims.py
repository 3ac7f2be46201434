"""What the student's answers claim in words, against the records, with the tools of each comparison tested beside it."""

import math

import pytest
import torch
from exact import generator, within

from vbook import data
from vbook.bounds import elbo, elbo_analytic_kl
from vbook.experiments.chapter13 import judge
from vbook.flows import bits_per_dim
from vbook.ledger.verdicts import verdict
from vbook.models import vae
from vbook.results import records, targets
from vbook.training import fit


def metric(id: str, name: str) -> float:
    return records()[id].metrics[name]["mean"]


def test_claim_1_13_eighty_nats_are_out_of_reach():
    """From about −150 in the first epoch, yes; to −80 in forty, no: twenty nats and eighty standard errors short of it."""
    claimed, kept = targets()["assignment/vae-20/elbo-valid-claimed"], records()["ch02-vae-20.laptop"]
    entry = kept.metrics["elbo_valid"]
    error = entry["standard_error"]
    word, difference, _ = verdict(entry["mean"], claimed["value"], claimed["direction"], error)
    assert (word, difference) == ("short", pytest.approx(entry["mean"] + 80)) and difference < -20 and -difference > 70 * error
    assert verdict(-79.0, claimed["value"], claimed["direction"], error)[:2] == ("better", pytest.approx(1.0))
    assert -170 < kept.series["train"][0] < -150 and len(kept.series["train"]) == 40


def test_claim_1_14_the_second_half_brings_little():
    """In the record a twentieth of the gain; on small digits less than a third, by two estimators of the bound."""
    valid = records()["ch02-vae-20.laptop"].series["valid"]
    assert 0 < valid[39] - valid[19] < 0.06 * (valid[39] - valid[0])
    x = data.load("digits", "train").x[:600].round()
    model, ends = vae(x.shape[1], 3, (30,), seed=1), []
    for half in range(3):
        with torch.no_grad():
            one, other = (bound(model, x, 20, generator(half)).double() for bound in (elbo_analytic_kl, elbo))
        within(one - other, torch.tensor(0.0, dtype=torch.float64))
        ends.append(one.mean().item())
        fit(model, x, elbo_analytic_kl, steps=150, batch_size=100, lr=3e-3, seed=half)
    assert ends[0] < ends[1] < ends[2] and ends[2] - ends[1] < (ends[2] - ends[0]) / 3


def test_claim_2_6_better_by_classes_and_by_the_nearest_neighbour():
    """The game spreads its draws over the classes more evenly, and a nearest neighbour tells them from data less surely."""
    game, autoencoder = "ch13-gan.paper", "ch13-vae-levels.laptop"
    assert metric(game, "largest_class") < 0.12 < 0.2 < metric(autoencoder, "largest_class")
    told = [metric(id, "told_apart") for id in (game, autoencoder)]
    error = math.hypot(*(records()[id].metrics["told_apart"]["standard_error"] for id in (game, autoencoder)))
    assert 0.5 < told[0] < told[1] - 4 * error and told[1] < metric(autoencoder, "draws_told_apart") < 1
    same, other = torch.randn(2, 300, 5, generator=generator(0))
    assert judge.told_apart(same, other) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(600))
    assert judge.told_apart(same, other + 9) == 1.0 and judge.told_apart(same, same + 1e-4) < 0.05


def in_bits(nats: float) -> float:
    """Of a log-density of 784 levels; what a model that knows nothing pays is 8."""
    assert bits_per_dim(-784 * math.log(256), 784) == pytest.approx(8)
    return bits_per_dim(nats, 784)


def test_claim_3_8_below_the_threshold_about_halfway():
    """On training images in epoch 20 of 40, on moved validation images three later, and for good."""
    threshold, kept = targets()["assignment/flow/bits-threshold"]["value"], records()["ch13-flow.paper"]
    below = {key: [epoch for epoch, bits in zip(kept.series["epoch"], kept.series[key], strict=True) if bits < threshold]
             for key in ("train", "valid_shifted")}  # fmt: skip
    assert below == {"train": list(range(20, 41)), "valid_shifted": list(range(23, 41))}
    assert kept.metrics["bits_valid_shifted"]["mean"] == pytest.approx(kept.series["valid_shifted"][-1], abs=1e-3)
    assert in_bits(-threshold * 784 * math.log(2)) == pytest.approx(threshold)


def test_claim_4_the_flow_has_the_better_likelihood_at_a_price():
    """Bits of the same noisy levels, the autoencoder's by importance sampling; the price is drawing, ten times as long."""
    flow, autoencoder, speed = "ch13-flow.paper", "ch13-vae-levels.laptop", records()["ch13-speed.laptop"]
    bits = [metric(id, "bits_valid") for id in (flow, autoencoder)]
    nats = [-bit * 784 * math.log(2) for bit in bits]
    assert [in_bits(value) for value in nats] == pytest.approx(bits) and max(bits) < 8
    errors = [records()[id].metrics["bits_valid"]["standard_error"] * 784 * math.log(2) for id in (flow, autoencoder)]
    assert nats[0] > nats[1] + 20 * math.hypot(*errors) > nats[1] + 100, "the flow's log-likelihood is higher by many nats"
    seconds = {name: speed.metrics[f"seconds_{name}"]["mean"] for name in ("vae", "gan", "flow")}
    assert seconds["flow"] > 10 * max(seconds["vae"], seconds["gan"])
    assert metric(flow, "told_apart") < metric(autoencoder, "told_apart") < 1
