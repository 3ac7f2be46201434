"""The ways between two draws of a generator: their points, their lengths, their pictures, and what the question is told."""

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp
from scipy.stats import chi, kstest, norm
from scripts import run

from vbook.results.weights import load_model
from vbook.widgets.generator import DIMS, generator_paths
from vbook.widgets.kept import KEPT

WIDGET, T = "widgets/generator-paths.js", np.linspace(0, 1, 9)


def draws(seed, count=10):
    return np.array(run(WIDGET, "return draws(seed, count, dims);", seed=seed, count=count, dims=DIMS))


def ways(a, b):
    body = "return [straight, round].map((way) => t.map((at) => way(a, b, at)));"
    return np.array(run(WIDGET, body, a=list(map(float, a)), b=list(map(float, b)), t=list(T)))


def test_the_ways_are_the_line_and_the_turn_about_the_origin():
    a, b = draws(3)[:2]
    line, turn = ways(a, b)
    assert line == pytest.approx(a + T[:, None] * (b - a), abs=1e-12)
    r, s = np.linalg.norm(a), np.linalg.norm(b)
    around = geometric_slerp(a / r, b / s, T) * ((1 - T) * r + T * s)[:, None]
    assert turn == pytest.approx(around, abs=1e-9)
    assert np.linalg.norm(turn, axis=1) == pytest.approx((1 - T) * r + T * s, abs=1e-9)


def test_along_one_line_the_turn_is_the_line():
    a = draws(4)[0]
    for b in (a, 2 * a, -a):
        line, turn = ways(a, b)
        assert turn == pytest.approx(line, abs=1e-12)


def test_the_draws_are_normal_and_new_with_each_seed():
    many = draws(1, 500)
    assert kstest(many.ravel(), norm.cdf).pvalue > 1e-3 and not np.allclose(draws(1), draws(2))
    assert np.array_equal(draws(1), many[:10])


def test_the_answer_holds():
    low, high = generator_paths().payload["typical"]
    assert chi(DIMS).cdf(high) - chi(DIMS).cdf(low) == pytest.approx(0.95, abs=1e-3)
    many = draws(1, 400)
    middle = np.linalg.norm((many[::2] + many[1::2]) / 2, axis=1)
    ratio = middle.mean() / np.linalg.norm(many, axis=1).mean()
    assert ratio == pytest.approx(0.5**0.5, abs=0.03), "about 0.7 times as long"
    assert chi(DIMS).cdf(middle.mean()) < 0.06, "few draws of 16 latents are that short"


def test_it_opens_on_a_pair_that_shows_the_answer():
    payload = generator_paths().payload
    a, b = (draws(payload["seed"])[k] for k in payload["ends"])
    (line, turn), (low, high) = ways(a, b), payload["typical"]
    ordinary = np.linalg.norm(draws(1, 400), axis=1).mean()
    assert np.linalg.norm(line[4]) / ordinary == pytest.approx(0.5**0.5, abs=0.05)
    assert np.linalg.norm(turn[4]) / ordinary == pytest.approx(1.0, abs=0.1)
    assert all(low < np.linalg.norm(z) < high for z in (*line, *turn)), "inside the band, as its static picture has it"


def test_its_pictures_are_pytorchs():
    z = draws(generator_paths().payload["seed"])
    found = torch.tensor(run(WIDGET, "return z.map((one) => nets.generator(one).mean);", ("generator",), z=z.tolist()))
    with torch.no_grad():
        expected = load_model(KEPT["generator"].record).decode(torch.tensor(z).float()).mean
    assert (found - expected).abs().max() <= 1e-2
    assert torch.pdist(expected).min() > 1, "the draws are different pictures"
