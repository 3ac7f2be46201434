"""The ELBO's gap in one dimension: a posterior by quadrature, and a Gaussian guess that the reader moves."""

from vbook.widgets.base import Widget

X, START = 1.0, {"decoder": "parabola", "s": 0.25, "mean": 0.5, "sd": 0.6}
QUESTION = {
    "text": "The posterior has two humps, q has one. q starts a little to the right of the middle and climbs the ELBO, with its "
    "mean and its width free to move. Where does it come to rest?",
    "options": [
        {
            "text": "In the middle, over both humps",
            "right": False,
            "reply": "Press “Climb the ELBO”: it ends on the right hump, 0.71 nats below log p(x). In the middle it pays for "
            "the valley: 3.42 nats at best (set the mean to 0 and climb). But make the noise s = 0.5, the model of section 2.1: "
            "the valley is shallow there, and from wherever it starts q does end in the middle.",
        },
        {
            "text": "On one hump",
            "right": True,
            "reply": "Press “Climb the ELBO” and watch. To leave half of the posterior out costs little more than log 2 = 0.69 "
            "nats; to cover the valley as well costs 3.42 at best (set the mean to 0 and climb). Now make the noise s = 0.5, "
            "the model of section 2.1: the valley is shallow there, and from wherever it starts q ends in the middle.",
        },
    ],
}


def elbo_gap() -> Widget:
    """A guess q to move, and the sum ELBO + KL = log p(x), thesis (2.8), that stays; three decoders, their noise, a climb."""
    payload = {"title": "The gap", "question": QUESTION, "x": X, "start": START}
    alt = (
        "Left, a posterior with two narrow humps near z equal to minus 1.4 and plus 1.4, and a broad Gaussian guess q between "
        "them. Right, a bar: the ELBO reaches up to minus 4.95 nats, the KL divergence of 3.47 on top of it reaches log p(x), "
        "minus 1.48."
    )
    return Widget("elbo-gap", payload, (), alt, _picture)


def _picture():
    import numpy as np

    from vbook.plots import PALETTE, figure

    def log_normal(value, mean, sd):
        return -0.5 * np.log(2 * np.pi) - np.log(sd) - 0.5 * ((value - mean) / sd) ** 2

    z, dz = np.linspace(-9, 9, 6001, retstep=True)
    log_joint = log_normal(z, 0, 1) + log_normal(X, z**2 / 2, START["s"])
    log_px = np.log(np.exp(log_joint).sum() * dz)
    log_q = log_normal(z, START["mean"], START["sd"])
    elbo = (np.exp(log_q) * (log_joint - log_q)).sum() * dz
    fig, (left, right) = figure(6.4, 3.2, ncols=2, width_ratios=(2.2, 1))
    left.plot(z, np.exp(log_joint - log_px), color=PALETTE["vermillion"], linestyle="--", label="$p(z|x)$")
    left.plot(z, np.exp(log_q), color=PALETTE["blue"], linestyle="-", label="$q(z|x)$")
    left.set(xlim=(-3.2, 3.2), ylim=(0, None), xlabel="hidden cause $z$", ylabel="density (per unit of $z$)")
    left.legend(frameon=False, loc="upper left")
    floor = -7
    right.bar(0, elbo - floor, bottom=floor, width=0.6, color=PALETTE["blue"])
    right.bar(0, log_px - elbo, bottom=elbo, width=0.6, color=PALETTE["orange"])
    right.axhline(log_px, color=PALETTE["vermillion"])
    right.text(0.4, log_px + 0.1, "$\\log p(x)$", va="bottom")
    right.text(0.4, (log_px + elbo) / 2, "KL", va="center")
    right.text(0.4, elbo - 0.1, "ELBO", va="top")
    right.set(xlim=(-0.5, 1.6), ylim=(floor, 0), xticks=[], ylabel="nats")
    return fig
