"""Hidden checks of assignment A1. Expected values come from closed forms and from the package, never from the master."""

import numpy as np
import torch
from scipy.special import expit, ndtr, ndtri

from vbook.assign.asking import (
    bits,
    earlier,
    every_parameter_learns,
    float32,
    hold,
    near_and_far,
    network,
    own_or_right,
    several,
    shaped,
    through,
)
from vbook.assign.compare import numbers, require
from vbook.assign.master import Checks
from vbook.assign.session import SQUARED_ERROR
from vbook.assign.worker import Affine as Network
from vbook.assign.worker import squared_error
from vbook.bounds import log_mean_exp
from vbook.checks import CheckFailed
from vbook.distributions import FactorizedBernoulli

checks = Checks(allowed=("plots/__init__.py", "plots/style.py", "plots/output.py", "plots/lines.py"))
check = checks.check


def log_px_z(x, logits) -> np.ndarray:
    x, logits = (torch.as_tensor(v, dtype=torch.float64) for v in (x, logits))
    return FactorizedBernoulli(logits).log_prob(x).numpy()


def kl_of(mu, log_var) -> np.ndarray:
    return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(-1)


def gradient(got, right, name: str, value, mistakes: dict | None = None) -> None:
    """``require`` of the gradient by ``name``; where ``value()`` fails too, in the words for what the gradient follows from."""
    try:
        require(got, right, f"the gradient by {name}", mistakes)
    except CheckFailed:
        try:
            value()
        except CheckFailed as failed:
            raise CheckFailed(f"the gradient by {name} follows from {failed}") from None
        raise


# 1.1 generate
def generation(cases):
    decoder, eps, u = network(cases, 3, 12), float32(cases.normal(size=(40, 3))), float32(cases.random((40, 12)))
    return decoder, eps, u, through(decoder, eps)


@check("generate", "The pixels follow from the decoder's logits and from u", 3)
def _(ask, cases):
    decoder, eps, u, logits = generation(cases)
    wrong = {
        "black where u lies below the probability, not above it": u > expit(logits),
        "the decoder gives logits: a probability is their sigmoid": u < logits,
        "a pixel is drawn, not rounded: compare the probability with u": expit(logits) > 0.5,
        "these are probabilities: draw pixels from them with u": expit(logits),
    }
    require(ask("generate", decoder, eps, u), u < expit(logits), "the images", wrong)


@check("generate", "Every pixel is 0 or 1, one image for each draw of the latents", 1)
def _(ask, cases):
    decoder, eps, u, _ = generation(cases)
    got = numbers(ask("generate", decoder, eps, u), "the images")
    shaped(got, u.shape, "the images")
    hold(np.isin(got, (0, 1)).all() and 0 < got.mean() < 1, "pixels other than 0 and 1, or all the same")


# 1.2 log_likelihood
def likelihood_case(cases, size=1.0):
    return bits(cases, 6, 15), float32(size * cases.normal(size=(6, 15)))


@check("log_likelihood", "log p(x|z) of each image", 2)
def _(ask, cases):
    x, logits = likelihood_case(cases)
    right = log_px_z(x, logits)
    wrong = {
        "the sign is turned round: a log-probability is negative": -right,
        "the pixels are averaged; independent pixels add up": right / 15,
        "one number an image: sum over the pixels, the last dimension, only": right.sum(),
    }
    require(ask("log_likelihood", x, logits), right, "log p(x|z)", wrong)


@check("log_likelihood", "It stays finite where the decoder is very sure", 2)
def _(ask, cases):
    x, logits = likelihood_case(cases, size=150.0)
    got = numbers(ask("log_likelihood", x, logits), "log p(x|z)")
    words = "infinite or nan for large logits: exp(200) is inf, and 1 − sigmoid(200) is 0; use logsigmoid or softplus"
    hold(np.isfinite(got).all(), words)
    ratio = got / log_px_z(x, logits)  # 1, whatever the sign and the unit
    hold(np.ptp(ratio) <= 1e-2 * np.abs(ratio).max(), "wrong for large logits: cut off nothing, work with the logits themselves")


