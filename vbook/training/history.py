"""What a training run has seen."""

from dataclasses import dataclass, field

from torch import nn


@dataclass(repr=False)
class History:
    """What ``fit`` saw: a row after each epoch, with the mean bound since the row before and whatever ``evaluate`` returned.

    ``rows`` is a list of dicts with the keys ``epoch``, ``step``, ``train`` (nats) and those of ``evaluate``; ``interrupted``
    tells whether Ctrl-C or the time budget ended the run early, ``stopped`` whether it had stopped improving. ``seconds`` counts
    the time in all sittings of a resumed run. ``mode`` is how its steps ran, where that can be chosen; ``averaged`` is the model
    with averaged weights, where they were asked for.
    """

    rows: list[dict] = field(default_factory=list)
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    stopped: bool = False
    mode: str | None = None
    averaged: nn.Module | None = None

    column_name = "train bound"

    def column(self, key: str) -> list[float]:
        """The values of one key over the rows that have it."""
        return [row[key] for row in self.rows if key in row]

    def __repr__(self) -> str:
        last = f", {self.column_name} {self.rows[-1]['train']:.1f} nats" if self.rows else ""
        epochs = self.rows[-1]["epoch"] if self.rows else 0
        return f"{type(self).__name__}({epochs} epochs, {self.steps} {self.unit}{last})"

    unit = "steps"


@dataclass(repr=False)
class CopyHistory(History):
    """The ``History`` of one of many; ``failure`` says why it ended early, where its bound was no longer finite."""

    failure: str | None = None
