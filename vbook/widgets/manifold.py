"""The latent plane of a two-latent model, seen through its decoder."""

from vbook.widgets.base import Widget
from vbook.widgets.points import DIGITS, FACES, numerals, points

QUESTION = {
    "text": "You drag the point through the plane at a steady pace. Does the picture change at a steady pace, too?",
    "options": [
        {
            "text": "Yes: the decoder is smooth",
            "right": False,
            "reply": "Smooth, but not even. Choose “how fast they change”: the picture stands almost still inside the region of "
            "one kind and turns quickly where two regions meet.",
        },
        {
            "text": "No: in places it hardly changes",
            "right": True,
            "reply": "Choose “how fast they change” and see where: slow inside the region of one kind, fast where two meet.",
        },
    ],
}


def latent_manifold() -> Widget:
    """The explorer of the latent plane: encoded test images, decoded pictures and their speed of change; digits and faces."""
    sets = {
        "digits": {"label": "digits", "decoder": "digits", "shape": [28, 28], "ink": True} | points(DIGITS),
        "faces": {"label": "faces", "decoder": "faces", "shape": [28, 20], "ink": False} | points(FACES),
    }
    payload = {"title": "The latent plane", "question": QUESTION, "sets": sets}
    alt = (
        "The latent plane with a thousand encoded test digits, each drawn as its numeral: equal numerals lie together in regions "
        "around the middle, the ones at the edge on one side."
    )
    return Widget("latent-manifold", {}, payload, ("digits", "faces"), alt, _picture)


def _picture():
    from vbook.plots import figure

    fig, ax = figure(4.6, 4.6)
    numerals(ax)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    return fig
