"""Records beside the sources' numbers, as rows and as text."""

from collections import Counter

from vbook.errors import VbookError, nearest
from vbook.results import records
from vbook.results.references import MINUS
from vbook.results.target import CHAPTERS, SOURCES, chapter_of, source_of


def comparison(source: str | None = None, chapter: int | None = None, verdict: str | None = None) -> list[dict]:
    """A row for each target with its verdict, then one for each metric of a record that answers no target.

    Keys: ``id`` (of the target, or ``<record>/<metric>``), ``target`` (the reported value, None without one), ``measured``,
    ``verdict`` (for our own numbers ``own``, or what keeps them from counting), ``profile``, ``standard_error``, ``unit``,
    ``difference`` (ours minus theirs), ``direction``, ``record``, ``source`` and ``chapter``. The arguments leave out other rows;
    VbookError for what no row could have.
    """
    from vbook.ledger.verdicts import WORDS, changed, verdicts

    for value, known, what in ((source, (*SOURCES, "own"), "source"), (verdict, (*WORDS, "own"), "verdict")):
        if value is not None and value not in known:
            raise VbookError(f"unknown {what} {value!r}{nearest(value, known)}")
    if chapter is not None and not 1 <= chapter <= CHAPTERS:
        raise VbookError(f"the book has the chapters 1 to {CHAPTERS}, not {chapter}")
    judged, rows = verdicts(), []
    for one in judged:
        entry = one.record.metrics[one.metric] if one.record else {}
        about = {"id": one.target["id"], "target": one.target["value"], "verdict": one.word, "direction": one.target["direction"]}
        about |= {"source": source_of(one.target), "chapter": chapter_of(one.target), "difference": one.difference}
        rows.append(_row(about, one.record, one.metric, entry, one.target["unit"]))
    answered = {(one.record.id, one.metric) for one in judged if one.record}
    for record in records().values():
        word = record.status if record.status != "complete" else "stale" if changed(record) else "own"
        for metric, entry in record.metrics.items():
            if (record.id, metric) not in answered:
                about = {"id": f"{record.id}/{metric}", "target": None, "verdict": word, "direction": None}
                about |= {"source": "own", "chapter": chapter_of({"record": record.id}), "difference": None}
                rows.append(_row(about, record, metric, entry, entry["unit"]))
    wanted = {"source": source, "chapter": chapter, "verdict": verdict}
    return [row for row in rows if all(value is None or row[key] == value for key, value in wanted.items())]


def as_text(rows: list[dict], everything: bool = False) -> str:
    """``rows`` in aligned columns, the reported numbers that were measured first; the rest counted, or listed as well.

    >>> row = dict(id="t", target=-2.0, measured=-1.5, verdict="better", standard_error=None, unit="nats", difference=0.5)
    >>> print(as_text([row | dict(record="a.laptop/b", source="thesis")]))
    1 of 1 reported numbers measured: 1 better.
    verdict  reported  ours   ±  unit  difference  reported as  record
    better   −2.00     −1.50     nats  0.50        t            a.laptop/b
    """
    reported = [row for row in rows if row["target"] is not None]
    measured = [row for row in reported if row["measured"] is not None]
    own, lines = [row for row in rows if row["target"] is None], []
    if reported:
        said = ", ".join(f"{n} {word}" for word, n in Counter(row["verdict"] for row in measured).items())
        lines = [f"{len(measured)} of {len(reported)} reported numbers measured{f': {said}' if said else ''}."]
        lines += _table(reported if everything else measured, REPORTED)
        left = Counter(row["source"] for row in reported if row["measured"] is None)
        if left and not everything:
            counts = ", ".join(f"{source} {n}" for source, n in left.items())
            lines += ["", f"Not run: {sum(left.values())} ({counts}); --verdict 'not run' lists them."]
    if own:
        lines += [""] * bool(lines) + [f"{len(own)} measurements of our own, which no source reports."]
        lines += _table(own, OWN)
    return "\n".join(lines)


def missing_runs() -> list[str]:
    """The experiments without a record at ``laptop`` or ``paper``, a line for each profile that lacks some."""
    from vbook.experiments import experiments

    lines = []
    for profile in ("laptop", "paper"):
        if lacking := [name for name in experiments() if f"{name}.{profile}" not in records()]:
            lines.append(f"No record at {profile}: {', '.join(lacking)}.")
    return lines


REPORTED = {
    "verdict": "verdict",
    "target": "reported",
    "measured": "ours",
    "standard_error": "±",
    "unit": "unit",
    "difference": "difference",
    "id": "reported as",
    "record": "record",
}
OWN = {"verdict": "", "measured": "ours", "standard_error": "±", "unit": "unit", "record": "record"}


def _table(rows: list[dict], columns: dict[str, str]) -> list[str]:
    if not rows:
        return []
    cells = [tuple(columns.values())] + [tuple(_text(row[key]) for key in columns) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _row(about: dict, record, metric: str | None, entry: dict, unit: str) -> dict:
    return about | {
        "measured": entry.get("mean"),
        "standard_error": entry.get("standard_error"),
        "unit": unit,
        "profile": record.profile if record else None,
        "record": f"{record.id}/{metric}" if record else None,
    }


def _text(value) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.2f}".replace("-", MINUS)


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


def widgets_as_text(found: dict) -> str:
    """What ``bench_widgets`` found, as lines to read."""
    words = {
        "decode_ms": "one decoding, 2 to 500 to 784 (median)",
        "paint_ms": "pointer's move to its frame (median)",
        "manifold_ms": "20×20 decoded pictures (median)",
        "block_ms": "longest block meanwhile",
    }
    lines = [f"{found['processor']}, {found['cores']} cores, Chromium {found['browser']}"]
    for name, text in words.items():
        verdict = "within" if found["within"][name] else "beyond"
        lines += [f"{text:<40} {found[name]:8.2f} ms, {verdict} {found['limits'][name]:g}"]
    return "\n".join(lines)


def site_as_text(found: dict) -> str:
    """What ``bench_site`` found, as lines to read."""
    wide = max(map(len, found["pages"]))
    lines = [f"{found['processor']}, {found['cores']} cores, Chromium {found['browser']}, {found['slower']} times slowed"]
    lines += [f"{'':<{wide}}  text s  plane s  task s  shift     kB"]
    for name, one in found["pages"].items():
        plane = "–" if one["widget_s"] is None else f"{one['widget_s']:.2f}"
        row = f"{one['text_s']:6.2f}  {plane:>7}  {one['task_s']:6.2f}  {one['shift']:5.3f}  {one['bytes'] / 1e3:5.0f}"
        lines += [f"{name:<{wide}}  {row}"]
    limits = [f"{key} {found['worst'][key]:.3g} of {limit:g}" for key, limit in found["limits"].items() if found["worst"][key]]
    return "\n".join([*lines, f"the worst, and its limit: {', '.join(limits)}"])
