"""Hidden checks of assignment A4. Expected values come from SciPy, autograd, quadrature and the package, not from the master."""

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal, norm

from vbook.assign.asking import earlier, float32, hold, near_and_far, own_or_right, several, shaped
from vbook.assign.compare import numbers, require
from vbook.assign.master import Checks
from vbook.checks import CheckFailed
from vbook.distributions import FullCovarianceNormal
from vbook.evaluation import effective_sample_size, log_px

checks = Checks(allowed=("plots/__init__.py", "plots/style.py", "plots/output.py", "plots/lines.py", "plots/densities.py"))
check = checks.check
LOG_2PI = np.log(2 * np.pi)


# 1 the model in which everything is known
def model(cases, rows=3, observed=4, latents=2):
    """x, W and s, with a noise that differs much from its square."""
    W, s = float32(cases.normal(size=(observed, latents))), float(0.4 + 0.3 * cases.random())
    return float32(cases.normal(size=(rows, observed))), W, s


def covariance(cases, n: int) -> np.ndarray:
    """A random covariance with correlations and with variances away from 1."""
    root = cases.normal(size=(n, n)) / n**0.5
    return float32(root @ root.T + 0.3 * np.eye(n))


def conditioned(x, W, s):
    """Mean and covariance of z given x by conditioning the joint Gaussian of (z, x)."""
    gain = W.T @ np.linalg.inv(W @ W.T + s**2 * np.eye(len(W)))
    return x @ gain.T, np.eye(W.shape[1]) - gain @ W


@check("posterior", "The covariance of the posterior", 2)
def _(ask, cases):
    x, W, s = model(cases)
    _, right = conditioned(x, W, s)
    precision = np.linalg.inv(right)
    wrong = {
        "s is a standard deviation, the variance of the noise is s²": np.linalg.inv(np.eye(2) + W.T @ W / s),
        "the prior is forgotten: its second derivatives count, too": np.linalg.inv(precision - np.eye(2)),
        "this is the matrix of second derivatives (but for its sign); the covariance is its inverse": precision,
        "a second derivative of −log p(x, z) is positive": -right,
        "the prior's matrix and the likelihood's add up before the inverse is taken": np.eye(2)
        + np.linalg.inv(precision - np.eye(2)),
    }
    _, got = several(ask("posterior", x, W, s), 2, "posterior")
    require(got, right, "the covariance", wrong)


@check("posterior", "The mean for each row", 3)
def _(ask, cases):
    x, W, s = model(cases)
    right, cov = conditioned(x, W, s)
    no_prior = np.linalg.inv(np.linalg.inv(cov) - np.eye(2))
    wrong = {
        "s is a standard deviation, the variance of the noise is s²": x @ W @ np.linalg.inv(np.eye(2) + W.T @ W / s) / s,
        "one s is missing: the noise's variance s² divides here, too": right * s,
        "the variance s² of the noise is missing": right * s**2,
        "the covariance is missing": x @ W / s**2,
        "the prior is forgotten: the mean is pulled to 0": x @ W @ no_prior / s**2,
    }
    got, _ = several(ask("posterior", x, W, s), 2, "posterior")
    require(got, right, "the mean", wrong)


@check("exact_log_px", "log p(x) of each row", 4)
def _(ask, cases):
    x, W, s = model(cases, rows=5, observed=3)
    C = W @ W.T.astype(float) + s**2 * np.eye(3)
    right = multivariate_normal(np.zeros(3), C).logpdf(x)
    log_det, as_variance = np.linalg.slogdet(C)[1], C + (s - s**2) * np.eye(3)
    wrong = {
        "s is a standard deviation, the variance of the noise is s²": multivariate_normal(np.zeros(3), as_variance).logpdf(x),
        "the coordinates of x hang together: the covariance is no diagonal one": norm(0, C.diagonal() ** 0.5).logpdf(x).sum(-1),
        "the sign is turned round": -right,
        "2π is missing: D times half its logarithm": right + 1.5 * LOG_2PI,
        "the factor 1/2 is missing at the log-determinant": right - 0.5 * log_det,
        "the log-determinant is missing": right + 0.5 * log_det,
        "the factor 1/2 is missing": 2 * right,
        "one number a row: sum over the coordinates only": right.sum(),
    }
    require(ask("exact_log_px", x, W, s), right, "log p(x)", wrong)


