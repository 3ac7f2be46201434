"""Figure 2.3: where the gradient passes, before and after the reparameterisation."""

from .sketch import MATH, SMALL, arrow, node, sheet, words
from .style import PALETTE


def draw_reparameterization():
    """Two graphs of ``f(z)`` side by side: with z drawn at random, and with the randomness moved into the noise epsilon.

    Solid arrows compute, upwards; dashed arrows carry the gradient back. Returns a figure for ``show(..., svg=True)``.
    """
    fig, ax = sheet(640)
    ax.plot([320, 320], [20, 500], color=PALETTE["light"], linewidth=1.2)
    _original(ax, 156)
    _reparameterized(ax, 476)
    _legend(ax, 546)
    return fig


TOP, MIDDLE, BOTTOM = 110, 262, 414


def _original(ax, x):
    words(ax, (x, 30), "original form", size=15, weight="bold")
    z, phi, data = (x, MIDDLE), (x - 84, BOTTOM), (x + 84, BOTTOM)
    node(ax, (x, TOP), "$f$", "computed", size=(76, 64))
    node(ax, z, r"$\mathbf{z}$", "random", "purple", size=(64, 64))
    node(ax, phi, r"$\phi$", color="blue")
    node(ax, data, r"$\mathbf{x}$")
    words(ax, (x + 42, MIDDLE), r"$\sim q_\phi(\mathbf{z}|\mathbf{x})$", size=MATH - 1, ha="left")
    arrow(ax, (x, MIDDLE - 34), (x, TOP + 36))
    arrow(ax, (x - 62, BOTTOM - 32), (x - 24, MIDDLE + 28))
    arrow(ax, (x + 62, BOTTOM - 32), (x + 24, MIDDLE + 28))
    _gradient(ax, (x - 20, TOP + 30), (x - 20, MIDDLE - 34), r"$\nabla_{\!\mathbf{z}} f$")
    arrow(ax, (x - 46, MIDDLE + 28), (x - 61, MIDDLE + 65), color="green", width=2.4, dashed=True, head=False)
    ax.plot([x - 76, x - 58], [MIDDLE + 68, MIDDLE + 86], color=PALETTE["ink"], linewidth=2.6, solid_capstyle="round")
    ax.plot([x - 58, x - 76], [MIDDLE + 68, MIDDLE + 86], color=PALETTE["ink"], linewidth=2.6, solid_capstyle="round")
    words(ax, (x, 474), "a drawn number\nhas no slope", size=SMALL, linespacing=1.35)


def _reparameterized(ax, x):
    words(ax, (x, 30), "reparameterised", size=15, weight="bold")
    phi, data, noise = (x - 106, BOTTOM), (x, BOTTOM), (x + 106, BOTTOM)
    node(ax, (x, TOP), "$f$", "computed", size=(76, 64))
    node(ax, (x, MIDDLE), r"$\mathbf{z}$", "computed", "blue", size=(76, 68))
    node(ax, phi, r"$\phi$", color="blue")
    node(ax, data, r"$\mathbf{x}$")
    node(ax, noise, r"$\boldsymbol{\epsilon}$", "random", "purple", size=(58, 58))
    words(ax, (x + 46, MIDDLE), r"$=g(\boldsymbol{\epsilon},\phi,\mathbf{x})$", size=MATH - 1, ha="left")
    arrow(ax, (x, MIDDLE - 36), (x, TOP + 36))
    arrow(ax, (x - 80, BOTTOM - 32), (x - 22, MIDDLE + 26))
    arrow(ax, (x, BOTTOM - 30), (x, MIDDLE + 38))
    arrow(ax, (x + 80, BOTTOM - 30), (x + 22, MIDDLE + 26))
    _gradient(ax, (x - 20, TOP + 30), (x - 20, MIDDLE - 30), r"$\nabla_{\!\mathbf{z}} f$")
    _gradient(ax, (x - 46, MIDDLE + 16), (x - 108, BOTTOM - 32), r"$\nabla_{\!\phi} f$")
    words(ax, (x + 106, 458), r"$\sim p(\boldsymbol{\epsilon})$", size=MATH - 1)
    words(ax, (x - 60, 474), "the slope arrives", size=SMALL)


def _gradient(ax, start, end, name):
    arrow(ax, start, end, color="green", width=2.4, dashed=True)
    words(ax, ((start[0] + end[0]) / 2 - 14, (start[1] + end[1]) / 2), name, size=MATH - 1, color="ink", ha="right")


def _legend(ax, y):
    kinds = [(46, "given", "ink", (30, 30)), (246, "computed", "ink", (40, 34)), (466, "random", "purple", (32, 32))]
    for x, kind, color, size in kinds:
        node(ax, (x, y), "", kind, color, size=size)
        words(ax, (x + 30, y), kind, size=SMALL, ha="left")
    arrow(ax, (26, y + 54), (66, y + 54))
    words(ax, (76, y + 54), "computation", size=SMALL, ha="left")
    arrow(ax, (226, y + 54), (266, y + 54), color="green", width=2.4, dashed=True)
    words(ax, (276, y + 54), "gradient", size=SMALL, ha="left")
