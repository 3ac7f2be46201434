"""What a shape costs: factorised and full-covariance posteriors of two latents, and the floor of free bits."""

import math

from vbook.widgets.base import Widget

QUESTION = {
    "text": "x is the sum of two latents and a little noise. The noise gets smaller and smaller. What does the gap between "
    "log\N{NO-BREAK SPACE}p(x) and the ELBO of the best factorised q do?",
    "options": [
        {
            "text": "It shrinks: there is less left to guess",
            "right": False,
            "reply": "Make s smaller and see: the gap grows. We know the sum ever better and the difference no better than "
            "before, so the posterior gets thinner and not shorter, and a q that can't slant has to be thin in every direction.",
        },
        {
            "text": "It stays the same",
            "right": False,
            "reply": "It doesn't change with x, but it does with s: the thinner the slanted posterior, the larger the gap.",
        },
        {
            "text": "It grows",
            "right": True,
            "reply": "The sum becomes known, the difference stays unknown: the posterior gets thinner but not shorter. A q that "
            "can't slant has to be thin in every direction. Now let q slant, and try the ring, where that gains nothing.",
        },
    ],
}
QUESTION2 = {
    "text": "The second direction of the data varies less than the noise, and the ELBO silences its latent. With free bits "
    "its first λ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.5 nats cost nothing. How does the ELBO of that optimum compare with "
    "the best ELBO?",
    "options": [
        {
            "text": "It is higher: the latent says something",
            "right": False,
            "reply": "What it says is worth less than what it costs, and the ELBO counts the cost in full. It is lower.",
        },
        {
            "text": "It is the same: the nats were free",
            "right": False,
            "reply": "They are free in the objective of free bits only. The ELBO counts them in full, and is lower.",
        },
        {
            "text": "It is lower",
            "right": True,
            "reply": "The nats are free in the objective of free bits, not in the ELBO: it counts them in full, and they explain "
            "less than they cost. Move λ and see how much is lost.",
        },
    ],
}


def posterior_shapes() -> Widget:
    """Best factorised and full-covariance q on three posteriors of two latents; the optimum of free bits beside the ELBO's."""
    payload = {"title": "The shape of q, and the floor of free bits", "question": QUESTION, "question2": QUESTION2}
    alt = (
        "Left, a slanted thin ellipse of the posterior, and around the same centre a small dashed circle, the best factorised q, "
        "which covers only the middle of it. Right, bars for two latents: at the optimum of the ELBO the second is at zero, with "
        "free bits at the floor of 0.5 nats; the first is at 0.9 in both."
    )
    return Widget("posterior-shapes", payload, (), alt, _picture)


def _picture(s: float = 0.4, x: float = 1.5, floor: float = 0.5, variances: tuple[float, float] = (6.0, 0.5)):
    import numpy as np

    from vbook.plots import PALETTE, ellipse, figure

    fig, (left, right) = figure(6.4, 3.4, ncols=2)
    precision = np.eye(2) + np.ones((2, 2)) / s**2
    mean = np.full(2, x / (2 + s**2))
    for k in (1, 2):
        ellipse(left, mean, np.linalg.inv(precision), k=k, color="vermillion", linestyle="-")
        ellipse(left, mean, np.diag(1 / precision.diagonal()), k=k, color="blue")
    left.set(xlim=(-1.6, 3), ylim=(-1.6, 3), xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="a sum: posterior and $q$")
    best = [max(0.0, 0.5 * math.log(variance)) for variance in variances]
    kept = [max(floor, nats) for nats in best]
    right.bar([0, 1], best, 0.36, fill=False, edgecolor=PALETTE["blue"], linewidth=1.6, label="ELBO")
    right.bar([0.4, 1.4], kept, 0.36, color=PALETTE["blue"], label="free bits")
    right.axhline(floor, color=PALETTE["ink"], linestyle=(0, (5, 2)), linewidth=1.2)
    right.set(ylabel="KL to the prior (nats)", title="what each latent says", ylim=(0, 1.25))
    right.set_xticks([0.2, 1.2], ["$z_1$", "$z_2$"])
    right.legend(frameon=False, ncols=2, fontsize=10, loc="upper right")
    return fig
