"""The score-function (likelihood-ratio, REINFORCE) estimator of the ELBO's gradient, thesis 2.10.1.

It asks of log p(x, z) only its value, so z may be discrete; the price is the variance that the baseline fights.
"""

import torch
from torch import Tensor

from vbook.distributions import simulate
from vbook.errors import VbookError, nearest

BASELINES = ("none", "leave-one-out")


def score_function(
    model, x: Tensor, samples: int = 1, generator: torch.Generator | None = None, baseline: str = "none"
) -> Tensor:
    """A surrogate whose gradient in φ is the score-function estimate (2.73) and in θ the ordinary one; (B, D) -> (B,) nats.

    f(z) = log p(x, z) − log q(z|x); that f itself depends on φ adds E[∇ log q] = 0 to (2.72) and is left out. The value is the
    ELBO estimate (2.29). ``baseline="leave-one-out"`` takes from f(z_l) the mean of f over the other L − 1 samples, which is
    independent of z_l and so leaves the estimate unbiased; it needs L >= 2. Encoder and decoder must not share parameters.
    """
    if samples < 1:
        raise VbookError(f"samples must be at least 1, got {samples}")
    if baseline not in BASELINES:
        raise VbookError(f"unknown baseline {baseline!r}{nearest(str(baseline), BASELINES)}")
    q = model.encode(x)
    z = simulate(q, generator, (samples,))  # (L, B, Z)
    log_pxz = model.prior().log_prob(z) + model.decode(z).log_prob(x)
    log_qz_x = q.log_prob(z)
    f = log_pxz - log_qz_x.detach()
    signal = f.detach()
    if baseline == "leave-one-out":
        if samples < 2:
            raise VbookError("the leave-one-out baseline needs at least 2 samples")
        signal = signal - (signal.sum(0) - signal) / (samples - 1)
    return (f + signal * (log_qz_x - log_qz_x.detach())).mean(0)
