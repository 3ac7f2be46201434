"""Invertible maps with a determinant that costs nothing: the coupling layers of Real NVP, and the way from levels to logits.

Each is a ``Transform`` of ``torch.distributions``; a flow goes from data to latents, as in (17) of the assignment's hand-out.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, ComposeTransform, SigmoidTransform, Transform, constraints

from vbook.errors import VbookError
from vbook.noise import uniform

LEVELS = 256  # of grey, 0 to 255
ALPHA = 1e-5  # how far pixels are kept from 0 and 1, where the logit is infinite


class AffineCoupling(Transform):
    """x -> y with y_a = x_a and y_b = x_b ⊙ exp(s(x_a)) + t(x_a), Dinh, Sohl-Dickstein and Bengio (2017), (4)–(8).

    ``kept`` (D,) says which coordinates are a, the others are b, or is the two's indices, (A,) and (B,), which are taken unseen:
    in a CUDA graph no value can be looked at. ``net`` maps x_a (..., A) to (s', t) (..., 2B), and s = tanh s'. The Jacobian is
    triangular with exp(s) or 1 on its diagonal, so log |det| = Σ s, and whatever ``net`` computes need not be inverted.
    VbookError unless there are coordinates of both kinds.
    """

    domain = codomain = constraints.real_vector
    bijective = True

    def __init__(self, net: nn.Module, kept: Tensor | tuple[Tensor, Tensor]):
        super().__init__()
        self.net = net
        self.a, self.b = kept if isinstance(kept, tuple) else indices(kept)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """s and t, both (..., B), from the coordinates a, and the coordinates b."""
        scale, shift = self.net(x.index_select(-1, self.a)).chunk(2, -1)
        return scale.tanh(), shift, x.index_select(-1, self.b)

    def forward_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log |det ∂y/∂x| with one pass through ``net``; (..., D) -> (..., D) and (...,) nats."""
        s, t, x_b = self._parts(x)
        return x.index_copy(-1, self.b, x_b * s.exp() + t), s.sum(-1)

    def _call(self, x: Tensor) -> Tensor:
        return self.forward_and_ladj(x)[0]

    def _inverse(self, y: Tensor) -> Tensor:
        s, t, y_b = self._parts(y)  # y_a is x_a
        return y.index_copy(-1, self.b, (y_b - t) * (-s).exp())

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Σ s; (..., D) -> (...,) nats."""
        return self._parts(x)[0].sum(-1)


def indices(kept: Tensor) -> tuple[Tensor, Tensor]:
    """Where ``kept`` (D,) is True, and where it isn't; (A,) and (B,). VbookError unless it is both somewhere.

    >>> indices(torch.tensor([True, False, True]))
    (tensor([0, 2]), tensor([1]))
    """
    if kept.ndim != 1 or kept.dtype != torch.bool or kept.all() or not kept.any():
        raise VbookError("kept must be a vector of truth values, some True and some False")
    return kept.nonzero()[:, 0], (~kept).nonzero()[:, 0]


def checkerboard(shape: tuple[int, int]) -> Tensor:
    """Which pixels of an image of ``shape`` are black on a chess board, row by row; (H·W,) truth values.

    >>> checkerboard((2, 3)).int().tolist()
    [0, 1, 0, 1, 0, 1]
    """
    rows, columns = (torch.arange(size) for size in shape)
    return ((rows[:, None] + columns) % 2).flatten().bool()


def dequantize(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Levels with noise: 255 x + u, u ~ U(0, 1), for pixels x in {0, 1/255, …, 1}; (..., D) -> (..., D) in [0, 256)."""
    return ((LEVELS - 1) * x).round() + uniform(x.shape, x, generator)


def to_logits(alpha: float = ALPHA) -> ComposeTransform:
    """v -> logit(α/2 + (1 − α) v/256), pixel by pixel: from [0, 256) to the real line.

    Its log-derivative is −log 256 + log(1 − α) − log y − log(1 − y) with y = α/2 + (1 − α) v/256.

    >>> to_logits()(torch.tensor([128.0])).item()
    0.0
    """
    if not 0 < alpha < 1:
        raise VbookError(f"alpha must lie between 0 and 1, got {alpha!r}")
    return ComposeTransform([AffineTransform(0.0, 1 / LEVELS), AffineTransform(alpha / 2, 1 - alpha), SigmoidTransform().inv])


def levels_of(h: Tensor, alpha: float = ALPHA) -> Tensor:
    """The levels 0 … 255 that the logits h stand for: ``to_logits`` back, rounded down; (..., D) -> (..., D)."""
    return to_logits(alpha).inv(h).floor().clamp(0, LEVELS - 1)


def of_levels(log_density):
    """``log_density(model, h, generator=g)`` of logits (B, D) -> (B,) as one of levels with noise: what ``fit`` ascends.

    The result takes pixels x (B, D) in {0, 1/255, …, 1}, adds the noise and the log-determinant of ``to_logits``, and answers
    with log p(v), v in [0, 256)^D; (B,) nats. Its mean over the noise is at most log P(x) of the levels themselves (Jensen).
    """
    logits = to_logits()

    def objective(model, x: Tensor, generator: torch.Generator | None = None, **options) -> Tensor:
        v = dequantize(x, generator)
        h = logits(v)
        return log_density(model, h, generator=generator, **options) + logits.log_abs_det_jacobian(v, h).sum(-1)

    return objective


def bits_per_dim(nats: float, dims: int) -> float:
    """−log₂ p / D of a log-density in ``nats`` over ``dims`` coordinates.

    >>> bits_per_dim(-784 * math.log(256), 784)                               # one of 256 levels, all alike
    8.0
    """
    return -nats / (dims * math.log(2))
