"""A trained network in the form that the pages' runtime reads: its layers in words, its weights as bytes."""

import base64
import json
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vbook.errors import VbookError
from vbook.networks import BernoulliDecoder, GaussianDecoder, GaussianEncoder

LIMIT = 1_500_000  # bytes of base64: two such networks would be more than a page may carry
FEW = 4_096  # weights of a layer that stays in float32 beside int8
WEIGHTS = ("float32", "float16", "int8")
ACTIVATIONS = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Softplus: "softplus", nn.Sigmoid: "sigmoid"}


@dataclass(frozen=True)
class Network:
    """A network for the page: ``spec`` names sizes, layers, head and number format; ``weights`` are the bytes, layer by layer.

    The spec's ``crc32`` is that of all else in it, as JSON without spaces, and of the weights behind it.
    """

    spec: dict
    weights: bytes

    def text(self) -> str:
        """The weights as base64."""
        return base64.b64encode(self.weights).decode()


def export(part: nn.Module, weights: str = "float16", points: Tensor | None = None, limit: int = LIMIT) -> Network:
    """An encoder or decoder of ``vbook.networks`` for the page, its ``weights`` as float32, float16 or int8.

    int8 keeps a scale for each row: w ≈ scale · n with n in −127 … 127. Layers of few weights, such as a decoder's first, stay in
    float32: they carry most of the error and next to no bytes. With ``points`` (N, inputs), inputs of the kind that the page
    will show, the numbers n are chosen for the smallest error there (see ``rounded``).

    Raises VbookError for a network that the runtime can't run (naming its first such part), for points that it can't take, for
    weights that are not finite, and for more bytes of base64 than ``limit``.
    """
    if weights not in WEIGHTS:
        raise VbookError(f"weights go into pages as {', '.join(WEIGHTS)}, not as {weights!r}")
    head = _head(part)
    _check_layers(part, head)
    if points is not None:
        _check_points(points, part.net[0].in_features)
    layers, pieces = [], []
    x = None if points is None else points.detach().to(part.net[0].weight)
    for index, layer in enumerate(part.net):
        if type(layer) is nn.Linear:
            kind = "float32" if weights == "int8" and layer.weight.numel() <= FEW else weights
            layers.append(["linear", layer.in_features, layer.out_features, kind])
            pieces += _linear(layer, kind, f"layer {index}", x)
        else:
            layers.append([_activation(layer, index)])
        with torch.no_grad():
            x = None if x is None else layer(x)
    blob = b"".join(pieces)
    size = -(-len(blob) // 3) * 4
    if size > limit:
        raise VbookError(f"the network takes {size:,} bytes of a page as {weights}, more than {limit:,}")
    spec = {"inputs": layers[0][1], "layers": layers, "head": head, "weights": weights, "bytes": len(blob)}
    words = json.dumps(spec, separators=(",", ":")).encode()
    return Network(spec | {"crc32": zlib.crc32(words + blob)}, blob)


def _head(part: nn.Module) -> str:
    kind = type(part)  # a class made from one of these may compute something else
    if kind not in (BernoulliDecoder, GaussianDecoder, GaussianEncoder):
        known = "BernoulliDecoder, GaussianDecoder, GaussianEncoder"
        raise VbookError(f"pages run {known} of vbook.networks, not {kind.__name__}")
    if any(module._forward_hooks or module._forward_pre_hooks for module in part.modules()):
        raise VbookError("pages run a network without its hooks, and this one has some")
    if kind is BernoulliDecoder:
        return "bernoulli"
    return "gaussian-sigmoid" if kind is GaussianDecoder and part.sigmoid_mean else "gaussian"


def _check_layers(part: nn.Module, head: str) -> None:
    if not isinstance(part.net, nn.Sequential):
        raise VbookError(f"pages run networks that are nn.Sequential, not {type(part.net).__name__}")
    layers = list(part.net)
    if not layers or type(layers[0]) is not nn.Linear:
        first = type(layers[0]).__name__ if layers else "nothing"
        raise VbookError(f"pages run networks that begin with Linear, this one begins with {first}")
    width = layers[0].in_features
    for index, layer in enumerate(layers):
        if type(layer) is nn.Linear:
            if layer.in_features != width:
                raise VbookError(f"layer {index} takes {layer.in_features} numbers, the one before gives {width}")
            sizes = [(layer.weight, (layer.out_features, width)), (layer.bias, (layer.out_features,))]
            if any(p is not None and (p.shape != size or not p.is_floating_point()) for p, size in sizes):
                raise VbookError(f"layer {index} has weights of another shape than its sizes, or no real numbers")
            width = layer.out_features
    if width < 1 or layers[0].in_features < 1 or (head != "bernoulli" and width % 2):
        raise VbookError(f"a network with {layers[0].in_features} inputs and {width} outputs has no {head} head")


def _check_points(points: Tensor, inputs: int) -> None:
    if not isinstance(points, Tensor) or not points.is_floating_point():
        found = getattr(points, "dtype", type(points).__name__)
        raise VbookError(f"points must be a tensor of floating-point numbers, not {found}")
    if points.ndim != 2 or not len(points) or points.shape[1] != inputs:
        raise VbookError(f"points for this network have the shape (N, {inputs}) with N > 0, not {tuple(points.shape)}")
    if not (points.abs() < 1e6).all():
        raise VbookError("points must be finite and below a million")


def _activation(layer: nn.Module, index: int) -> str:
    name = ACTIVATIONS.get(type(layer))
    if name is None:
        known = ", ".join(sorted(kind.__name__ for kind in (nn.Linear, *ACTIVATIONS)))
        raise VbookError(f"layer {index} is {type(layer).__name__}; pages run {known}")
    if name == "softplus" and (layer.beta, layer.threshold) != (1, 20):
        raise VbookError(f"layer {index} is {layer}; pages run Softplus(beta=1, threshold=20)")
    return name


def _linear(layer: nn.Linear, kind: str, name: str, x: Tensor | None) -> list[bytes]:
    weight = layer.weight.detach().cpu().double()
    bias = torch.zeros(len(weight)).double() if layer.bias is None else layer.bias.detach().cpu().double()
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise VbookError(f"{name} has weights that are not finite")
    if kind != "int8":
        return [_packed(weight, kind, name), _packed(bias, kind, name)]
    scale = (weight.abs().amax(1, keepdim=True) / 127).float().double()
    levels = rounded(weight, scale.clamp_min(1e-30), x)
    if x is not None:  # what rounding adds on the mean, the bias takes off
        bias = bias - (levels * scale - weight) @ x.detach().double().cpu().mean(0)
    return [_packed(scale, "float32", name), levels.to(torch.int8).numpy().tobytes(), _packed(bias, "float32", name)]


def rounded(weight: Tensor, scale: Tensor, x: Tensor | None = None) -> Tensor:
    """Whole numbers n in −127 … 127 with scale · n near ``weight`` (O, I), scale (O, 1); with inputs x (N, I), near on those.

    Column by column: each is rounded, and the error it makes in the outputs on ``x`` is spread over the columns that are still to
    come, by least squares (the optimal brain surgeon's step, as Frantar et al. 2023 use it for large networks).

    >>> weight, one = torch.tensor([[0.4, 0.4]]), torch.ones(1, 1)
    >>> rounded(weight, one), rounded(weight, one, torch.ones(1, 2))
    (tensor([[0., 0.]]), tensor([[0., 1.]]))
    """
    if x is None:
        return (weight / scale).round().clamp(-127, 127)
    x, left = x.detach().double().cpu(), weight.double().clone()
    seen = x.T @ x / len(x)
    seen.diagonal().add_(1e-3 * seen.diagonal().mean() + 1e-12)
    spread = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(seen)), upper=True)
    levels = torch.empty_like(left)
    for i in range(left.shape[1]):
        levels[:, i] = (left[:, i] / scale[:, 0]).round().clamp(-127, 127)
        error = (left[:, i] - levels[:, i] * scale[:, 0]) / spread[i, i]
        left[:, i + 1 :] -= error[:, None] * spread[i, i + 1 :]
    return levels.to(weight.dtype)


def _packed(values: Tensor, kind: str, name: str) -> bytes:
    with np.errstate(over="ignore"):
        kept = values.numpy().astype({"float32": "<f4", "float16": "<f2"}[kind])
    if not np.isfinite(kept).all():
        advice = ": export it as float32 or int8" if kind == "float16" else ""
        raise VbookError(f"{name} has weights above {np.finfo(kept.dtype).max:g}, too large for {kind}{advice}")
    return kept.tobytes()