def kl_of(m, S, mu, C) -> np.ndarray:
    """The divergence by torch.distributions, in double precision."""
    m, S, mu, C = (torch.as_tensor(v, dtype=torch.float64) for v in (m, S, mu, C))
    normal = torch.distributions.MultivariateNormal
    return torch.distributions.kl_divergence(normal(m, S), normal(mu, C)).numpy()


def divergence(got, m, S, mu, C) -> None:
    """CheckFailed, in words for known mistakes, unless ``got`` is the divergence of each row."""
    right = kl_of(m, S, mu, C)
    shift, log_dets = m - mu, np.linalg.slogdet(C)[1] - np.linalg.slogdet(S)[1]
    wrong = {
        "the sign is turned round: a divergence is never negative": -right,
        "the arguments are swapped: the average goes over q": kl_of(mu, C, m, S),
        "the factor 1/2 is missing": 2 * right,
        "the log-determinants are swapped": right - log_dets,
        "the log-determinants are missing": right - 0.5 * log_dets,
        "the log-determinants count half, like everything else": right + 0.5 * log_dets,
        "Z is missing: the divergence of a Gaussian from itself is 0": right + 0.5 * len(S),
        "the trace is missing": right - 0.5 * np.trace(np.linalg.solve(C, S)),
        "the difference of the means is missing": kl_of(m, S, m, C),
        "the means' difference counts in units of C, not by itself": right
        + 0.5 * ((shift**2).sum(-1) - (shift * np.linalg.solve(C, shift.T).T).sum(-1)),
        "these are diagonal Gaussians; covariances count whole": kl_of(m, S * np.eye(len(S)), mu, C * np.eye(len(S))),
    }
    require(got, right, "the divergence", wrong)


@check("kl", "The divergence of one Gaussian from the other", 3)
def _(ask, cases):
    m, mu = float32(cases.normal(size=(2, 4, 3)))
    case = m, covariance(cases, 3), mu, covariance(cases, 3)
    divergence(ask("kl", *case), *case)


@check("kl", "A Gaussian from itself, each row by itself", 1)
def _(ask, cases):
    m, S = float32(cases.normal(size=(3, 2))), covariance(cases, 2)
    require(ask("kl", m, S, m, S), np.zeros(3), "the divergence of a Gaussian from itself", abs=1e-4)
    rows = numbers(ask("kl", m, S, float32(m + np.arange(3)[:, None]), S), "the divergence")
    hold(rows.shape == (3,) and np.ptp(rows) > 1e-3, "not one number for each row")


@check("kl", "Its gradients by both means", 1)
def _(ask, cases):
    m, mu = float32(cases.normal(size=(2, 3, 2)))
    S, C = covariance(cases, 2), covariance(cases, 2)
    value, grads = ask("kl", m, S, mu, C, grad=(0, 2))
    right = np.linalg.solve(C, (m - mu).T).T
    for name, grad, sign in zip(("m", "mu"), grads, (1, -1), strict=True):
        hold(grad is not None, f"no gradient reaches {name}: is something detached?")
        wrong = {"the sign is turned round": -sign * right}
        try:
            require(grad, sign * right, f"the gradient by {name}", wrong, abs=1e-4)
        except CheckFailed:
            try:
                divergence(value, m, S, mu, C)
            except CheckFailed as failed:  # in the words for what the gradient follows from
                raise CheckFailed(f"the gradient by {name} follows from {failed}") from None
            raise


def bound_case(cases):
    x, W, s = model(cases, rows=4, observed=3)
    return x, float32(cases.normal(size=(4, 2))), covariance(cases, 2), W, s


