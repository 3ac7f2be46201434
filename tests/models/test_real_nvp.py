"""Real NVP: its inverse, its density against PyTorch's and against autograd, and a flow that can be solved."""

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode
from torch.func import jacrev, vmap

from vbook.errors import VbookError
from vbook.experiments.chapter13.flow import with_shifts
from vbook.flows import AffineCoupling, checkerboard, of_levels
from vbook.models import RealNVP
from vbook.models.real_nvp import log_flow
from vbook.training import fit


def trained(shape=(3, 4), pairs=2):
    """A small flow whose last layers are not at zero any more."""
    model = RealNVP(shape, pairs=pairs, hidden=24, seed=1).double()
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for net in model.nets:
            net[-1].weight.normal_(0, 0.3, generator=g)
            net[-1].bias.normal_(0, 0.3, generator=g)
    return model


def test_it_starts_as_the_identity():
    h = torch.randn(5, 16)
    z, ladj = RealNVP((4, 4), hidden=8).normalize(h)
    assert torch.equal(z, h) and torch.equal(ladj, torch.zeros(5))


def test_a_board_with_more_black_than_white():
    model, h = trained((3, 3)), torch.randn(20, 9, dtype=torch.float64)
    assert model.black.sum() in (4, 5)
    torch.testing.assert_close(model.generate(model.normalize(h)[0]), h)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forth_and_back(dtype):
    model, h = trained().to(dtype), torch.randn(200, 12, dtype=dtype)
    z, ladj = model.normalize(h)
    back = model.generate(z)
    assert ((back - h).abs() / h.abs().clamp(min=1e-3)).mean() < 1e-5  # the template's own test
    assert (model.normalize(back)[1] - ladj).abs().mean() < 1e-5
    assert (z - h).abs().mean() > 0.1


def test_its_log_determinant_is_autograds():
    model, h = trained(), torch.randn(20, 12, dtype=torch.float64)
    expected = torch.linalg.slogdet(vmap(jacrev(lambda row: model.normalize(row)[0]))(h)).logabsdet
    assert torch.allclose(model.normalize(h)[1], expected, atol=1e-9) and expected.abs().mean() > 0.1


def test_its_density_is_pytorchs():
    model, h = trained(), torch.randn(20, 12, dtype=torch.float64)
    assert torch.allclose(model.log_ph(h), model.distribution().log_prob(h), atol=1e-10)
    assert torch.equal(log_flow(model, h), model.log_ph(h))


def test_its_density_integrates_to_1():
    model = trained((1, 2), pairs=3)
    edge = torch.linspace(-9, 9, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(edge, edge)
    with torch.no_grad():
        mass = model.log_ph(grid).exp().sum() * (edge[1] - edge[0]) ** 2
    assert mass.item() == pytest.approx(1.0, abs=1e-4)


def test_couplings_take_turns():
    model = RealNVP((4, 4), pairs=2, hidden=8)
    assert [tuple(c.b.tolist()) for c in model.couplings()[:2]] == [
        tuple((~checkerboard((4, 4))).nonzero()[:, 0].tolist()),
        tuple(checkerboard((4, 4)).nonzero()[:, 0].tolist()),
    ]
    assert torch.equal(model.couplings()[2].a, model.couplings()[0].a)


def test_no_value_is_looked_at_on_the_way():
    """In a CUDA graph nothing can be read back; a tensor without values refuses what would."""
    model = RealNVP((4, 4), pairs=2, hidden=8)
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.rand(5, 16)
        found = with_shifts(of_levels(log_flow), (4, 4))(model, x)
        found.mean().backward()
        assert isinstance(found, FakeTensor) and found.shape == (5,) and model.generate(x).shape == (5, 16)
        with pytest.raises(DataDependentOutputException):
            AffineCoupling(model.nets[0], x[0] > 0.5)


def test_its_draws_have_its_density():
    model, g = trained(), torch.Generator().manual_seed(0)
    z = torch.randn(20_000, 12, dtype=torch.float64, generator=g)
    with torch.no_grad():
        entropy = -model.log_ph(model.generate(z))
    # E[-log p(h)] over its draws is H(z) - E[ladj], the change of variables of an entropy.
    _, ladj = model.normalize(model.generate(z))
    expected = -model.prior().log_prob(z) - ladj
    assert torch.allclose(entropy, expected, atol=1e-8)


def test_it_learns_a_slanted_gaussian_to_its_entropy():
    g = torch.Generator().manual_seed(0)
    cover = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    x = torch.randn(4000, 2, generator=g) @ torch.linalg.cholesky(cover).T
    model = RealNVP((1, 2), pairs=2, hidden=16)
    before = model.log_ph(x).mean().item()
    fit(model, x, log_flow, epochs=15, batch_size=200, lr=5e-3)
    truth = torch.distributions.MultivariateNormal(torch.zeros(2), cover).log_prob(x).mean().item()
    after = model.log_ph(x).mean().item()
    assert before < truth - 0.3 and truth - 0.03 < after < truth + 0.03


def test_the_seed_decides_and_the_global_state_stays():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two, other = (RealNVP((2, 2), hidden=4, seed=seed).nets[0][0].weight for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other) and torch.equal(torch.get_rng_state(), state)
    with pytest.raises(VbookError, match="at least 1"):
        RealNVP((2, 2), pairs=0)


def test_its_networks_bend_as_relu_does():
    """Each layer's output is piecewise linear: with no biases, twice the input gives twice the output, and minus it does not."""
    model = RealNVP((2, 2), pairs=1, hidden=8)
    with torch.no_grad():
        for net in model.nets:
            for weights in net.parameters():
                weights.normal_() if weights.dim() > 1 else weights.zero_()
            x = torch.randn(5, 2)
            assert torch.allclose(net(2 * x), 2 * net(x)) and not torch.allclose(net(-x), -net(x))


def test_its_settings():
    flow = RealNVP((2, 3), hidden=4)
    assert len(flow.nets) == 8 and len(RealNVP((2, 3), pairs=1, hidden=4).couplings()) == 2
    assert [layer.out_features for layer in RealNVP((2, 2), pairs=1).nets[0] if isinstance(layer, torch.nn.Linear)] == [
        1024,
        1024,
        4,
    ]
    assert {name.split(".")[0] for name in flow.state_dict()} == {"nets"}, "masks aren't weights"
    same, default, other = (RealNVP((2, 3), hidden=4, **seed).state_dict() for seed in ({"seed": 0}, {}, {"seed": 1}))
    assert all(torch.equal(same[name], default[name]) for name in same)
    assert any(not torch.equal(same[name], other[name]) for name in same)
    with pytest.raises(VbookError, match="at least 1"):
        RealNVP((2, 3), pairs=0)


def test_images_in_several_dimensions():
    model, h = trained(), torch.randn(2, 3, 12, dtype=torch.float64)
    z, ladj = model.normalize(h)
    assert ladj.shape == (2, 3) and torch.allclose(ladj[1], model.normalize(h[1])[1])
    assert torch.allclose(model.generate(z), h, atol=1e-9)
