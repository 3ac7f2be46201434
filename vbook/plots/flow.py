"""Figure 2.2: from one datapoint to one number, the estimate of its ELBO."""

from .sketch import MATH, TEXT, arrow, network, node, sheet, words
from .style import PALETTE

X, MID, RIGHT = 96, 296, 488
ENCODE, DECODE, SCORE, RESULT = 100, 276, 440, 566
MU, SIGMA = (RIGHT - 40, ENCODE), (RIGHT + 42, ENCODE)


def draw_flow():
    """The computation in a variational autoencoder: encode along the top, decode along the middle, add up at the bottom.

    Blue belongs to the encoder, vermillion to the generative model, purple to the noise; a diamond is computed, a circle
    drawn at random. Returns a figure for ``show(..., svg=True)``.
    """
    fig, ax = sheet(616)
    _encode(ax)
    _decode(ax)
    _score(ax)
    return fig


def _encode(ax):
    words(ax, (X, 30), r"datapoint $\mathbf{x}$", size=TEXT)
    words(ax, (RIGHT, 30), r"$q_\phi(\mathbf{z}|\mathbf{x})$", size=MATH)
    _pixels(ax, (X, ENCODE), width=0.13)
    network(ax, (MID, ENCODE), r"encoder $\phi$", "blue")
    node(ax, MU, r"$\boldsymbol{\mu}$", "computed", "blue", size=(70, 66))
    node(ax, SIGMA, r"$\boldsymbol{\sigma}$", "computed", "blue", size=(70, 66))
    arrow(ax, (X + 52, ENCODE), (MID - 71, ENCODE))
    arrow(ax, (MID + 70, ENCODE), (MU[0] - 37, ENCODE))


def _decode(ax):
    z, noise = (MU[0], DECODE), (RIGHT + 72, DECODE)
    node(ax, z, r"$\mathbf{z}$", "computed", "blue", size=(84, 76))
    node(ax, noise, r"$\boldsymbol{\epsilon}$", "random", "purple", size=(56, 56))
    words(
        ax,
        (noise[0] - 6, DECODE + 52),
        r"$\mathbf{z}=\boldsymbol{\mu}+\boldsymbol{\sigma}\odot\boldsymbol{\epsilon}$",
        size=MATH - 2,
    )
    network(ax, (MID, DECODE), r"decoder $\theta$", "vermillion")
    _pixels(ax, (X, DECODE), width=0.22)
    words(ax, (X, DECODE + 66), r"$p_\theta(\mathbf{x}|\mathbf{z})$", size=MATH)
    arrow(ax, (MU[0], ENCODE + 34), (MU[0], DECODE - 40))
    arrow(ax, (SIGMA[0] - 3, ENCODE + 32), (MU[0] + 17, DECODE - 27))
    arrow(ax, (noise[0] - 30, DECODE), (z[0] + 44, DECODE))
    arrow(ax, (z[0] - 43, DECODE), (MID + 71, DECODE))
    arrow(ax, (MID - 69, DECODE), (X + 52, DECODE))


def _score(ax):
    terms = [
        (112, r"$\log\,p_\theta(\mathbf{x}|\mathbf{z})$", "vermillion"),
        (320, r"$\log\,p_\theta(\mathbf{z})$", "vermillion"),
        (528, r"$\log\,q_\phi(\mathbf{z}|\mathbf{x})$", "blue"),
    ]
    for x, text, color in terms:
        node(ax, (x, SCORE), text, color=color, size=(164, 56), fontsize=MATH)
        ax.plot([x, x], [SCORE + 29, SCORE + 58], color=PALETTE["grey"], linewidth=1.5, solid_capstyle="butt")
    for x, sign in ((216, "+"), (424, "\N{MINUS SIGN}")):
        words(ax, (x, SCORE), sign, size=20)
    ax.plot([112, 528], [SCORE + 58, SCORE + 58], color=PALETTE["grey"], linewidth=1.5, solid_capstyle="projecting")
    arrow(ax, (320, SCORE + 58), (320, RESULT - 33))
    node(ax, (320, RESULT), "", size=(380, 62))
    words(ax, (236, RESULT), r"$\tilde{\mathcal{L}}_{\theta,\phi}(\mathbf{x})$", size=MATH + 1, zorder=4)
    words(ax, (376, RESULT), "ELBO, estimated", size=TEXT, zorder=4)
    arrow(ax, (X, DECODE + 84), (X, SCORE - 30))
    arrow(ax, (X - 52, ENCODE), (16, ENCODE), (16, SCORE - 58), (46, SCORE - 30))
    arrow(ax, (MU[0] - 18, DECODE + 26), (334, SCORE - 30))
    arrow(ax, (MU[0] + 6, DECODE + 36), (504, SCORE - 30))
    arrow(ax, (SIGMA[0] + 36, ENCODE), (624, ENCODE), (624, SCORE - 58), (594, SCORE - 30))


def _pixels(ax, at, width: float, n: int = 13, side: float = 92):
    """A handwritten three on n x n pixels: a pen of the given width along two arcs; the decoder's idea of it is softer."""
    import numpy as np
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    turn = np.linspace(-0.75 * np.pi, 0.5 * np.pi, 60)
    pen = np.concatenate([np.stack([0.36 * np.cos(turn) - 0.04, sign * (0.33 * np.sin(turn) - 0.34)], 1) for sign in (1, -1)])
    centre = np.linspace(-1, 1, 2 * n + 1)[1::2]
    pixel = np.stack(np.meshgrid(centre, centre), -1)[:, :, None]
    ink = np.exp(-0.5 * (((pixel - pen) ** 2).sum(-1).min(-1) / width**2) ** 1.5)
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)])
    low, step = np.array(at) - side / 2, side / n
    for level in range(1, 11):
        squares = [Path(low + step * np.add(corners, (column, row))) for row, column in np.argwhere(np.rint(10 * ink) == level)]
        if squares:
            ax.add_patch(
                PathPatch(Path.make_compound_path(*squares), color=PALETTE["ink"], alpha=level / 10, linewidth=0, zorder=3)
            )
    ax.add_patch(Rectangle(low, side, side, fill=False, edgecolor=PALETTE["ink"], linewidth=1.6, zorder=4))
