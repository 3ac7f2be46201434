"""Paths between two encoded images: straight and spherical in the latent plane, and the mix of their pixels."""

from vbook.widgets.base import Widget
from vbook.widgets.points import DIGITS, FACES, numerals, one_of_each, pictures, points, spread_out

QUESTION = {
    "text": "You go from a seven to a two, straight from point to point in the latent plane, and decode nine points. "
    "What do the pictures in between show?",
    "options": [
        {
            "text": "A seven that fades while a two appears",
            "right": False,
            "reply": "That is what mixing the pixels gives, in the lowest row. The straight line in the plane runs through the "
            "regions of other digits, and the decoder draws those: the upper row shows a nine and an eight on the way.",
        },
        {
            "text": "Other digits",
            "right": True,
            "reply": "The straight line runs through the regions of the nines and the eights, and the decoder draws those. The "
            "spherical path swings through the ones. Only the mix of the pixels, in the lowest row, fades.",
        },
        {
            "text": "Sevens, then twos, with one jump",
            "right": False,
            "reply": "There is no jump, for the decoder is continuous, and the two regions don't touch on this line: between "
            "them the decoder draws a nine and an eight.",
        },
    ],
}


def interpolation() -> Widget:
    """Paths between two images, digits or faces: pictures along a straight line and round the origin, beside mixed pixels."""
    found, faces = pictures(), spread_out()
    digits = {"a": one_of_each(found, 0), "b": one_of_each(found, 1), "start": [["a", 7], ["b", 2]]}
    sets = {
        "digits": {"label": "digits", "decoder": "digits", "shape": [28, 28], "ink": True} | points(DIGITS) | digits,
        "faces": {"label": "faces", "decoder": "faces", "shape": [28, 20], "ink": False}
        | points(FACES)
        | {"a": faces, "b": faces, "start": [["a", 0], ["b", 9]]},
    }
    payload = {"title": "Between two images", "question": QUESTION, "sets": sets}
    alt = (
        "The latent plane with encoded test digits as numerals. From a seven on the right to a two at the lower left run two "
        "paths: a straight line through nines and eights near the middle, and a dashed arc below it through the ones."
    )
    return Widget("interpolation", payload, ("digits", "faces"), alt, _picture)


def _picture():
    import numpy as np

    from vbook.plots import PALETTE, figure

    found = pictures()
    a, b = (np.array(one_of_each(found, which)[digit]["z"]) for which, digit in ((0, 7), (1, 2)))
    t = np.linspace(0, 1, 50)
    angle, length = np.arctan2([a[1], b[1]], [a[0], b[0]]), np.hypot([a[0], b[0]], [a[1], b[1]])
    turn = (angle[1] - angle[0] + np.pi) % (2 * np.pi) - np.pi  # the shorter way
    around, far = angle[0] + t * turn, (1 - t) * length[0] + t * length[1]
    fig, ax = figure(4.6, 4.6)
    numerals(ax, alpha=0.6)
    ax.plot([a[0], b[0]], [a[1], b[1]], color=PALETTE["vermillion"], linestyle="-", label="straight")
    ax.plot(far * np.cos(around), far * np.sin(around), color=PALETTE["vermillion"], linestyle="--", label="spherical")
    for name, z in (("A", a), ("B", b)):
        ax.text(*z, name, color="white", ha="center", va="center", bbox={"boxstyle": "circle", "color": PALETTE["blue"]})
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    ax.legend(frameon=False, loc="lower right")
    return fig
