"""What a trained model is worth: bounds and importance-sampled log-likelihoods over a data set, with their standard errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from vbook.bounds import elbo, log_mean_exp, log_weights
from vbook.distributions import FullCovarianceNormal, draw, simulate
from vbook.errors import VbookError
from vbook.hmc import sample
from vbook.mcem import log_joint
from vbook.noise import check_seed
from vbook.training.checks import check_images, check_one_each, in_words, positive


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` data points with its standard error, in nats."""

    mean: float
    standard_error: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.standard_error:.1f}"

    def metric(self, unit: str = "nats") -> dict:
        """The entry that a record keeps."""
        return {"mean": self.mean, "standard_error": self.standard_error, "n": self.n, "unit": unit}


def summarize(values: Tensor) -> Estimate:
    """Mean and standard error over data points, (N,) -> Estimate.

    The error is that of the mean over a sample of the population that the data come from; Monte Carlo noise is part of it.

    >>> summarize(torch.tensor([1.0, 3.0]))
    Estimate(mean=2.0, standard_error=1.0, n=2)
    """
    values, n = values.double(), len(values)
    return Estimate(values.mean().item(), values.std().item() / math.sqrt(n) if n > 1 else math.nan, n)


def quotient(a: Estimate, b: Estimate) -> Estimate:
    """a/b of two independent means, with its error to first order.

    >>> quotient(Estimate(6.0, 0.3, 9), Estimate(2.0, 0.0, 9))
    Estimate(mean=3.0, standard_error=0.15, n=9)
    """
    relative = math.hypot(a.standard_error / a.mean, b.standard_error / b.mean)
    return Estimate(a.mean / b.mean, abs(a.mean / b.mean) * relative, min(a.n, b.n))


@torch.no_grad()
def evaluate(model, x: Tensor, bound: Callable = elbo, batch_size: int = 1000, seed: int = 0, **options) -> Estimate:
    """The mean of ``bound(model, x, generator=g, **options)`` over all of ``x`` (N, D), from a fixed seed."""

    def each(model, batch, **options):
        found = bound(model, batch, **options)
        check_one_each(found, batch, "the bound")
        return found

    return summarize(per_datapoint(model, x, each, batch_size, seed, **options))


@torch.no_grad()
def per_datapoint(model, x: Tensor, bound: Callable = elbo, batch_size: int = 1000, seed: int = 0, **options) -> Tensor:
    """``bound`` of each row of ``x``, batch by batch; (N, D) -> (N,) nats; (N, k) if it gives k numbers a row."""
    positive(batch_size=batch_size)
    check_images(model, x)
    generator = torch.Generator(x.device).manual_seed(check_seed(seed))
    with in_words(x, batch_size):
        return torch.cat([bound(model, batch, generator=generator, **options) for batch in x.split(batch_size)])


