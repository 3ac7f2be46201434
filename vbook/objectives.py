"""Objectives for ``vbook.training.fit`` beside the bounds: free bits, an annealed KL, wake-sleep, and a prior on the weights.

Each takes a model and x (B, D) and answers with (B,) values in nats whose mean is what ``fit`` ascends. Options are set with
``functools.partial``, as in ``fit(model, x, partial(free_bits, minimum=0.25), ...)``, or step by step with ``schedules``, as in
``fit(model, x, annealed, schedules={"beta": warmup(1000)}, ...)``.
"""

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vbook.distributions import FactorizedNormal, draw, log_normal, simulate
from vbook.errors import VbookError


def free_bits(model, x: Tensor, minimum: float, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """E[log p(x|z)] − Σ_j max(λ, mean over the minibatch of KL_j), thesis (2.69)–(2.70); (B, D) -> (B,) nats with that mean.

    ``minimum`` is λ in nats, and each latent dimension is a group of its own: where its KL averages less than λ, nothing pulls it
    further down. λ = 0 is the ELBO (2.77). A prior and posterior that are not factorised Gaussians raise VbookError.
    """
    number = isinstance(minimum, Real) and 0 <= minimum < math.inf
    if not number and not isinstance(minimum, Tensor):  # to look into a tensor would be to wait for the device
        raise VbookError(f"minimum must be 0 nats or more and finite, got {minimum!r}")
    q, p = model.encode(x), model.prior()
    if not (isinstance(q, FactorizedNormal) and isinstance(p, FactorizedNormal)):
        raise VbookError(f"free bits need a factorised Gaussian q(z|x) and p(z), got {type(q).__name__} and {type(p).__name__}")
    z = draw(q, samples, generator)
    kl = kl_divergence(q.base_dist, p.base_dist)  # (B, Z)
    # Above λ each data point keeps its own KL_j: the values stay per point and their mean is (2.70).
    kl = torch.where(kl.mean(0) <= minimum, minimum, kl)
    return model.decode(z).log_prob(x).mean(0) - kl.sum(-1)


def annealed(model, x: Tensor, beta: float, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """E[log p(x|z)] − β KL(q(z|x)||p(z)), the KL integrated exactly, thesis 2.9.1; (B, D) -> (B,) nats.

    β = 1 is the ELBO (2.77), β = 0 the reconstruction alone.
    """
    if not isinstance(beta, Tensor) and not (isinstance(beta, Real) and 0 <= beta < math.inf):
        raise VbookError(f"beta must be 0 or more and finite, got {beta!r}")
    q = model.encode(x)
    z = draw(q, samples, generator)
    return model.decode(z).log_prob(x).mean(0) - beta * kl_divergence(q, model.prior())


def wake_sleep(model, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The two updates of wake-sleep as one surrogate, thesis 2.10; (B, D) -> (B,) nats.

    Its gradient in θ is the wake direction ∇ log p(x, z), z ~ q(z|x); in φ it is the sleep direction ∇ log q(z'|x'), (x', z') ~
    p(x, z), with as many dreams as data points. No draw is differentiated, so z may be discrete. Encoder and decoder must not
    share parameters. Its value is the one-sample ELBO (2.29), which the algorithm does *not* ascend in φ.
    """
    q = model.encode(x)
    z = simulate(q, generator)  # (B, Z)
    wake = model.prior().log_prob(z) + model.decode(z).log_prob(x)
    with torch.no_grad():
        dream_z = simulate(model.prior(), generator, (len(x),))  # (B, Z)
        dream_x = simulate(model.decode(dream_z), generator)  # (B, D)
    sleep = model.encode(dream_x).log_prob(dream_z)
    return wake - q.log_prob(z).detach() + (sleep - sleep.detach())


def with_weight_prior(objective: Callable, examples: int) -> Callable:
    """``objective`` plus log N(w; 0, I)/N over all trainable weights w, the MAP protocol of thesis 2.11.

    ``examples`` is N, the size of the training set, so that a minibatch's mean estimates (Σ_i objective_i + log N(w; 0, I))/N,
    constants included. It is for training; evaluate with the bare objective. ``fit(..., weight_decay=1 / examples)`` ascends the
    same slopes faster.
    """
    if not isinstance(examples, Real) or not examples >= 1:
        raise VbookError(f"examples must be at least 1, got {examples!r}")

    def penalized(model, x: Tensor, *, generator: torch.Generator | None = None, **options) -> Tensor:
        log_pw = sum(log_normal(w).sum() for w in model.parameters() if w.requires_grad)
        return objective(model, x, generator=generator, **options) + log_pw / examples

    return penalized
