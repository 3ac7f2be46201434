"""Hidden checks of assignment A3. Expected values come from closed forms, the package and autograd, never from the master."""

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm
from torch import nn
from torch.func import jacrev, vmap

from vbook.assign.asking import earlier, every_parameter_learns, float32, hold, network, own_or_right, several, shaped
from vbook.assign.compare import numbers, require
from vbook.assign.master import Checks
from vbook.assign.session import Affine
from vbook.assign.worker import Affine as Network
from vbook.flows import AffineCoupling
from vbook.flows import to_logits as logits_of

checks = Checks(allowed=("plots/__init__.py", "plots/style.py", "plots/output.py", "plots/lines.py"))
check = checks.check


def two(answer, what: str) -> list[np.ndarray]:
    return [numbers(part, what) for part in several(answer, 2, what)]


def any_own_or_right(got, right, owns, what: str, mistakes: dict | None = None) -> None:
    """``own_or_right`` with several ways to follow from own answers."""
    fits = [own for own in owns if got.shape == own.shape and np.allclose(got, own, rtol=2e-3, atol=1e-3)]
    own_or_right(got, right, fits[0] if fits else np.array(np.nan), what, mistakes)


# 1.1 bend
def slope_of(x, a):
    return 1 + a / np.cosh(x) ** 2


def bend_case(cases, a=None):
    return float32(cases.normal(scale=1.5, size=(4, 3))), float(cases.uniform(0.3, 0.9)) if a is None else a


@check("bend", "z = f(x)", 2)
def _(ask, cases):
    x, a = bend_case(cases)
    z, _ = two(ask("bend", x, a), "bend")
    wrong = {"a tanh x is added to x, not taken off": x - a * np.tanh(x), "x itself is missing": a * np.tanh(x)}
    require(z, x + a * np.tanh(x), "z", wrong)


@check("bend", "The logarithm of the slope", 2)
def _(ask, cases):
    for a in (None, float(cases.uniform(-0.8, -0.3))):
        x, a = bend_case(cases, a)
        _, got = two(ask("bend", x, a), "bend")
        right = np.log(slope_of(x, a))
        wrong = {
            "the sign is turned round": -right,
            "this is the slope: take its logarithm": np.exp(right),
            "the derivative of tanh is 1 − tanh²": np.log(np.abs(1 + a * np.tanh(x))),
            "the derivative of tanh isn't 1": np.full_like(x, np.log(1 + a), dtype=float),
            "one slope for each number: nothing is to be summed": right.sum(-1),
        }
        require(got, right, "the log-slope", wrong)


@check("bend", "z and its log-slope make a density that integrates to 1", 1)
def _(ask, cases):
    x = float32(np.linspace(-14, 14, 8001))
    z, log_slope = two(ask("bend", x, float(cases.uniform(-0.8, -0.4))), "bend")
    hold(z.shape == log_slope.shape == x.shape and np.ptp(z) > 1, "not one z and one log-slope for each x")
    mass = np.trapezoid(norm.pdf(z) * np.exp(log_slope), x)
    require(mass, 1.0, "the integral of the density that follows from your z and your log-slope", rel=5e-3)


# 1.2 unbend
def unbent(z, a):
    return np.vectorize(lambda one: brentq(lambda x: x + a * np.tanh(x) - one, one - abs(a) - 1, one + abs(a) + 1))(z)


def undoes(ask, cases, a):
    z = float32(cases.normal(scale=1.5, size=(3, 4)))
    wrong = {"this is f(z); its inverse is wanted": z + a * np.tanh(z)}
    wrong |= {"a first step only: tanh is to be taken of x, which is not known yet": z - a * np.tanh(z)}
    require(ask("unbend", z, a), unbent(z, a), f"x for {'a steep' if a > 0 else 'a flat'} f", wrong, abs=1e-3)


@check("unbend", "The inverse of a steep map, a above 1", 2)
def _(ask, cases):
    for a in cases.uniform(1.5, 4, 3):
        undoes(ask, cases, float(a))


@check("unbend", "The inverse of a map that is nearly flat, a below 0", 1)
def _(ask, cases):
    for a in cases.uniform(-0.9, -0.7, 3):
        undoes(ask, cases, float(a))


# 1.3 log_density
def density_case(cases):
    return float32(cases.normal(size=(5, 4))), float32(cases.normal(size=(3, 5)))


@check("log_density", "The Gaussian part, log p(z)", 2)
def _(ask, cases):
    z, log_dets = density_case(cases)
    right = norm.logpdf(z).sum(-1)
    wrong = {
        "the constant −(D/2) log 2π is missing": -0.5 * (z**2).sum(-1),
        "the constant counts for each of the D numbers": right + 1.5 * np.log(2 * np.pi),
        "the factor 1/2 is missing": right - 0.5 * (z**2).sum(-1),
        "the sign is turned round": -right,
        "one number an image: sum over its pixels, the last dimension, only": np.full(5, right.sum()),
        "the pixels are averaged; logarithms of independent pixels add up": right / 4,
    }
    require(ask("log_density", z, np.zeros_like(log_dets)), right, "log p(z)", wrong)