@check("bound_terms", "The reconstruction, averaged over q", 3)
def _(ask, cases):
    case = x, m, S, W, s = bound_case(cases)
    # By averaging over the 2·2 points m ± √2 · (columns of a root of S): exact for a quadratic function.
    points = np.concatenate([sign * np.sqrt(2) * np.linalg.cholesky(S).T for sign in (1, -1)])
    at_points = [norm(p @ W.T, s).logpdf(x).sum(-1) for p in (m + point for point in points)]
    right, at_mean = np.mean(at_points, axis=0), norm(m @ W.T, s).logpdf(x).sum(-1)
    width, constant = right - at_mean, 3 * (0.5 * LOG_2PI + np.log(s))
    wrong = {
        "q's width is forgotten: this is log p(x|m) at the mean alone": at_mean,
        "the width counts with the same sign as the error: both cost": at_mean - width,
        "q's width enters as tr(W S Wᵀ), not as tr S": at_mean - 0.5 * np.trace(S) / s**2,
        "the sign is turned round: log p(x|z) is meant, not a loss": -right,
        "s is a standard deviation, the variance of the noise is s²": (right + constant) * s - 3 * 0.5 * (LOG_2PI + np.log(s)),
        "the normalisation of the Gaussian is missing": right + constant,
        "log s² is 2 log s: D times log s altogether": right + 1.5 * np.log(s),
        "2π is missing": right + 1.5 * LOG_2PI,
        "the two pieces are swapped": kl_of(m, S, np.zeros_like(m), np.eye(2)),
    }
    got, _ = several(ask("bound_terms", *case), 2, "bound_terms")
    require(got, right, "the reconstruction", wrong)


@check("bound_terms", "The divergence from the prior", 2)
def _(ask, cases):
    case = x, m, S, W, s = bound_case(cases)
    zero, eye = np.zeros_like(m), np.eye(2, dtype=np.float32)
    right = kl_of(m, S, zero, eye)
    mean, cov = conditioned(x, W, s)
    wrong = {
        "the sign is turned round: the divergence itself is asked for, and it is subtracted later": -right,
        "the arguments are swapped: the average goes over q": kl_of(zero, eye, m, S),
        "this is the divergence from the posterior; in this form of the bound it is the prior": kl_of(m, S, mean, cov),
    }
    _, got = several(ask("bound_terms", *case), 2, "bound_terms")
    own_or_right(got, right, earlier(lambda: ask("kl", m, S, zero, eye)), "the divergence", wrong)


def factorised(ask, cases, which: int):
    C = covariance(cases, 3)
    by_precision, by_variance = 1 / np.linalg.inv(C).diagonal(), C.diagonal()
    right, other = (by_precision, by_variance)[:: 1 - 2 * which]
    got = several(ask("best_factorised", C), 2, "best_factorised")[which]
    wrong = {
        "the two directions are swapped": other,
        "these are precisions; variances are asked for": np.linalg.inv(C).diagonal(),
        "these are standard deviations; variances are asked for": np.sqrt(right),
        "these are the eigenvalues: the guess must not turn, either": np.linalg.eigvalsh(C),
        "a vector of variances is asked for, not a matrix": np.diag(right),
        "one over each variance is not what the inverse matrix has on its diagonal": 1 / by_variance,
    }
    require(got, right, "the variances", wrong)


@check("best_factorised", "The variances of smallest KL(q||p)", 2)
def _(ask, cases):
    factorised(ask, cases, 0)


@check("best_factorised", "The variances of smallest KL(p||q)", 2)
def _(ask, cases):
    factorised(ask, cases, 1)


# 2 a Gaussian with full covariance
def leaning(cases, draws=4, rows=3, latents=3):
    mu, log_sigma = float32(cases.normal(size=(rows, latents))), float32(0.6 * cases.normal(size=(rows, latents)))
    return mu, log_sigma, float32(cases.normal(size=(rows, latents, latents))), float32(cases.normal(size=(draws, rows, latents)))


def packaged(mu, log_sigma, lower):
    mu, log_sigma, lower = (torch.as_tensor(v, dtype=torch.float64) for v in (mu, log_sigma, lower))
    return FullCovarianceNormal(mu, log_sigma.exp(), lower)


def moved(mu, factor, eps) -> np.ndarray:
    return mu + np.einsum("bij,lbj->lbi", factor, eps)


@check("draw", "z from the mean, the factor and the noise", 3)
def _(ask, cases):
    mu, log_sigma, lower, eps = case = leaning(cases)
    below, sigma = np.tril(lower, -1), np.exp(log_sigma)[..., None] * np.eye(3)
    right = packaged(mu, log_sigma, lower).transport(torch.from_numpy(eps).double()).numpy()
    factor = below + sigma
    wrong = {
        "this is Lᵀε: the rows of L are summed over ε": moved(mu, factor.swapaxes(-1, -2), eps),
        "what lies above the diagonal of L' is not used": moved(mu, lower - lower * np.eye(3) + sigma, eps),
        "L' counts below the diagonal only": moved(mu, lower + sigma, eps),
        "L' adds to the diagonal; there stands σ alone": moved(mu, np.tril(lower) + sigma, eps),
        "the diagonal is σ, and log_sigma its logarithm": moved(mu, below + log_sigma[..., None] * np.eye(3), eps),
        "log_sigma is log σ here, not log σ²": moved(mu, below + np.sqrt(sigma), eps),
        "σ² for σ: the standard deviation belongs on the diagonal": moved(mu, below + sigma**2, eps),
        "the mean is missing": moved(0, factor, eps),
        "the covariance L Lᵀ moves the noise; L does": moved(mu, factor @ factor.swapaxes(-1, -2), eps),
        "the part below the diagonal is missing": moved(mu, sigma, eps),
    }
    require(ask("draw", *case), right, "z", wrong)


