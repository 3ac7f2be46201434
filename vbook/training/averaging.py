"""Temporal averaging of weights: the mean of the recent past instead of the last step (Adam paper, section 7.2)."""

import copy

import torch
from torch import nn

from vbook.errors import VbookError


class Average:
    """θ̄_t = Σ_s w^(t−s) θ_s / Σ_s w^(t−s) over the steps s = 1 … t so far: exponential weights ``w``, corrected for the start.

    ``model`` is a copy with the averaged weights; buffers are those of the last step.
    """

    def __init__(self, model: nn.Module, weight: float):
        if not isinstance(weight, float) or not 0 < weight < 1:
            raise VbookError(f"average must lie between 0 and 1, got {weight!r}")
        self.weight, self.steps = weight, torch.zeros((), dtype=torch.float64)
        try:
            self.model = copy.deepcopy(model).requires_grad_(False)
        except Exception as error:  # what a module holds beside its weights may refuse in any way
            raise VbookError(f"average keeps a copy of the model, which can't be copied: {error}") from error
        self.source = model

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self.steps += 1
        share = (1 - self.weight) / (1 - self.weight ** self.steps.item())
        torch._foreach_lerp_(list(self.model.parameters()), list(self.source.parameters()), share)
        for mine, theirs in zip(self.model.buffers(), self.source.buffers(), strict=True):
            mine.copy_(theirs)
