"""One student's notebook, run in a worker that is replaced when it dies, and asked for plain numbers and arrays."""

import builtins
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vbook.assign.cells import not_begun
from vbook.assign.process import GRACE, Process, Trouble
from vbook.assign.words import clean, error_words

CELL, CALL = 20.0, 10.0  # seconds of wall clock for a cell, for a call
CELLS, ALL = 120.0, 600.0  # seconds for all cells of one worker, then only what they define counts; and until none is started
_NAME = re.compile(r"'([A-Za-z_]\w*)'")
_DEFINED = re.compile(r"(?:async\s+def|def|class)\s+(\w+)")
_SHOWN = 200  # characters of a line in which a name may be told again
_DEEP, _STARTS = 6, 12  # levels of lists in an answer; workers that one student may use up


@dataclass(frozen=True)
class Affine:
    """An argument: the network x -> W x + b, its output cut into ``chunks`` parts (2: an encoder's mean and log-variance)."""

    weight: np.ndarray
    bias: np.ndarray
    chunks: int = 1


@dataclass(frozen=True)
class Handle:
    """An argument: an object that the worker keeps, made by the student's ``name``."""

    number: int
    name: str


SQUARED_ERROR = object()  # an argument: a loss for a training loop, Σ (decoder(mu) − x)², mean over the batch


