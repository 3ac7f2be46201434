"""Checkpoints of a run: one safetensors file, its facts as JSON in the header, replaced in one piece, resumed bit for bit."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from vbook import paths
from vbook.errors import Diverged, VbookError

FORMAT = 3
PLACE = "tensor of this file"  # the key under which a state names one of its tensors


class Checkpoint:
    """The state of ``parts`` in the file ``path``: modules, optimizers, generators and tensors, by name.

    ``run`` says which run it is (a dict for JSON: the model's shapes, the data's digest, the settings). A file that another
    run has left is refused, with the difference named. Parts that hold NaN or infinity are not saved, unless ``finite`` is False.
    """

    def __init__(
        self, path: str | Path, run: dict, parts: dict[str, nn.Module | Optimizer | Generator | Tensor], finite: bool = True
    ):
        self.path, self.parts, self.finite = as_file(path), parts, finite
        try:  # now, rather than when the first hour of training is to be saved
            if self.path.is_dir():
                raise VbookError(f"{self.path} is a folder; a checkpoint is a file in one")
            paths.try_to_write(self.path.parent)
            paths.sweep(self.path)
        except OSError as error:
            raise VbookError(f"{self.path}: no checkpoint can be written there ({error.strerror or error})") from error
        self.run = json.loads(json.dumps({"format": FORMAT, "torch": torch.__version__} | run))

    def write(self, state: dict) -> None:
        """Save the parts with ``state``, a dict for JSON whose values may be tensors; until then the old file stays."""
        from safetensors.torch import save

        tensors = {name: tensor for part in self.parts for name, tensor in _tensors(part, self.parts[part]).items()}
        bad = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
        if bad and self.finite:
            raise Diverged(f"{bad[0]} is not finite any more; the checkpoint before, if there is one, is left as it was")
        facts = json.dumps({"run": self.run, "state": _pack(state, "state", tensors)})
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        blob = save(tensors, {"facts": facts, "sha256": _digest(facts, tensors)})
        try:
            with paths.atomic_write(self.path) as file:
                file.write(blob)
        except OSError as error:
            before = "the one before it is as it was" if self.path.is_file() else "there is none before it"
            reason = f"{error.strerror or error}; {len(blob):,} bytes"
            raise VbookError(f"{self.path}: this checkpoint can't be written ({reason}), {before}") from error

    def check(self, row: dict) -> None:
        """VbookError for a row of a history that can't be saved: at the first one, not when an hour of training is."""
        _pack(row, "row", {})

    @torch.no_grad()
    def read(self, check: Callable[[dict], None] = lambda state: None) -> dict | None:
        """Put the saved state into the parts and return the other ``state``; None where there is no file yet.

        Raises VbookError for a file that is no checkpoint, for one of another run, and what ``check(state)`` raises: nothing has
        been changed then.
        """
        if not self.path.exists():
            return None
        tensors, facts = _open(self.path)
        if differences := _differences(facts["run"], self.run):
            raise VbookError(
                f"{self.path}: a checkpoint of another run ({'; '.join(differences)}); name another file or delete this one"
            )
        state = _unpack(facts["state"], tensors)
        check(state)
        for name, part in self.parts.items():
            _restore(part, {key[len(name) + 1 :]: t for key, t in tensors.items() if key.startswith(f"{name}/")})
        return state


def as_file(path: str | Path) -> Path:
    """The path of a checkpoint's file, ``~`` being the home folder; VbookError for what names none."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise VbookError(f"a checkpoint is the name of a file, got {path!r}")
    try:
        file = Path(path).expanduser()
        file.exists()
    except (OSError, RuntimeError) as error:  # RuntimeError: a home folder of nobody's
        raise VbookError(f"{path}: no checkpoint can be written there ({getattr(error, 'strerror', error)})") from error
    return file


def saved_state(path: Path) -> dict | None:
    """What ``write`` saved beside the parts in the file ``path``; None where there is no file."""
    if not path.exists():
        return None
    tensors, facts = _open(path)
    return _unpack(facts["state"], tensors)


def _tensors(name: str, part) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        found = part.state_dict()
    elif isinstance(part, Optimizer):
        rows = part.state_dict()["state"].items()
        found = {f"{i}.{key}": t for i, row in rows for key, t in row.items() if isinstance(t, Tensor)}
    else:
        found = {"it": part.get_state() if isinstance(part, Generator) else part}
    return {f"{name}/{key}": t for key, t in found.items()}


def _restore(part, tensors: dict[str, Tensor]) -> None:
    if isinstance(part, nn.Module):
        part.load_state_dict(tensors)
    elif isinstance(part, Optimizer):
        rows: dict[int, dict] = {}
        for key, t in tensors.items():
            i, _, name = key.partition(".")
            rows.setdefault(int(i), {})[name] = t
        part.load_state_dict({"state": rows, "param_groups": part.state_dict()["param_groups"]})
    elif isinstance(part, Generator):
        part.set_state(tensors["it"])
    else:
        part.copy_(tensors["it"])


def _pack(value, place: str, tensors: dict):
    """``value`` for JSON; the tensors in it go to ``tensors`` and leave their place's name behind."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided:
            raise VbookError(f"a checkpoint can't hold {place}, a tensor of layout {value.layout}: .to_dense() makes one it can")
        while place in tensors:  # {"a.b": …, "a": {"b": …}}
            place += "'"
        tensors[place] = value
        return {PLACE: place}
    if isinstance(value, dict):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise VbookError(f"a checkpoint can't hold {place}, which has the key {odd[0]!r}: let evaluate use texts as keys")
        return {key: _pack(v, f"{place}.{key}", tensors) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(v, f"{place}.{i}", tensors) for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise VbookError(f"a checkpoint can't hold {place}, a {type(value).__name__}: let evaluate return numbers, texts or tensors")


def _unpack(value, tensors: dict):
    if isinstance(value, dict):
        if set(value) == {PLACE}:
            return tensors[value[PLACE]]
        return {key: _unpack(v, tensors) for key, v in value.items()}
    return [_unpack(v, tensors) for v in value] if isinstance(value, list) else value


def _digest(facts: str, tensors: dict[str, Tensor]) -> str:
    """The sha256 of all that a file holds: a bit that has flipped on a disk must not become another run's number."""
    whole = hashlib.sha256(facts.encode())
    for name, t in sorted(tensors.items()):
        whole.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        whole.update(t.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _open(path: Path) -> tuple[dict[str, Tensor], dict]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            facts = json.loads(said["facts"])
            if not (isinstance(facts["run"], dict) and isinstance(facts["state"], dict)):
                raise ValueError("its facts are others")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise VbookError(
            f"{path}: not a checkpoint of ours, or a damaged one ({error}); name another file, or delete this one to begin anew"
        ) from None
    if said.get("sha256", "") not in ("", _digest(said["facts"], tensors)):
        raise VbookError(f"{path}: this checkpoint is damaged (its sha256 is another); delete it to begin anew")
    return tensors, facts


def _differences(there: dict, here: dict, prefix: str = "") -> list[str]:
    """What differs between two descriptions, in words, at most three."""
    found = []
    for key in dict.fromkeys([*here, *there]):
        old, new = there.get(key, "absent"), here.get(key, "absent")
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{prefix}{key} ")
        elif old != new:
            found.append(f"{prefix}{key} is {old} there and {new} here")
    return found[:3]
