"""Experiments: a function, its data with the embedded stand-in, and one row of numbers per profile."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from vbook.budget import seconds
from vbook.data import card
from vbook.data import data_root as folder_of_data
from vbook.devices import check_device
from vbook.errors import VbookError, nearest
from vbook.experiments.keeping import keep, records_folder, sitting, worst
from vbook.experiments.setup import Interrupted, Setup, prepare
from vbook.experiments.source import code_of
from vbook.loaded import moved
from vbook.noise import check_seed
from vbook.profiles import PROFILES, check_profile
from vbook.results import Record, new_record
from vbook.results.record import conditions

_REGISTRY: dict[str, "Experiment"] = {}
FINISHED: dict[tuple, "Outcome"] = {}  # the runs of this process, so that a chapter's cells share them
BEGUN: dict[tuple, Callable[[bool], "Outcome"]] = {}  # runs begun in other processes, and how to wait for each


@dataclass(frozen=True)
class Experiment:
    """``function(setup) -> Outcome`` on ``data`` (or its embedded ``stand_in``) under ``protocol``, sized by ``profiles``."""

    id: str
    title: str
    function: Callable
    data: str
    stand_in: str
    protocol: str
    profiles: dict[str, dict]

    def code_digest(self) -> str:
        """sha256 over code, data and protocol of the experiment and of those it runs, whatever the profile."""
        code = code_of(self.function)
        return _sha256(
            [code, self.data, card(self.data).content(), self.protocol, *(other.code_digest() for other in _named_in(code))]
        )

    def inputs(self) -> list["Experiment"]:
        """The experiments whose models it measures, and theirs."""
        direct = _named_in(code_of(self.function))
        return list({other.id: other for one in direct for other in (one, *one.inputs())}.values())

    def digest(self, settings: dict) -> str:
        """sha256 over ``code_digest`` and the settings of the experiment and of those it runs: what makes a record stale."""
        profile = next((name for name, row in self.profiles.items() if row == settings), None)
        rows = [other.profiles[profile] for other in _named_in(code_of(self.function)) if profile]
        return _sha256([self.code_digest(), *(json.dumps(row, sort_keys=True) for row in (settings, *rows))])


def _sha256(parts: list[str]) -> str:
    return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"


def _named_in(code: str) -> list[Experiment]:
    """The experiments that ``code`` runs, by their ids in it."""
    return [other for id, other in _REGISTRY.items() if repr(id) in code]


@dataclass
class Outcome:
    """What an experiment returns: ``metrics`` for the record, ``series`` (curves), the trained ``model``, anything to draw.

    ``seeds`` names all seeds that it ran, where it ran more than the one of its setup. ``drawn`` says what it measured on where
    that is not its setup's data but drawn by itself from its seed ("1,000 × 50 fair coins").
    """

    metrics: dict
    series: dict = field(default_factory=dict)
    model: nn.Module | None = None
    architecture: dict | None = None
    drawings: dict = field(default_factory=dict)
    steps: int = 0
    examples: int = 0
    interrupted: bool = False
    record: Record | None = None
    seeds: list[int] | None = None
    drawn: str | None = None
    weights: str | None = None  # a digest of the model's, when it was finished
    shape: tuple | None = None  # of an image among its drawings, (height, width)

    def __repr__(self) -> str:
        return f"Outcome({', '.join(self.metrics)})"


def experiment(id: str, *, title: str, data: str, stand_in: str, protocol: str, profiles: dict[str, dict]):
    """Register the decorated function under ``id``; it must have a row for each profile, all with the same settings."""
    if set(profiles) != set(PROFILES) or len({frozenset(row) for row in profiles.values()}) != 1:
        raise VbookError(f"{id}: needs the same settings for each of {', '.join(PROFILES)}")

    def register(function):
        if id in _REGISTRY:
            raise VbookError(f"experiment {id!r} is registered twice")
        _REGISTRY[id] = Experiment(id, title, function, data, stand_in, protocol, profiles)
        return function

    return register


def experiments() -> dict[str, Experiment]:
    """All experiments by id."""
    return dict(_REGISTRY)


def find(id: str) -> Experiment:
    """The experiment ``id``, or a VbookError that offers the nearest."""
    if not isinstance(id, str) or id not in _REGISTRY:
        raise VbookError(f"unknown experiment {id!r}{nearest(id, _REGISTRY)}")
    return _REGISTRY[id]


def run(
    id: str,
    profile: str = "smoke",
    seed: int = 0,
    device: str = "cpu",
    data_root=None,
    progress: bool = False,
    checkpoints: str | Path | None = None,
    budget: str | float | None = None,
) -> Outcome:
    """Run experiment ``id`` at ``profile``: once a process for the same arguments, later calls get the same Outcome.

    ``smoke`` always takes the embedded stand-in; the other profiles take the real set from ``data_root`` (else ``$VBOOK_DATA``,
    else the cache folder). The record goes to ``$VBOOK_RECORDS`` when that names a folder. An experiment that ``start`` has begun
    in another process is waited for. With a folder for ``checkpoints`` a run that was cut off, or has spent its ``budget``
    ("25m", or seconds), goes on from there when it is run again. VbookError for arguments that are none of these.
    """
    if not isinstance(checkpoints, str | os.PathLike | None):
        raise VbookError(f"checkpoints is the name of a folder, got {checkpoints!r}")
    checkpoints = checkpoints and Path(checkpoints).expanduser()
    budget = 0.0 if budget == 0 else seconds(budget)  # a queue's budget may have nothing left; nobody writes 0 as a budget
    key = arguments(id, profile, seed, device, data_root)
    if key in FINISHED and _weights(FINISHED[key]) != FINISHED[key].weights:
        del FINISHED[key]  # somebody has trained on: that is not the model of its record any more
    if key not in FINISHED:
        wait = BEGUN.pop(key, None)
        outcome = wait(shows(progress)) if wait else _run(*key, shows(progress), checkpoints, budget)
        remember(key, outcome)
        return outcome
    return FINISHED[key]


def arguments(id: str, profile: str, seed: int, device: str, data_root) -> tuple:
    """The arguments of a run, checked: the key under which its outcome is remembered."""
    folder_of_data(data_root)  # VbookError for what names no folder
    return find(id).id, check_profile(profile), check_seed(seed), check_device(device), data_root


def shows(progress: bool) -> bool:
    """Whether to draw bars: if asked to, unless $TQDM_DISABLE is set, which tqdm itself obeys only where nobody asks."""
    return bool(progress) and os.environ.get("TQDM_DISABLE", "0") in ("", "0")


def remember(key: tuple, outcome: Outcome) -> None:
    """Keep the outcome for later calls of ``run``, unless it was interrupted: a part of a run is no answer to the next call."""
    if not outcome.interrupted:
        outcome.weights = _weights(outcome)
        FINISHED[key] = outcome


def _weights(outcome: Outcome) -> str | None:
    """sha256 over the weights of an outcome's model, in double precision, so that ``model.double()`` changes nothing."""
    if outcome.model is None:
        return None
    digest = hashlib.sha256()
    for tensor in outcome.model.state_dict().values():
        digest.update(tensor.detach().cpu().double().contiguous().numpy().data)
    return digest.hexdigest()