@check("draw", "Every image has a factor of its own, whatever the number of draws", 1)
def _(ask, cases):
    mu, log_sigma, lower, eps = leaning(cases, draws=5, rows=2)
    got = numbers(ask("draw", mu, log_sigma, lower, eps), "z")
    shaped(got, eps.shape, "z")
    for row in range(2):
        alone = [v[row : row + 1] for v in (mu, log_sigma, lower)]
        require(ask("draw", *alone, eps[:1, row : row + 1]), got[:1, row : row + 1], "an image and a draw as if they came alone")
    hold(np.ptp(got) > 1e-3, "the same number for everything")


def draw_slopes(ask, cases, which: int):
    """The student's and autograd's slopes of Σ weights · z by one of the arguments."""
    mu, log_sigma, lower, eps = case = leaning(cases)
    weights = float32(cases.normal(size=eps.shape))
    _, (got,) = ask("draw", *case, grad=(which,), weights=weights)
    name = ("mu", "log_sigma", "lower")[which]
    hold(got is not None, f"no gradient reaches {name}: is z detached, or drawn under no_grad?")
    leaves = [torch.from_numpy(v).double().requires_grad_() for v in (mu, log_sigma, lower)]
    z = packaged(*leaves).transport(torch.from_numpy(eps).double())
    (right,) = torch.autograd.grad((z * torch.from_numpy(weights)).sum(), leaves[which])
    require(got, right.numpy(), f"the gradient by {name}", abs=1e-4)


@check("draw", "The gradients by the mean and by log σ", 1)
def _(ask, cases):
    draw_slopes(ask, cases, 0)
    draw_slopes(ask, cases, 1)


@check("draw", "The gradient by what stands below the diagonal", 1)
def _(ask, cases):
    draw_slopes(ask, cases, 2)


@check("log_density", "log q(z|x) at the draws", 4)
def _(ask, cases):
    mu, log_sigma, lower, eps = leaning(cases, latents=3)
    q = packaged(mu, log_sigma, lower)
    right = q.log_prob(q.transport(torch.from_numpy(eps).double())).numpy()
    log_det = log_sigma.sum(-1)
    wrong = {
        "the determinant's sign is turned round: a wider Gaussian is lower": right + 2 * log_det,
        "the log-determinant is missing": right + log_det,
        "log σ counts half: it is log σ, not log σ²": right + 0.5 * log_det,
        "log σ counts twice: it is log σ of L, not of L Lᵀ": right - log_det,
        "2π is missing": right + 1.5 * LOG_2PI,
        "half of log 2π for each latent, not once": right + LOG_2PI,
        "the noise is divided by σ once too often: ε is standard normal": norm(0, np.exp(log_sigma)).logpdf(eps).sum(-1),
        "the sign is turned round": -right,
        "the factor 1/2 before ε² is missing": right - 0.5 * (eps**2).sum(-1),
        "the latents are averaged; they add up": right / 3,
        "these are numbers per latent: sum over the last dimension": norm.logpdf(eps) - log_sigma,
        "the images are summed, not the latents": (norm.logpdf(eps) - log_sigma).sum(1),
    }
    require(ask("log_density", log_sigma, eps), right, "log q", wrong)


