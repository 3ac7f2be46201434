"""Entries of records over several seeds."""

import math

import pytest
import torch

from vbook.experiments.entries import least, over_seeds


def test_over_seeds_is_mean_and_standard_error():
    entry = over_seeds(torch.tensor([1.0, 2.0, 6.0]), "latents")
    assert entry == {"mean": 3.0, "standard_error": pytest.approx(math.sqrt(7 / 3)), "n": 3, "unit": "latents", "over": "seeds"}
    assert over_seeds(torch.tensor([4.0]))["standard_error"] is None


def test_the_weakest_link():
    differences = torch.tensor([[3.0, -1.0, 5.0], [1.0, 0.0, 4.0]])
    entry = least(differences)
    assert (entry["mean"], entry["n"]) == (-0.5, 2) and entry["standard_error"] == pytest.approx(0.5)
