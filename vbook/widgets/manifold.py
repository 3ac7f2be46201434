"""The latent plane of a two-latent model, seen through its decoder."""

from vbook.widgets.base import Widget
from vbook.widgets.points import DIGITS, FACES, numerals, points

QUESTION = {
    "text": "You drag the point through the plane of digits at a steady pace. Where does the picture change fastest?",
    "options": [
        {
            "text": "At the edge",
            "right": False,
            "reply": "Choose “how fast they change”. Few test images lie at the edge, and there is little to tell apart.",
        },
        {
            "text": "In the middle",
            "right": True,
            "reply": "Choose “how fast they change”: where the test images of most digits crowd together, a short way has to "
            "change one digit into another.",
        },
        {
            "text": "Everywhere the same",
            "right": False,
            "reply": "The decoder is smooth, not even. Choose “how fast they change”: more than twice as fast in the middle, "
            "where the test images of most digits crowd together, as at the edge.",
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
        "The latent plane with six hundred encoded test digits, each drawn as its numeral: equal numerals lie in regions "
        "around the middle, the ones at the edge on one side."
    )
    return Widget("latent-manifold", payload, ("digits", "faces"), alt, _picture)


def _picture():
    from vbook.plots import figure

    fig, ax = figure(4.6, 4.6)
    numerals(ax)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    return fig