@check("log_likelihood", "It takes several draws of z at once, logits (L, B, D) beside x (B, D)", 1)
def _(ask, cases):
    x, logits = bits(cases, 4, 9), float32(cases.normal(size=(3, 4, 9)))
    got = numbers(ask("log_likelihood", x, logits), "log p(x|z)")
    one = [numbers(ask("log_likelihood", x, logits[k]), "log p(x|z)") for k in range(3)]
    hold(np.ptp(one) > 0, "the same number for every image")
    require(got, np.stack(one), "each draw as if it came alone")


# 1.3 log_evidence
@check("log_evidence", "The estimate of log p(x) from L draws of the prior", 4)
def _(ask, cases):
    log_p = float32(cases.normal(scale=2.0, size=(7, 4)) - 3)
    right = log_mean_exp(torch.from_numpy(log_p).double()).numpy()
    wrong = {
        "the mean of the logarithms lies too low: the logarithm stands outside the mean": log_p.mean(0),
        "the mean is a sum over the draws divided by their number L: log L is missing": right + np.log(7),
        "the mean goes over the draws, the first dimension": np.log(np.exp(log_p).mean(1)),
        "this is p(x): take its logarithm": np.exp(right),
    }
    require(ask("log_evidence", log_p), right, "the estimate", wrong)


@check("log_evidence", "It works with log-probabilities near −1000, as images have them", 2)
def _(ask, cases):
    none = "exp of a number near −1000 is 0 and its logarithm −inf: use logsumexp"
    some = "−inf for some images: shift each by its own largest, or use logsumexp"
    [near], [far], offset = near_and_far(ask, "log_evidence", "the estimate", cases, none, some)
    hold(np.ptp(near) > 1e-3, "the same number for every image")
    require(far + offset, near, "all log-probabilities shifted: the estimate shifts with them", abs=1e-3)


# 1.4 draws_until_hit
def hits(reach: float, dims: int) -> float:
    return float((2 * ndtr(reach) - 1) ** -dims)


@check("draws_until_hit", "One latent", 1)
def _(ask, cases):
    for reach in 0.1 + cases.random(3):
        wrong = {"this is the probability of a hit; so many draws are needed until one": 1 / hits(reach, 1)}
        wrong |= {"the interval has two sides, −r and r": 1 / ndtr(reach)}
        require(ask("draws_until_hit", float(reach), 1), hits(reach, 1), "draws for one latent", wrong)


@check("draws_until_hit", "Many latents, which must all fall into the interval", 2)
def _(ask, cases):
    for dims in (int(d) for d in cases.integers(3, 12, 3)):
        reach = float(0.3 + cases.random())
        wrong = {"the latents are independent: their probabilities multiply, they don't add up": dims * hits(reach, 1)}
        require(ask("draws_until_hit", reach, dims), hits(reach, dims), "draws for several latents", wrong)


# 2.1 two Gaussians
def kl_of_named(ask, name: str) -> float:
    mean, variance = (float(numbers(v, name)) for v in several(ask.value(name), 2, name))
    hold(variance > 0, f"{name}: a variance is above 0")
    return float(kl_of(np.array([mean]), np.log([variance])))


@check("examples", "A Gaussian close to N(0, 1), but not the same", 1)
def _(ask, cases):
    hold(0 < kl_of_named(ask, "close") < 0.01, "close: its divergence is not between 0 and 0.01")


@check("examples", "A Gaussian far away", 1)
def _(ask, cases):
    hold(100 < kl_of_named(ask, "far") < np.inf, "far: its divergence is not above 100")


