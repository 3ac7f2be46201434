"""Couplings and the way from levels to logits: inverses, log-determinants against autograd, a density that integrates to 1."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Normal
from torch.func import jacrev, vmap

from vbook.errors import VbookError
from vbook.flows import (
    ALPHA,
    LEVELS,
    AffineCoupling,
    bits_per_dim,
    checkerboard,
    dequantize,
    levels_of,
    of_levels,
    to_logits,
)
from vbook.networks import mlp


def coupling(kept, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    kept = torch.tensor(kept)
    return AffineCoupling(mlp([int(kept.sum()), 16, 2 * int((~kept).sum())], "relu").to(dtype), kept)


KEPT = ([True, False, True, False], [False, True, True, True, True], [True, False])


@pytest.mark.parametrize("kept", KEPT)
def test_a_coupling_inverts(kept):
    layer, x = coupling(kept), torch.randn(50, len(kept), dtype=torch.float64)
    y = layer(x)
    assert (layer.inv(y) - x).abs().max() < 1e-12
    assert (layer(layer.inv(x)) - x).abs().max() < 1e-12
    assert not torch.allclose(x[:, layer.b], y[:, layer.b]) and torch.equal(x[:, layer.a], y[:, layer.a])


@pytest.mark.parametrize("kept", KEPT)
def test_its_log_determinant_is_autograds(kept):
    layer, x = coupling(kept), torch.randn(20, len(kept), dtype=torch.float64)
    expected = torch.linalg.slogdet(vmap(jacrev(layer))(x)).logabsdet
    y, ladj = layer.forward_and_ladj(x)
    assert torch.allclose(ladj, expected, atol=1e-10) and expected.abs().max() > 0.01
    assert torch.allclose(layer.log_abs_det_jacobian(x, y), expected, atol=1e-10)
    assert torch.allclose(layer.inv.log_abs_det_jacobian(y, x), -expected, atol=1e-10)


@pytest.mark.parametrize("kept", KEPT)
def test_it_scales_by_exp_of_tanh_and_shifts(kept):
    layer, x = coupling(kept), torch.randn(50, len(kept), dtype=torch.float64)
    with torch.no_grad():
        layer.net[-1].weight.mul_(10)  # into the bend of tanh
    a = torch.tensor(kept)
    scale, shift = layer.net(x[:, a]).chunk(2, -1)
    assert scale.abs().max() > 1 and torch.allclose(layer(x)[:, ~a], x[:, ~a] * scale.tanh().exp() + shift, atol=1e-12)


def test_its_jacobian_is_triangular_in_the_order_kept_first():
    layer = coupling([True, False, True, False])
    order = torch.cat([layer.a, layer.b])
    jacobian = jacrev(layer)(torch.randn(4, dtype=torch.float64))[order][:, order]
    assert torch.equal(jacobian.triu(1), torch.zeros(4, 4).double())
    assert torch.equal(jacobian[:2, :2], torch.eye(2).double())


@pytest.mark.parametrize("kept", [[True, True], [False, False], [[True, False]], [1.0, 0.0]])
def test_a_coupling_keeps_some_and_changes_some(kept):
    with pytest.raises(VbookError, match="some True and some False"):
        AffineCoupling(torch.nn.Identity(), torch.tensor(kept))


def test_the_board_has_no_two_neighbours_of_one_colour():
    board = checkerboard((4, 5)).reshape(4, 5)
    assert (board[1:] != board[:-1]).all() and (board[:, 1:] != board[:, :-1]).all() and not board[0, 0]


def test_dequantised_levels_round_down_to_the_levels():
    x = torch.arange(LEVELS).repeat(40) / (LEVELS - 1)
    v = dequantize(x, torch.Generator().manual_seed(0))
    assert torch.equal(v.floor(), (x * 255).round()) and v.max() < LEVELS
    noise = v - v.floor()
    assert abs(noise.mean() - 0.5) < 4 / math.sqrt(12 * len(x)) and noise.min() >= 0


def test_the_way_to_logits_and_back():
    v = torch.linspace(0, 255.999, 5000, dtype=torch.float64)
    logits = to_logits()
    assert torch.allclose(logits.inv(logits(v)), v, atol=1e-8)
    assert torch.equal(levels_of(logits(v)), v.floor())
    assert logits(v[:1]).item() == pytest.approx(math.log(0.5e-5 / (1 - 0.5e-5)))  # α is 1e-5
    y = ALPHA / 2 + (1 - ALPHA) * v / 256
    by_hand = -math.log(256) + math.log(1 - ALPHA) - y.log() - (1 - y).log()
    assert torch.allclose(logits.log_abs_det_jacobian(v, logits(v)), by_hand, atol=1e-9)
    slope = vmap(torch.func.grad(logits))(v)
    assert torch.allclose(logits.log_abs_det_jacobian(v, logits(v)), slope.log(), atol=1e-6)
    for alpha in (0.0, 1.0, 1.5):
        with pytest.raises(VbookError, match="between 0 and 1"):
            to_logits(alpha)


def test_levels_stay_levels():
    """A logit may be as large as it likes: rounding doesn't make it level 256."""
    assert levels_of(torch.tensor([-1e9, 1e9])).tolist() == [0, LEVELS - 1]
    assert levels_of(to_logits()(torch.tensor([255.0, 256.0], dtype=torch.float64))).tolist() == [255, 255]


