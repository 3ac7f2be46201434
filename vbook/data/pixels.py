"""Pixels: levels to tensors, binarisation, fixed random orders and draws, and the check that every set passes."""

import math

import numpy as np
import torch

from vbook.errors import VbookError

# The seed of every fixed order and draw of the book; another value would be another data set.
SEED = 2017


def _stream(*key: int) -> np.random.PCG64:
    """64-bit random integers that depend on ``key`` alone; only a bit generator's plain output is promised never to change."""
    return np.random.PCG64([SEED, *key])


def fixed_order(count: int, *key: int) -> np.ndarray:
    """A random permutation of ``range(count)`` that is the same on every machine and with every version.

    >>> fixed_order(5).tolist()
    [4, 3, 1, 2, 0]
    """
    return np.argsort(_stream(*key).random_raw(count), kind="stable")


def fixed_draw(levels: np.ndarray, scale: int, *key: int) -> np.ndarray:
    """Binary pixels, 1 with probability ``levels / scale``, drawn in exact integer arithmetic: the protocol *static*.

    >>> fixed_draw(np.array([[0, 255]]), 255).tolist()
    [[0, 1]]
    """
    stream, shift = _stream(*key), np.uint64(32)
    binary = np.empty(levels.shape, np.uint8)
    for start in range(0, len(levels), 1000):  # a block at a time: the 64-bit integers would fill eight times the memory
        block = levels[start : start + 1000].astype(np.uint64)
        uniform = stream.random_raw(block.size).reshape(block.shape) >> shift
        binary[start : start + 1000] = uniform * np.uint64(scale) < (block << shift)  # u / 2^32 < level / scale
    return binary


def apply_protocol(protocol: str, levels: np.ndarray, scale: int, *key: int) -> tuple[np.ndarray, int]:
    """The levels of a set under ``protocol``, and the scale that turns them into pixels in [0, 1]."""
    if protocol == "threshold":
        return (2 * levels.astype(np.int32) > scale).astype(np.uint8), 1
    if protocol == "static" and scale > 1:  # with scale 1 they are binary as published
        return fixed_draw(levels, scale, *key), 1
    return levels, scale


def binarize(x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draw binary pixels with the grey levels ``x`` in [0, 1] as probabilities, on the device of ``x``.

    A fresh draw for each batch is the protocol *dynamic*; the generator must live on the same device.

    >>> binarize(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    try:
        return torch.bernoulli(x, generator=generator)
    except RuntimeError as error:
        if "p_in" not in str(error):
            raise
        raise VbookError(f"binarize takes x for probabilities, but it lies in [{x.min():g}, {x.max():g}]") from None


def check_pixels(x: torch.Tensor, binary: bool = False, shape: tuple[int, ...] | None = None) -> torch.Tensor:
    """``x`` if it is a finite (N, D) tensor of pixels in [0, 1], only 0 and 1 when ``binary``, with D the size of ``shape``.

    Otherwise a VbookError says how many pixels are wrong, and in which way.

    >>> check_pixels(torch.tensor([[0.0, 0.5]])).shape
    torch.Size([1, 2])
    """
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise VbookError(f"pixels must be a tensor of floating-point numbers, got {getattr(x, 'dtype', type(x).__name__)}")
    if x.ndim != 2 or not x.numel():
        raise VbookError(f"pixels must have shape (N, D), one flat image a row, and N, D ≥ 1; got {tuple(x.shape)}")
    if shape is not None and x.shape[1] != np.prod(shape):
        size = "×".join(map(str, shape))
        raise VbookError(f"images of {size} have {np.prod(shape)} pixels each, but x has {x.shape[1]} columns")
    least, greatest = (bound.item() for bound in x.aminmax())  # one pass; NaN comes through
    if not math.isfinite(least) or not math.isfinite(greatest):
        raise VbookError(f"{int((~x.isfinite()).sum()):,} of {x.numel():,} pixels are NaN or infinite")
    if least < 0 or greatest > 1:
        wrong = int(((x < 0) | (x > 1)).sum())
        hint = "; divide levels by 255 first" if least >= 0 else ""
        raise VbookError(f"{wrong:,} of {x.numel():,} pixels lie outside [0, 1], from {least:g} to {greatest:g}{hint}")
    if binary and (wrong := int(x.frac().count_nonzero())):
        raise VbookError(
            f"{wrong:,} of {x.numel():,} pixels are neither 0 nor 1, from {least:g} to {greatest:g}, where the protocol says "
            "binary; draw them with binarize, or name the protocol 'real'"
        )
    return x
