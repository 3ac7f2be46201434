"""Long records outlive a change of code where a short run of the same experiment suggests that no number depends on it."""

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path

from vbook.errors import VbookError
from vbook.experiments.registry import experiments
from vbook.results import Record, read_record, save_record

SAME = ("seeds", "settings", "metrics", "series")  # what two runs must agree in, to the last digit


@contextlib.contextmanager
def carrying(folder: Path):
    """Around the writing of records into ``folder``: those that the new ones vouch for are carried over to their code.

    When the record of an experiment at one profile is measured again after a change of code, with every digit as it was, the
    records at its other profiles that the same code as the old one had made, on the same data, kind of device and PyTorch, get
    the new digests, and an entry in ``carried`` that names this witness and a digest of what it measured. That is evidence and no
    proof: the other profile could use a line that this one does not. No witness are runs at smoke, on the stand-in; and an
    experiment that measures the models of others is left alone.
    """
    before = _records(folder)
    yield
    after = _records(folder)
    for id, new in after.items():
        for other in carried(before[id], new, after.values()) if id in before else ():
            save_record(other, folder)


def carried(old: Record, new: Record, others) -> list[Record]:
    """Those of ``others`` that ``new``, the repeated ``old``, vouches for, with the digests of today's code."""
    chosen = experiments().get(new.experiment)
    same = _digits(old) == _digits(new) and bool(new.metrics) and new.profile != "smoke" and _place(old) == _place(new)
    moved = old.code_digest and old.code_digest != new.code_digest
    complete = old.status == new.status == "complete" and old.dirty is new.dirty is False
    if not (same and moved and complete and chosen and chosen.code_digest() == new.code_digest):
        return []
    found = []
    for other in others:
        row = chosen.profiles.get(other.profile)
        alike = other.experiment == new.experiment and other.code_digest == old.code_digest and not other.inputs
        alike = alike and _place(other) == _place(new)
        if alike and other.status == "complete" and other.dirty is False and _plain(other.settings) == _plain(row):
            step = {"from": other.code_digest, "witness": new.id, "commit": new.commit, "date": new.date}
            step["digits"] = hashlib.sha256(_digits(new).encode()).hexdigest()[:16]
            today = dict(experiment_digest=chosen.digest(row), code_digest=new.code_digest)
            found.append(dataclasses.replace(other, carried=[*other.carried, step], **today))
    return found


def _digits(record: Record) -> str:
    return _plain([getattr(record, name) for name in SAME])


def _place(record: Record) -> tuple:
    """What a witness must share: data, kind of device, PyTorch."""
    return record.data.get("digest") or record.id, record.device.partition(",")[0], record.versions.get("torch")


def _plain(value) -> str:
    return json.dumps(value, sort_keys=True)


def _records(folder: Path) -> dict[str, Record]:
    found = {}
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        with contextlib.suppress(VbookError):  # a broken one is named where records are used
            record = read_record(file)
            found[record.id] = record
    return found
