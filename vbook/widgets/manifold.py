"""The latent plane of a two-latent model, seen through its decoder."""

from vbook.results.record import read_record, record_path
from vbook.widgets.base import Widget

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
        "digits": {"label": "digits", "decoder": "digits", "shape": [28, 28], "ink": True} | _points("ch02-plane.laptop"),
        "faces": {"label": "faces", "decoder": "faces", "shape": [28, 20], "ink": False} | _points("ch02-plane-frey.laptop"),
    }
    payload = {"title": "The latent plane", "question": QUESTION, "sets": sets}
    alt = (
        "The latent plane with a thousand encoded test digits, each drawn as its numeral: equal numerals lie together in regions "
        "around the middle, the ones at the edge on one side."
    )
    return Widget("latent-manifold", {}, payload, ("digits", "faces"), alt, _picture)


def _points(record: str, most: int = 600) -> dict:
    series = read_record(record_path(record)).series
    points = {name: [round(value, 2) for value in series[name][:most]] for name in ("z1", "z2")}
    return points | ({"label_of": [int(label) for label in series["label"][:most]]} if "label" in series else {})


def _picture():
    from vbook.plots import PALETTE, figure

    points = _points("ch02-plane.laptop")
    fig, ax = figure(4.6, 4.6)
    colors = [PALETTE[name] for name in ("blue", "vermillion", "green", "purple", "ink")]
    for z1, z2, digit in zip(points["z1"], points["z2"], points["label_of"], strict=True):
        ax.text(z1, z2, str(digit), color=colors[digit % 5], fontsize=7, ha="center", va="center", clip_on=True)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    return fig
