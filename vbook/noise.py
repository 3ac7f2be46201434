"""Where the noise of an estimate comes from: a generator, or a tape of noise that was drawn before."""

from collections.abc import Callable
from numbers import Real

import torch
from torch import Generator, Tensor

from vbook.errors import VbookError


def check_seed(seed: int) -> int:
    """``seed`` if PyTorch's generators can take it and its neighbours, else a VbookError."""
    if isinstance(seed, bool) or not isinstance(seed, Real) or not 0 <= seed < 2**62 or seed != int(seed):
        raise VbookError(f"seed must be a whole number from 0 to 2^62 - 1, got {seed!r}")
    return int(seed)


class Tape:
    """Stands where a generator stands, and gives out ``draws`` one after the other: noise drawn outside a compiled step."""

    def __init__(self, draws: list[Tensor]):
        self.draws, self.at = draws, 0

    def take(self, kind: str, shape: torch.Size, like: Tensor) -> Tensor:
        """The next draw on the tape."""
        self.at += 1
        return self.draws[self.at - 1]


class Listener(Tape):
    """Stands where a generator stands, draws from ``generator``, and notes of what kind and shape each draw was."""

    def __init__(self, generator: Generator):
        super().__init__([])
        self.generator, self.heard = generator, []

    def take(self, kind: str, shape: torch.Size, like: Tensor) -> Tensor:
        """A fresh draw."""
        self.heard.append((kind, torch.Size(shape), like.dtype, like.device))
        return _KINDS[kind](shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def again(self, generator: Generator) -> list[Tensor]:
        """As many draws, of the same kinds and shapes, from ``generator``: the ones that the same computation would make."""
        return [_KINDS[k](shape, generator=generator, dtype=dtype, device=device) for k, shape, dtype, device in self.heard]


_KINDS: dict[str, Callable] = {"normal": torch.randn, "uniform": torch.rand}


def normal(shape, like: Tensor, generator: Generator | Tape | None) -> Tensor:
    """ε ~ N(0, I) of ``shape``, with the type and on the device of ``like``."""
    return _noise("normal", shape, like, generator)


def uniform(shape, like: Tensor, generator: Generator | Tape | None) -> Tensor:
    """u ~ U(0, 1) of ``shape``, with the type and on the device of ``like``."""
    return _noise("uniform", shape, like, generator)


def _noise(kind: str, shape, like: Tensor, generator) -> Tensor:
    if isinstance(generator, Tape):
        return generator.take(kind, shape, like)
    if not isinstance(generator, Generator | None):
        raise VbookError(f"generator must be a torch.Generator, got {generator!r}: torch.Generator().manual_seed(0) is one")
    return _KINDS[kind](shape, generator=generator, dtype=like.dtype, device=like.device)
