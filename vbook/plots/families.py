"""Figure 1 of chapter 13: what the three families compute, and which way."""

from .sketch import MATH, SMALL, arrow, network, node, sheet, words

LEFT, MIDDLE, RIGHT = 58, 320, 582
NARROW_LEFT = (-128, 96)  # a network whose narrow end is on the left


def draw_families():
    """Autoencoder, adversarial network and flow, a row each: networks as trapezia, random things as double circles.

    Returns a figure for ``show(..., svg=True)``.
    """
    fig, ax = sheet(640)
    _autoencoder(ax, 120)
    _game(ax, 344)
    _flow(ax, 548)
    return fig


def _title(ax, y, name: str, says: str):
    words(ax, (24, y), name, size=15, ha="left", weight="bold")
    words(ax, (616, y), says, size=SMALL, ha="right")


def _autoencoder(ax, y):
    _title(ax, y - 88, "autoencoder", r"climbs a lower bound on $\log p(\mathbf{x})$")
    node(ax, (LEFT, y), r"$\mathbf{x}$")
    network(ax, (MIDDLE - 132, y), "encoder\n" r"$q_\phi(\mathbf{z}|\mathbf{x})$", "blue", (128, 96))
    node(ax, (MIDDLE, y), r"$\mathbf{z}$", "random", "purple", size=(60, 60))
    network(ax, (MIDDLE + 132, y), "decoder\n" r"$f_\theta(\mathbf{z})$", "vermillion", NARROW_LEFT)
    node(ax, (RIGHT, y), r"$\mathbf{x}$", "random", "purple", size=(60, 60))
    for start, end in ((LEFT + 30, 122), (254, 288), (352, 386), (518, RIGHT - 32)):
        arrow(ax, (start, y), (end, y))
    words(ax, (MIDDLE, y + 50), r"prior $\mathcal{N}(\mathbf{0}, I)$", size=MATH - 3)
    words(ax, (RIGHT, y + 50), "drawn", size=SMALL)


def _game(ax, y):
    _title(ax, y - 108, "adversarial network", "two players, one value")
    node(ax, (LEFT, y - 34), r"$\mathbf{z}$", "random", "purple", size=(60, 60))
    network(ax, (MIDDLE - 132, y - 34), "generator\n" r"$G$", "vermillion", NARROW_LEFT)
    node(ax, (MIDDLE, y - 34), r"$G(\mathbf{z})$", "computed", size=(92, 70), fontsize=MATH - 2)
    node(ax, (MIDDLE, y + 44), r"$\mathbf{x}$")
    network(ax, (MIDDLE + 140, y), "discriminator\n" r"$D$", "blue", (128, 96))
    node(ax, (RIGHT, y), r"$D$", "computed", size=(64, 60))
    arrow(ax, (LEFT + 32, y - 34), (MIDDLE - 198, y - 34))
    arrow(ax, (MIDDLE - 66, y - 34), (MIDDLE - 48, y - 34))
    arrow(ax, (MIDDLE + 48, y - 32), (MIDDLE + 74, y - 20))
    arrow(ax, (MIDDLE + 30, y + 40), (MIDDLE + 74, y + 20))
    arrow(ax, (MIDDLE + 206, y), (RIGHT - 34, y))
    words(ax, (RIGHT, y + 48), "data?", size=SMALL)


def _flow(ax, y):
    _title(ax, y - 74, "flow", r"climbs $\log p(\mathbf{x})$ itself")
    node(ax, (LEFT, y), r"$\mathbf{x}$")
    node(ax, (MIDDLE, y), "one invertible network", color="green", size=(310, 84), fontsize=SMALL + 1)
    node(ax, (RIGHT, y), r"$\mathbf{z}$", "random", "purple", size=(60, 60))
    for sign, name in ((-1, r"$f$"), (1, r"$f^{-1}$")):
        ends = [(LEFT + 30, MIDDLE - 157), (MIDDLE + 157, RIGHT - 34)]
        for a, b in ends:
            arrow(ax, *((a, y - 13), (b, y - 13)) if sign < 0 else ((b, y + 13), (a, y + 13)))
            words(ax, ((a + b) / 2, y + sign * 32), name, size=MATH - 3)
    words(ax, (MIDDLE, y + 64), r"as many numbers out as in; $\log p(\mathbf{x})$ counts how volumes change", size=SMALL)