# 3 importance sampling
@check("log_weights", "The logarithm of each draw's weight", 4)
def _(ask, cases):
    z, log_px_z, log_q = (float32(cases.normal(size=shape)) for shape in ((5, 3, 4), (5, 3), (5, 3)))
    log_px_z -= 20
    log_pz = multivariate_normal(np.zeros(4), np.eye(4)).logpdf(z)
    right = log_px_z + log_pz - log_q
    wrong = {
        "the prior is forgotten": log_px_z - log_q,
        "q is forgotten: these are the terms of a sum over draws from the prior": log_px_z + log_pz,
        "q stands in the denominator: log q is subtracted": log_px_z + log_pz + log_q,
        "the likelihood p(x|z) is forgotten": log_pz - log_q,
        "prior and q are swapped": log_px_z - log_pz + log_q,
        "the sign is turned round": -right,
        "2π is missing in the prior": right + 2 * LOG_2PI,
        "half of log 2π for each latent, not once": right + 1.5 * LOG_2PI,
        "the factor 1/2 is missing in the prior": right - 0.5 * (z**2).sum(-1),
        "these are the weights: stay with their logarithms": np.exp(right),
    }
    require(ask("log_weights", log_px_z, z, log_q), right, "the log-weights", wrong)


def weights_case(cases, draws=9, images=4) -> np.ndarray:
    return float32(cases.normal(scale=1.2, size=(draws, images)) - 3)


def spread(log_w) -> tuple[np.ndarray, np.ndarray]:
    """The weights divided by their largest, and their mean."""
    w = np.exp(log_w - log_w.max(0, keepdims=True))
    return w, w.mean(0)


@check("estimate", "The estimate of log p(x) from L weighted draws", 3)
def _(ask, cases):
    log_w = weights_case(cases)
    right = log_px(torch.from_numpy(log_w).double())[0].numpy()
    wrong = {
        "the mean of the logarithms is the ELBO: the logarithm stands outside the mean": log_w.mean(0),
        "the mean is a sum over the draws divided by their number L: log L is missing": right + np.log(9),
        "divided by L − 1: a mean divides by L": right + np.log(9 / 8),
        "log L is subtracted, not added": right + 2 * np.log(9),
        "the mean goes over the draws, the first dimension": logsumexp(log_w, axis=1) - np.log(4),
        "this is p(x): take its logarithm": np.exp(right),
        "the sign is turned round": -right,
        "the largest weight alone": log_w.max(0),
    }
    value, _ = several(ask("estimate", log_w), 2, "estimate")
    require(value, right, "the estimate", wrong)


@check("estimate", "Its error bar", 2)
def _(ask, cases):
    log_w = weights_case(cases)
    right = log_px(torch.from_numpy(log_w).double())[1].numpy()
    w, mean = spread(log_w)
    wrong = {
        "this is the spread of single weights: the mean of L draws is off by √L times less": right * 3,
        "divided by L: the error falls with the root of L": right / 3,
        "the sum of squares is divided by L − 1 here": w.std(0) / (3 * mean),
        "this is the error of p(x); that of its logarithm is relative to it": right * np.exp(log_w).mean(0),
        "a variance: take its root": right**2,
        "this is the spread of the log-weights; the weights themselves vary": log_w.std(0, ddof=1) / 3,
        "this is the spread of the log-weights, not the weights', and without √L": log_w.std(0, ddof=1),
        "the mean goes over the draws, the first dimension": spread(log_w.T)[0].std(0, ddof=1) / (2 * spread(log_w.T)[1]),
        "the estimate and its error are swapped": logsumexp(log_w, axis=0) - np.log(9),
    }
    _, error = several(ask("estimate", log_w), 2, "estimate")
    require(error, right, "the error bar", wrong)


@check("estimate", "Both work with log-weights near −1000, as images have them", 2)
def _(ask, cases):
    none = "exp of a number near −1000 is 0: shift by the largest, or use logsumexp"
    some = "inf or nan for some images: shift each by its own largest, or use logsumexp"
    near, far, offset = near_and_far(ask, "estimate", "the estimate", cases, none, some, parts=2)
    hold(np.ptp(near[0]) > 1e-3 and np.ptp(near[1]) > 1e-5, "the same number for every image")
    require(far[0] + offset, near[0], "all log-weights shifted: the estimate shifts with them", abs=5e-3)
    require(far[1], near[1], "all log-weights shifted: the error bar stays", rel=5e-3)


