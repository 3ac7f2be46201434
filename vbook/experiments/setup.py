"""What a run of an experiment is given: settings, seed, device and data."""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from vbook import data


@dataclass(frozen=True)
class Setup:
    """What a run of an experiment gets: its settings, seed and device, and the three splits as (N, D) tensors on the device."""

    settings: dict
    seed: int
    device: str
    profile: str
    data_root: str | None
    progress: bool
    train: data.Dataset
    valid: data.Dataset
    test: data.Dataset
    checkpoints: Path | None = None
    deadline: float | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)  # seconds that ``run`` took

    def resumable(self, name: str) -> dict:
        """Options for ``fit`` and ``fit_mcem``: where the training ``name`` keeps its checkpoint, and how long it may take."""
        left = None if self.deadline is None else max(self.deadline - time.monotonic(), 1e-3)
        file = re.sub(r"[^\w.-]+", "_", name)
        return {"checkpoint": self.checkpoints and self.checkpoints / f"{file}.safetensors", "budget": left}

    def __getattr__(self, name: str):
        try:
            return self.settings[name]
        except KeyError:
            raise AttributeError(f"this profile has no setting {name!r}") from None

    def run(self, experiment: str):
        """The Outcome of another experiment at the same profile, seed and device: an input of this one, named in its record."""
        from vbook.experiments.registry import run

        folder = self.checkpoints and self.checkpoints / experiment
        arguments = (experiment, self.profile, self.seed, self.device, self.data_root, self.progress)
        start = time.perf_counter()
        outcome = run(*arguments, folder, self.resumable("")["budget"])
        self.waited.append(time.perf_counter() - start)
        if outcome.interrupted:  # half a training would give whole numbers, and false ones
            raise Interrupted(experiment)
        self.inputs[experiment] = outcome.record.experiment_digest
        return outcome


class Interrupted(Exception):
    """An experiment that another one needs was cut short."""


def prepare(chosen, profile: str, seed: int, device: str, data_root, progress: bool, *when) -> Setup:
    """The setup of an experiment at ``profile``: its settings and the three splits of its data, or of the stand-in at smoke."""
    name = chosen.stand_in if profile == "smoke" else chosen.data
    splits = (data.load(name, s, device, root=data_root, protocol=chosen.protocol) for s in ("train", "valid", "test"))
    train, valid, test = splits
    return Setup(chosen.profiles[profile], seed, device, profile, data_root, progress, train, valid, test, *when)
