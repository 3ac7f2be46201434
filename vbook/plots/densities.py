"""Densities on a plane: contours of any log-density, and the ellipse of a Gaussian, drawn at comparable levels."""

import math

from ..errors import VbookError
from .style import PALETTE


def density_contours(ax, log_density, lim, ks=(1, 2), color: str = "vermillion", n: int = 201, **style):
    """Contours of a 2-D density that enclose as much mass as the ``ks``-sigma ellipses of a Gaussian (39 %, 86 %).

    ``log_density`` maps points (N, 2) to nats (N,), up to a constant; ``lim`` is (x low, x high, y low, y high) and has to
    hold nearly all of the mass. ``color`` is a palette name; ``style`` goes to ``Axes.contour``. Returns matplotlib's
    contour set. Raises VbookError when the log-density is nowhere finite or its shape is wrong.
    """
    import numpy as np
    import torch

    x, y = (torch.linspace(low, high, n) for low, high in (lim[:2], lim[2:]))
    points = torch.cartesian_prod(x, y)
    with torch.no_grad():
        log_p = torch.as_tensor(log_density(points)).double()
    if log_p.shape != (n * n,) or not bool(log_p.isfinite().any()) or bool(log_p.isnan().any()):
        raise VbookError(f"log_density has to give one number for each of {n * n} points, without NaN; got {tuple(log_p.shape)}")
    p = torch.softmax(log_p, 0).numpy()
    ranked = np.sort(p)[::-1]
    inside = np.searchsorted(ranked.cumsum(), [1 - math.exp(-k * k / 2) for k in sorted(ks, reverse=True)])
    levels = ranked[inside.clip(max=len(ranked) - 1)]
    if (np.diff(levels) <= 0).any():
        raise VbookError(f"the density is too narrow for a grid of {n} x {n} points over {tuple(lim)}: choose a smaller lim")
    return ax.contour(x, y, p.reshape(n, n).T, levels=levels, colors=[PALETTE[color]], **{"linewidths": 1.6} | style)


def ellipse(ax, mean, cov, k: float = 2.0, color: str = "blue", **style):
    """The ellipse at ``k`` standard deviations of a Gaussian with ``mean`` (2,) and ``cov`` (2, 2), added to ``ax``.

    ``color`` is a palette name; ``style`` goes to matplotlib's Ellipse, which is returned. Raises VbookError when ``cov``
    is no covariance: not 2 x 2, not symmetric, or not positive definite.
    """
    import numpy as np
    from matplotlib.patches import Ellipse

    mean, cov = (np.asarray(a, dtype=float) for a in (mean, cov))
    if mean.shape != (2,) or cov.shape != (2, 2) or not np.allclose(cov, cov.T) or np.linalg.eigvalsh(cov).min() <= 0:
        raise VbookError(f"an ellipse needs a mean (2,) and a positive-definite covariance (2, 2), not {mean} and {cov.tolist()}")
    variance, axes = np.linalg.eigh(cov)
    width, height = 2 * k * np.sqrt(variance[::-1])
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    look = {"fill": False, "edgecolor": PALETTE[color], "linewidth": 1.8, "linestyle": (0, (5, 2))} | style
    return ax.add_patch(Ellipse(mean, width, height, angle=angle, **look))
