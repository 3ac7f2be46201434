"""What a chapter costs: wall time and peak memory of a run, kept as the record that the chapter's header quotes."""

import platform
import re

from vbook.results import Record, new_record

TOLERANCE = 0.25  # a cost label changes only when it is off by more than a quarter, or every run would change the chapter


def peak_memory() -> int:
    """The largest memory, in bytes, that any child process of this one held that has ended; 0 where the system doesn't say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def cost_record(stem: str, values: dict, seconds: float, peak_bytes: int, threads: int) -> Record:
    """The record ``chapter-<number>.<profile>`` of one whole run of the chapter ``stem`` with the parameters ``values``."""
    number = re.match(r"\d+", stem)
    device = values.get("device", "cpu")
    return new_record(
        experiment=f"chapter-{number.group() if number else stem}",
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
