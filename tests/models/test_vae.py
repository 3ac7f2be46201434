"""The VAE as a pair of maps between distributions."""

import math

import pytest
import torch

from vbook.errors import VbookError
from vbook.models import vae
from vbook.models.vae import ENCODERS
from vbook.networks import BernoulliDecoder, GaussianEncoder

X = (torch.rand(5, 12, generator=torch.Generator().manual_seed(0)) < 0.4).float()


@pytest.mark.parametrize("posterior", ENCODERS)
def test_factors_have_the_shapes_of_the_thesis(posterior):
    model = vae(12, 3, hidden=(7,), posterior=posterior)
    q, prior = model.encode(X), model.prior()
    assert q.batch_shape == (5,) and q.event_shape == (3,)
    assert prior.batch_shape == () and prior.event_shape == (3,)
    p = model.decode(q.rsample((4,)))
    assert p.batch_shape == (4, 5) and p.event_shape == (12,)
    assert p.log_prob(X).shape == (4, 5)


def test_prior_is_standard_normal_in_the_models_dtype():
    model = vae(12, 2, hidden=(7,)).double()
    assert model.prior().loc.dtype == torch.float64
    assert model.prior().log_prob(torch.zeros(2, dtype=torch.float64)).item() == pytest.approx(-1.8378770664093453)


def test_seed_decides_the_weights_and_the_global_state_is_untouched():
    before = torch.random.get_rng_state()
    a, b, c = vae(12, 2, seed=1), vae(12, 2, seed=1), vae(12, 2, seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(next(a.parameters()), next(c.parameters()))


def test_hidden_layers_mirror_each_other():
    model = vae(12, 2, hidden=(9, 5))
    assert [layer.out_features for layer in model.encoder.net[::2]] == [9, 5, 4]
    assert [layer.out_features for layer in model.decoder.net[::2]] == [5, 9, 12]


def test_gaussian_likelihood_has_means_between_zero_and_one():
    """Large weights put the means at the ends of the interval, not outside."""
    model, z = vae(12, 2, hidden=(7,), likelihood="gaussian", init_sd=2.0), torch.linspace(-3, 3, 40).view(4, 5, 2)
    p, out = model.decode(z), model.decoder.net(z)
    assert p.batch_shape == (4, 5) and p.event_shape == (12,) and p.log_prob(X).shape == (4, 5)
    assert out[..., :12].min() < 0 and out[..., :12].max() > 1 and p.mean.min() >= 0 and p.mean.max() <= 1
    normal = torch.distributions.Normal(1 / (1 + (-out[..., :12]).exp()), (out[..., 12:] / 2).exp())
    torch.testing.assert_close(p.log_prob(X), normal.log_prob(X).sum(-1))


@pytest.mark.parametrize("posterior", ENCODERS)
def test_init_sd_draws_every_parameter_from_one_gaussian(posterior):
    """Each weight and each bias has mean, sd and share within one sd of N(0, 0.3²), to four standard errors."""
    model = vae(40, 20, hidden=(50,), posterior=posterior, init_sd=0.3, seed=2)
    for name, p in model.named_parameters():
        n = p.numel()
        assert abs(p.mean().item()) < 4 * 0.3 / math.sqrt(n), name
        assert abs(p.std().item() - 0.3) < 4 * 0.3 / math.sqrt(2 * n), name
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    within = (flat.abs() < 0.3).float().mean().item()
    assert abs(within - 0.6827) < 4 * math.sqrt(0.6827 * 0.3173 / len(flat))
    again = torch.cat([p.detach().flatten() for p in vae(40, 20, (50,), posterior, init_sd=0.3, seed=2).parameters()])
    other = torch.cat([p.detach().flatten() for p in vae(40, 20, (50,), posterior, init_sd=0.3, seed=3).parameters()])
    assert torch.equal(flat, again) and not torch.equal(flat, other)


def test_without_init_sd_the_parameters_are_pytorchs():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        plain = [*GaussianEncoder(12, 2, (7,)).parameters(), *BernoulliDecoder(2, 12, (7,)).parameters()]
    assert all(torch.equal(p, q) for p, q in zip(vae(12, 2, (7,), seed=5).parameters(), plain, strict=True))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (dict(likelihood="gauss"), "unknown likelihood 'gauss'; known: bernoulli, gaussian"),
        (dict(init_sd=0.0), "init_sd must be a finite number above 0, got 0.0"),
        (dict(init_sd=-0.1), "init_sd must be a finite number above 0, got -0.1"),
        (dict(init_sd=math.nan), "init_sd must be a finite number above 0, got nan"),
        (dict(init_sd=math.inf), "init_sd must be a finite number above 0, got inf"),
        (dict(init_sd="a"), "init_sd must be a finite number above 0, got 'a'"),
        (dict(z_dim="3"), "z_dim must be a positive integer, got '3'"),
        (dict(z_dim=3.0), "z_dim must be a positive integer, got 3.0"),
        (dict(x_dim=0), "x_dim must be a positive integer, got 0"),
        (dict(hidden="500"), "hidden must hold the sizes of the hidden layers, .* got '500'"),
        (dict(hidden=None), "hidden must hold the sizes of the hidden layers, .* got None"),
        (dict(hidden=(5.0,)), "layer sizes must be at least two positive integers"),
    ],
)
def test_unknown_likelihoods_and_spreads_that_are_not_positive_are_refused(bad, words):
    with pytest.raises(VbookError, match=words):
        vae(**(dict(x_dim=12, z_dim=2) | bad))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (dict(posterior="diagonal"), "unknown posterior 'diagonal'; known: factorized, full-covariance"),
        (dict(likelihood="poisson"), "unknown likelihood 'poisson'; known: bernoulli, gaussian"),
        (dict(hidden=5), r"hidden holds the sizes of the hidden layers: write \(5,\) for one of 5 units"),
        (dict(activation="tan"), "unknown activation 'tan'; known: "),
    ],
)
def test_unknown_parts_are_named(bad, words):
    with pytest.raises(VbookError, match=words):
        vae(**({"x_dim": 12, "z_dim": 2, "hidden": (6,)} | bad))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("posterior", ENCODERS)
def test_the_activation_is_that_of_both_networks(posterior, likelihood):
    model = vae(12, 2, hidden=(6,), posterior=posterior, likelihood=likelihood, activation="relu")
    layers = [type(layer).__name__ for net in (model.encoder.net, model.decoder.net) for layer in net]
    assert layers == ["Linear", "ReLU", "Linear"] * 2


@pytest.mark.parametrize("bad", [dict(posterior="diagonal"), dict(z_dim=0), dict(x_dim=-1), dict(hidden=(0,))])
def test_bad_architectures_are_refused(bad):
    with pytest.raises(VbookError):
        vae(**(dict(x_dim=12, z_dim=2) | bad))