def test_noise_is_that_of_the_generator():
    x, seeds = torch.rand(2, 3, 4), (1, 1, 2)
    v = [dequantize(x, torch.Generator().manual_seed(seed)) for seed in seeds]
    assert torch.equal(v[0], v[1]) and not torch.equal(v[0], v[2])


def test_of_levels_hands_on_what_it_is_given():
    told = []

    def density(model, h, generator=None, **options):
        told.append((model, generator, options))
        return torch.zeros(h.shape[:-1])

    x, g = torch.rand(5, 2, 3), torch.Generator().manual_seed(1)
    nats = of_levels(density)("model", x, g, samples=4)
    assert told == [("model", g, {"samples": 4})] and nats.shape == (5, 2)
    v = dequantize(x, torch.Generator().manual_seed(1))
    logits = to_logits()
    assert torch.allclose(nats, logits.log_abs_det_jacobian(v, logits(v)).sum(2))


def test_a_coupling_of_several_dimensions():
    layer, x = coupling([True, False, True]), torch.randn(4, 2, 3, dtype=torch.float64)
    y, ladj = layer.forward_and_ladj(x)
    assert torch.allclose(layer.inv(y), x) and torch.equal(layer.log_abs_det_jacobian(x, y), ladj) and ladj.shape == (4, 2)


def test_the_density_of_one_dequantised_pixel_integrates_to_1():
    layer, logits = coupling([True, False], seed=3), to_logits()
    # A flow of one pixel: the second coordinate's map at a fixed first one, over N(0, 1).
    first = torch.tensor([0.7], dtype=torch.float64)

    def density(v):
        v = torch.tensor([v], dtype=torch.float64)
        h = logits(v)
        z, ladj = layer.forward_and_ladj(torch.cat([first, h]))
        return (Normal(0.0, 1.0).log_prob(z[1]) + ladj + logits.log_abs_det_jacobian(v, h)[0]).exp().item()

    with torch.no_grad():
        pieces = [(0, 1e-3), (1e-3, 1), (1, 255), (255, 256 - 1e-3), (256 - 1e-3, 256)]
        total = sum(quad(density, *ends, limit=400, epsabs=1e-10)[0] for ends in pieces)
    # The density lives on h(0) to h(256), and a standard normal through the map keeps next to nothing outside.
    ends = torch.tensor([[0.0], [256.0]], dtype=torch.float64)
    z = layer(torch.cat([first.expand(2, 1), logits(ends)], 1))[:, 1]
    inside = Normal(0.0, 1.0).cdf(z).diff().item()
    assert total == pytest.approx(inside, abs=1e-6) and inside > 0.999


def test_of_levels_is_the_density_of_levels_with_noise():
    x = torch.tensor([[0.0, 0.4], [1.0, 0.2]], dtype=torch.float64).mul(255).round() / 255

    def uniform_in_v(model, h, generator=None):  # the density of logits that makes v uniform on [0, 256)²
        v = to_logits().inv(h)
        return -2 * math.log(256) - to_logits().log_abs_det_jacobian(v, h).sum(-1)

    found = of_levels(uniform_in_v)(None, x, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(found, torch.full((2,), -2 * math.log(256)).double(), atol=1e-6)
    assert bits_per_dim(found[0].item(), 2) == pytest.approx(8.0, abs=1e-6)
