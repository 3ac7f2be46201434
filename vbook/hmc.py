"""Hamiltonian Monte Carlo for many independent chains at once: the N chains are the rows of one tensor z (N, Z).

``log_density(z)`` maps (N, Z) to the logarithms (N,) of unnormalised densities, row by row, so that the gradient of their sum is
the gradient of each. H(z, r) = −log p(z) + ½ rᵀr is the energy; the masses are 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vbook.errors import VbookError


class Transition(NamedTuple):
    """Where the chains are now (N, Z), which of them moved (N,), and with what probability they were to move (N,)."""

    z: Tensor
    accepted: Tensor
    acceptance: Tensor


class Samples(NamedTuple):
    """Draws after warm-up (S, N, Z), the share of accepted proposals among them, and the step size that made them."""

    draws: Tensor
    acceptance: float
    step_size: Tensor


def gradient(log_density: Callable, z: Tensor) -> Tensor:
    """∇_z log p(z) of each chain; (N, Z) -> (N, Z)."""
    return _height_and_slope(log_density, z)[1]


def leapfrog(log_density: Callable, z: Tensor, momentum: Tensor, step_size: Tensor | float, steps: int) -> tuple[Tensor, Tensor]:
    """Follow Hamilton's equations for ``steps`` leapfrog steps: half a kick, drift, ..., half a kick; (N, Z) twice -> twice.

    The map keeps volumes and, run again from (z, −r), goes back; its error in the energy is of the order step_size².
    ``step_size`` is a number or one number per chain (N,).
    """
    return _follow(log_density, z, momentum, step_size, steps)[:2]


@torch.no_grad()
def hmc_step(
    log_density: Callable,
    z: Tensor,
    step_size: Tensor | float,
    leapfrogs: int = 10,
    generator: torch.Generator | None = None,
    jitter: float = 0.0,
) -> Transition:
    """One transition of every chain: a fresh momentum r ~ N(0, I), ``leapfrogs`` steps, accepted with probability e^(−ΔH) or 1.

    Proposals whose energy is not finite are rejected; so is all that starts from such a point. ``jitter`` draws each chain's step
    from step_size · U(1 − jitter, 1 + jitter): with a fixed trajectory length a chain can come back to where it started.
    """
    _check(z, step_size, leapfrogs)
    if not 0 <= jitter < 1:
        raise VbookError(f"jitter must lie in [0, 1), got {jitter}")
    if jitter:
        uniform = torch.rand(len(z), 1, generator=generator, dtype=z.dtype, device=z.device)
        step_size = (_column(step_size, z) * (1 + jitter * (2 * uniform - 1))).squeeze(1)
    momentum = torch.randn(z.shape, generator=generator, dtype=z.dtype, device=z.device)
    proposal, end, at_start, at_end = _follow(log_density, z, momentum, step_size, leapfrogs)
    fall = _energy(at_start, momentum) - _energy(at_end, end)  # −ΔH
    acceptance = torch.where(torch.isfinite(fall), fall.clamp(max=0).exp(), 0)
    uniform = torch.rand(len(z), generator=generator, dtype=z.dtype, device=z.device)
    accepted = uniform < acceptance
    return Transition(torch.where(accepted[:, None], proposal, z), accepted, acceptance)


def energy(log_density: Callable, z: Tensor, momentum: Tensor) -> Tensor:
    """H(z, r) = −log p(z) + ½ rᵀr up to a constant; (N, Z) twice -> (N,) nats."""
    return _energy(log_density(z), momentum)


def tune(step_size: Tensor, acceptance: Tensor, target: float = 0.9, rate: float = 0.1) -> Tensor:
    """The step size times e^(rate · (acceptance − target)): longer where too much is accepted, shorter where too little.

    One step size () follows the mean acceptance of all chains; one per chain (N,) follow each its own.

    >>> tune(torch.tensor(0.5), torch.tensor([1.0, 1.0]), rate=1.0)      # 0.5 exp(0.1)
    tensor(0.5526)
    """
    if not 0 < target < 1:
        raise VbookError(f"target must lie between 0 and 1, got {target}")
    observed = acceptance if step_size.ndim else acceptance.mean()
    return step_size * (rate * (observed - target)).exp()


def sample(
    log_density: Callable,
    z: Tensor,
    draws: int,
    *,
    warm_up: int = 200,
    step_size: Tensor | float = 0.1,
    leapfrogs: int = 10,
    target: float = 0.9,
    jitter: float = 0.1,
    generator: torch.Generator | None = None,
) -> Samples:
    """``draws`` transitions of every chain from z (N, Z), after ``warm_up`` transitions that tune the step size to ``target``.

    The tuning slows down as 1/√t and what it found last stays fixed while the draws are taken, which keeps them a Markov chain.
    A ``step_size`` of shape (N,) is tuned per chain.
    """
    if draws < 1 or warm_up < 0:
        raise VbookError(f"draws must be at least 1 and warm_up at least 0, got {draws} and {warm_up}")
    step_size = torch.as_tensor(step_size, dtype=z.dtype, device=z.device)
    for t in range(1, warm_up + 1):
        z, _, acceptance = hmc_step(log_density, z, step_size, leapfrogs, generator, jitter)
        step_size = tune(step_size, acceptance, target, rate=t**-0.5)
    kept, moved = z.new_empty((draws, *z.shape)), 0.0
    for s in range(draws):
        z, accepted, _ = hmc_step(log_density, z, step_size, leapfrogs, generator, jitter)
        kept[s] = z
        moved += accepted.double().mean().item() / draws
    return Samples(kept, moved, step_size)


def split_rhat(draws: Tensor) -> Tensor:
    """Split R-hat √(var⁺/W): chains are cut in halves, whose means are compared with their spread; (S, N, ...) -> (...).

    Near 1 when the 2N half chains agree. The form on the draws themselves, without ranks (Gelman et al. 2013, Vehtari et al.
    2021); the middle draw of an odd number is left out.

    >>> split_rhat(torch.tensor([[0.0], [2.0], [1.0], [3.0]]))            # W = 2, B/n = 1/2: sqrt(0.5 + 0.25)
    tensor(0.8660)
    """
    half = len(draws) // 2
    if half < 2:
        raise VbookError(f"split R-hat needs at least 4 draws per chain, got {len(draws)}")
    chains = torch.cat([draws[:half], draws[-half:]], 1)  # (S/2, 2N, ...)
    within = chains.var(0).mean(0)  # W
    between = chains.mean(0).var(0)  # B/n, with n = S/2
    return ((half - 1) / half + between / within).sqrt()


def _energy(height: Tensor, momentum: Tensor) -> Tensor:
    return 0.5 * momentum.square().sum(-1) - height


def _height_and_slope(log_density: Callable, z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        value = log_density(z)
        if value.shape != z.shape[:1]:
            raise VbookError(f"log_density must map z {tuple(z.shape)} to shape ({len(z)},), got {tuple(value.shape)}")
        return value.detach(), torch.autograd.grad(value.sum(), z)[0]


def _follow(log_density: Callable, z: Tensor, momentum: Tensor, step_size, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The end (z, r) of ``leapfrog``, with log p(z) at its start and at its end, which the slopes there bring along."""
    if not steps >= 1:
        raise VbookError(f"steps must be at least 1, got {steps}")
    epsilon = _column(step_size, z)
    at_start, slope = _height_and_slope(log_density, z)
    momentum = momentum + 0.5 * epsilon * slope
    for step in range(1, steps + 1):
        z = z + epsilon * momentum
        kick = epsilon if step < steps else 0.5 * epsilon  # two half kicks in a row are one
        at_end, slope = _height_and_slope(log_density, z)
        momentum = momentum + kick * slope
    return z, momentum, at_start, at_end


def _column(step_size: Tensor | float, z: Tensor) -> Tensor:
    return torch.as_tensor(step_size, dtype=z.dtype, device=z.device).reshape(-1, 1)


def _check(z: Tensor, step_size: Tensor | float, leapfrogs: int) -> None:
    if z.ndim != 2:
        raise VbookError(f"z must hold one chain per row, shape (N, Z), got {tuple(z.shape)}")
    epsilon = torch.as_tensor(step_size)
    if epsilon.shape not in ((), (len(z),)):
        raise VbookError(f"step_size must be one number or one per chain ({len(z)},), got shape {tuple(epsilon.shape)}")
    if not ((epsilon > 0) & torch.isfinite(epsilon)).all():
        raise VbookError(f"step_size must be above 0 and finite, got {epsilon.min().item():g} to {epsilon.max().item():g}")
    if not (leapfrogs >= 1 and leapfrogs == int(leapfrogs)):
        raise VbookError(f"leapfrogs must be a whole number of at least 1, got {leapfrogs}")