# 2.2 kl
def divergence(got, mu, log_var) -> None:
    """CheckFailed, in words for known mistakes, unless ``got`` is the divergence of each image."""
    right, terms = kl_of(mu, log_var), np.exp(log_var) + mu**2 - 1 - log_var
    wrong = {
        "the sign is turned round: a divergence is never negative": -right,
        "the factor 1/2 is missing": 2 * right,
        "log_var is taken for the standard deviation": 0.5 * (log_var**2 + mu**2 - 1 - np.log(log_var**2)).sum(-1),
        "log_var is taken for log σ; it is log σ², twice as much": 0.5 * (np.exp(2 * log_var) + mu**2 - 1 - 2 * log_var).sum(-1),
        "mu and log_var are swapped": kl_of(log_var, mu),
        "the latents are averaged; the divergence is their sum": 0.5 * terms.mean(-1),
        "one number an image: sum over the latents, the last dimension, only": right.sum(),
        "the images are summed, not the latents": 0.5 * terms.sum(0),
    }
    require(got, right, "the divergence", wrong)


@check("kl", "The divergence of each Gaussian from N(0, I)", 4)
def _(ask, cases):
    mu, log_var = float32(cases.normal(size=(2, 5, 3)))
    divergence(ask("kl", mu, log_var), mu, log_var)


@check("kl", "Its gradients by the mean and by the log-variance", 2)
def _(ask, cases):
    mu, log_var = float32(cases.normal(size=(2, 4, 3)))
    value, grads = ask("kl", mu, log_var, grad=(0, 1))
    for name, grad, right in zip(("mu", "log_var"), grads, (mu, 0.5 * (np.exp(log_var) - 1)), strict=True):
        hold(grad is not None, f"no gradient reaches {name}: is something detached?")
        gradient(grad, right, name, lambda: divergence(value, mu, log_var), {"the sign is turned round": -right})


@check("kl", "It treats every image by itself, also with a further dimension in front", 1)
def _(ask, cases):
    mu, log_var = float32(cases.normal(size=(2, 2, 4, 3)))
    one = [numbers(ask("kl", mu[k], log_var[k]), "the divergence") for k in range(2)]
    hold(one[0].shape == (4,) and np.ptp(one) > 0, "not one number for each image")
    require(ask("kl", mu, log_var), np.stack(one), "each row as if it came alone")


# 2.3 bound_and_gap
def table_model(cases, k=5):
    prior, likelihood, q = cases.dirichlet(np.ones(k)), cases.random(k), cases.dirichlet(np.ones(k))
    joint = prior * likelihood
    return prior, likelihood, q, joint, joint / joint.sum()


@check("bound_and_gap", "The ELBO", 3)
def _(ask, cases):
    prior, likelihood, q, joint, _ = table_model(cases)
    right = (q * np.log(joint / q)).sum()
    wrong = {
        "the sign is turned round": -right,
        "the expected log-likelihood alone: the prior and q are missing": (q * np.log(likelihood)).sum(),
        "the logarithm of the mean is log p(x) itself; the bound is a mean of logarithms": np.log(joint.sum()),
        "the logarithms are averaged evenly; the average goes over q": np.log(joint / q).mean(),
        "log p(x, z) alone: −log q is missing": (q * np.log(joint)).sum(),
    }
    bound, _ = several(ask("bound_and_gap", prior, likelihood, q), 2, "bound_and_gap")
    require(bound, right, "the bound", wrong)


@check("bound_and_gap", "The gap, the divergence of q from the posterior", 3)
def _(ask, cases):
    prior, likelihood, q, _, posterior = table_model(cases)
    right = (q * np.log(q / posterior)).sum()
    wrong = {
        "the sign is turned round: a divergence is never negative": -right,
        "this is the divergence of q from the prior; the posterior is meant": (q * np.log(q / prior)).sum(),
        "the arguments are swapped: the average goes over q": (posterior * np.log(posterior / q)).sum(),
    }
    _, gap = several(ask("bound_and_gap", prior, likelihood, q), 2, "bound_and_gap")
    require(gap, right, "the gap", wrong)


