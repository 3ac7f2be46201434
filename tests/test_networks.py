"""Encoders and decoders: shapes, the mathematics of their heads, and clear words for bad sizes."""

import math

import pytest
import torch

from vbook.bounds import elbo_analytic_kl
from vbook.distributions import FactorizedNormal, FullCovarianceNormal
from vbook.errors import VbookError
from vbook.models import VAE
from vbook.networks import ACTIVATIONS, BernoulliDecoder, FullCovarianceEncoder, GaussianDecoder, GaussianEncoder, mlp
from vbook.training import fit

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


def test_the_whole_head_of_the_slant_starts_at_zero_and_no_more():
    last = FullCovarianceEncoder(12, 3, hidden=(7,)).net[-1]
    for weights in (last.weight, last.bias[:, None]):
        assert (weights[6:] == 0).all() and (weights[:6] != 0).any(1).all()


@pytest.mark.parametrize("kind", [GaussianEncoder, FullCovarianceEncoder, BernoulliDecoder, GaussianDecoder])
def test_the_activation_is_that_of_every_hidden_layer(kind):
    layers = [type(layer).__name__ for layer in kind(4, 3, hidden=(6, 5), activation="relu").net]
    assert layers == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [type(layer).__name__ for layer in kind(4, 3, hidden=(6,)).net] == ["Linear", "Tanh", "Linear"]


@pytest.mark.parametrize("kind", [GaussianEncoder, FullCovarianceEncoder, BernoulliDecoder, GaussianDecoder])
def test_leading_dimensions_are_batches(kind):
    net, x = kind(12, 3, hidden=(7,)), X.expand(2, 5, 12)
    with torch.no_grad():
        if kind is FullCovarianceEncoder:
            net.net[-1].weight[6:] = 0.1  # slanted, or its last factor would be zero anyway
        a, b = net(x), net(X)
    assert a.batch_shape == (2, 5) and a.event_shape == (3,)
    torch.testing.assert_close(a.mean[1], b.mean)
    if kind is FullCovarianceEncoder:
        torch.testing.assert_close(a.scale_tril[1], b.scale_tril)


def test_a_gaussian_decoder_has_free_means_unless_told_otherwise():
    assert not GaussianDecoder(2, 3).sigmoid_mean


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


@pytest.mark.parametrize("sigmoid_mean", [False, True])
def test_gaussian_decoder_has_a_mean_and_a_width_for_each_coordinate(sigmoid_mean):
    """(2.75) with diag(sigma^2): against the Gaussian density written out."""
    decoder = GaussianDecoder(3, 12, (7,), sigmoid_mean=sigmoid_mean)
    z = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1))
    p, (mu, log_variance) = decoder(z), decoder.net(z).chunk(2, -1)
    mu = 1 / (1 + (-mu).exp()) if sigmoid_mean else mu
    assert isinstance(p, FactorizedNormal) and p.batch_shape == (4, 5) and p.event_shape == (12,)
    density = -0.5 * (math.log(2 * math.pi) + log_variance + (X - mu) ** 2 / log_variance.exp())
    torch.testing.assert_close(p.log_prob(X), density.sum(-1))
    assert p.scale[0, 0].std() > 0.01, "one width for all coordinates"


def test_gaussian_decoder_learns_different_widths():
    """A VAE trained on coordinates of width 0.05 and 0.2 finds both."""
    g = torch.Generator().manual_seed(2)
    x = 0.5 + torch.tensor([0.05] * 3 + [0.2] * 3) * torch.randn(400, 6, generator=g)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = VAE(GaussianEncoder(6, 2, (8,)), GaussianDecoder(2, 6, (8,), sigmoid_mean=True), 2)
    history = fit(model, x, elbo_analytic_kl, epochs=60, batch_size=50, lr=0.01)
    assert history.rows[-1]["train"] > history.rows[0]["train"] + 3
    width = model.decode(torch.zeros(1, 2)).scale[0]
    torch.testing.assert_close(width, torch.tensor([0.05] * 3 + [0.2] * 3), rtol=0.25, atol=0)
