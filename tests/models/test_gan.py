"""The two players layer by layer: what is between the linear maps, what scales the pixels, what is dropped."""

import pytest
import torch
from torch import nn

from vbook.errors import VbookError
from vbook.models import GAN
from vbook.models.gan import SLOPE, Discriminator, generator_net

F64 = dict(dtype=torch.float64)


def test_the_generator_has_its_layers_in_order():
    found = [type(layer).__name__ for layer in generator_net(3, (5, 7, 9), 4)]
    hidden = ["Linear", "BatchNorm1d", "LeakyReLU"]
    assert found == ["Linear", "LeakyReLU", *hidden, *hidden, "Linear", "Tanh"]
    net = generator_net(3, (5, 7, 9), 4, slope=0.0)
    assert [(layer.in_features, layer.out_features) for layer in net if isinstance(layer, nn.Linear)] == [
        (3, 5), (5, 7), (7, 9), (9, 4)]  # fmt: skip
    assert {layer.negative_slope for layer in net if isinstance(layer, nn.LeakyReLU)} == {0.0}
    assert {layer.negative_slope for layer in generator_net(3, (5,), 4) if isinstance(layer, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4)])
def test_the_discriminator_by_hand(shape):
    judge, x = Discriminator(4, (5, 3)).double(), torch.rand(shape, **F64)
    h = 2 * x - 1
    for layer in list(judge.layers)[:2]:
        a = h @ layer.weight.T + layer.bias
        h = torch.where(a > 0, a, SLOPE * a)
    expected = h @ judge.layers[2].weight[0] + judge.layers[2].bias
    assert judge(x).shape == shape[:-1] and torch.allclose(judge(x), expected, atol=1e-12)


def test_what_stays_is_made_up_for_what_is_dropped():
    """On average over the draws the last layer sees what it sees without dropout; nothing is dropped out of training."""
    judge, x = Discriminator(4, (400,), dropout=0.25).double(), torch.rand(1, 4, **F64)
    plain = judge.eval()(x)
    g = torch.Generator().manual_seed(0)
    draws = torch.stack([judge.train()(x, g) for _ in range(2_000)]).detach()
    assert draws.std() > 0.01 and abs(draws.mean() - plain.item()) < 4 * draws.std() / 2_000**0.5
    assert torch.equal(judge.eval()(x), plain)


def test_settings_reach_the_players():
    gan = GAN(6, 3, (5, 7), (4,), dropout=0.5, seed=2, slope=0.1)
    assert gan.discriminator.dropout == 0.5 and gan.generator[1].negative_slope == 0.1
    assert GAN(6, 3, (5, 7), (4,)).discriminator.dropout == Discriminator(6, (4,)).dropout == 0
    assert gan.prior().loc.shape == (3,) and gan.double().prior().loc.dtype == torch.float64
    assert not [name for name in gan.state_dict() if name.startswith("_")]
    again, other = (GAN(6, 3, (5, 7), (4,), seed=seed).state_dict() for seed in (2, 3))
    weights = gan.float().state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert any(not torch.equal(weights[name], other[name]) for name in weights)
    default, first = (GAN(6, 3, (5, 7), (4,), **seed).state_dict() for seed in ({}, {"seed": 0}))
    assert all(torch.equal(default[name], first[name]) for name in first)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_all_or_less_than_nothing_cant_be_dropped(dropout):
    with pytest.raises(VbookError, match="at least 0 and below 1"):
        Discriminator(4, (5,), dropout)