class Session:
    """A student's notebook, run: ``incidents`` has what happened; the calls below give plain numbers and arrays.

    A context manager. ``cells`` are ``(name, source, graded)``; a cell that ends its worker is left out of the next one.
    """

    def __init__(self, cells: list[tuple[str, str, bool]], stage: Path, unsafe: bool = False):
        self._cells, self._stage, self._unsafe = list(cells), stage, unsafe
        self._process: Process | None = None
        self._starts, self._began = 0, time.monotonic()
        self._lost: dict[str, str] = {}  # functions that ended a worker: they aren't asked again
        self.incidents: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop()

    def __call__(self, name, *args, grad=(), weights=None):
        """What the student's function returns; with ``grad`` a pair of that and of the gradients of Σ ``weights`` · answer.

        ``grad`` has positions of arguments (arrays, networks or lists of them), or ``"own"`` for the parameters of a kept module.
        Raises Trouble.
        """
        answer, grads = self._call(name, args, grad, weights, keep=False)
        return (answer, grads) if len(grad) else answer

    def make(self, name, *args) -> Handle:
        """Call ``name`` and let the worker keep what it returns, until the next check."""
        return self._call(name, args, (), None, keep=True)

    def keep(self, net: Affine) -> Handle:
        """Let the worker build ``net`` and keep it, until the next check: its parameters can be asked for after a training."""
        arrays: dict = {}
        return self._exchange({"do": "keep", "what": _spec(net, arrays)}, arrays, "a network")

    def value(self, name: str):
        """What a student's name stands for; Trouble where it is None, which is how names are handed out."""
        found = self._exchange({"do": "value", "f": name}, {}, name)
        if found is None:
            raise Trouble("not begun", begun=False)
        return found

    def parameters(self, handle: Handle) -> list[np.ndarray]:
        """The parameters of a kept module."""
        return self._exchange({"do": "parameters", "handle": handle.number}, {}, handle.name)

    def refill(self, handle: Handle, seed: int) -> None:
        """Replace the parameters of a kept module by draws from N(0, 1)."""
        self._exchange({"do": "refill", "handle": handle.number, "seed": seed}, {}, handle.name)

    def _call(self, name, args, grad, weights, keep):
        arrays = {} if weights is None else {"weights": np.asarray(weights)}
        specs = [_spec(arg, arrays) for arg in args]
        target, name = (name.number, name.name) if isinstance(name, Handle) else (name, name)
        request = {"do": "call", "f": target, "args": specs, "grad": list(grad), "keep": keep, "seconds": CALL}
        return self._exchange(request, arrays, name)

    def _exchange(self, message: dict, arrays: dict, name: str):
        if name in self._lost:
            raise Trouble(self._lost[name])
        process = self._running()
        try:
            reply, found = process.exchange(message, arrays, CALL + GRACE)
        except Trouble as trouble:
            self._stop()
            raise self._give_up(name, str(trouble)) from None
        if "error" in reply:
            failure = self._failure(name, reply["error"])
            raise self._give_up(name, "no answer in time") if failure is None else failure
        if "handle" in reply and isinstance(reply["handle"], int):
            return Handle(reply["handle"], name)
        return _plain(reply.get("value"), found, _DEEP)

    def _failure(self, name: str, error) -> Trouble | None:
        """What a failed call tells (None: it was stopped): type, place and a name, for its text may quote a case."""
        error = error if isinstance(error, dict) else {}
        kind, cell, text = (clean(error.get(key), 200) for key in ("type", "cell", "text"))
        lines = self._lines(error)
        line = lines[-1][:_SHOWN] if lines else ""
        if kind == "NotImplementedError":
            words = not_begun(name, text if line.strip() == f'raise NotImplementedError("{text}")' else "")
            return Trouble(words, begun=words != "not begun")
        if kind == "LookupError" and not error.get("cell"):
            return Trouble(f"there is no {name}: did the cell that defines it run?")
        if kind == "TimeIsUp":
            return None
        kind = kind if kind in vars(builtins) else "an error of its own"  # a name may be made of what was asked
        place = f" ({self._place(cell)}, line {len(lines)})" if lines else ""
        called = _function(lines)
        who = name if called in (None, name) else f"{name} calls {called}, which"
        # The name missed, the attribute: only where that line has it, for the text may be made of a case.
        about = [found for found in _NAME.findall(text) if re.search(rf"\b{found}\b", line)][-1:]
        return Trouble(f"{who} raises {kind}{''.join(f' about {found!r}' for found in about)}{place}")

    def _lines(self, error: dict) -> list[str]:
        """The notebook's lines from the top of a cell to the one where an error arose; none where it has no such place.

        A process can claim any place, made of what was asked.
        """
        number = error.get("line")
        lines = next((source.split("\n") for name, source, _ in self._cells if name == error.get("cell")), [])
        return lines[:number] if type(number) is int and 1 <= number <= len(lines) else []

    def _place(self, cell: str) -> str:
        """A cell by what it defines first, where it defines something, for Jupyter shows no numbers of cells."""
        source = next(source for name, source, _ in self._cells if name == cell)
        found = re.search(rf"^{_DEFINED.pattern}", source, re.MULTILINE)
        return f"{found[1]}'s cell" if found else cell[1:-1]

    def _give_up(self, name: str, why: str) -> Trouble:
        """``name`` isn't asked again: it would cost as much time each time."""
        self._lost[name] = f"{name}: {why}"
        self.incidents.append(self._lost[name])
        return Trouble(self._lost[name])

    def run(self) -> None:
        """Start a worker now, so that what the cells do is known before anything is asked."""
        self._running()

    def _running(self) -> Process:
        while self._process is None:
            if self._starts and time.monotonic() > self._began + ALL:
                raise Trouble(f"not asked: the notebook took more than {ALL:g} s before")
            self._starts += 1
            if self._starts > _STARTS:
                raise Trouble(f"not asked: {_STARTS} processes were lost before")
            self._process = Process(self._stage, self._unsafe)
            until, late = time.monotonic() + CELLS, False
            for cell in list(self._cells):
                if not late and (late := time.monotonic() > until):
                    self._note(f"from {self._place(cell[0])} on only definitions count: the cells took more than {CELLS:g} s")
                if not self._run(*cell[:2], cell[2] and not late):
                    self._cells.remove(cell)
                    break
        return self._process

    def _run(self, name: str, source: str, graded: bool) -> bool:
        """Whether the worker survived the cell."""
        request = {"do": "cell", "source": source, "name": name, "graded": graded, "seconds": CELL}
        try:
            reply, _ = self._process.exchange(request, {}, CELL + GRACE)
        except Trouble as trouble:
            self._stop()
            self._note(f"{self._place(name)}: {trouble}")
            return False
        if isinstance(failed := reply.get("failed"), dict) and failed.get("type") != "NotImplementedError":
            self._note(f"{self._place(name)} raises {error_words(failed)}")
        return True

    def _note(self, text: str) -> None:
        if text not in self.incidents:
            self.incidents.append(text)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _spec(arg, arrays: dict) -> dict:
    """An argument as JSON, its arrays put into ``arrays``."""
    if isinstance(arg, Affine):
        return {"affine": {"arrays": [_put(arg.weight, arrays), _put(arg.bias, arrays)], "chunks": arg.chunks}}
    if isinstance(arg, Handle):
        return {"handle": arg.number}
    if arg is SQUARED_ERROR:
        return {"squared_error": True}
    if isinstance(arg, (list, tuple)):
        return {"list": [_spec(part, arrays) for part in arg]}
    return {"array": _put(arg, arrays)} if isinstance(arg, np.ndarray) else {"plain": arg}


def _put(array, arrays: dict) -> str:
    arrays[f"x{len(arrays)}"] = np.asarray(array)
    return f"x{len(arrays) - 1}"


def _plain(tree, arrays: dict, depth: int):
    """A worker's answer as None, numbers, arrays and lists of these; anything else is one of no type that compares."""
    if isinstance(tree, dict) and len(tree) == 1:
        (kind, value), *_ = tree.items()
        if kind == "plain" and (value is None or type(value) in (bool, int, float)):
            return value
        if kind == "array" and isinstance(value, str) and value in arrays:
            return arrays[value]
        if kind == "list" and isinstance(value, list) and depth:
            return [_plain(part, arrays, depth - 1) for part in value]
        if kind == "other":
            raise Trouble("the answer is neither a number nor a tensor nor a short list of them")
    raise Trouble("the answer can't be read")


def _function(lines: list[str]) -> str | None:
    """The function or class that the last of a cell's ``lines`` stands in.

    >>> _function(["def f(x):", "    y = x", "    return z"]), _function(["def f(x):", "    return x", "f(z)"])
    ('f', None)
    """
    top = next((line for line in reversed(lines) if line[:1] not in ("", " ", "\t", "#", ")")), "")
    return (found := _DEFINED.match(top)) and found[1]