@check("log_density", "The log-determinants of all maps", 2)
def _(ask, cases):
    z, log_dets = density_case(cases)
    with_, without = (numbers(ask("log_density", z, dets), "log p(x)") for dets in (log_dets, 0 * log_dets))
    right = log_dets.sum(0)
    wrong = {
        "the sign is turned round": -right,
        "log-determinants add up; only determinants are multiplied": log_dets.prod(0),
        "log-determinants are averaged; they add up": right / 3,
        "only the last map counts": log_dets[-1],
        "only the first map counts": log_dets[0],
        "each image has its own log-determinants: sum over the maps, the first dimension": np.full(5, right.sum()),
        "log-determinants have no effect": 0 * right,
    }
    require(with_ - without, right, "what the log-determinants add", wrong)


# 2.2 masks
def chessboard(height, width):
    return np.array([[1 - (i + j) % 2 for j in range(width)] for i in range(height)]).ravel()


@check("masks", "The first mask is a chess board that keeps the top left pixel", 2)
def _(ask, cases):
    for height, width in ((3, 4), (5, 3), (4, int(cases.integers(5, 9)))):
        right = chessboard(height, width)
        got = numbers(ask("masks", height, width, 2), "the masks")
        hold(got.shape == (2, height * width), "another shape than (layers, height · width)")
        wrong = {
            "the top left pixel is kept, hence 1, in the first layer": 1 - right,
            "every row starts on the same colour: columns, not a chess board": 1 - np.tile(np.arange(width) % 2, height),
        }
        require(got[0], right, "the first mask", wrong)


@check("masks", "Each layer keeps what the one before it changed", 1)
def _(ask, cases):
    for layers in (1, 2, 5):
        got = numbers(ask("masks", 4, 5, layers), "the masks")
        hold(got.shape == (layers, 20), "another shape than (layers, height · width)")
        hold(np.isin(got, (0, 1)).all() and 0 < got[0].mean() < 1, "other numbers than 0 and 1, or all the same")
        hold((got[1:] + got[:-1] == 1).all(), "a layer's mask isn't the complement of the one before")


# 2.3 scale_and_shift
D = 6


def half(cases, dims=D):
    """A mask that keeps half of the coordinates."""
    return float32(cases.permutation(dims) % 2)


def layer_case(cases, rows=5):
    return float32(cases.normal(size=(rows, D))), half(cases), network(cases, D, D, chunks=2)


def raw(net, x):
    return np.split(x.astype(float) @ net.weight.astype(float).T + net.bias, 2, -1)


def given_masked(ask, cases):
    """s, t, and what they should be where the mask is 0, for an x that is 0 there: masking the input makes no difference."""
    x, mask, net = layer_case(cases)
    parts = two(ask("scale_and_shift", x * mask, mask, net), "scale_and_shift")
    hold(all(part.shape == x.shape for part in parts), "s and t need the shape of x")
    changed = mask == 0
    return [part[:, changed] for part in parts], [part[:, changed] for part in raw(net, x * mask)]


@check("scale_and_shift", "The scale of the coordinates that change", 2)
def _(ask, cases):
    (s, _), (scale, shift) = given_masked(ask, cases)
    wrong = {
        "tanh is missing": scale,
        "s and t are swapped": shift,
        "s and t are swapped, the network's first answer being the scale": np.tanh(shift),
        "s is used as a logarithm later: no exp here": np.exp(np.tanh(scale)),
        "zero where coordinates change: the mask is 1 for kept": 0 * scale,
    }
    require(s, np.tanh(scale), "s where the mask is 0", wrong)


@check("scale_and_shift", "The shift of the coordinates that change", 1)
def _(ask, cases):
    (_, t), (scale, shift) = given_masked(ask, cases)
    wrong = {
        "tanh is for the scale only": np.tanh(shift),
        "s and t are swapped": scale,
        "zero where coordinates change: the mask is 1 for kept": 0 * shift,
    }
    require(t, shift, "t where the mask is 0", wrong)


@check("scale_and_shift", "Kept coordinates are neither stretched nor shifted", 1)
def _(ask, cases):
    x, mask, net = layer_case(cases)
    parts = two(ask("scale_and_shift", x, mask, net), "scale_and_shift")
    hold(all(part.shape == x.shape for part in parts), "s and t need the shape of x")
    hold(all(np.ptp(part) > 1e-3 for part in parts), "the same number everywhere")
    hold(all((part[:, mask == 1] == 0).all() for part in parts), "s or t is not 0 where the mask is 1")


