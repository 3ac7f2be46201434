"""The solvable model against quadrature: its evidence and posterior are what the integrals give."""

import math

import pytest
import torch

from vbook.errors import VbookError
from vbook.models import LinearGaussian

W = torch.tensor([[1.0], [-0.4]], dtype=torch.float64)
B = torch.tensor([0.2, 0.1], dtype=torch.float64)
X = torch.tensor([[0.9, -0.3], [-2.0, 1.0]], dtype=torch.float64)
GRID = torch.linspace(-10, 10, 4001, dtype=torch.float64)[:, None, None]


@pytest.fixture
def model():
    return LinearGaussian(W, B, noise=0.5)


def log_joint(model):
    return model.prior().log_prob(GRID) + model.decode(GRID).log_prob(X)  # (G, B)


def test_log_px_is_the_integral_over_z(model):
    """(1.13)."""
    integral = log_joint(model).logsumexp(0) + math.log(20 / 4000)
    torch.testing.assert_close(model.log_px(X), integral, rtol=1e-9, atol=1e-9)


def test_posterior_is_joint_over_evidence(model):
    """(1.19), at every point of the grid."""
    q = model.posterior(X)
    expected = log_joint(model) - model.log_px(X)
    torch.testing.assert_close(q.log_prob(GRID.expand(-1, 2, 1)), expected, rtol=1e-8, atol=1e-8)


def test_encode_is_the_posterior_unless_an_encoder_is_given(model):
    torch.testing.assert_close(model.encode(X).mean, model.posterior(X).mean)
    other = LinearGaussian(W, B, 0.5, encoder=lambda x: "q")
    assert other.encode(X) == "q"


@pytest.mark.parametrize(("weight", "noise"), [(W, 0.0), (W, -1.0), (W[:1], 0.5)])
def test_bad_parameters_are_refused(weight, noise):
    with pytest.raises(VbookError, match="expected"):
        LinearGaussian(weight, B, noise)