# 2.4 draw
def draw_case(cases):
    return float32(cases.normal(size=(3, 5, 2)))


def moved(got, mu, log_var, eps) -> None:
    """CheckFailed, in words for known mistakes, unless ``got`` is z."""
    wrong = {
        "log_var is taken for the standard deviation": mu + log_var * eps,
        "the noise is multiplied by the variance; it is the standard deviation that counts": mu + np.exp(log_var) * eps,
        "the mean is missing": np.exp(log_var / 2) * eps,
        "mu and log_var are swapped": log_var + np.exp(mu / 2) * eps,
        "the minus sign is one too many: σ² = exp(log_var)": mu + np.exp(-log_var / 2) * eps,
    }
    require(got, mu + np.exp(log_var / 2) * eps, "z", wrong)


@check("draw", "z from the mean, the log-variance and the noise", 3)
def _(ask, cases):
    case = draw_case(cases)
    moved(ask("draw", *case), *case)


@check("draw", "The gradient by the mean", 2)
def _(ask, cases):
    case = mu, *_ = draw_case(cases)
    z, (grad,) = ask("draw", *case, grad=(0,))
    hold(grad is not None, "no gradient reaches mu: is z detached, or drawn under no_grad?")
    gradient(grad, np.ones_like(mu), "mu", lambda: moved(z, *case))


@check("draw", "The gradient by the log-variance", 2)
def _(ask, cases):
    case = _, log_var, eps = draw_case(cases)
    z, (grad,) = ask("draw", *case, grad=(1,))
    hold(grad is not None, "no gradient reaches log_var: is something detached?")
    gradient(grad, 0.5 * np.exp(log_var / 2) * eps, "log_var", lambda: moved(z, *case))


# 3.1 losses
def loss_case(cases, draws):
    x, logits = bits(cases, 5, 8), float32(cases.normal(size=(draws, 5, 8)))
    return x, logits, *float32(cases.normal(size=(2, 5, 3)))


def loss(ask, case, which: int):
    return several(ask("losses", *case), 2, "losses")[which]


@check("losses", "The reconstruction loss with one draw", 2)
def _(ask, cases):
    case = x, logits, *_ = loss_case(cases, 1)
    right = -log_px_z(x, logits)[0]
    wrong = {
        "the sign is turned round: a loss is −log p(x|z)": -right,
        "the two losses are swapped": kl_of(*case[2:]),
        "the pixels are averaged; they add up": right / 8,
        "one number an image: the mean over the batch comes later": right.mean(),
    }
    own = earlier(lambda: -numbers(ask("log_likelihood", x, logits[0]), "log p(x|z)"))
    own_or_right(loss(ask, case, 0), right, own, "the reconstruction loss", wrong)


@check("losses", "The reconstruction loss is a mean over several draws", 2)
def _(ask, cases):
    case = x, logits, *_ = loss_case(cases, 4)
    right = -log_px_z(x, logits).mean(0)
    wrong = {"the draws are summed; the expectation is their mean": 4 * right, "the two losses are swapped": kl_of(*case[2:])}
    own = earlier(lambda: -np.mean([numbers(ask("log_likelihood", x, one), "log p(x|z)") for one in logits], axis=0))
    own_or_right(loss(ask, case, 0), right, own, "the reconstruction loss", wrong)


@check("losses", "The regularisation loss", 3)
def _(ask, cases):
    case = x, logits, mu, log_var = loss_case(cases, 3)
    right = kl_of(mu, log_var)
    wrong = {
        "the sign is turned round": -right,
        "the divergence doesn't depend on the draws: it counts once, not for each of them": 3 * right,
        "the two losses are swapped": -log_px_z(x, logits).mean(0),
    }
    own = earlier(lambda: ask("kl", mu, log_var))
    own_or_right(loss(ask, case, 1), right, own, "the regularisation loss", wrong)


# 3.2 Encoder and Decoder
def batch(cases, rows, size=1.0):
    return float32(size * cases.normal(size=(rows, 12)))


