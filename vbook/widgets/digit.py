"""A digit that the reader draws, through encoder and decoder of a two-latent model."""

from vbook.widgets.base import Widget
from vbook.widgets.points import DIGITS, numerals, one_of_each, pictures, points

_SURE = (
    "Press the window and see: its posterior is narrower than that of most test digits. Nothing in training asked the encoder "
    "for doubt about what is no digit. The reconstruction term tells: some −590 nats, far below all twenty test images. But the "
    "house gets away with −210 or so. Then clear the paper: without any ink the posterior is wide."
)
QUESTION = {
    "text": "You draw a window: a square with a cross in it. The encoder was trained on digits alone. "
    "How wide is its posterior for the window?",
    "options": [
        {"text": "Wide: it can't know where a window belongs", "right": False, "reply": _SURE},
        {"text": "As narrow as for a digit", "right": True, "reply": _SURE},
    ],
}


def draw_a_digit() -> Widget:
    """Paper to draw on; the encoder's posterior of the drawing, pictures decoded from it, and the two terms of its ELBO."""
    found = pictures()
    offered = [[one["label"] for one in found].index(digit) for digit in range(10)]
    shown = [{"label": one["label"], "bits": one["bits"]} for one in found]
    payload = {"title": "Draw a digit", "question": QUESTION, "pictures": shown, "offered": offered, "first": 7} | points(DIGITS)
    alt = (
        "Left, a test image of a seven in black pixels. Right, the latent plane with encoded test digits as numerals; a small "
        "ellipse among the sevens on the right, where two thin lines cross, is the posterior at two standard deviations."
    )
    return Widget("draw-a-digit", payload, ("digit-encoder", "digits"), alt, _picture)


def _picture():
    import numpy as np
    from matplotlib.patches import Ellipse

    from vbook.experiments.chapter02.plane import unpacked
    from vbook.plots import PALETTE, figure

    one = one_of_each(pictures(), 0)[7]
    pixels = np.reshape(unpacked(one["bits"], 784), (28, 28))
    fig, (left, right) = figure(6.4, 3.4, ncols=2)
    left.imshow(pixels, cmap="gray_r", interpolation="nearest", extent=(0, 28, 28, 0))
    left.grid(False)
    left.set(xlabel="column (pixels)", ylabel="row (pixels)", title="what the encoder is given")
    numerals(right, alpha=0.6)
    (z1, z2), (sd1, sd2) = one["z"], one["sd"]
    right.axvline(z1, color=PALETTE["blue"], linewidth=0.6)
    right.axhline(z2, color=PALETTE["blue"], linewidth=0.6)
    right.add_patch(Ellipse((z1, z2), 4 * sd1, 4 * sd2, fill=False, edgecolor=PALETTE["blue"], linewidth=2))
    right.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="what it answers")
    return fig