@check("scale_and_shift", "They depend on kept coordinates only", 2)
def _(ask, cases):
    x, mask, net = layer_case(cases)
    other = float32(x + (1 - mask) * cases.normal(size=x.shape))
    first, second = (two(ask("scale_and_shift", v, mask, net), "scale_and_shift") for v in (x, other))
    hold(all(np.ptp(part, axis=0).max() > 1e-3 for part in first), "the same for every image")
    words = "s or t changes with coordinates that are about to change: set them to 0 before the network sees x"
    hold(all(np.allclose(one, two_, atol=1e-5) for one, two_ in zip(first, second, strict=True)), words)


# 2.4 couple
class KeptHalf(nn.Module):
    """An affine network of all coordinates as the package wants it: from the kept ones to s' and t of the others."""

    def __init__(self, net: Affine, kept: torch.Tensor):
        super().__init__()
        weight, self.bias = (torch.from_numpy(part.astype(float)) for part in (net.weight, net.bias))
        self.weight, self.rows = weight[:, kept], torch.cat([~kept, ~kept])

    def forward(self, x_a):
        return (x_a @ self.weight.T + self.bias)[..., self.rows]


def coupling(mask, net) -> AffineCoupling:
    kept = torch.from_numpy(mask > 0.5)
    return AffineCoupling(KeptHalf(net, kept), kept)


def double(x) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x, dtype=float))


def volumes(call, x) -> np.ndarray:
    """log |det| of the Jacobian of ``call`` at each row of x, by autograd."""
    return torch.linalg.slogdet(vmap(jacrev(call))(double(x))).logabsdet.numpy()


def volumes_asked(call, x, step=0.01) -> np.ndarray:
    """The same of a student's map, by differences; one call with all rows."""
    moved = x[:, None, None] + step * np.array([1, -1])[:, None, None] * np.eye(x.shape[1])  # (B, 2, D, D)
    y = numbers(call(float32(moved.reshape(-1, x.shape[1]))), "y").reshape(moved.shape)
    return np.linalg.slogdet((y[:, 0] - y[:, 1]) / (2 * step))[1]


def own_layer(ask, x, mask, net):
    return two(ask("scale_and_shift", float32(x), mask, net), "scale_and_shift")


@check("couple", "y", 3)
def _(ask, cases):
    x, mask, net = layer_case(cases)
    right = coupling(mask, net)(double(x)).numpy()
    scale, shift = (part * (1 - mask) for part in raw(net, x * mask))
    s = np.tanh(scale)

    def own():
        s, t = own_layer(ask, x, mask, net)
        return x * np.exp(s) + t

    wrong = {
        "stretch x first, then shift it": (x + shift) * np.exp(s),
        "exp is missing: x is multiplied by exp(s)": x * s + shift,
        "divided by exp(s) instead of multiplied": x * np.exp(-s) + shift,
        "the shift is taken off; that is the way back": x * np.exp(s) - shift,
        "kept coordinates are lost: they come out as they went in": (1 - mask) * right,
    }
    y, _ = two(ask("couple", x, mask, net), "couple")
    own_or_right(y, right, earlier(own), "y", wrong, given=x)


@check("couple", "The logarithm of the Jacobian's determinant, one number for each image", 3)
def _(ask, cases):
    x, mask, net = layer_case(cases)
    right = volumes(coupling(mask, net), x)
    everywhere = np.tanh(raw(net, x * mask)[0])
    s = everywhere * (1 - mask)
    _, got = two(ask("couple", x, mask, net), "couple")
    owns = (
        earlier(lambda: own_layer(ask, x, mask, net)[0].sum(-1)),
        earlier(lambda: volumes_asked(lambda v: two(ask("couple", v, mask, net), "couple")[0], x)),
    )
    wrong = {
        "the sign is turned round": -right,
        "the scales add up, they are not averaged": right / D,
        "the scales add up, they are not averaged, nor do kept coordinates matter": right / (D / 2),
        "one number an image: sum over its coordinates, the last dimension, only": right.sum(),
        "the images are summed, not the coordinates": s.sum(0),
        "kept coordinates don't stretch: they count with 0": everywhere.sum(-1),
        "this is the determinant: take its logarithm": np.exp(right),
        "factors multiply, so their logarithms add up: exp is one too many": np.exp(s).sum(-1),
        "exp is one too many: log exp(s) is s": (np.exp(s) * (1 - mask)).sum(-1),
        "no stretching at all": 0 * right,
    }
    any_own_or_right(got, right, owns, "the log-determinant", wrong)


def total(ask, name, args) -> float:
    answer = ask(name, *args)
    return sum(numbers(part, name).sum() for part in (answer if isinstance(answer, list) else [answer]))