@check("Encoder", "A mean and a log-variance for each image", 2)
def _(ask, cases):
    encoder, x = ask.make("Encoder", 12, 16, 3), batch(cases, 6)
    mu, log_var = (numbers(v, "the encoder") for v in several(ask(encoder, x), 2, "the encoder"))
    shaped(mu, (6, 3), "mu"), shaped(log_var, (6, 3), "log_var")
    single = several(ask(encoder, x[2:3]), 2, "the encoder")
    require(single[0], mu[2:3], "an image alone, and the same image in a batch")


@check("Encoder", "Means and log-variances may take any sign", 2)
def _(ask, cases):
    encoder = ask.make("Encoder", 12, 16, 3)
    ask.refill(encoder, int(cases.integers(1 << 30)))
    for name, answer in zip(("mu", "log_var"), several(ask(encoder, batch(cases, 60)), 2, "the encoder"), strict=True):
        got = numbers(answer, name)
        hold(got.min() < 0 < got.max(), f"{name} keeps one sign: the last layer has no activation behind it")


@check("Encoder", "Every parameter learns", 2)
def _(ask, cases):
    encoder = ask.make("Encoder", 12, 16, 3)
    ask.refill(encoder, int(cases.integers(1 << 30)))
    every_parameter_learns(ask, encoder, batch(cases, 9, 0.1))


@check("Decoder", "A logit for each pixel, whatever dimensions stand in front", 2)
def _(ask, cases):
    decoder, z = ask.make("Decoder", 3, 16, 12), float32(cases.normal(size=(2, 5, 3)))
    both = numbers(ask(decoder, z), "the decoder")
    shaped(both, (2, 5, 12), "the logits")
    require(ask(decoder, z[1]), both[1], "a draw alone, and the same among several")


@check("Decoder", "Logits, not probabilities, and every parameter learns", 2)
def _(ask, cases):
    decoder, z = ask.make("Decoder", 3, 16, 12), float32(cases.normal(size=(40, 3)))
    ask.refill(decoder, int(cases.integers(1 << 30)))
    got = numbers(ask(decoder, z), "the decoder")
    hold(got.min() < 0 and got.max() > 1, "all between 0 and 1, or of one sign: no sigmoid here, these are logits")
    every_parameter_learns(ask, decoder, z[:9])


# 3.3 negative_bound
def bound_case(cases):
    encoder, decoder = network(cases, 8, 3, chunks=2), network(cases, 3, 8)
    return bits(cases, 6, 8), encoder, decoder, float32(cases.normal(size=(2, 6, 3)))


def torch_networks(*nets):
    return [Network(torch.from_numpy(net.weight.copy()), torch.from_numpy(net.bias.copy()), net.chunks) for net in nets]


def reference(x, encoder, decoder, eps):
    """The loss and its gradients by the four parameter arrays, from the package's density and torch's autograd."""
    nets = [
        Network(torch.from_numpy(n.weight.copy()), torch.from_numpy(n.bias.copy()), n.chunks).double() for n in (encoder, decoder)
    ]
    x, eps = torch.from_numpy(x).double(), torch.from_numpy(eps).double()
    mu, log_var = nets[0](x)
    reconstruction = -FactorizedBernoulli(nets[1](mu + (log_var / 2).exp() * eps)).log_prob(x).mean(0)
    value = (reconstruction + 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(-1)).mean()
    return value.item(), [
        g.numpy() for net in nets for g in torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
    ]


def own_pieces(ask, x, encoder, decoder, eps):
    """The encoder's two answers, and z and the logits that follow with the student's ``draw``."""
    mu, log_var = np.split(float32(through(encoder, x)), 2, -1)
    z = numbers(ask("draw", mu, log_var, eps), "z")
    return mu, log_var, z, float32(through(decoder, z))