@check("effective_size", "The effective number of draws", 3)
def _(ask, cases):
    log_w = weights_case(cases)
    right = effective_sample_size(torch.from_numpy(log_w).double()).numpy()
    w = np.exp(log_w.astype(float))
    wrong = {
        "the weights are to be normalised first: their sum is 1": 1 / (w**2).sum(0),
        "this is one over the effective size": 1 / right,
        "a number of draws, not a share of L": right / 9,
        "each weight is squared before the sum": 1 / softmax(log_w, axis=0).sum(0) ** 2,
        "this is the perplexity: another measure of the same, but not the one that is asked for": np.exp(
            -(softmax(log_w, axis=0) * np.log(softmax(log_w, axis=0))).sum(0)
        ),
        "these are logarithms of weights, take their exponentials": log_w.sum(0) ** 2 / (log_w**2).sum(0),
        "the sum goes over the draws, the first dimension": 1 / (softmax(log_w, axis=1) ** 2).sum(1),
        "the largest weight alone": 1 / softmax(log_w, axis=0).max(0),
    }
    require(ask("effective_size", log_w), right, "the effective size", wrong)


@check("effective_size", "It works with log-weights near −1000", 1)
def _(ask, cases):
    none = "exp of a number near −1000 is 0: normalise with softmax or logsumexp"
    some = "inf or nan for some images: normalise each by itself, with softmax(0) or logsumexp(0)"
    [near], [far], _ = near_and_far(ask, "effective_size", "the effective size", cases, none, some)
    hold(np.ptp(near) > 1e-3, "the same number for every image")
    require(far, near, "all weights times the same number: the effective size stays", rel=5e-3)


# 4 gradients
def table(cases, k=6):
    """Probabilities, an f with a level of its own, and a score: its mean is 0, and f rises with it."""
    q, features = float32(cases.dirichlet(3 * np.ones(k))), cases.normal(size=k)
    return q, float32(3 + 1.5 * features + cases.normal(size=k)), float32(features - q @ features)


def estimates_of(case, b) -> tuple[np.ndarray, np.ndarray]:
    q, f, score = (v.astype(float) for v in case)
    return q, (f - b) * score


@check("moments", "The mean, for two baselines", 2)
def _(ask, cases):
    case = q, f, score = table(cases)
    right = np.cov(f, score, aweights=q, bias=True)[0, 1]  # the score has mean 0
    for b in (0.0, float(1 + cases.random())):
        wrong = {
            "the average goes over q, not evenly over the values": estimates_of(case, b)[1].mean(),
            "each value counts with its probability q": estimates_of(case, b)[1].sum(),
            "the baseline is subtracted from f, not multiplied": b * right,
            "b is subtracted from f before the score multiplies it": right - b,
            "the sign is turned round": -right,
        }
        got, _ = several(ask("moments", q, f, score, b), 2, "moments")
        require(got, right, "the mean", wrong, abs=1e-4)


@check("moments", "The variance, for two baselines", 2)
def _(ask, cases):
    case = table(cases)
    for b in (0.0, float(1 + cases.random())):
        q, values = estimates_of(case, b)
        square, mean = q @ values**2, q @ values
        wrong = {
            "this is the mean square: the squared mean is to be subtracted": square,
            "the values have different probabilities: average over q": values.var(),
            "the values have different probabilities: average over q, not evenly": values.var(ddof=1),
            "this is a standard deviation; the variance is its square": np.sqrt(square - mean**2),
            "each squared deviation counts with its q once": q**2 @ (values - mean) ** 2,
            "the mean is to be squared before it is subtracted": square - mean,
        }
        _, got = several(ask("moments", *case, b), 2, "moments")
        require(got, square - mean**2, "the variance", wrong, abs=1e-4)


@check("best_baseline", "The baseline of smallest variance", 3)
def _(ask, cases):
    case = q, f, score = table(cases)
    # The lowest point of a parabola through three of its points, as the variance is one in b.
    levels = [q @ values**2 - (q @ values) ** 2 for q, values in (estimates_of(case, b) for b in (-1.0, 0.0, 1.0))]
    right = (levels[0] - levels[2]) / (2 * (levels[0] + levels[2] - 2 * levels[1]))
    q, f, score = (v.astype(float) for v in case)
    wrong = {
        "this is the mean of f: each f counts with the squared score as well": q @ f,
        "the score is to be squared": (q * np.abs(score)) @ f / (q @ np.abs(score)),
        "divide by the average squared score": (q * score**2) @ f,
        "the average goes over q": (score**2) @ f / (score**2).sum(),
        "f is not squared": (q * score**2) @ f**2 / (q @ score**2),
        "the plain mean of the values": f.mean(),
        "q counts once": (q**2 * score**2) @ f / (q**2 @ score**2),
        "the sign is turned round": -right,
    }
    require(ask("best_baseline", *case), right, "the baseline", wrong)