def slopes_agree(ask, cases, name: str, args: list, at: int) -> None:
    """CheckFailed unless autograd's slope of the sum of all answers by the networks ``args[at]`` is that by differences."""
    nets, step = args[at] if isinstance(args[at], list) else [args[at]], 0.01
    ways = [[float32(cases.normal(size=part.shape)) for part in (net.weight, net.bias)] for net in nets]

    def moved(size):
        found = [Affine(n.weight + size * w, n.bias + size * b, n.chunks) for n, (w, b) in zip(nets, ways, strict=True)]
        return [*args[:at], found if isinstance(args[at], list) else found[0], *args[at + 1 :]]

    _, grads = ask(name, *args, grad=(at,))
    hold(all(grad is not None for grad in grads), "no gradient reaches a network: is something detached?")
    parts = [(g * way).sum() for g, way in zip(grads, [part for pair in ways for part in pair], strict=True)]
    slope = (total(ask, name, moved(step)) - total(ask, name, moved(-step))) / (2 * step)
    hold(abs(slope) > 1e-3, "nothing depends on the networks")
    words = "a part of the gradient is cut off: is something detached, or changed in place?"
    hold(abs(sum(parts) - slope) <= 0.02 * max(np.abs(parts).sum(), abs(slope)) + 0.01, words)


@check("couple", "Gradients reach the network, through y and through the log-determinant", 1)
def _(ask, cases):
    slopes_agree(ask, cases, "couple", list(layer_case(cases)), 2)


# 2.5 uncouple
def undoing(ask, cases, scales: float):
    x, mask, net = layer_case(cases)
    size = np.repeat([scales, 1.0], D)
    net = Affine(float32(net.weight * size[:, None]), float32(net.bias * size), 2)
    y = float32(coupling(mask, net)(double(x)).numpy())
    scale, shift = (part * (1 - mask) for part in raw(net, x * mask))
    s = np.tanh(scale)

    def own():
        s, t = own_layer(ask, y, mask, net)
        return (y - t) * np.exp(-s)

    wrong = {
        "the shift is added once more: take it off": (y + shift) * np.exp(-s),
        "the shift came last, so it goes first": y * np.exp(-s) - shift,
        "multiplied by exp(s) once more: divide by it": (y - shift) * np.exp(s),
        "the scale is left out": y - shift,
        "this is the way forwards": y * np.exp(s) + shift,
        "this is y: nothing happened": y,
    }
    got = numbers(ask("uncouple", y, mask, net), "x")
    own_or_right(got, x.astype(float), earlier(own), "x", wrong, given=y)


@check("uncouple", "Back from a layer that only shifts", 1)
def _(ask, cases):
    undoing(ask, cases, 0.0)


@check("uncouple", "Back from a layer that stretches and shifts", 3)
def _(ask, cases):
    undoing(ask, cases, 1.0)


# 2.6 encode and decode
def stack_case(cases, layers=4):
    mask, nets = half(cases), [network(cases, D, D, chunks=2) for _ in range(layers)]
    nets = [Affine(float32(0.4 * net.weight), float32(0.4 * net.bias), 2) for net in nets]  # tame, even without tanh
    return float32(cases.normal(size=(5, D))), float32([1 - mask if k % 2 else mask for k in range(layers)]), nets


def forwards(x, masks, nets):
    """z and the log-determinants of the layers, (L, B)."""
    x, log_dets = double(x), []
    for mask, net in zip(masks, nets, strict=True):
        x, log_det = coupling(mask, net).forward_and_ladj(x)
        log_dets.append(log_det)
    return x, torch.stack(log_dets)


def own_forwards(ask, x, masks, nets):
    log_dets = np.zeros(len(x))
    for mask, net in zip(masks, nets, strict=True):
        x, log_det = two(ask("couple", float32(x), mask, net), "couple")
        log_dets = log_dets + log_det
    return x, log_dets


@check("encode", "z after all layers", 2)
def _(ask, cases):
    case = x, masks, nets = stack_case(cases)
    right = forwards(*case)[0].numpy()
    wrong = {
        "only the first layer acts": forwards(x, masks[:1], nets[:1])[0],
        "only the last layer acts": forwards(x, masks[-1:], nets[-1:])[0],
        "the layers run in reverse order": forwards(x, masks[::-1], nets[::-1])[0],
        "every layer has its own mask": forwards(x, masks[[0] * 4], nets)[0],
        "every layer has its own network": forwards(x, masks, nets[:1] * 4)[0],
    }
    z, _ = two(ask("encode", *case), "encode")
    own_or_right(z, right, earlier(lambda: own_forwards(ask, *case)[0]), "z", wrong, given=x)