@torch.no_grad()
def all_log_weights(model, x: Tensor, samples: int, seed: int = 0, chunk: int = 50_000) -> Tensor:
    """``log_weights`` of every row of ``x``, with at most ``chunk`` decoded points in memory; (N, D) -> (L, N) nats."""
    positive(samples=samples, chunk=chunk)
    check_images(model, x)
    generator = torch.Generator(x.device).manual_seed(check_seed(seed))
    rows = max(1, chunk // samples)
    with in_words(x, chunk, "chunk"):
        return torch.cat([log_weights(model, batch, samples, generator) for batch in x.split(rows)], 1)


def log_px(log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Importance-sampled log p(x) and its Monte Carlo standard error, thesis (2.57); (L, N) -> (N,) and (N,) nats.

    The error is that of log ŵ by the delta method, sd(w)/(√L ŵ). It is itself an estimate and says little when a few weights
    dominate: look at ``effective_sample_size``.
    """
    samples, estimate = len(log_w), log_mean_exp(log_w)
    w = (log_w - log_w.amax(0)).exp()
    return estimate, w.std(0) / (math.sqrt(samples) * w.mean(0)) if samples > 1 else torch.full_like(estimate, math.nan)


@torch.no_grad()
def log_px_reciprocal(model, x: Tensor, z: Tensor, q: Distribution) -> Tensor:
    """−log (1/L) Σ_l q(z_l) / (p(z_l) p(x|z_l)) at posterior samples z_l ~ p(z|x), the estimator of figure 2.6; (B,) nats.

    Its reciprocal estimates 1/p(x) without bias because any density q integrates to 1, so log p(x) comes out too high on average,
    where (2.57) comes out too low.

    Args: ``x`` (B, D); ``z`` (L, B, Z) from the posterior, by MCMC say; ``q`` with batch shape (B,), fitted to *other* posterior
    samples, else the proof fails. A few samples dominate where q has heavier tails than the posterior.
    """
    if z.ndim < 3 or z.shape[1] != len(x):
        raise VbookError(f"posterior samples (L, B, Z) expected for x {tuple(x.shape)}, got {tuple(z.shape)}")
    return -log_mean_exp(q.log_prob(z) - model.prior().log_prob(z) - model.decode(z).log_prob(x))


def sandwich(model, x: Tensor, draws: int, warm_up: int = 50, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two estimates of log p(x) that need no encoder, one too low on average and one too high; (B, D) -> (B,) and (B,) nats.

    HMC draws from p(z|x) twice ``draws`` times; a Gaussian q with full covariance is fitted to the first half. The low estimate
    is (2.57) with ``draws`` samples of q, the high one ``log_px_reciprocal`` at the second half. Chains start at the best of 256
    draws from the prior. Where they miss a part of the posterior, so does q, and both estimates are too low.
    """
    generator = torch.Generator(x.device).manual_seed(seed)
    with torch.no_grad():
        z = simulate(model.prior(), generator, (256, 1))
        fits = torch.cat([model.decode(z).log_prob(part) for part in x.split(32)], 1)  # (256, B)
        start = z[fits.argmax(0), 0]
    # A step size for each chain: one for all would leave the narrowest posteriors with chains that never move.
    step_size = torch.full((len(x),), 0.1, dtype=start.dtype, device=x.device)
    found = sample(log_joint(model, x), start, 2 * draws, warm_up=warm_up, step_size=step_size, generator=generator).draws
    with torch.no_grad():
        q = fit_gaussian(found[:draws])
        upper = log_px_reciprocal(model, x, found[draws:], q)
        z = draw(q, draws, generator)
        log_w = model.prior().log_prob(z) + model.decode(z).log_prob(x) - q.log_prob(z)
    return log_mean_exp(log_w), upper


def fit_gaussian(z: Tensor) -> FullCovarianceNormal:
    """The Gaussian with the mean and the covariance of the draws z (S, B, Z), for each of the B; more than Z draws are needed.

    VbookError where the draws of a data point lie in fewer than Z directions, to rounding: those of a chain that hardly moved.
    """
    if len(z) <= z.shape[-1]:
        raise VbookError(f"a Gaussian over {z.shape[-1]} latents needs at least {z.shape[-1] + 1} draws, got {len(z)}")
    mean = z.mean(0)
    shift = z - mean
    covariance = torch.einsum("sbi,sbj->bij", shift, shift) / (len(z) - 1)
    tril, failed = torch.linalg.cholesky_ex(covariance)
    # Rounding leaves a direction without draws a width of about √ε, for a covariance is rounded to ε.
    width, sd = tril.diagonal(dim1=-2, dim2=-1), covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    failed = (failed > 0) | (width <= 4 * torch.finfo(z.dtype).eps ** 0.5 * sd).any(-1)
    if failed.any():
        raise VbookError(
            f"the draws of {int(failed.sum())} of {z.shape[1]} data points vary in fewer than {z.shape[2]} directions: "
            "take more draws or a longer warm-up"
        )
    return FullCovarianceNormal(mean, width, tril)


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(Σ w)²/Σ w²: how many equally weighted samples the L weighted ones are worth; (L, ...) -> (...), between 1 and L.

    >>> effective_sample_size(torch.zeros(8, 1))
    tensor([8.])
    """
    return (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp()