def surrogate_case(cases):
    """log q, f and baselines, whose levels differ."""
    return list(float32(cases.normal(size=(3, 4, 3)) + np.array([-3, 5, 4])[:, None, None]))


@check("surrogate", "Its gradient by log q", 2)
def _(ask, cases):
    log_q, f, b = case = surrogate_case(cases)
    _, (got,) = ask("surrogate", *case, grad=(0,))
    hold(got is not None, "no gradient reaches log_q: only f and the baseline are to be detached")
    right = (f - b) / 12
    wrong = {
        "a sum over draws and images; the mean is asked for": 12 * right,
        "a sum over the draws; the mean is asked for": 4 * right,
        "a sum over the images; the mean is asked for": 3 * right,
        "the baseline is subtracted from f, not multiplied": f * b / 12,
        "the baseline is missing": f / 12,
        "the baseline is subtracted, not added": (f + b) / 12,
        "the sign is turned round: the gradient of the average itself is asked for": -right,
        "f is divided by the baseline; it is subtracted": f / b / 12,
        "the gradient of log q, not of q": np.exp(log_q) * right,
        "the baseline is subtracted from log q, where it changes no gradient": f / 12,
    }
    require(got, right, "the gradient by log q", wrong)


def no_gradient(ask, cases, which: int, words: str):
    case = surrogate_case(cases)
    _, (by_log_q, got) = ask("surrogate", *case, grad=(0, which))
    hold(by_log_q is not None and np.abs(by_log_q).max() > 0, "no gradient at all")
    hold(got is None or np.abs(got).max() < 1e-7, words)


@check("surrogate", "No gradient passes through f", 1)
def _(ask, cases):
    no_gradient(ask, cases, 1, "a gradient passes through f: in (2.72) f is a number, detach it")


@check("surrogate", "No gradient passes through the baseline", 1)
def _(ask, cases):
    no_gradient(ask, cases, 2, "a gradient passes through the baseline: detach it, too")


@check("leave_one_out", "The mean of f over the other draws", 3)
def _(ask, cases):
    f = float32(2 + cases.normal(size=(5, 4)))
    right = np.stack([np.delete(f, row, axis=0).mean(0) for row in range(5)])
    wrong = {
        "a draw's own value enters its baseline, which makes the estimate wrong": np.broadcast_to(f.mean(0), f.shape),
        "a draw's own value enters its baseline; one number an image": f.mean(0),
        "there are L − 1 others, not L": right * 4 / 5,
        "a mean of the others, not their sum": right * 4,
        "this is f minus the baseline; the baseline is asked for": f - right,
        "the others are other draws of the same image, not other images": (f.sum(1, keepdims=True) - f) / 3,
        "one mean over all images: each image has draws of its own": (f.sum() - f) / 19,
    }
    require(ask("leave_one_out", f), right, "the baselines", wrong)


def gaussian_case(cases, n=6):
    """f(z) = sin z + z² and its slope at draws of N(m, σ²), with what autograd says of both estimates."""
    m, sigma = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (cases.normal(), 0.5 + cases.random()))
    eps = torch.from_numpy(float32(cases.normal(size=n))).double()
    z = m + sigma * eps
    f, fixed = z.sin() + z**2, z.detach()
    log_q = torch.distributions.Normal(m, sigma).log_prob(fixed)
    score = [[float(g) for g in torch.autograd.grad(one, (m, sigma), retain_graph=True)] for one in log_q]
    path = [[float(g) for g in torch.autograd.grad(one, (m, sigma), retain_graph=True)] for one in f]
    df = fixed.cos() + 2 * fixed
    case = float32(f.detach()), float32(df), sigma.item(), float32(eps)
    return case, case[0][:, None] * np.array(score), np.array(path)


