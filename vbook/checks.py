"""Check cells: assertions that say in one line what held, and by how much it failed."""

import torch

from vbook.errors import VbookError


class CheckFailed(AssertionError):
    """A check of a chapter does not hold."""


def check_close(actual, expected, *, rel: float = 0.0, abs: float = 0.0, what: str = "values") -> None:
    """Assert that every entry of ``actual`` lies within ``abs + rel * |expected|`` of ``expected``; prints one line.

    >>> check_close(3.0004, 3.0, abs=1e-3, what="slope")
    ok: slope (within 0.001)
    """
    if rel <= 0 and abs <= 0:
        raise VbookError("check_close needs a tolerance: rel, abs or both, above 0")
    a, e = (torch.as_tensor(v, dtype=torch.float64).detach().cpu() for v in (actual, expected))
    if a.shape != e.shape and e.ndim:
        raise CheckFailed(f"{what}: shape {tuple(a.shape)} instead of {tuple(e.shape)}")
    worst = (a - e).abs().max().item()
    if not ((a - e).abs() <= abs + rel * e.abs()).all():
        raise CheckFailed(f"{what}: differ by {worst:.3g}, more than {_tolerance(rel, abs)}")
    print(f"ok: {what} (within {_tolerance(rel, abs)})")


def check_within(actual, expected, standard_error, *, sigmas: float = 4.0, what: str = "estimate") -> None:
    """Assert that a Monte Carlo ``actual`` lies within ``sigmas`` standard errors of ``expected``; prints one line.

    >>> check_within(2.9, 3.0, 0.05, what="slope")
    ok: slope (within 4 standard errors)
    """
    a, e, s = (torch.as_tensor(v, dtype=torch.float64).detach().cpu() for v in (actual, expected, standard_error))
    distance = ((a - e).abs() / s).max().item()
    if not distance <= sigmas:
        raise CheckFailed(f"{what}: {distance:.1f} standard errors away, more than {sigmas:g}")
    print(f"ok: {what} (within {sigmas:g} standard errors)")


def check(condition, what: str) -> None:
    """Assert a plain condition; prints one line.

    >>> check(1 < 2, "the bound lies below log p(x)")
    ok: the bound lies below log p(x)
    """
    if not bool(condition):
        raise CheckFailed(f"does not hold: {what}")
    print(f"ok: {what}")


def _tolerance(rel: float, abs: float) -> str:
    share = f"{100 * rel:g} %" if rel >= 1e-4 else f"{rel:g} of its size"
    return " + ".join([f"{abs:g}"] * bool(abs) + [share] * bool(rel))