@check("encode", "The log-determinant of the whole way", 3)
def _(ask, cases):
    case = x, masks, nets = stack_case(cases)
    right, each = volumes(lambda v: forwards_of_row(v, masks, nets), x), forwards(*case)[1].numpy()
    _, got = two(ask("encode", *case), "encode")
    owns = (
        earlier(lambda: own_forwards(ask, *case)[1]),
        earlier(lambda: volumes_asked(lambda v: two(ask("encode", v, masks, nets), "encode")[0], x)),
    )
    wrong = {
        "only the last layer counts": each[-1],
        "only the first layer counts": each[0],
        "the first layer is not counted": right - each[0],
        "the layers are averaged; log-determinants add up": right / 4,
        "log-determinants add up; only determinants are multiplied": each.prod(0),
        "the sign is turned round": -right,
        "one number an image, not one for all": np.full(5, right.sum()),
        "the log-determinants of all layers are to be added up": each,
    }
    any_own_or_right(got, right, owns, "the log-determinant", wrong)


def forwards_of_row(x, masks, nets):
    for mask, net in zip(masks, nets, strict=True):
        x = coupling(mask, net)(x)
    return x


@check("encode", "Gradients reach every network, from z and from the log-determinant", 1)
def _(ask, cases):
    slopes_agree(ask, cases, "encode", list(stack_case(cases, 3)), 2)


def going_back(ask, cases, layers):
    x, masks, nets = stack_case(cases, layers)
    z = float32(forwards(x, masks, nets)[0].numpy())

    def back(order):
        found = double(z)
        for k in order:
            found = coupling(masks[k], nets[k]).inv(found)
        return found

    def own():
        found = z
        for k in reversed(range(layers)):
            found = numbers(ask("uncouple", float32(found), masks[k], nets[k]), "x")
        return found

    wrong = {
        "what was done last has to be undone first": back(range(layers)),
        "only one layer is undone": back([layers - 1]),
        "this is the way forwards": forwards(z, masks, nets)[0],
    }
    got = numbers(ask("decode", z, masks, nets), "x")
    own_or_right(got, x.astype(float), earlier(own), "x", wrong if layers > 1 else {}, given=z)


@check("decode", "Back through a single layer", 1)
def _(ask, cases):
    going_back(ask, cases, 1)


@check("decode", "Back through all layers", 3)
def _(ask, cases):
    for layers in (2, 5):
        going_back(ask, cases, layers)


# 3.1 dequantize
def noisy(cases, rows, dims):
    return float32(cases.integers(0, 256, (rows, dims))), float32(cases.random((rows, dims)))


@check("dequantize", "Each level with its noise", 2)
def _(ask, cases):
    levels, u = noisy(cases, 4, 7)
    wrong = {
        "level k fills [k, k + 1): no shift by one half": levels + u - 0.5,
        "the noise is missing": levels,
        "the noise is taken off; level k fills [k, k + 1)": levels - u,
        "v lies in [0, 256): dividing is part of the next step": (levels + u) / 256,
        "levels are 0 … 255 already": 255 * levels + u,
        "rounded again": np.round(levels + u),
    }
    require(ask("dequantize", levels, u), levels + u, "v", wrong, rel=1e-5)


# 3.2 to_logits
def unit(v, alpha, levels=256):
    return alpha / 2 + (1 - alpha) * v.astype(float) / levels


@check("to_logits", "h", 2)
def _(ask, cases):
    v, alpha = float32(cases.uniform(1, 255, (4, 5))), float(cases.uniform(0.1, 0.4))
    y = unit(v, alpha)
    wrong = {
        "alpha is left out of y": logit(v / 256.0),
        "v is divided by 256, not by 255": logit(unit(v, alpha, 255)),
        "y runs from α/2 to 1 − α/2": logit(np.clip(alpha + (1 - alpha) * v / 256.0, 0, 1 - 1e-9)),
        "the sign is turned round": -logit(y),
        "this is y: take its logit": y,
    }
    h, _ = two(ask("to_logits", v, alpha), "to_logits")
    require(h, logit(y), "h", wrong)


def logit_dets(ask, v, alpha) -> np.ndarray:
    _, log_det = two(ask("to_logits", v, alpha), "to_logits")
    hold(log_det.shape == (len(v),), "the log-determinant has another shape; one number for each image is needed")
    return log_det


@check("to_logits", "The part of the log-determinant that depends on v", 2)
def _(ask, cases):
    v, alpha = float32(cases.uniform(1, 255, (5, 4))), 1e-4
    v[0] = 128
    got = logit_dets(ask, v, alpha)
    y = unit(v, alpha)
    right = -(np.log(y) + np.log(1 - y)).sum(-1)
    wrong = {
        "the sign of − log y − log(1 − y) is turned round": right[0] - right,
        "− log(1 − y) is missing": -np.log(y).sum(-1) + np.log(y[0]).sum(),
        "this is the logit's value; its derivative is 1/(y (1 − y))": logit(y).sum(-1) - logit(y[0]).sum(),
        "the pixels are averaged; log-determinants add up": (right - right[0]) / 4,
    }
    require(got - got[0], right - right[0], "an image's log-determinant minus that of an even grey", wrong)


