"""A training step as a CUDA graph: recorded once, then replayed without a word from Python between its kernels."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def captured(body: Callable[[], Tensor], ascent: torch.optim.Optimizer, generators: Iterable[torch.Generator]):
    """The graph of ``body()``, which takes one step of ``ascent`` and draws from ``generators``, and the tensor it leaves.

    What ``body`` reads must stay where it is, so that a replay finds new content there. The rehearsals that recording needs leave
    no trace in weights, optimizer and generators.
    """
    generators, weights = list(generators), [p for group in ascent.param_groups for p in group["params"]]
    states, values = [g.get_state() for g in generators], [p.detach().clone() for p in weights]
    memory = [{k: v.clone() for k, v in ascent.state[p].items() if isinstance(v, Tensor)} for p in weights]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            body()
    torch.cuda.current_stream().wait_stream(side)
    with torch.no_grad():
        for p, value, kept in zip(weights, values, memory, strict=True):
            p.copy_(value)
            for name, slot in ascent.state[p].items():  # where there was none it began at zero
                if isinstance(slot, Tensor):
                    slot.copy_(kept[name]) if name in kept else slot.zero_()
    for g, state in zip(generators, states, strict=True):
        g.set_state(state)
    graph = torch.cuda.CUDAGraph()
    for g in generators:
        graph.register_generator_state(g)
    for p in weights:
        p.grad = None
    with torch.cuda.graph(graph):
        left = body()
    return graph, left
