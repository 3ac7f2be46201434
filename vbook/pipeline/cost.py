"""What a chapter costs: wall time and peak memory of a run, kept as the record that the chapter's header quotes."""

import re
from pathlib import Path

from vbook.results import Record, new_record, read_record, save_record

TOLERANCE = 0.1  # a cost label changes only when it is off by more than a tenth, or every run would change the chapter


def record_id(stem: str, profile: str) -> str:
    """The id under which the cost of chapter ``stem`` is kept.

    >>> record_id("02-variational-autoencoders", "smoke")
    'chapter-02.smoke'
    """
    number = re.match(r"\d+", stem)
    return f"chapter-{number.group() if number else stem}.{profile}"


def cost_record(stem: str, values: dict, seconds: float, peak_bytes: int, threads: int) -> Record:
    """The record of one whole run of the chapter ``stem`` with the parameters ``values``."""
    device = values.get("device", "cpu")
    return new_record(
        experiment=record_id(stem, values["profile"]).rpartition(".")[0],
        profile=values["profile"],
        seeds=[values.get("seed", 0)],
        metrics={
            "wall_time": {"mean": round(seconds, 1), "unit": "s"},
            "peak_memory": {"mean": round(peak_bytes / 1e9, 2), "unit": "GB"},
        },
        data={"name": "chapter", "title": f"the whole of {stem}", "protocol": "one run, kernel start included", "digest": ""},
        settings={},
        wall_time_s=round(seconds, 1),
        device=f"CPU, {threads} thread{'s' * (threads > 1)}" if device == "cpu" else device,
    )


def is_news(new: Record, old: Record | None) -> bool:
    """Whether ``new`` differs from the committed cost ``old`` by more than the tolerance in any metric."""
    if old is None or old.metrics.keys() != new.metrics.keys() or old.device != new.device:
        return True
    pairs = [(entry["mean"], old.metrics[name]["mean"]) for name, entry in new.metrics.items()]
    return any(abs(a - b) > TOLERANCE * b for a, b in pairs)


def commit_cost(record_id: str, kept: Path, results: Path) -> bool:
    """Take the cost ``record_id`` from ``kept`` into ``results`` if it is news there; returns whether it was."""
    if not (kept / f"{record_id}.json").is_file():
        return False
    new, committed = read_record(kept / f"{record_id}.json"), results / f"{record_id}.json"
    news = is_news(new, read_record(committed) if committed.is_file() else None)
    if news:
        save_record(new, results)
    return news