@check("to_logits", "Its constant −log 256, for each pixel", 2)
def _(ask, cases):
    dims = int(cases.integers(3, 9))
    got = logit_dets(ask, np.full((1, dims), 128, np.float32), 1e-6)
    by_logit = dims * np.log(4)
    right = by_logit - dims * np.log(256)
    if not np.isclose(got[0], right - 2 * by_logit, rtol=1e-4):  # the logit's sign has its own points
        wrong = {
            "−log 256 is missing": [by_logit],
            "log 256 has the wrong sign: dividing makes volumes smaller": [by_logit + dims * np.log(256)],
            "−log 256 counts once for each pixel": [by_logit - np.log(256)],
            "v is divided by 256, not by 255": [by_logit - dims * np.log(255)],
            "the pixels are averaged; log-determinants add up": [right / dims],
            "log 256 is the natural logarithm here, not 8 bits": [by_logit - 8 * dims],
        }
        require(got, [right], "the log-determinant of an even grey", wrong, rel=1e-4)


@check("to_logits", "Its constant log(1 − α), for each pixel", 1)
def _(ask, cases):
    dims, alpha, grey = int(cases.integers(3, 9)), float(cases.uniform(0.2, 0.5)), np.full((1, 3), 128, np.float32)
    grey = np.repeat(grey[:, :1], dims, 1)
    got = logit_dets(ask, grey, alpha) - logit_dets(ask, grey, 1e-6)
    right = [dims * np.log(1 - alpha)]
    wrong = {
        "log(1 − α) is missing: that factor is part of the map": [0],
        "log(1 − α) has the wrong sign: the factor makes volumes smaller": -np.array(right),
        "log(1 − α) counts once for each pixel": [np.log(1 - alpha)],
    }
    require(got, right, "what α changes in the log-determinant of an even grey", wrong, abs=1e-3)


# 3.3 to_levels
def level_case(cases):
    """Levels, and logits from inside their intervals, none of them near an edge."""
    levels, alpha = cases.integers(0, 256, (6, 8)), float(cases.uniform(0.1, 0.3))
    v = levels + cases.uniform(0.1, 0.9, levels.shape)
    return levels, v, float32(logit(unit(v, alpha))), alpha


@check("to_levels", "Close to where h came from", 1)
def _(ask, cases):
    _, v, h, alpha = level_case(cases)
    got = numbers(ask("to_levels", h, alpha), "the levels")
    shaped(got, v.shape, "the levels")
    words = {"α is not undone": 256 * unit(v, alpha), "the sigmoid, which undoes the logit, is missing": h}
    words |= {"pixels between 0 and 1: multiply by 256": v / 256}
    for text, wrong in words.items():
        hold(np.abs(got - wrong).max() > 1.01, text)
    hold(np.abs(got - v).max() <= 2.01, "too far away: undo the logit, then α, then 256")


@check("to_levels", "Rounded down, whole numbers", 2)
def _(ask, cases):
    levels, v, h, alpha = level_case(cases)
    wrong = {
        "rounded to the nearest: 7.9 belongs to level 7": np.round(v),
        "rounded to the nearest: 7.9 belongs to level 7, and 255.9 to 255": np.round(v).clip(0, 255),
        "not rounded": v,
        "rounded up": levels + 1,
        "there are 256 intervals, not 255": np.floor(v * 255 / 256),
    }
    require(ask("to_levels", h, alpha), levels, "the levels", wrong, rel=1e-6)


@check("to_levels", "Nothing below 0 or above 255", 1)
def _(ask, cases):
    for alpha, far in ((0.2, 9.0), (1e-5, 40.0)):
        h = float32(far * (1 + cases.random((3, 4))))
        low, high = (numbers(ask("to_levels", sign * h, alpha), "the levels") for sign in (-1, 1))
        words = "h far out leads to levels that don't exist: clamp"
        hold(low.shape == h.shape and (low == low.clip(0, 1)).all() and (high == high.clip(254, 255)).all(), words)


# 3.4 ScaleShift
def net_case(ask, cases, fill=True):
    net = ask.make("ScaleShift", D, 16)
    if fill:
        ask.refill(net, int(cases.integers(1 << 30)))
    return net, float32(cases.normal(size=(60, D)))


@check("ScaleShift", "Two answers of D numbers each for each image", 1)
def _(ask, cases):
    net, x = net_case(ask, cases)
    both = two(ask(net, x), "the network")
    shaped(both[0], x.shape, "the scale"), shaped(both[1], x.shape, "the shift")
    hold(np.abs(both[0] - both[1]).max() > 1e-3, "scale and shift are the same")
    single = two(ask(net, x[3:4]), "the network")
    require(single[0], both[0][3:4], "an image alone, and the same image in a batch", abs=1e-3)