@check("negative_bound", "The loss of a batch, a mean over its images", 3)
def _(ask, cases):
    case = x, *_ = bound_case(cases)
    right, _ = reference(*case)
    wrong = {
        "the sign is turned round: the loss is the negative bound": -right,
        "the images are summed; take their mean": 6 * right,
    }

    def own():
        mu, log_var, _, logits = own_pieces(ask, *case)
        parts = several(ask("losses", x, logits, mu, log_var), 2, "losses")
        return [numbers(part, "a loss") + np.zeros(len(x)) for part in parts]

    parts, got = earlier(own), numbers(ask("negative_bound", *case), "the loss")
    follows = parts.shape == (2, 6) and np.isfinite(parts).all() and np.ptp(parts, axis=1).min() > 1e-3
    if not (follows and got.shape == () and np.isclose(got, parts.sum(0).mean(), rtol=1e-3)):
        require(got, right, "the loss", wrong)


def gradients(ask, case, which: int) -> list[np.ndarray]:
    _, grads = ask("negative_bound", *case, grad=(which,))
    hold(all(g is not None for g in grads), f"no gradient reaches the {'encoder' if which == 1 else 'decoder'}")
    return grads


def own_gradients(ask, x, encoder, decoder, eps) -> dict[int, list[np.ndarray]]:
    """The gradients by encoder (1) and decoder (2) that follow from the student's ``draw`` and ``losses`` by the chain rule."""
    mu, log_var, z, logits = own_pieces(ask, x, encoder, decoder, eps)
    mean = np.full(len(x), 1 / len(x))  # weights that make each loss its mean over the images
    by_logits, *direct = ask("losses", x, logits, mu, log_var, grad=(1, 2, 3), weights=mean)[1]
    by_z = by_logits @ decoder.weight
    moved = ask("draw", mu, log_var, eps, grad=(0, 1), weights=by_z)[1]
    none = np.zeros_like(mu)  # what is detached adds nothing
    by_pair = np.concatenate([sum(none if g is None else g for g in pair) for pair in zip(direct, moved, strict=True)], -1)
    by_decoder = [by_logits.reshape(-1, 8).T @ z.reshape(-1, 3), by_logits.sum((0, 1))]
    return {1: [by_pair.T @ x, by_pair.sum(0)], 2: by_decoder}


def follow_from_own(ask, case, networks: tuple[int, ...]) -> bool:
    """Whether the gradients by ``networks`` are those of the student's own ``draw`` and ``losses``, right or not."""

    def in_a_row(found):
        return np.concatenate([np.ravel(grad) for which in networks for grad in found(which)])

    own = earlier(lambda: in_a_row(own_gradients(ask, *case).get))
    got = earlier(lambda: in_a_row(lambda which: gradients(ask, case, which)))
    return got.shape == own.shape and np.ptp(own) > 1e-3 and np.allclose(got, own, rtol=1e-3, atol=1e-4)


@check("negative_bound", "The reconstruction's gradient reaches the encoder, through the draw", 2)
def _(ask, cases):
    x, encoder, decoder, eps = bound_case(cases)
    pair = [(x, encoder, net, eps) for net in (decoder, network(cases, 3, 8))]
    if all(follow_from_own(ask, case, (1, 2)) for case in pair):  # both, or a divergence alone would follow from a detached draw
        return
    got = [gradients(ask, case, 1) for case in pair]  # of two decoders: what the divergence adds is the same
    right = [reference(*case)[1][:2] for case in pair]
    for k in range(2):
        require(got[0][k] - got[1][k], right[0][k] - right[1][k], "the gradient by the encoder's parameters", abs=1e-4)


@check("negative_bound", "Its gradient reaches the decoder", 1)
def _(ask, cases):
    case = bound_case(cases)
    if follow_from_own(ask, case, (2,)):
        return
    for got, right in zip(gradients(ask, case, 2), reference(*case)[1][2:], strict=True):
        require(got, right, "the gradient by the decoder's parameters", {"the sign is turned round": -right}, abs=1e-4)