@check("slopes", "By the score function", 3)
def _(ask, cases):
    (f, df, sigma, eps), right, path = gaussian_case(cases)
    by_m = right[:, 0]
    wrong = {
        "the two estimates are swapped": path,
        "the columns are swapped: first by m, then by σ": right[:, ::-1],
        "log q has a second term that contains σ: −log σ": np.stack([by_m, f * eps**2 / sigma], 1),
        "1/σ is missing": right * sigma,
        "by m the score is ε/σ: (z − m)/σ² with z − m = σε": right / sigma,
        "by σ, not by log σ": np.stack([by_m, f * (eps**2 - 1)], 1),
        "the sign is turned round": -right,
        "f counts by its value here, not by its slope": right / f[:, None] * df[:, None],
        "f is missing": right / f[:, None],
    }
    got, _ = several(ask("slopes", f, df, sigma, eps), 2, "slopes")
    require(got, right, "the score-function estimates", wrong)


@check("slopes", "Reparameterised", 2)
def _(ask, cases):
    (f, df, sigma, eps), score, right = gaussian_case(cases)
    wrong = {
        "the two estimates are swapped": score,
        "the columns are swapped: first by m, then by σ": right[:, ::-1],
        "z = m + σε moves by ε when σ moves by 1": np.stack([df, df], 1),
        "by σ, not by log σ": np.stack([df, sigma * df * eps], 1),
        "the slope f' counts here, not f": np.stack([f, f * eps], 1),
        "σ is one too many": np.stack([df, df * eps / sigma], 1),
        "log σ² has a slope half as large; here it is σ": np.stack([df, 0.5 * sigma * df * eps], 1),
    }
    _, got = several(ask("slopes", f, df, sigma, eps), 2, "slopes")
    require(got, right, "the reparameterised estimates", wrong)


def by_quadrature(m, sigma) -> tuple[float, float, float]:
    """Mean square of the score-function estimate, its mean, and the variance of 2z: Gauss-Hermite, exact for polynomials."""
    eps, weights = np.polynomial.hermite_e.hermegauss(12)
    weights, z = weights / weights.sum(), m + sigma * eps
    estimates = z**2 * eps / sigma
    return weights @ estimates**2, weights @ estimates, weights @ (2 * z) ** 2 - (weights @ (2 * z)) ** 2


@check("variances", "The variance of the score-function estimate", 3)
def _(ask, cases):
    for m, sigma in zip(1 + cases.random(2), 0.5 + cases.random(2), strict=True):
        square, mean, _ = by_quadrature(m, sigma)
        wrong = {
            "this is the mean square: the squared mean, (2m)², is to be subtracted": square,
            "the mean is to be squared before it is subtracted": square - mean,
            "the score is ε/σ: its square divides by σ²": sigma**2 * square - mean**2,
            "this is a standard deviation": np.sqrt(square - mean**2),
            "the two variances are swapped": 4 * sigma**2,
            "the cross term 6 m²σ² of z⁴ is forgotten": square - 18 * m**2 - mean**2,
        }
        got, _ = several(ask("variances", float(m), float(sigma)), 2, "variances")
        require(got, square - mean**2, "the variance", wrong)


@check("variances", "The variance of the reparameterised estimate", 1)
def _(ask, cases):
    m, sigma = float(1 + cases.random()), float(0.5 + cases.random())
    right = by_quadrature(m, sigma)[2]
    wrong = {
        "the slope of z² is 2z: a factor of 2 counts four times in a variance": right / 4,
        "a factor of 2 counts four times in a variance": right / 2,
        "this is a standard deviation": np.sqrt(right),
        "this is the mean square: the squared mean is to be subtracted": right + 4 * m**2,
        "for z² the slope by m has the variance of 2z: σ is missing": 4.0,
    }
    _, got = several(ask("variances", m, sigma), 2, "variances")
    require(got, right, "the variance", wrong)


# 5 a table's error
@check("summary", "The mean and its standard error", 3)
def _(ask, cases):
    values = float32(-100 + 9 * cases.normal(size=23))
    sd, n = values.astype(float).std(ddof=1), len(values)
    mean, error = several(ask("summary", values), 2, "summary")
    wrong = {
        "this is the spread of the images; the mean's error is √N times smaller": sd,
        "the root of N: this is divided by N": sd / n,
        "the sum of squares is divided by N − 1 here": values.astype(float).std() / n**0.5,
        "the variance for the standard deviation: take its root": sd**2 / n**0.5,
        "a variance: take its root": sd**2 / n,
        "the mean's error twice over: one standard error is asked for": 2 * sd / n**0.5,
    }
    require(mean, values.astype(float).mean(), "the mean", {"a sum for the mean": values.astype(float).sum()})
    require(error, sd / n**0.5, "the standard error", wrong, rel=5e-3)