@check("ScaleShift", "Both are 0 at the start, and only the last layer starts there", 2)
def _(ask, cases):
    net, x = net_case(ask, cases, fill=False)
    both = two(ask(net, x), "the network")
    hold(all((part == 0).all() for part in both), "not 0 at the start: weights and biases of the last layer begin at 0")
    started = sum(np.abs(array).sum() > 0 for array in ask.parameters(net))
    hold(started >= 2, "all layers start at 0, so none of them would ever learn: only the last one does")


@check("ScaleShift", "Both may have any size and sign", 1)
def _(ask, cases):
    net, x = net_case(ask, cases)
    for part in two(ask(net, x), "the network"):
        hold(part.min() < 0 < part.max(), "an answer keeps one sign: the last layer has no activation behind it")
        hold(np.abs(part).max() > 1.01, "all between −1 and 1: tanh has its place in scale_and_shift")


@check("ScaleShift", "Every parameter learns", 1)
def _(ask, cases):
    net, x = net_case(ask, cases)
    every_parameter_learns(ask, net, x, least=6)


# 3.5 log_likelihood
def likelihood_case(cases):
    _, masks, nets = stack_case(cases, 3)
    return float32(cases.uniform(5, 250, (5, D))), masks, nets, float(cases.uniform(0.02, 0.1))


def reference(v, masks, nets, alpha):
    """The three parts of log p(v): of z, of the layers, of the logits."""
    to_line, v = logits_of(alpha), double(v)
    h = to_line(v)
    z, log_dets = forwards(h.numpy(), masks, nets)
    parts = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1), log_dets.sum(0), to_line.log_abs_det_jacobian(v, h).sum(-1)
    return [part.numpy() for part in parts]


def composed(ask, v, masks, nets, alpha):
    h, first = two(ask("to_logits", v, alpha), "to_logits")
    z, second = two(ask("encode", float32(h), masks, nets), "encode")
    return numbers(ask("log_density", float32(z), float32(np.stack([first, second]))), "log p(x)")


@check("log_likelihood", "log p(v) of each image", 3)
def _(ask, cases):
    case = likelihood_case(cases)
    of_z, layers, step = reference(*case)
    right = of_z + layers + step
    wrong = {
        "the log-determinant of the step to logits is missing": of_z + layers,
        "the log-determinant of the layers is missing": of_z + step,
        "both log-determinants are missing": of_z,
        "the sign is turned round": -right,
        "one number an image: the mean over the batch comes later": right.mean(),
        "one number an image, not their sum": right.sum(),
        "the log-determinants are taken off; they are added": of_z - layers - step,
    }
    got = numbers(ask("log_likelihood", *case), "log p(v)")
    own_or_right(got, right, earlier(lambda: composed(ask, *case)), "log p(v)", wrong)


@check("log_likelihood", "The density of a single pixel integrates to 1 over [0, 256)", 1)
def _(ask, cases):
    net = Affine(float32(cases.normal(size=(2, 1))), float32(cases.uniform(-0.7, 0.7, 2)), 2)
    v = float32(256 * expit(np.linspace(-11.5, 11.5, 4001))).clip(0, 255.99)[:, None]
    case = v, np.zeros((1, 1), np.float32), [net], 1e-5
    got, own = numbers(ask("log_likelihood", *case), "log p(v)"), earlier(lambda: composed(ask, *case))
    hold(got.shape == (len(v),), "log p(v) has another shape; one number for each image is needed")
    varies = own.shape == got.shape and np.nanstd(own) > 1e-3
    if not (varies and np.allclose(got, own, rtol=1e-3, atol=1e-3, equal_nan=True)):
        require(np.trapezoid(np.exp(got), v[:, 0]), 1.0, "the integral", {"256 times too much": 256.0}, rel=1e-2)


@check("log_likelihood", "Gradients reach every network", 1)
def _(ask, cases):
    slopes_agree(ask, cases, "log_likelihood", list(likelihood_case(cases)), 2)


# 3.6 bits_per_dim
@check("bits_per_dim", "From nats to bits per dimension", 2)
def _(ask, cases):
    nats, dims = float(cases.uniform(-3000, -500)), int(cases.integers(50, 800))
    right = -nats / np.log(2) / dims
    wrong = {
        "the sign is turned round: smaller is better": -right,
        "these are nats: divide by log 2": -nats / dims,
        "multiplied by log 2 instead of divided": -nats / dims * np.log(2),
        "per dimension: divide by D": right * dims,
        "log 2 is the natural logarithm": -nats / dims / np.log10(2),
    }
    require(ask("bits_per_dim", nats, dims), right, "bits per dimension", wrong)