# 3.4 train
def training_case(cases, n=22):
    return network(cases, 8, 3, chunks=2), network(cases, 3, 8), bits(cases, n, 8)


def trained(ask, encoder, decoder, data, epochs, batch_size, lr):
    history = ask("train", SQUARED_ERROR, encoder, decoder, data, 3, epochs, batch_size, lr, 5)
    return numbers(history, "the history")


def by_adam(encoder, decoder, data, epochs, lr) -> np.ndarray:
    """The losses of Adam's steps, all data in one batch."""
    nets = torch_networks(encoder, decoder)
    optimizer, losses = torch.optim.Adam([p for net in nets for p in net.parameters()], lr), []
    for _ in range(epochs):
        value = squared_error(torch.from_numpy(data), *nets, 0.0)
        optimizer.zero_grad(), value.backward(), optimizer.step()
        losses.append(value.item())
    return np.array(losses)


@check("train", "An epoch's number is the mean over all its images, the last batch being smaller", 3)
def _(ask, cases):
    case = encoder, decoder, data = training_case(cases)
    mu = through(encoder, data)[:, :3]
    per_image = ((through(decoder, mu) - data) ** 2).sum(-1)
    history = trained(ask, *case, 3, 5, 0.0)
    hold(history.shape == (3,), "one number an epoch is to be returned")
    words = "off the mean over all images: weight each batch by its number of images, and leave none out"
    hold(np.allclose(history, per_image.mean(), rtol=1e-4), words)


@check("train", "The steps are Adam's, from fresh gradients", 3)
def _(ask, cases):
    case = _, _, data = training_case(cases)
    steps = by_adam(*case, 9, 0.02)
    history = trained(ask, *case, 8, len(data), 0.02)
    hold(history.shape == (8,), "one number an epoch is to be returned")
    words = "the loss falls otherwise than by Adam's steps: the learning rate, zero_grad, backward, step, all at every batch?"
    hold(any(np.allclose(history, part, rtol=2e-3) for part in (steps[:-1], steps[1:])), words)


@check("train", "Encoder and decoder both learn", 2)
def _(ask, cases):
    encoder, decoder, data = training_case(cases)
    kept = ask.keep(encoder), ask.keep(decoder)
    trained(ask, *kept, data, 2, 6, 0.01)
    for net, before, name in zip(kept, (encoder, decoder), ("encoder", "decoder"), strict=True):
        moved = np.abs(ask.parameters(net)[0] - before.weight).max()
        hold(moved > 1e-3, f"the {name} doesn't move: are its parameters given to the optimiser?")


# 3.5 manifold_points
def grid(n):
    return ndtri((np.arange(n) + 0.5) / n)


@check("manifold_points", "n × n points, spread as the prior is", 3)
def _(ask, cases):
    n = int(cases.integers(5, 12))
    got = numbers(ask("manifold_points", n), "the points")
    hold(got.shape == (n * n, 2), "another shape than (n·n, 2)")
    right = np.array([(a, b) for a in grid(n) for b in grid(n)])
    hold(np.isfinite(got).all(), "infinite: the inverse distribution function is infinite at 0 and 1; use (i + 1/2)/n")
    order, target = (points[np.lexsort(points.round(3).T)] for points in (got, right))
    require(
        order, target, "the points", {"evenly spaced: the inverse of the normal distribution function is missing": ndtr(target)}
    )


@check("manifold_points", "Rows as on a page: the first latent grows to the right, the second upwards", 1)
def _(ask, cases):
    n = int(cases.integers(4, 9))
    got = numbers(ask("manifold_points", n), "the points")
    hold(got.shape == (n * n, 2), "another shape than (n·n, 2)")
    rows = got.reshape(n, n, 2)
    hold((np.diff(rows[:, :, 0], axis=1) > 0).all(), "the first latent doesn't grow from left to right")
    hold((np.diff(rows[:, :, 1], axis=0) < 0).all(), "the second latent doesn't grow from the bottom row to the top row")
