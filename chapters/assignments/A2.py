"""Hidden checks of assignment A2. Expected values come from closed forms and from code of their own, never from the master."""

from itertools import permutations

import numpy as np
import torch
from scipy.special import expit, log_expit, rel_entr

from vbook.assign.asking import float32, hold, network, several, shaped, through
from vbook.assign.compare import numbers, require
from vbook.assign.master import Checks
from vbook.assign.session import Affine

checks = Checks(allowed=("plots/__init__.py", "plots/style.py", "plots/output.py", "plots/lines.py", "plots/grids.py"))
check = checks.check


def tables(cases, k=6, apart=False):
    """Two tables of probabilities; ``apart``: each has zeros where the other has none."""
    p, p_g = cases.dirichlet(np.ones(k), size=2)
    if apart:
        p[: k // 3], p_g[-(k // 3) :] = 0, 0
    return p / p.sum(), p_g / p_g.sum()


def same_beside_zero(ask, name: str, exact: list[tuple], near: list[tuple]) -> None:
    """CheckFailed unless zeros in the arguments change nothing that tiny numbers in their place don't."""
    got = [numbers(ask(name, *case), name) for case in exact]
    hold(np.isfinite(got).all(), "nan or infinite where a probability is 0: there 0 log 0 counts 0")
    beside = [numbers(ask(name, *case), name) for case in near]
    hold(np.ptp(beside) > 1e-5, "the same number for every table")
    require(np.stack(got), np.stack(beside), "tables with zeros, beside the same with tiny numbers", abs=1e-4)


# 1.2 best_discriminator
@check("best_discriminator", "The table that makes the value largest", 3)
def _(ask, cases):
    p, p_g = tables(cases)
    right = p / (p + p_g)
    wrong = {
        "p and p_G are swapped: D is the probability of a real image": 1 - right,
        "a ratio of the two is no probability": p / p_g,
        "it lies between 0 and 1: the sum stands below, not the mean": 2 * right,
        "this is the data's table alone; the generator's counts too": p,
        "this is the generator's table alone; the data's counts too": p_g,
        "½ is the answer at the end only, where both tables agree": np.full(6, 0.5),
    }
    require(ask("best_discriminator", p, p_g), right, "D*", wrong)


@check("best_discriminator", "It is sure of images that only one side has", 1)
def _(ask, cases):
    p, p_g = tables(cases, apart=True)
    got, right = numbers(ask("best_discriminator", p, p_g), "D*"), p / (p + p_g)
    one_sided = (p == 0) | (p_g == 0)
    hold(got.shape == right.shape and np.isfinite(got).all(), "not one finite number for each image")
    turned = [np.allclose(got[one_sided], side[one_sided], atol=1e-6) for side in (right, 1 - right)]
    hold(any(turned), "an image of one side alone leaves no doubt: 0 or 1")


# 1.3 game_value
@check("game_value", "The value of any discriminator", 4)
def _(ask, cases):
    (p, p_g), d = tables(cases), 0.1 + 0.8 * cases.random(6)
    terms = p * np.log(d) + p_g * np.log1p(-d)
    right = terms.sum()
    wrong = {
        "the sign is turned round: logarithms of probabilities are negative": -right,
        "sum over the images: each summand has its probability already": right / 6,
        "the tables are weights, and have to stand in both terms": (np.log(d) + np.log1p(-d)).mean(),
        "in nats: the natural logarithm, not log2": right / np.log(2),
        "D belongs to p, and 1 − D to p_G: they are swapped": (p_g * np.log(d) + p * np.log1p(-d)).sum(),
        "the first term only": (p * np.log(d)).sum(),
        "the second term only": (p_g * np.log1p(-d)).sum(),
        "the second term has log(1 − D), not log D": ((p + p_g) * np.log(d)).sum(),
        "the second term is added as (15) has it": (p * np.log(d) - p_g * np.log1p(-d)).sum(),
        "a sum is needed, one number": terms,
    }
    require(ask("game_value", p, p_g, d), right, "V(D, G)", wrong)


@check("game_value", "Where a probability is 0 its summand is 0", 2)
def _(ask, cases):
    pairs = [tables(cases, apart=True) for _ in range(3)]
    exact = [(p, p_g, p / (p + p_g)) for p, p_g in pairs]
    same_beside_zero(ask, "game_value", exact, [(p, p_g, d.clip(1e-9, 1 - 1e-9)) for p, p_g, d in exact])


# 1.4 js
def divergence(p, q) -> float:
    return rel_entr(p, q).sum()


@check("js", "The divergence of two tables", 4)
def _(ask, cases):
    p, p_g = tables(cases)
    m = (p + p_g) / 2
    right = (divergence(p, m) + divergence(p_g, m)) / 2
    wrong = {
        "the mixture is half of each: it has to sum to 1": right - np.log(2),
        "½ stands before both divergences": 2 * right,
        "in nats: the natural logarithm, not log2": right / np.log(2),
        "the sign is turned round: a divergence is never negative": -right,
        "the arguments are swapped: the averages go over p and p_G, not over m": (divergence(m, p) + divergence(m, p_g)) / 2,
        "each is compared with the mixture, not with the other": (divergence(p, p_g) + divergence(p_g, p)) / 2,
        "the second of the two divergences is missing": divergence(p, m) / 2,
        "sum over the images, don't average": right / 6,
    }
    require(ask("js", p, p_g), right, "JS", wrong)


@check("js", "Where a probability is 0 its summand is 0", 2)
def _(ask, cases):
    exact = [tables(cases, apart=True) for _ in range(3)]
    same_beside_zero(ask, "js", exact, [(p + 1e-9, p_g + 1e-9) for p, p_g in exact])


# 2.1 Generator and Discriminator
Z, X, H1, H2 = 3, 11, 5, 7  # all different: an array of parameters is known by its shape
ENDS = {"none": lambda a: a, "tanh": np.tanh, "sigmoid": expit}  # the last activation has a check of its own
SLOPES = {"a plain ReLU: the slope for negative inputs is 0.2": 0.0, "PyTorch's default slope of 0.01: it is 0.2": 0.01}


def leaky(a, slope):
    return np.where(a > 0, a, slope * a)


def only(arrays, *shape):
    """The one array of this shape."""
    found = [array for array in arrays if array.shape == shape]
    words = f"{'no array' if not found else 'several arrays'} of parameters of shape {shape}, where the table of layers has one"
    hold(len(found) == 1, words)
    return found[0]


def made_by(arrays, z, slope) -> list[np.ndarray]:
    """Last logits of a generator in training mode, for all roles that its vectors of H2 numbers may have.

    Without batch norm there is one such vector, the second layer's bias, and that is done by hand too: it has a check of its own.
    """
    vectors = [array for array in arrays if array.shape == (H2,)]
    h = leaky(z @ only(arrays, H1, Z).T + only(arrays, H1), slope) @ only(arrays, H2, H1).T
    normed = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    second = [gain * normed + shift for gain, shift in permutations(vectors, 2)] or [h + only(arrays, H2)]
    return [leaky(a, slope) @ only(arrays, X, H2).T + only(arrays, X) for a in second]


def judged_by(arrays, x, slope) -> list[np.ndarray]:
    h = leaky(x @ only(arrays, H1, X).T + only(arrays, H1), slope)
    return [leaky(h @ only(arrays, H2, H1).T + only(arrays, H2), slope) @ only(arrays, 1, H2).T + only(arrays, 1)]


def follows_table(ask, handle, x, by_hand) -> None:
    """CheckFailed unless a kept network is the one of the table, its last activation aside."""
    arrays, got = [numbers(array, "a parameter") for array in ask.parameters(handle)], numbers(ask(handle, x), "the network")

    def matches(slope):
        return any(
            got.shape == a.shape and np.allclose(got, end(a), rtol=2e-3, atol=2e-3)
            for a in by_hand(arrays, x, slope)
            for end in ENDS.values()
        )

    if not matches(0.2):
        known = next((words for words, slope in SLOPES.items() if matches(slope)), None)
        hold(False, known or "other layers, or another order of them, than the table's")


def built(ask, cases, name, *sizes):
    handle = ask.make(name, *sizes)
    ask.refill(handle, int(cases.integers(1 << 30)))
    return handle


@check("Generator", "Pixels between −1 and 1, an image for each row of noise", 3)
def _(ask, cases):
    got = numbers(ask(built(ask, cases, "Generator", Z, H1, H2, X), float32(cases.normal(size=(60, Z)))), "the images")
    shaped(got, (60, X), "the images")
    hold(np.abs(got).max() <= 1, "pixels beyond −1 and 1: the last layer ends in tanh")
    hold(got.min() < -0.5 and got.max() > 0.5, "pixels of one sign, or all near 0: tanh, and not a sigmoid")


@check("Generator", "Batch norm: while training an image depends on the others of its batch", 2)
def _(ask, cases):
    z = float32(cases.normal(size=(12, Z)))
    generator = built(ask, cases, "Generator", Z, H1, H2, X)
    here, there = (numbers(ask(generator, rows), "the images")[0] for rows in (z, np.concatenate([z[:1], 2 * z[1:]])))
    hold(np.abs(here - there).max() > 1e-3, "the same image in any company: there is no batch norm, or it isn't used")


@check("Generator", "The layers of the table, with slope 0.2", 3)
def _(ask, cases):
    follows_table(ask, built(ask, cases, "Generator", Z, H1, H2, X), float32(cases.normal(size=(12, Z))), made_by)


@check("Discriminator", "One number for each image, whatever else is in the batch", 2)
def _(ask, cases):
    discriminator, x = built(ask, cases, "Discriminator", X, H1, H2), float32(cases.normal(size=(9, X)))
    got = numbers(ask(discriminator, x), "the logits")
    shaped(got, (9, 1), "the logits")
    hold(np.ptp(got) > 1e-3, "the same number for every image")
    require(ask(discriminator, x[2:4]), got[2:4], "two images alone, and the same two in a batch")


@check("Discriminator", "Logits, not probabilities", 2)
def _(ask, cases):
    got = numbers(ask(built(ask, cases, "Discriminator", X, H1, H2), float32(30 * cases.normal(size=(60, X)))), "the logits")
    hold(np.abs(got).max() > 1, "none beyond −1 and 1, whatever the image: nothing stands behind the last layer")


@check("Discriminator", "The layers of the table, with slope 0.2", 2)
def _(ask, cases):
    follows_table(ask, built(ask, cases, "Discriminator", X, H1, H2), float32(cases.normal(size=(12, X))), judged_by)


# 2.2 generator_slopes
def slopes(ask, logit, which: int):
    return several(ask("generator_slopes", logit), 2, "generator_slopes")[which]


@check("generator_slopes", "The slope of log(1 − D)", 2)
def _(ask, cases):
    logit = float32(2 * cases.normal(size=9))
    d = expit(logit.astype(float))
    wrong = {
        "the sign is turned round: the loss is log(1 − D) as it stands": d,
        "the two losses are swapped": d - 1,
        "this is the slope by D; the slope by the logit is meant": -1 / (1 - d),
        "this is the loss, not its slope": np.log1p(-d),
    }
    require(slopes(ask, logit, 0), -d, "the slope of log(1 − D)", wrong)


@check("generator_slopes", "The slope of −log D", 2)
def _(ask, cases):
    logit = float32(2 * cases.normal(size=9))
    d = expit(logit.astype(float))
    wrong = {
        "the sign is turned round: this is the slope of log D": 1 - d,
        "the two losses are swapped": -d,
        "this is the slope by D; the slope by the logit is meant": -1 / d,
        "this is the loss, not its slope": -np.log(d),
    }
    require(slopes(ask, logit, 1), d - 1, "the slope of −log D", wrong)


@check("generator_slopes", "They hold where the discriminator is very sure", 2)
def _(ask, cases):
    logit = float32((95 + 10 * cases.random(6)) * np.array([-1, 1] * 3))
    for which in range(2):
        size = np.abs(numbers(slopes(ask, logit, which), "a slope"))
        hold(np.isfinite(size).all(), "inf or nan for large logits: exp(100) is too much for a float, torch.sigmoid isn't")
        hold(size.shape == (6,) and np.allclose(np.sort(size), [0] * 3 + [1] * 3, atol=1e-3), "not 0 or ±1 for large logits")


# 2.3 the losses
def players(cases, size=None):
    """A generator and a discriminator, affine; ``size``: without biases, the discriminator's weights of that size."""
    generator, discriminator = network(cases, 3, 4), network(cases, 4, 1)
    if size is None:
        return generator, discriminator
    flat = Affine(generator.weight, 0 * generator.bias)
    return flat, Affine(float32(size * np.sign(discriminator.weight)), 0 * discriminator.bias)


def images_and_noise(cases, both_signs=False):
    x, z = float32(cases.normal(size=(6, 4))), float32(cases.normal(size=(5, 3)))
    return (np.concatenate([x, -x]), np.concatenate([z, -z])) if both_signs else (x, z)


def logits(generator, discriminator, x, z):
    return through(discriminator, x), through(discriminator, through(generator, z))


def grows_with_logits(got: list, what: str) -> None:
    """CheckFailed unless twice the logits, all large, double a loss: it does by whatever sign and factor it is wrong."""
    got = [numbers(value, what) for value in got]
    hold(np.isfinite(got).all(), "infinite or nan for large logits: work with the logits, not with log(sigmoid(logits))")
    hold(all(value.shape == () for value in got), f"{what}: one number is needed")
    hold(
        abs(got[0]) > 1 and abs(got[1] / got[0] - 2) < 0.02, "wrong for large logits: cut off nothing, use the logits themselves"
    )


@check("discriminator_loss", "−V, estimated from images and noise", 3)
def _(ask, cases):
    case = (*players(cases), *images_and_noise(cases))
    real, fake = logits(*case)
    right = -log_expit(real).mean() - log_expit(-fake).mean()
    wrong = {
        "the sign is turned round: the discriminator raises V, so its loss is −V": -right,
        "the two terms are added; here they are averaged": right / 2,
        "real and made are swapped: D is the probability of a real image": -log_expit(-real).mean() - log_expit(fake).mean(),
        "made images belong to log(1 − D)": -log_expit(real).mean() - log_expit(fake).mean(),
        "each term is a mean over its own images, not a sum": -log_expit(real).sum() - log_expit(-fake).sum(),
        "each term has its own mean; here all images are pooled": (-log_expit(real).sum() - log_expit(-fake).sum()) / 11,
        "the sigmoid is taken twice": -log_expit(expit(real)).mean() - log_expit(-expit(fake)).mean(),
        "log2 gives bits": right / np.log(2),
    }
    require(ask("discriminator_loss", *case), right, "the loss", wrong)


@check("discriminator_loss", "It holds where the discriminator is very sure", 2)
def _(ask, cases):
    x, z = images_and_noise(cases, both_signs=True)
    seed = int(cases.integers(1 << 30))
    pair = [players(np.random.default_rng(seed), size) for size in (1e3, 2e3)]
    grows_with_logits([ask("discriminator_loss", *nets, x, z) for nets in pair], "the loss")


def gradients(ask, case, which: int) -> list[np.ndarray]:
    _, grads = ask("discriminator_loss", *case, grad=(which,))
    return grads


@check("discriminator_loss", "The discriminator learns from both, real images and made ones", 2)
def _(ask, cases):
    nets, (x, z), (other_x, other_z) = players(cases), images_and_noise(cases), images_and_noise(cases)
    found = [gradients(ask, (*nets, *pair), 1) for pair in ((x, z), (other_x, z), (x, other_z))]
    hold(all(g is not None for grads in found for g in grads), "no gradient reaches the discriminator: is something detached?")
    for grads, name in zip(found[1:], ("real", "made"), strict=True):
        change = max(np.abs(a - b).max() for a, b in zip(found[0], grads, strict=True))
        hold(change > 1e-4, f"{name} images leave no gradient in the discriminator")


@check("discriminator_loss", "No gradient reaches the generator", 2)
def _(ask, cases):
    case = (*players(cases), *images_and_noise(cases))
    hold(any(g is not None and g.any() for g in gradients(ask, case, 1)), "no gradient at all: the discriminator needs one")
    quiet = all(g is None or not g.any() for g in gradients(ask, case, 0))
    hold(quiet, "a gradient reaches the generator, which this loss would worsen: detach the made images")


def generator_case(cases):
    generator, discriminator = players(cases)
    _, z = images_and_noise(cases)
    return generator, discriminator, z, through(discriminator, through(generator, z))


@check("generator_loss", "−log D(G(z)), a mean over the noise", 2)
def _(ask, cases):
    *case, fake = generator_case(cases)
    right = -log_expit(fake).mean()
    wrong = {
        "the sign: who minimises log D teaches the generator to be caught": -right,
        "this is the saturating loss; −log D is the rule": log_expit(-fake).mean(),
        "this wants the images to be caught: −log D, not −log(1 − D)": -log_expit(-fake).mean(),
        "a mean over the noise, not a sum": 5 * right,
        "the sigmoid is taken twice": -log_expit(expit(fake)).mean(),
    }
    require(ask("generator_loss", *case), right, "the loss", wrong)


@check("generator_loss", "log(1 − D(G(z))) where saturating is True", 2)
def _(ask, cases):
    *case, fake = generator_case(cases)
    right = log_expit(-fake).mean()
    wrong = {
        "the sign: log(1 − D) is made small as it stands": -right,
        "this is the other loss, −log D": -log_expit(fake).mean(),
        "a mean over the noise, not a sum": 5 * right,
        "the sigmoid is taken twice": log_expit(-expit(fake)).mean(),
    }
    require(ask("generator_loss", *case, True), right, "the saturating loss", wrong)


@check("generator_loss", "They hold where the discriminator is very sure", 2)
def _(ask, cases):
    _, z = images_and_noise(cases, both_signs=True)
    seed = int(cases.integers(1 << 30))
    pair = [players(np.random.default_rng(seed), size) for size in (1e3, 2e3)]
    for saturating in (False, True):
        grows_with_logits([ask("generator_loss", *nets, z, saturating) for nets in pair], "the loss")


@check("generator_loss", "The gradient reaches the generator, with either loss", 2)
def _(ask, cases):
    *case, _ = generator_case(cases)
    for saturating in (False, True):
        _, grads = ask("generator_loss", *case, saturating, grad=(0,))
        hold(all(g is not None and g.any() for g in grads), "no gradient reaches the generator: here nothing may be detached")


# 3.1 train
def adam(parameters, grads, state, lr, beta) -> None:
    """One step of Adam, written out."""
    state["t"] = t = state.get("t", 0) + 1
    for k, (p, g) in enumerate(zip(parameters, grads, strict=True)):
        m, v = state.get(k, (0, 0))
        m, v = state[k] = beta * m + (1 - beta) * g, 0.999 * v + 0.001 * g**2
        with torch.no_grad():
            p -= lr * (m / (1 - beta**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


def played(nets, data, order, noise, batch_size, lr, beta, at_once=False):
    """The game of least squares by hand: both players' parameters; ``at_once``: the generator answers the old discriminator."""
    g, d = ([torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (net.weight, net.bias)] for net in nets)
    data, noise = torch.from_numpy(data).double(), torch.from_numpy(noise).double()
    states = {}, {}
    for rows, zs in zip(order, noise, strict=True):
        for start in range(0, len(rows), batch_size):
            x, z = data[rows[start : start + batch_size]], zs[start : start + batch_size]
            fake = z @ g[0].T + g[1]
            loss_d = (x @ d[0].T + d[1] - 1).square().mean() + (fake.detach() @ d[0].T + d[1]).square().mean()
            old = torch.autograd.grad((fake @ d[0].T + d[1] - 1).square().mean(), g, retain_graph=True)
            adam(d, torch.autograd.grad(loss_d, d), states[0], lr, beta)
            new = torch.autograd.grad(((z @ g[0].T + g[1]) @ d[0].T + d[1] - 1).square().mean(), g)
            adam(g, old if at_once else new, states[1], lr, beta)
    return [[p.detach().numpy() for p in parameters] for parameters in (g, d)]


def game(cases, rows, epochs):
    nets, data = (network(cases, 2, 3), network(cases, 3, 1)), float32(1 + cases.normal(size=(rows, 3)))
    order = np.stack([cases.permutation(rows) for _ in range(epochs)])
    return nets, data, order, float32(cases.normal(size=(epochs, rows, 2)))


def trained(ask, nets, *rest):
    """Both players' parameters after the student's training, and the history."""
    kept = [ask.keep(net) for net in nets]
    history = ask("train", ask.make("least_squares"), *kept, *rest)
    return [ask.parameters(net) for net in kept], history


def agree(got, right, abs=2e-3) -> bool:
    return all(np.allclose(a, b, rtol=2e-3, atol=abs) for a, b in zip(got, right, strict=True))


@check("train", "The discriminator makes one step on its own loss, and none on the generator's", 2)
def _(ask, cases):
    case = nets, *_ = game(cases, 5, 1)
    rest = (5, 0.1, 0.5)
    (_, got), _ = trained(ask, *case, *rest)
    right = played(*case, *rest)[1]
    start = [nets[1].weight, nets[1].bias]
    hold(not agree(got, start), "the discriminator doesn't move")
    hold(not agree(got, [2 * a - b for a, b in zip(start, right, strict=True)]), "the discriminator climbs its loss")
    hold(agree(got, right), "the discriminator is elsewhere after a batch: does the generator's step move it too?")


@check("train", "The generator answers the discriminator as it is after that step", 2)
def _(ask, cases):
    for _ in range(50):  # until it matters which one it answers
        case, rest = game(cases, 5, 1), (5, 0.5, 0.5)
        right, before = played(*case, *rest)[0], played(*case, *rest, at_once=True)[0]
        if not agree(right, before):
            break
    (got, _), _ = trained(ask, *case, *rest)
    hold(not agree(got, [case[0][0].weight, case[0][0].bias]), "the generator doesn't move")
    hold(not agree(got, before), "the generator answers the discriminator as it was before its step")
    hold(agree(got, right), "the generator is elsewhere after a batch: one step on its own loss, with the same noise")


@check("train", "Several epochs: every batch in its order, fresh gradients, the given decay", 3)
def _(ask, cases):
    case, beta = game(cases, 11, 4), float(0.3 + 0.3 * cases.random())
    got, _ = trained(ask, *case, 4, 0.03, beta)
    apart = [[np.concatenate([a.ravel() for a in player]) for player in side] for side in (got, played(*case, 4, 0.03, beta))]
    default = [np.concatenate([a.ravel() for a in player]) for player in played(*case, 4, 0.03, 0.9)]
    hold(not agree(apart[0], default), "Adam's default decay of 0.9: betas=(beta, 0.999)")
    words = "other steps: is every gradient cleared before its own backward, each Adam made once, each row taken in its turn?"
    hold(agree(apart[0], apart[1]), words)


@check("train", "Both losses of an epoch are means over its images, the last batch being smaller", 3)
def _(ask, cases):
    case = nets, data, _, noise = game(cases, 11, 3)
    _, history = trained(ask, *case, 4, 0.0, 0.5)
    got = numbers(history, "the history")
    shaped(got, (3, 2), "the history, one pair of numbers for each epoch")
    real, fake = through(nets[1], data), through(nets[1], through(nets[0], noise))
    right = np.stack([((real - 1) ** 2).mean() + (fake**2).mean((1, 2)), ((fake - 1) ** 2).mean((1, 2))], 1)
    hold(not np.allclose(got, right[:, ::-1], rtol=1e-3), "the discriminator's loss comes first, then the generator's")
    words = "off the mean over all images: weight each batch by its number of images, and leave none out"
    hold(np.allclose(got, right, rtol=1e-3), words)


# 3.2 coverage
def named(cases, classes):
    """Classes of images: some with many, two with a few, two with none; and the number of images in each."""
    shares = np.zeros(classes)
    filled = cases.permutation(classes)[: classes - 2]
    shares[filled[2:]] = 0.1 + cases.random(classes - 4)
    counts = (900 * shares / shares.sum()).round().astype(int)
    counts[filled[:2]] = cases.integers(1, 6, 2)  # below 1 %
    return cases.permutation(np.repeat(np.arange(classes), counts)), counts


def covered(ask, found, *classes):
    return several(ask("coverage", found, *classes), 2, "coverage")


@check("coverage", "The number of classes with at least 1 % of the images", 1)
def _(ask, cases):
    for classes in (10, 14):
        found, counts = named(cases, classes)
        wrong = {
            "classes with less than 1 % don't count": (counts > 0).sum(),
            "classes that are there, not those that are missing": classes - (counts >= 0.01 * len(found)).sum(),
            "the two answers are swapped": counts.max() / len(found),
        }
        got = covered(ask, found) if classes == 10 else covered(ask, found, classes)
        require(got[0], (counts >= 0.01 * len(found)).sum(), "the number of classes", wrong)


@check("coverage", "A class with exactly 1 % of them counts", 1)
def _(ask, cases):
    counts = np.zeros(10, int)
    counts[cases.permutation(10)[:5]] = 1, 2, 3, 94, 100  # of 200, of which 2 are the 1 %
    wrong = {
        "at least 1 %: exactly one in a hundred counts, and 0.01 as a rounded number may miss it": 3,
        "classes with less than 1 % don't count": 5,
        "classes that are there, not those that are missing": 6,
        "the two answers are swapped": 0.5,
    }
    got = covered(ask, cases.permutation(np.repeat(np.arange(10), counts)))
    require(got[0], 4, "the number of classes", wrong)


@check("coverage", "The share of the largest class", 2)
def _(ask, cases):
    found, counts = named(cases, 10)
    wrong = {
        "a share of the images, not their number": counts.max(),
        "the share of the largest class, not its name": counts.argmax(),
        "of all images, not of the classes": counts.max() / 10,
        "the two answers are swapped": (counts >= 0.01 * len(found)).sum(),
    }
    require(covered(ask, found)[1], counts.max() / len(found), "the share of the largest class", wrong)


# 3.4 interpolate
def bent(z):
    return np.tanh(2 * z.astype(float))


def walk(z0, z1, t):
    return (1 - t)[:, None] * z0 + t[:, None] * z1


def interpolated(ask, z0, z1, steps):
    return numbers(ask("interpolate", ask.make("Bent"), z0, z1, steps), "the images")


@check("interpolate", "steps + 2 images, from the first end to the last", 2)
def _(ask, cases):
    (z0, z1), steps = float32(cases.normal(size=(2, 4))), int(cases.integers(4, 9))
    got = interpolated(ask, z0, z1, steps)
    hold(got.ndim == 2 and got.shape[1] == 4, f"another shape than ({steps + 2}, 4)")
    hold(len(got) == steps + 2, f"another number of images: {steps} in between and both ends make {steps + 2}")
    ends = np.stack([bent(z0), bent(z1)])
    hold(not np.allclose(got[[-1, 0]], ends, atol=1e-3), "the way is walked backwards: it starts at z0")
    hold(np.allclose(got[[0, -1]], ends, atol=1e-3), "the ends are not G(z0) and G(z1)")


@check("interpolate", "Even steps on the straight way through the noise", 3)
def _(ask, cases):
    (z0, z1), steps = float32(cases.normal(size=(2, 4))), int(cases.integers(4, 9))
    got, t = interpolated(ask, z0, z1, steps), np.linspace(0, 1, steps + 2)
    right = bent(walk(z0, z1, t))
    if got.shape == right.shape and np.allclose(got, right[::-1], atol=1e-3):
        return  # the direction is the other check's
    wrong = {
        "pixels are mixed: mix the noise, then generate": walk(bent(z0), bent(z1), t),
        "the ends are missing": bent(walk(z0, z1, t[1:-1])),
        "the ends are counted among the steps": bent(walk(z0, z1, np.linspace(0, 1, steps))),
        "one image too few": bent(walk(z0, z1, np.linspace(0, 1, steps + 1))),
        "an end occurs twice": bent(walk(z0, z1, np.concatenate([[0], np.linspace(0, 1, steps), [1]]))),
        "an end is missing: t runs from 0 to 1, both included": bent(walk(z0, z1, np.arange(steps + 2) / (steps + 2))),
        "this is the noise; its images are asked for": walk(z0, z1, t),
    }
    require(got, right, "the images on the way", wrong)