@check("bits_per_dim", "Each image by itself", 1)
def _(ask, cases):
    nats = float32(cases.uniform(-900, -300, 5))
    one = [numbers(ask("bits_per_dim", float(value), 64), "bits per dimension") for value in nats]
    hold(np.ptp(one) > 1e-3, "the same number for every image")
    require(ask("bits_per_dim", nats, 64), np.stack(one), "each image as if it came alone")


# 3.7 train
def linear(cases, dims) -> Affine:
    """A model whose log p(v) is linear in v: no density, but a training loop can't tell."""
    return Affine(float32((0.5 + cases.random((1, dims))) / dims), float32(cases.normal(size=1)))


def schedule(seed, n, dims, epochs, batch_size) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Rows and noise of each batch of each epoch, by the recipe of the text."""
    g = torch.Generator().manual_seed(seed)
    epochs_ = []
    for _ in range(epochs):
        batches = torch.randperm(n, generator=g).split(batch_size)
        epochs_.append([(rows.numpy(), torch.rand(len(rows), dims, generator=g).numpy()) for rows in batches])
    return epochs_


def trained(ask, model, levels, epochs, batch_size, lr, seed):
    history = numbers(ask("train", model, levels, epochs, batch_size, lr, seed), "the history")
    hold(history.shape == (epochs,), "one number an epoch is to be returned")
    return history


@check("train", "An epoch's number is the mean of log p over all its images, the last batch being smaller", 2)
def _(ask, cases):
    levels = float32(cases.permutation([200] * 5 + [0] * 6))[:, None].repeat(4, 1)
    model, middle = linear(cases, 4), np.full_like(levels, 0.5)
    own = earlier(lambda: ask("dequantize", levels, middle))
    ways = [v @ model.weight.T + model.bias for v in (levels + middle, own) if v.shape == levels.shape]
    history = trained(ask, model, levels, 3, 5, 0.0, 3)

    def near(sign):  # whatever the noise
        return any(np.ptp(p) > 0 and np.allclose(history, sign * p.mean(), atol=0.0125 * np.ptp(p)) for p in ways)

    hold(not near(-1), "this is the loss: the mean of log p itself is wanted, larger is better")
    hold(near(1), "off the mean over all images: weight each batch by its number of images, and leave none out")


@check("train", "The steps are Adam's, upwards, from fresh gradients", 2)
def _(ask, cases):
    levels, model = float32(cases.integers(-250, 251, (24, 5))), linear(cases, 5)
    plan = schedule(7, 24, 5, 4, 7)

    def moved(noise):
        net = Network(*(torch.from_numpy(part.astype(float)) for part in (model.weight, model.bias)), 1)
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        for rows, u in (batch for epoch in plan for batch in epoch):
            loss = -net(double(noise(levels[rows], u))).mean()
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        return np.append(net.weight.detach().numpy() - model.weight, net.bias.detach().numpy() - model.bias)

    kept = ask.keep(model)
    trained(ask, kept, levels, 4, 7, 0.02, 7)
    weight, bias = ask.parameters(kept)
    got, right = np.append(weight - model.weight, bias - model.bias), moved(np.add)
    hold(np.abs(got).max() > 1e-4, "the model doesn't move: are its parameters given to the optimiser?")
    hold(not np.allclose(got, -right, atol=0.05 * np.abs(right).max()), "downwards: the loss is minus the mean of log p")
    own = earlier(lambda: moved(lambda x, u: numbers(ask("dequantize", float32(x), u), "v")))
    words = "not Adam's steps: the learning rate, zero_grad, backward, step, at every batch, in the order of the text?"
    hold(any(np.allclose(got, one, atol=0.05 * np.abs(right).max()) for one in (right, own) if one.shape == got.shape), words)


@check("train", "Every batch gets its own noise", 2)
def _(ask, cases):
    levels, model = float32(cases.integers(0, 3, (12, 4))), linear(cases, 4)
    plan = schedule(11, 12, 4, 3, 4)

    def mean(epoch, noise):
        return np.mean([noise(levels[rows], u) @ model.weight.T.astype(float) + model.bias for rows, u in epoch])

    def history_of(noise):
        return np.array([mean(epoch, noise) for epoch in plan])

    right, bare = history_of(np.add), history_of(lambda x, u: x)
    own = earlier(lambda: history_of(lambda x, u: numbers(ask("dequantize", x, u), "v")))
    history = trained(ask, model, levels, 3, 4, 0.0, 11)
    if own.shape == history.shape and np.allclose(history, own, rtol=1e-4, atol=1e-5):
        return  # as right as the student's noise
    hold(np.ptp(history) > 1e-5 or np.allclose(history, bare, atol=1e-3), "the same noise in every epoch: draw it for each batch")
    wrong = {
        "no noise: dequantize the levels of each batch": bare,
        "this is the loss: the mean of log p itself is wanted, larger is better": -right,
    }
    require(history, right, "the history by the recipe of the text", wrong, rel=1e-4)
