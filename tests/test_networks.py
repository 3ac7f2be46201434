"""Encoders and decoders: shapes, the mathematics of their heads, and clear words for bad sizes."""

import pytest
import torch

from vbook.distributions import FactorizedNormal, FullCovarianceNormal
from vbook.errors import VbookError
from vbook.networks import ACTIVATIONS, BernoulliDecoder, FullCovarianceEncoder, GaussianEncoder, mlp

X = torch.rand(5, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (7,), (7, 6)])
def test_mlp_is_the_composition_it_says(activation, hidden):
    net = mlp([12, *hidden, 3], activation)
    h = X
    linear = [layer for layer in net if hasattr(layer, "weight")]
    for k, layer in enumerate(linear):
        h = h @ layer.weight.T + layer.bias
        if k < len(linear) - 1:
            h = {"tanh": torch.tanh, "relu": torch.relu, "softplus": lambda v: (1 + v.exp()).log()}[activation](h)
    torch.testing.assert_close(net(X), h, rtol=1e-5, atol=1e-6)


def test_gaussian_encoder_splits_mean_and_log_variance():
    """(2.36): the second half of the head is log sigma^2, twice the log of the standard deviation."""
    encoder = GaussianEncoder(12, 3, hidden=(7,))
    q, head = encoder(X), encoder.net(X)
    assert isinstance(q, FactorizedNormal) and q.batch_shape == (5,) and q.event_shape == (3,)
    torch.testing.assert_close(q.loc, head[:, :3])
    torch.testing.assert_close(2 * q.scale.log(), head[:, 3:])


def test_full_covariance_encoder_starts_factorised_and_can_slant():
    encoder = FullCovarianceEncoder(12, 3, hidden=(7,))
    q = encoder(X)
    assert isinstance(q, FullCovarianceNormal) and q.batch_shape == (5,)
    assert torch.equal(q.scale_tril.tril(-1), torch.zeros(5, 3, 3))
    head = encoder.net(X)
    torch.testing.assert_close(q.loc, head[:, :3])
    torch.testing.assert_close(2 * q.scale.log(), head[:, 3:6])
    torch.nn.init.ones_(encoder.net[-1].bias)
    assert (encoder(X).scale_tril.tril(-1)[:, 2, 0] == 1).all()


def test_every_parameter_gets_a_gradient():
    for encoder in (GaussianEncoder(12, 3, (7,)), FullCovarianceEncoder(12, 3, (7,))):
        z = encoder(X).rsample((2,))
        loss = BernoulliDecoder(3, 12, (7,))(z).log_prob(X.round()).sum() + z.square().sum()
        grads = torch.autograd.grad(loss, list(encoder.parameters()))
        assert all((g != 0).any() for g in grads)


def test_decoder_answers_with_bernoulli_pixels():
    decoder = BernoulliDecoder(3, 12, (7,))
    p = decoder(torch.zeros(4, 5, 3))
    assert p.batch_shape == (4, 5) and p.event_shape == (12,)
    torch.testing.assert_close(p.mean, decoder.net(torch.zeros(4, 5, 3)).sigmoid())


@pytest.mark.parametrize("sizes", [[3], [3, 0], [0, 3], [3, -1, 2]])
def test_bad_sizes_are_refused(sizes):
    with pytest.raises(VbookError, match="positive integers"):
        mlp(sizes)


def test_unknown_activation_is_refused():
    with pytest.raises(VbookError, match="'gelu'; known: tanh"):
        mlp([3, 3], "gelu")
