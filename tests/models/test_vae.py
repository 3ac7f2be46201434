"""The VAE as a pair of maps between distributions."""

import pytest
import torch

from vbook.errors import VbookError
from vbook.models import vae
from vbook.models.vae import ENCODERS

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


@pytest.mark.parametrize("bad", [dict(posterior="diagonal"), dict(z_dim=0), dict(x_dim=-1), dict(hidden=(0,))])
def test_bad_architectures_are_refused(bad):
    with pytest.raises(VbookError):
        vae(**(dict(x_dim=12, z_dim=2) | bad))
