"""Figure 2.1: the variational autoencoder as two stochastic maps, between a simple space and a complicated one."""

from .sketch import TEXT, WIDTH, arrow, sheet, words
from .style import PALETTE, mix

NOISE = 0.2  # standard deviation of p(x|z) in each direction
MARKED_Z, SOURCE_OF_MARKED_X = (-1.5, 0.4), (1.5, 0.0)
Z_ORIGIN, Z_SCALE = (320, 166), 56  # where the origin of a space is drawn, and the pixels of one unit
X_ORIGIN, X_SCALE = (320, 552), 76


def decode(z):
    """The mean of p(x|z), z (N, 2) to x (N, 2): stretch, turn the more the farther out, flatten."""
    import numpy as np

    u = z * np.array([1.5, 0.6])
    angle = 0.9 * np.hypot(*u.T) - 2.0
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([1.15 * (c * u[:, 0] - s * u[:, 1]), 0.62 * (s * u[:, 0] + c * u[:, 1])], axis=1)


def posterior(x, n: int = 201, reach: float = 3.5):
    """p(z|x) by quadrature: a grid of points (n, n, 2), its log-density (n, n) below the peak, its mean and covariance."""
    import numpy as np

    line = np.linspace(-reach, reach, n)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    error = decode(grid.reshape(-1, 2)).reshape(n, n, 2) - x
    log_p = -0.5 * (grid**2).sum(-1) - 0.5 * (error**2).sum(-1) / NOISE**2
    log_p -= log_p.max()
    weight = np.exp(log_p) / np.exp(log_p).sum()
    mean = np.einsum("ij,ijk->k", weight, grid)
    cov = np.einsum("ij,ijk,ijl->kl", weight, grid - mean, grid - mean)
    return grid, log_p, mean, cov


def draw_maps():
    """The latent space with its Gaussian prior above, the data space below, and the two maps between them.

    Everything is computed: the points are samples of p(z) p(x|z) under one fixed decoder that fall into the
    frames, the rings the prior's first two standard deviations and where the decoder takes them. The
    marked z has its p(x|z) as a disc; the marked x its true posterior by quadrature (filled), and, dashed, the Gaussian of
    the same mean and covariance, the best any Gaussian encoder can do by that measure. For ``show(..., svg=True)``.
    """
    import numpy as np

    fig, ax = sheet(712)
    rng = np.random.default_rng(1)
    z = rng.normal(size=(320, 2))
    x = decode(z) + NOISE * rng.normal(size=z.shape)
    for (top, bottom), dots in (((16, 316), _z(z)), ((404, 696), _x(x))):
        _dots(ax, dots, frame=_panel(ax, top, bottom))
    for k in (1, 2):
        ax.plot(*_z(k * _circle()).T, color=PALETTE["vermillion"], linewidth=1.2)
        ax.plot(*_x(decode(k * _circle())).T, color=PALETTE["vermillion"], linewidth=1.2)
    _decoder(ax)
    _encoder(ax)
    _names(ax)
    return fig


def _decoder(ax):
    import numpy as np

    z = np.array([MARKED_Z])
    here, there = _z(z)[0], _x(decode(z))[0]
    cloud = _x(decode(z) + 2 * NOISE * _circle())
    ax.fill(*cloud.T, facecolor=mix("vermillion", "paper", 0.55), edgecolor=PALETTE["vermillion"], linewidth=1.8, zorder=5)
    ax.plot(*here, "o", color=PALETTE["vermillion"], markersize=10, markeredgecolor=PALETTE["paper"], zorder=6)
    arrow(ax, np.add(here, (-3, 9)), np.subtract(there, (3, 2 * NOISE * X_SCALE + 2)), color="vermillion", bend=0.16, width=2.4)


def _encoder(ax):
    import numpy as np

    x = decode(np.array([SOURCE_OF_MARKED_X]))
    grid, log_p, mean, cov = posterior(x)
    plane = np.moveaxis(_z(grid), -1, 0)
    ax.contourf(*plane, log_p, levels=[-2, 0.1], colors=[mix("vermillion", "paper", 0.45)], zorder=5)
    ring = _z(mean + 2 * _circle() @ np.linalg.cholesky(cov).T)
    ax.plot(*ring.T, color=PALETTE["blue"], linewidth=2.2, linestyle=(0, (4, 1.6)), zorder=6)
    here, there = _x(x)[0], ring[ring[:, 1].argmax()]
    ax.plot(*here, "s", color=PALETTE["blue"], markersize=10, markeredgecolor=PALETTE["paper"], zorder=6)
    arrow(ax, np.add(here, (3, -9)), np.add(there, (3, 5)), color="blue", bend=0.16, width=2.4)


def _names(ax):
    for y, name in ((40, r"$\mathbf{z}$-space"), (428, r"$\mathbf{x}$-space")):
        words(ax, (32, y), name, size=TEXT + 1, ha="left")
    words(ax, (608, 40), r"prior $p_\theta(\mathbf{z})$", ha="right")
    words(ax, (608, 672), r"data $q_{\mathcal{D}}(\mathbf{x})$", ha="right")
    words(ax, (160, 360), r"decoder $p_\theta(\mathbf{x}|\mathbf{z})$", ha="left", color=mix("vermillion", "ink", 0.3))
    words(ax, (466, 360), r"encoder $q_\phi(\mathbf{z}|\mathbf{x})$", ha="right", color=mix("blue", "ink", 0.3))


def _circle():
    import numpy as np

    turn = np.linspace(0, 2 * np.pi, 121)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _z(points):
    return _place(points, Z_ORIGIN, Z_SCALE)


def _x(points):
    return _place(points, X_ORIGIN, X_SCALE)


def _place(points, origin, scale):
    """Coordinates of a space (..., 2) as pixels of the sheet, whose y runs downwards."""
    return origin + scale * points * (1, -1)


def _dots(ax, at, frame):
    import numpy as np

    # One path of very short strokes with round ends: a tenth of the bytes of as many circles.
    strokes = np.stack([at, np.add(at, (0.6, 0)), np.full_like(at, np.nan)], axis=1).reshape(-1, 2)
    ax.plot(*strokes.T, color=mix("ink", "paper", 0.45), linewidth=3, solid_capstyle="round", clip_path=frame)


def _panel(ax, top, bottom):
    from matplotlib.patches import FancyBboxPatch

    look = {"facecolor": mix("light", "paper", 0.65), "edgecolor": PALETTE["light"], "linewidth": 1}
    box = "round,pad=0,rounding_size=14"
    return ax.add_patch(FancyBboxPatch((12, top), WIDTH - 24, bottom - top, boxstyle=box, **look))
