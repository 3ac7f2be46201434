"""The least that a training step can cost: its matrix products, and one pass of the optimizer over the weights."""

from collections.abc import Callable

import torch
from torch import nn


def limit(model: nn.Module, batch_size: int) -> Callable[[int], None]:
    """A function that does ``steps`` times what no step of ``model`` with autograd can leave out.

    For each linear layer: forward, the slope of its weights, and, but for the first layer of the encoder, which is fed the data,
    the slope of its input. Then the fused Adam update. All results go to memory that is there already.
    """
    device = next(model.parameters()).device
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    products = [_products(layer, batch_size, first=k == 0) for k, layer in enumerate(layers)]
    weights = [nn.Parameter(p.detach().clone()) for p in model.parameters()]
    for p in weights:
        p.grad = torch.full_like(p, 1e-3)
    adam = torch.optim.Adam(weights, lr=1e-3, fused=True, capturable=device.type == "cuda")

    def run(steps: int) -> None:
        for _ in range(steps):
            for product in products:
                product()
            adam.step()

    return run


def _products(layer: nn.Linear, batch_size: int, first: bool) -> Callable[[], None]:
    like = layer.weight.detach()
    x, slope = like.new_ones(batch_size, layer.in_features), like.new_ones(batch_size, layer.out_features)
    out, of_weight, of_input = torch.empty_like(slope), torch.empty_like(like), torch.empty_like(x)

    def run() -> None:
        torch.mm(x, like.t(), out=out)
        torch.mm(slope.t(), x, out=of_weight)
        if not first:
            torch.mm(slope, like, out=of_input)

    return run
