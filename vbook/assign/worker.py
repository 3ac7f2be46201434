"""The far side of the grader: holds a student's code, runs its cells and calls its functions; knows no expected value.

It runs alone in the sandbox, with a copy of this module, of ``cells`` and ``channel`` and of the book's parts that answers may
use. Whatever a student's code does to this process, to its files or to what it says, it does to its own answers.
"""

import importlib
import os
import resource
import sys
import types

import numpy as np
import torch
from torch import nn

from vbook.assign.cells import alarm, define, describe, run_cell
from vbook.assign.channel import HEAD, pack, sizes, unpack, wire_type

_DEEP, _LONG = 4, 64  # of an answer made of lists


class Affine(nn.Module):
    """x -> W x + b, cut into ``chunks`` equal parts: a network that a check can do by hand."""

    def __init__(self, weight, bias, chunks: int):
        super().__init__()
        self.weight, self.bias, self.chunks = nn.Parameter(weight), nn.Parameter(bias), chunks

    def forward(self, x):
        y = nn.functional.linear(x, self.weight, self.bias)
        return y if self.chunks == 1 else y.chunk(self.chunks, -1)


def squared_error(x, encoder, decoder, eps):
    """A loss for trying out a training loop: no part of any answer."""
    mu, _ = encoder(x)
    return ((decoder(mu + 0 * eps) - x) ** 2).sum(-1).mean()


class Worker:
    """The student's names, the objects kept for later calls, and the requests that may come."""

    def __init__(self):
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        self.names, self.kept = main.__dict__, []
        self.names |= {"get_ipython": lambda: None, "display": lambda *args, **options: None}

    def hello(self, request, arrays):
        """A sign of life."""
        return {}, {}

    def cell(self, request, arrays):
        """Run a cell, or only define what it defines."""
        if "optim" in request["source"]:  # the first step of an optimizer loads this, in seconds that a call may not have
            importlib.import_module("torch._dynamo")
        if request["graded"]:
            return {"failed": run_cell(request["source"], request["name"], self.names, request["seconds"])}, {}
        define(request["source"], self.names)
        return {"failed": None}, {}

    def value(self, request, arrays):
        """A name's value."""
        return self._answer(self._find(request["f"]))

    def parameters(self, request, arrays):
        """Parameters of a kept module, in its own order."""
        return self._answer([p.detach().clone() for p in self.kept[request["handle"]].parameters()])

    def refill(self, request, arrays):
        """Give a kept module parameters of a known size, whatever they started from."""
        noise = torch.Generator().manual_seed(request["seed"])
        with torch.no_grad():
            for parameter in self.kept[request["handle"]].parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=noise, dtype=torch.float64))
        return {"value": {"plain": None}}, {}

    def call(self, request, arrays):
        """Call a student's function; with ``grad`` also gradients by arguments, or by its "own" parameters."""
        args = [self._argument(spec, arrays) for spec in request["args"]]
        function = self._find(request["f"])
        leaves = [leaf for k in request["grad"] for leaf in _leaves(function if k == "own" else args[k])]
        with alarm(request["seconds"]):
            answer = function(*args)
            grads = _gradients(answer, arrays.get("weights"), leaves) if leaves else []
        return self._keep(answer) if request["keep"] else self._answer([answer, grads])

    def keep(self, request, arrays):
        """Build an argument and keep it."""
        return self._keep(self._argument(request["what"], arrays))

    def _keep(self, thing):
        self.kept.append(thing)
        return {"handle": len(self.kept) - 1}, {}

    def _find(self, name):
        if isinstance(name, int):
            return self.kept[name]
        if name not in self.names:
            raise LookupError(name)
        return self.names[name]

    def _argument(self, spec, arrays):
        kind, value = next(iter(spec.items()))
        if kind == "array":
            return torch.from_numpy(arrays[value].copy())
        if kind == "list":
            return [self._argument(part, arrays) for part in value]
        if kind == "handle":
            return self.kept[value]
        if kind == "affine":
            return Affine(*(torch.from_numpy(arrays[key].copy()) for key in value["arrays"]), value["chunks"])
        return squared_error if kind == "squared_error" else value

    def _answer(self, value):
        arrays = {}
        return {"value": _tree(value, arrays, _DEEP)}, arrays


def _leaves(argument) -> list:
    if isinstance(argument, list):
        return [leaf for part in argument for leaf in _leaves(part)]
    if isinstance(argument, nn.Module):
        return list(argument.parameters())
    return [argument.requires_grad_()]


def _gradients(answer, weights, leaves) -> list:
    parts = [part for part in (answer if isinstance(answer, (tuple, list)) else [answer]) if torch.is_tensor(part)]
    scalar = sum((part * torch.from_numpy(weights)).sum() if weights is not None else part.sum() for part in parts)
    if not (torch.is_tensor(scalar) and scalar.requires_grad):
        return [None] * len(leaves)
    return list(torch.autograd.grad(scalar, leaves, allow_unused=True))


def _tree(value, arrays: dict, depth: int):
    """``value`` as JSON; tensors go into ``arrays`` and leave their name, other objects leave the name of their type."""
    if value is None or type(value) in (bool, int, float):
        return {"plain": value}
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.double() if value.is_floating_point() else value).numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        try:
            arrays[f"a{len(arrays)}"] = wire_type(np.asarray(value))
        except TypeError as error:
            return {"other": str(error)}
        return {"array": f"a{len(arrays) - 1}"}
    if isinstance(value, (tuple, list)) and depth and len(value) <= _LONG:
        return {"list": [_tree(part, arrays, depth - 1) for part in value]}
    return {"other": type(value).__name__[:40]}


def serve(requests: int, answers: int) -> None:
    """Answer requests until the grader hangs up."""
    worker = Worker()
    while head := _read(requests, HEAD.size):
        text, block = sizes(head)
        request, arrays = unpack(_read(requests, text), _read(requests, block))
        try:
            reply, found = getattr(worker, request["do"])(request, arrays)
            frame = pack(reply | {"id": request["id"]}, found)
        except BaseException as error:
            frame = pack({"error": describe(error), "id": request["id"]})
        while frame:
            frame = frame[os.write(answers, frame) :]


def _read(handle: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(handle, size - len(data))
        if not more:
            return b""
        data += more
    return data


def limit(memory: int, seconds: int) -> None:
    """Hard limits on this process: bytes beyond those in use, processor time, file sizes."""
    pages = int(open("/proc/self/statm").read().split()[0])
    limits = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 1 << 26,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 128,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def main(requests: int, answers: int, memory: int, seconds: int) -> None:
    """Go silent, take on the limits, and serve."""
    torch.set_num_threads(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    limit(memory, seconds)
    serve(requests, answers)
