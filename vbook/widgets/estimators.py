"""Reparameterisation against score function: the same draws, three estimates of one slope."""

from vbook.widgets.base import Widget

START = {"f": "bowl", "mean": 1.5, "sd": 1.0, "lift": 0.0, "n": 0, "seed": 1, "speed": 100}
QUESTION = {
    "text": "q is a Gaussian, and we want the slope of the average of f by its mean. Is the reparameterised estimate "
    "quieter than the score function's, whatever f is?",
    "options": [
        {
            "text": "Always: it knows the slope of f",
            "right": False,
            "reply": "For the bowl it is: the score function needs 12.9 times as many draws, with baseline 7 times. But choose "
            "the ripples: f stays between −1 and 1, and its slope swings between −3 and 3. The score function needs a ninth of "
            "the draws. And at a step the slope of f is zero wherever it exists, and the reparameterised estimate wrong.",
        },
        {
            "text": "Not always: it depends on f",
            "right": True,
            "reply": "For the bowl the score function needs 12.9 times as many draws, with baseline 7 times. For the ripples it "
            "needs a ninth: f stays between −1 and 1, and its slope swings between −3 and 3. And at a step the slope of f is "
            "zero wherever it exists, and the reparameterised estimate wrong.",
        },
    ],
}


def gradient_estimators() -> Widget:
    """Slopes of E_q[f] as draws come in: reparameterised (2.23), score function (2.73), with baseline; and their variances."""
    payload = {"title": "Three estimates of one slope", "question": QUESTION, "start": START}
    alt = (
        "Three running estimates of a slope, with bands of one standard error, over two to a thousand draws on a logarithmic "
        "axis. All settle on the exact slope, 3. The band of the reparameterised one is the narrowest, that of the score "
        "function about 3.6 times as wide, that with baseline between them."
    )
    return Widget("gradient-estimators", payload, (), alt, _picture)


def _picture():
    import numpy as np

    from vbook.plots import PALETTE, figure

    mean, sd, n = START["mean"], START["sd"], np.arange(1, 1001)
    score = np.random.default_rng(START["seed"]).standard_normal(1000) / sd
    z = mean + sd**2 * score
    baseline = np.concatenate([[np.nan], (np.cumsum(z**2 * score) - np.cumsum(z**2) * np.cumsum(score) / n)[1:] / (n[1:] - 1)])
    # Variances for each draw, in closed form; the test holds the page's against quadrature.
    lines = (
        ("score function", np.cumsum(z**2 * score) / n, mean**4 / sd**2 + 14 * mean**2 + 15 * sd**2, "purple", (0, (5, 2))),
        ("with baseline", baseline, 8 * mean**2 + 10 * sd**2, "blue", (0, (1, 1.4))),
        ("reparameterised", np.cumsum(2 * z) / n, 4 * sd**2, "green", "-"),
    )
    fig, ax = figure(6.4, 3.4)
    for name, estimate, variance, color, dash in lines:
        error = np.sqrt(variance / n)
        ax.fill_between(n, estimate - error, estimate + error, color=PALETTE[color], alpha=0.15, linewidth=0)
        ax.plot(n, estimate, color=PALETTE[color], linestyle=dash, label=name)
    ax.axhline(2 * mean, color=PALETTE["ink"], linewidth=1)
    ax.set(xscale="log", xlim=(2, 1000), ylim=(-1, 7), xlabel="draws", ylabel="slope, per unit of $\\mu$")
    ax.legend(frameon=False, loc="upper right")
    return fig
