"""The latent plane of a two-latent model, seen through its decoder."""

from vbook.results.record import read_record, record_path
from vbook.widgets.base import Widget

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
