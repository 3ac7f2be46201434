"""Entries of a record that more than one experiment makes: a mean over seeds, and the weakest link of a claim about an order."""

import math

from torch import Tensor


def over_seeds(values: Tensor, unit: str = "nats") -> dict:
    """The entry of a record for one value per seed (S,)."""
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": values.mean().item(), "standard_error": error, "n": len(values), "unit": unit, "over": "seeds"}


def least(differences: Tensor) -> dict:
    """The entry for the smallest mean of the columns of (S, K): the weakest link of a claim about an order."""
    return over_seeds(differences[:, differences.mean(0).argmin()])