def _run(id: str, profile: str, seed: int, device: str, data_root, progress: bool, checkpoints=None, budget=None) -> Outcome:
    chosen, folder = find(id), records_folder()
    deadline = None if budget is None else time.monotonic() + budget
    setup = prepare(chosen, profile, seed, device, data_root, progress, checkpoints, deadline)
    settings = setup.settings
    # Before it runs: what is edited or merged meanwhile is not what was measured.
    code = dict(experiment_digest=chosen.digest(settings), code_digest=chosen.code_digest()) | conditions()
    code["dirty"] = True if moved() else code.get("dirty")
    with sitting(checkpoints, code, _describe(device)) as now:
        try:
            outcome = chosen.function(setup)
        except Interrupted:
            outcome = Outcome({}, interrupted=True)
        spent = now.seconds()
    outcome.shape = setup.train.shape
    inputs = [FINISHED[arguments(name, profile, seed, device, data_root)].record for name in setup.inputs]
    here, there = _describe(device), sorted({record.device for record in inputs})
    code["dirty"] = worst(now.dirty, *(record.dirty for record in inputs))  # what earlier sittings and inputs ran is part of this
    outcome.record = new_record(
        experiment=id,
        profile=profile,
        seeds=outcome.seeds or [seed],
        metrics=outcome.metrics,
        series=outcome.series,
        data={"name": "simulated", "title": outcome.drawn} if outcome.drawn else _describe_data(setup),
        settings=settings,
        inputs=setup.inputs,
        status="partial" if outcome.interrupted else "complete",
        reason="interrupted" if outcome.interrupted else None,
        steps=outcome.steps,
        examples=outcome.examples,
        wall_time_s=round(max(spent - sum(setup.waited), 0.0), 1),
        device=here if there in ([], [here]) else f"{here}; its inputs on {' and '.join(there)}",
        **code,
    )
    if folder:
        keep(outcome, folder, folder / "weights")
    return outcome


def _describe_data(setup: Setup) -> dict:
    train, splits = setup.train, (setup.train, setup.valid, setup.test)
    named = {"name": train.name, "title": f"{train.protocol} {train.name}", "protocol": train.protocol, "digest": train.digest}
    return named | {"digests": {part.split: part.digest for part in splits}}


def _describe(device: str) -> str:
    kind = torch.device(device).type
    if kind != "cpu":
        return torch.cuda.get_device_name(device) if kind == "cuda" else kind.upper()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"
