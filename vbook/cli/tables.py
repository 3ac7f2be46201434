"""Records beside the sources' numbers, as rows and as text."""

from vbook.results import records, targets
from vbook.results.references import MINUS


def comparison() -> list[dict]:
    """One row per metric of each committed record and target that it answers, then one per target without a measurement.

    Keys: ``record`` (``<id>/<metric>`` or None), ``status``, ``value``, ``standard_error``, ``unit``, ``target`` (its id or
    None), ``source_value`` and ``difference`` (ours minus theirs, in ``unit``).
    """
    from vbook.ledger.verdicts import changed

    rows = []
    for record in records().values():
        status = "stale" if record.status == "complete" and changed(record) else record.status
        for metric, entry in record.metrics.items():
            name = f"{record.id}/{metric}"
            answered = [target for target in targets().values() if target.get("record") == name]
            rows += [_row(name, status, entry, target) for target in answered or [None]]
    measured = {row["target"] for row in rows}
    return rows + [_row(None, "not run", {}, target) for target in targets().values() if target["id"] not in measured]


def as_text(rows: list[dict]) -> str:
    """``rows`` as a table of aligned columns.

    >>> row = dict(record="a/b", status="complete", value=-1.5, standard_error=None, unit="nats")
    >>> print(as_text([row | dict(target="t", source_value=-2.0, difference=0.5)]))
    record  value  ±  unit  source  difference  target  status
    a/b     −1.50     nats  −2.00   0.50        t       complete
    """
    table = [("record", "value", "±", "unit", "source", "difference", "target", "status")]
    for row in rows:
        numbers = {key: _number(row[key]) for key in ("value", "standard_error", "source_value", "difference")}
        table.append(
            (
                row["record"] or "",
                numbers["value"],
                numbers["standard_error"],
                row["unit"],
                numbers["source_value"],
                numbers["difference"],
                row["target"] or "",
                row["status"],
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table)


def _row(name: str | None, status: str, entry: dict, target: dict | None) -> dict:
    value, theirs = entry.get("mean"), target["value"] if target else None
    return {
        "record": name,
        "status": status,
        "value": value,
        "standard_error": entry.get("standard_error"),
        "unit": entry.get("unit") or target["unit"],
        "target": target["id"] if target else None,
        "source_value": theirs,
        "difference": None if value is None or theirs is None else value - theirs,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", MINUS)


def bench_as_text(found: dict) -> str:
    """What ``bench_train`` found, as lines to read."""
    milliseconds = found["milliseconds_per_step"]
    wide = max(map(len, milliseconds))
    lines = [f"{found['device']}, {found['threads']} threads, {found['processor']}, torch {found['torch']}"]
    lines += [f"{name:<{wide}}  {value:8.2f} ms a step" for name, value in milliseconds.items()]
    lines += [f"share of the limit      {found['limit_ratio']:.2f} ({found['mode']})"]
    if why := found["missing"].get("compiled"):
        lines += [f"compiled steps          not measured: {why}"]
    for name in ("dataloader", "pythae", "pyro"):
        value = found[f"vs_{name}"]
        lines += [f"times {name:<17} {f'{value:.2f}' if value else 'not measured: pip install vbook[bench]'}"]
    for kind in ("bernoulli", "gaussian"):
        lines += [f"second network, {kind:<9} {found[f'second_share_{kind}']:.2f} of the first one's share"]
    lines += [
        f"time grows with examples to the power {found['exponent_examples']:.2f}, with samples {found['exponent_samples']:.2f}"
    ]
    return "\n".join([*lines, f"{found['samples_per_second']:,.0f} samples a second"])
