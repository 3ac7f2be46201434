"""The verdict on each number that a source reports: how it compares (``WORDS``) and by how much."""

import math
from dataclasses import dataclass

from vbook.errors import VbookError, nearest
from vbook.results import Record, records, targets

SIGMAS = 2.0
WORDS = ("reproduced", "better", "short", "different", "partial", "stale", "not judged", "not run")


@dataclass(frozen=True)
class Verdict:
    """A target beside the record that answers it; ``difference`` is ours minus theirs, ``record`` is None when not run."""

    target: dict
    word: str
    difference: float | None = None
    tolerance: float | None = None
    record: Record | None = None
    metric: str | None = None


def verdicts() -> list[Verdict]:
    """The verdict on every target, in the order of ``targets.yml``."""
    known = records()
    stale = {id for id, record in known.items() if record.status == "complete" and changed(record)}
    return [_verdict_on(target, known, stale) for target in targets().values()]


def _verdict_on(target: dict, known: dict[str, Record], stale: set[str]) -> Verdict:
    record_id, _, metric = (target.get("record") or "").rpartition("/")
    record = known.get(record_id)
    if record is None or metric not in record.metrics:
        if record_id:
            _check_answer(target, record_id.rpartition(".")[0], metric, known, stale)
        return Verdict(target, "not run")
    entry = record.metrics[metric]
    word, difference, tolerance = verdict(
        entry["mean"],
        target["value"],
        target["direction"],
        entry.get("standard_error"),
        target.get("spread"),
        target.get("tolerance"),
    )
    if record.status != "complete":
        word = "partial"
    elif record.id in stale:
        word = "stale"
    return Verdict(target, word, difference, tolerance, record, metric)


def _check_answer(target: dict, name: str, metric: str, known: dict[str, Record], stale: set[str]) -> None:
    """VbookError for a target that no run can answer: of an unknown experiment, or with a metric that its records lack."""
    from vbook.experiments import experiments

    if name not in experiments():
        raise VbookError(f"targets.yml, {target['id']!r}: the book has no experiment {name!r}{nearest(name, experiments())}")
    for record in known.values():  # of any profile: all have the same metrics
        current = record.experiment == name and record.status == "complete" and record.id not in stale
        if current and metric not in record.metrics:
            hint = nearest(metric, record.metrics)
            raise VbookError(f"targets.yml, {target['id']!r}: record {record.id!r} has no metric {metric!r}{hint}")


def verdict(
    ours: float,
    theirs: float,
    direction: str,
    standard_error: float | None = None,
    spread: float | None = None,
    leeway: float | None = None,
) -> tuple[str, float, float]:
    """The word, the difference (ours minus theirs) and the tolerance: two standard errors of ours, two spreads, the ``leeway``.

    The three add up as independent errors do. The spread is that of the source's runs, taken whole: one run of ours scatters as
    one of theirs does, which our standard error over data points doesn't show. ``leeway`` is the target's own tolerance.
    ``direction`` says what is good: ``higher``, ``lower`` or ``equal``. Within the tolerance a number is ``reproduced``; outside
    it is ``better`` or ``short`` where more or less is better, and ``different`` where only equal is right. With ``none`` the
    two stand side by side, ``not judged``: times on two machines, say.

    >>> verdict(-101.3, -101.8, "higher", standard_error=0.1)[0], verdict(-101.3, -80.0, "higher", standard_error=0.1)[0]
    ('better', 'short')
    """
    difference = ours - theirs
    tolerance = math.hypot(SIGMAS * (standard_error or 0.0), SIGMAS * (spread or 0.0), leeway or 0.0)
    if direction == "none":
        return "not judged", difference, tolerance
    if abs(difference) <= tolerance:
        return "reproduced", difference, tolerance
    if direction == "equal":
        return "different", difference, tolerance
    return ("better" if (difference > 0) == (direction == "higher") else "short"), difference, tolerance


def changed(record: Record) -> bool:
    """Whether the experiment behind a record is gone or has other code or settings than when it was measured.

    So it is, as far as anybody can tell, where the record was made with local changes. Records without an experiment, such as
    what a chapter costs, never change.
    """
    if not record.experiment_digest:
        return False
    if record.dirty:
        return True
    from vbook.experiments import experiments  # here, because it loads torch and the ledger's readers don't need it

    experiment = experiments().get(record.experiment)
    return experiment is None or record.experiment_digest != experiment.digest(experiment.profiles[record.profile])
