"""The game of a GAN: its value at the optimum, each player's slope against autograd, and trainings that end as they should."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from vbook import adversarial
from vbook.errors import VbookError
from vbook.models import GAN
from vbook.models.gan import Discriminator
from vbook.training import fit


def small(**more):
    return GAN(6, z_dim=3, sizes=(8, 8), judges=(8,), **more)


def test_the_best_discriminator_makes_the_value_a_jensen_shannon_divergence():
    p, q = norm(0, 1), norm(1.5, 0.7)

    def at(x, shift=0.0):
        logit = torch.tensor([math.log(p.pdf(x)) - math.log(q.pdf(x)) + shift], dtype=torch.float64)
        none = torch.zeros(1, dtype=torch.float64)
        real = adversarial.value(logit, none) - adversarial.value(none, none) / 2  # log D alone
        fake = adversarial.value(none, logit) - adversarial.value(none, none) / 2
        return p.pdf(x) * real.item() + q.pdf(x) * fake.item()

    best = quad(at, -8, 8, limit=200)[0]
    mix = lambda x: (p.pdf(x) + q.pdf(x)) / 2  # noqa: E731
    halves = [quad(lambda x, one=one: one.pdf(x) * math.log(one.pdf(x) / mix(x)), -8, 8, limit=200)[0] for one in (p, q)]
    assert best == pytest.approx(-math.log(4) + sum(halves), abs=1e-6)
    assert all(quad(at, -8, 8, args=(shift,), limit=200)[0] < best - 1e-3 for shift in (-0.5, 0.5))


def test_the_two_gains_point_the_same_way_with_other_slopes():
    logits = torch.tensor([-8.0, 0.0, 8.0], dtype=torch.float64, requires_grad=True)
    d = torch.sigmoid(logits)
    (slope,) = torch.autograd.grad(adversarial.non_saturating(logits).sum(), logits)
    assert torch.allclose(slope, 1 - d)
    (slope,) = torch.autograd.grad(adversarial.saturating(logits).sum(), logits)
    assert torch.allclose(slope, d) and slope[0] < 4e-4
    assert torch.allclose(adversarial.saturating(logits), -torch.log(1 - d))
    assert torch.allclose(adversarial.non_saturating(logits), torch.log(d))


@pytest.mark.parametrize("gain", [adversarial.non_saturating, adversarial.saturating])
def test_each_player_gets_its_own_slope(gain):
    model, x = small().double(), torch.rand(16, 6, dtype=torch.float64)
    bound = adversarial.play(model, x, gain, torch.Generator().manual_seed(0))
    bound.mean().backward()
    got = [p.grad.clone() for p in model.parameters()]

    z = torch.randn(16, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = model.generate(z)
    real, fake = model.judge(x), model.judge(made)
    of_value = torch.autograd.grad(
        adversarial.value(real, fake).mean(), list(model.discriminator.parameters()), retain_graph=True
    )
    of_gain = torch.autograd.grad(gain(fake).mean(), list(model.generator.parameters()))
    for mine, theirs in zip(got, (*of_gain, *of_value), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12)
    assert torch.allclose(bound, adversarial.value(real, fake)), "the value is that of the game"


def test_dropout_comes_from_the_generator_alone():
    torch.manual_seed(0)
    judge, x = Discriminator(6, (50,), dropout=0.5), torch.rand(4, 6)
    first, again, other = (judge(x, torch.Generator().manual_seed(k)) for k in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    judge.eval()
    assert torch.equal(judge(x), judge(x)) and not torch.equal(judge(x), first)
    many = torch.stack([judge.train()(x, torch.Generator().manual_seed(k)) for k in range(4000)])
    spread = 4 * many.std(0) / math.sqrt(len(many))
    assert ((many.mean(0) - judge.eval()(x)).abs() < spread).all(), "one hidden layer: the mean over masks is the network"
    with pytest.raises(VbookError, match="dropout"):
        Discriminator(6, (5,), dropout=1.0)


def test_pictures_are_drawn_one_at_a_time_and_leave_the_mode():
    model, z = small(), torch.randn(5, 3)
    model.generate(torch.randn(64, 3))
    alone = torch.cat([model.pictures(row[None]) for row in z])
    assert torch.allclose(alone, model.pictures(z), atol=1e-6) and model.training and model.generator.training
    assert not torch.allclose(model.generate(z), model.pictures(z)), "in training, the others of the minibatch count"
    assert alone.min() > 0 and alone.max() < 1


def test_a_generator_finds_where_the_data_are_and_the_value_its_equilibrium():
    g = torch.Generator().manual_seed(0)
    x = 0.75 + 0.05 * torch.randn(4096, 1, generator=g)
    model = GAN(1, z_dim=4, sizes=(16, 16), judges=(32,))
    z = torch.randn(4096, 4, generator=g)
    assert abs(model.pictures(z).mean() - 0.75) > 0.15
    options = dict(epochs=15, batch_size=256, lr=2e-3, optimizer={"name": "adam", "betas": (0.5, 0.999)})
    history = fit(model, x, adversarial.play, average=0.99, **options)
    # The two circle round the optimum, and the mean of the weights over the way stands near it.
    assert history.averaged.pictures(z).mean().item() == pytest.approx(0.75, abs=0.05)
    assert history.rows[-1]["train"] == pytest.approx(-math.log(4), abs=0.05)


def test_a_cut_off_game_goes_on_as_if_it_had_not_been(tmp_path):
    x, options = torch.rand(64, 6), dict(batch_size=16, lr=1e-3, seed=3)
    whole, parts = small(dropout=0.3), small(dropout=0.3)
    fit(whole, x, adversarial.play, steps=12, **options)
    fit(parts, x, adversarial.play, steps=12, checkpoint=tmp_path / "game", budget=1e-9, save_every=0, **options)
    again = small(dropout=0.3)
    fit(again, x, adversarial.play, steps=12, checkpoint=tmp_path / "game", **options)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
