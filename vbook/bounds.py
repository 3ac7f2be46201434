"""Lower bounds on log p(x) and the estimators behind them; every function takes x (B, D) and answers in nats.

A model has ``prior()``, ``encode(x)`` -> q(z|x) and ``decode(z)`` -> p(x|z). ``generator`` makes the noise explicit; without one
the global random state serves. The ELBO is the mean of the log weights, the IWAE bound the log of their mean.
"""

import math

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vbook.distributions import draw


def terms(model, x: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """The three log-densities of thesis (2.29) at z ~ q(z|x), by name; (B, D) -> (L, B) nats each.

    ``log_px_z`` is the reconstruction; ``log_pz - log_qz_x`` estimates -KL(q(z|x)||p(z)).
    """
    q = model.encode(x)  # q(z|x)
    z = draw(q, samples, generator)  # (L, B, Z)
    return {
        "log_px_z": model.decode(z).log_prob(x),
        "log_pz": model.prior().log_prob(z),
        "log_qz_x": q.log_prob(z),
    }


def log_weights(model, x: Tensor, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """log p(x, z) − log q(z|x) at z ~ q(z|x), the log of the weights in thesis (2.57); (B, D) -> (L, B) nats."""
    t = terms(model, x, samples, generator)
    return t["log_px_z"] + t["log_pz"] - t["log_qz_x"]


def elbo(model, x: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """ELBO of each datapoint, estimated with L reparameterised samples, thesis (2.10), (2.29); (B, D) -> (B,) nats."""
    return log_weights(model, x, samples, generator).mean(0)


def elbo_analytic_kl(model, x: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """ELBO with KL(q||p) integrated exactly and only the reconstruction sampled, thesis (2.77); (B, D) -> (B,) nats."""
    q = model.encode(x)
    z = draw(q, samples, generator)
    return model.decode(z).log_prob(x).mean(0) - kl_divergence(q, model.prior())


def iwae(model, x: Tensor, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """log (1/L) Σ_l p(x, z_l)/q(z_l|x), thesis (2.57) as an objective (IWAE); (B, D) -> (B,) nats.

    Its expectation rises with L from the ELBO (L = 1) towards log p(x).
    """
    return log_mean_exp(log_weights(model, x, samples, generator))


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log of the mean over the first dimension, without overflow; (L, ...) -> (...).

    >>> round(log_mean_exp(torch.tensor([0.0, 1000.0])).item(), 2)       # 1000 - log 2
    999.31
    """
    return log_w.logsumexp(0) - math.log(log_w.shape[0])
