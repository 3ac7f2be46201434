"""Contours and ellipses: both at the same number of standard deviations."""

import numpy as np
import pytest
import torch

from vbook.errors import VbookError
from vbook.plots import density_contours, ellipse, figure

MEAN = np.array([0.5, -1.0])
COV = np.array([[1.2, 0.6], [0.6, 0.5]])


def distance(points):
    """Standard deviations from MEAN under COV."""
    d = points - MEAN
    return np.sqrt((d @ np.linalg.inv(COV) * d).sum(-1))


def log_density(z):
    return torch.distributions.MultivariateNormal(torch.tensor(MEAN), torch.tensor(COV)).log_prob(z.double()) - 7


def test_contours_of_a_gaussian_are_its_ellipses():
    _fig, ax = figure()
    drawn = density_contours(ax, log_density, (-6, 7, -5, 3), ks=(1, 2))
    outer, inner = (path.vertices for path in drawn.get_paths())
    assert np.abs(distance(inner) - 1).max() < 0.03
    assert np.abs(distance(outer) - 2).max() < 0.03


def test_ellipse_lies_at_k_standard_deviations():
    _fig, ax = figure()
    for k in (1, 2.5):
        patch = ellipse(ax, MEAN, COV, k=k)
        boundary = patch.get_patch_transform().transform(patch.get_path().vertices[::3])
        assert np.abs(distance(boundary) - k).max() < 1e-3


def test_narrow_densities_need_a_smaller_window():
    _fig, ax = figure()
    with pytest.raises(VbookError, match="smaller lim"):
        density_contours(ax, lambda z: -0.5 * (z**2).sum(-1) / 1e-6, (-4, 4, -4, 4))


@pytest.mark.parametrize("wrong", [lambda z: z, lambda z: z[:, 0] * float("nan"), lambda z: torch.full((len(z),), -float("inf"))])
def test_wrong_log_densities_are_refused(wrong):
    _fig, ax = figure()
    with pytest.raises(VbookError, match="log_density"):
        density_contours(ax, wrong, (-1, 1, -1, 1))


@pytest.mark.parametrize("cov", [[[1, 0.5], [0.2, 1]], [[1, 2], [2, 1]], [1, 1], np.eye(3)])
def test_wrong_covariances_are_refused(cov):
    _fig, ax = figure()
    with pytest.raises(VbookError, match="positive-definite"):
        ellipse(ax, [0, 0], cov)
