"""Ways between two draws of a small generator: straight, round, and the mix of their pixels."""

from vbook.widgets.base import Widget

DIMS = 16
_SURE = (
    "The coordinates of two draws are independent: halfway each has half the variance, and z is shorter by the root of two. Of "
    "16 latents one draw in twenty is as short, so the generator knows such z. Do you see a difference in the middle of the "
    "three ways?"
)
QUESTION = {
    "text": "z has 16 latents. You go straight from one draw to another. How long is z halfway, beside an ordinary draw?",
    "options": [
        {"text": "As long", "right": False, "reply": "That is the round way. " + _SURE},
        {"text": "About 0.7 times as long", "right": True, "reply": _SURE},
        {
            "text": "About half as long",
            "right": False,
            "reply": "At 120 degrees it would be, and opposite ones meet at 0. " + _SURE,
        },
    ],
}


def generator_paths() -> Widget:
    """Ten draws of the small GAN of ``ch13-gan-small`` to choose two from, and three ways between them."""
    from scipy.stats import chi

    typical = [round(float(edge), 3) for edge in chi(DIMS).ppf([0.025, 0.975])]
    payload = {"title": "Between two draws of a generator", "question": QUESTION, "dims": DIMS, "typical": typical, "seed": 3}
    payload["ends"] = [7, 8]  # two digits, nearly at a right angle: halfway as short as halfway is on average
    alt = (
        "The length of z on the way between two draws, over t from 0 to 1. A shaded band from 2.6 to 5.4 holds most draws. The "
        "dashed line, for the round way, stays level inside it; the solid one, for the straight way, sags to 2.8 in the middle."
    )
    return Widget("generator-paths", payload, ("generator",), alt, _picture)


def _picture():
    import numpy as np
    from scipy.stats import chi

    from vbook.plots import PALETTE, figure

    t = np.linspace(0, 1, 101)
    fig, ax = figure(4.6, 3.2)
    ax.axhspan(*chi(DIMS).ppf([0.025, 0.975]), color=PALETTE["blue"], alpha=0.16, label="95 of 100 draws")
    ax.plot(t, 4 * np.hypot(1 - t, t), color=PALETTE["vermillion"], label="straight")
    ax.plot(t, np.full_like(t, 4), color=PALETTE["vermillion"], linestyle="--", label="round")
    ax.set(xlabel="$t$, from one draw to another", ylabel="length of $z$", ylim=(0, 6))
    ax.legend(frameon=False, loc="lower left")
    return fig
