"""A record is one run of one experiment: what was measured, on what, and under which conditions (JSON, one file a record)."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
import typing
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.profiles import check_profile
from vbook.results.kinds import expect, expect_keys, expect_least

SCHEMA = 1
PARTS = ("encoder", "decoder")  # of a network that a record keeps; a generator is a decoder alone
DATE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Record:
    """One run of an experiment.

    ``metrics`` maps a name to ``{"mean", "standard_error", "n", "unit"}``; the standard error is that of the mean over ``n``
    values (data points, or what ``"over"`` names: seeds, blocks of estimates). ``series`` maps a name to a list of numbers.
    ``pictures`` names what a network that is too big to be kept has drawn (``vbook.results.pictures``).
    ``inputs`` maps the experiments whose models it measured to their digests; ``steps`` and the time leave these out. The time
    is that of all sittings of a run that was resumed (of its inputs only what a sitting that was cut off spent on them).
    ``carried`` lists the changes of code that the record has outlived because a run of the same experiment at another profile,
    measured before and after, kept every digit: evidence, and no proof (``vbook.experiments.carrying``).
    ``status`` is ``complete``, or ``partial`` with ``reason`` when the run was interrupted or shortened.
    """

    experiment: str
    profile: str
    seeds: list
    metrics: dict
    data: dict
    settings: dict
    series: dict = field(default_factory=dict)
    artefacts: dict = field(default_factory=dict)
    pictures: dict = field(default_factory=dict)
    status: str = "complete"
    reason: str | None = None
    inputs: dict = field(default_factory=dict)
    steps: int = 0
    examples: int = 0
    wall_time_s: float = 0.0
    device: str = "cpu"
    versions: dict = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    package_digest: str = ""
    experiment_digest: str = ""
    code_digest: str = ""
    carried: list = field(default_factory=list)
    date: str = ""
    schema: int = SCHEMA

    @property
    def id(self) -> str:
        """``<experiment>.<profile>``, the name that prose and pages use."""
        return f"{self.experiment}.{self.profile}"


def new_record(**measured) -> Record:
    """A Record of ``measured`` with the date and, unless they are among it, the ``conditions`` of this process."""
    known = {} if "commit" in measured else conditions()
    return Record(**(known | {"date": datetime.datetime.now(datetime.UTC).strftime(DATE)} | measured))


def conditions() -> dict:
    """Versions, commit and the package's digest; taken before a long run, for the files may change while it lasts."""
    commit, dirty = _commit()
    return dict(versions=_versions(), commit=commit, dirty=dirty, package_digest=package_digest())


def record_path(record_id: str):
    """Where the committed record ``<experiment>.<profile>`` lies."""
    return paths.book("results", f"{record_id}.json")


def save_record(record: Record, folder: Path | None = None, files: contextlib.ExitStack | None = None) -> Path:
    """Write ``record`` as JSON, whole or not at all, or when all ``files`` are; returns the file. VbookError if it can't be."""
    path = Path(folder or record_path(record.id).parent) / f"{record.id}.json"
    text = json.dumps({"id": record.id} | dataclasses.asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_with(files, path, f"{text}\n".encode())
    return path


def write_with(files: contextlib.ExitStack | None, path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, at once or, all of it being on the disk already, when ``files`` are put in their places."""
    with contextlib.ExitStack() as alone:
        file = (files or alone).enter_context(written(path))
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise VbookError(f"{path} could not be written: {error.strerror or error}") from error


@contextlib.contextmanager
def written(path: Path, mode: str = "wb"):
    """``paths.atomic_write`` with one VbookError where the disk or the folder doesn't take it."""
    try:
        with paths.atomic_write(path, mode) as file:
            yield file
    except OSError as error:
        chosen = os.environ.get("VBOOK_RECORDS")
        hint = "; $VBOOK_RECORDS names that folder" if chosen and path.is_relative_to(chosen) else ""
        raise VbookError(f"{path} could not be written: {error.strerror or error}{hint}") from error


def read_record(source) -> Record:
    """The Record in a JSON file; VbookError when there is none, it is of another schema or a value isn't of its type."""
    source = Path(source) if isinstance(source, str) else source  # else a path, or a file inside the installed wheel
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise VbookError(f"{source}: no record can be read there ({error.strerror or error})") from None
    except ValueError as error:
        raise VbookError(f"{source}: not a record of this book ({error}); delete it, or take it back from git") from None
    try:
        fields = json.loads(text)
        expect("the file", fields, dict)
        name = fields.pop("id")
        record = Record(**fields)
        if record.schema == SCHEMA:
            _check(record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VbookError(f"{source}: not a record of this book ({error}); delete it, or take it back from git") from None
    if (source.name, name, record.schema) != (f"{record.id}.json", record.id, SCHEMA):
        holds = f"holds the record {record.id!r}, named {name!r}, of schema {record.schema!r}"
        raise VbookError(f"{source}: {holds}; it belongs in a file {record.id}.json, with that name, of schema {SCHEMA}")
    return record


def check_record(record: Record) -> None:
    """VbookError for what ``read_record`` would refuse: before it takes the place of a good one."""
    try:
        _check(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VbookError(f"{record.id} would be no record of this book ({error})") from None


def _check(record: Record) -> None:
    for name, kind in typing.get_type_hints(Record).items():
        expect(name, getattr(record, name), kind)
    check_profile(record.profile)
    if not record.seeds:
        raise ValueError("seeds: there is none")
    for seed in record.seeds:
        expect("seeds", seed, int)
    if record.status not in ("complete", "partial"):
        raise ValueError(f"status: {record.status!r} is neither complete nor partial")
    for name in ("steps", "examples", "wall_time_s"):
        expect_least(name, getattr(record, name), 0)
    if record.status == "partial" and not (record.reason or "").strip():
        raise ValueError("reason: a partial record says why")
    datetime.datetime.strptime(record.date, DATE)
    expect_keys("data", record.data, title=str)
    for name, entry in record.metrics.items():
        expect_keys(f"metrics, {name}", entry, mean=float, unit=str)
        for key, kind in {"standard_error": float | None, "n": int, "over": str}.items():
            if key in entry:
                expect(f"metrics, {name}, {key}", entry[key], kind)
        for key, least in {"standard_error": 0, "n": 1}.items():
            expect_least(f"metrics, {name}, {key}", entry.get(key), least)
    for name, curve in record.series.items():
        expect(f"series, {name}", curve, list)
        measured = [value for value in curve if value is not None]  # a curve may have gaps, where nothing was measured
        if not all(type(value) is float and abs(value) <= sys.float_info.max for value in measured):  # quick: the rest is rare
            for value in measured:
                expect(f"series, {name}", value, float)
    for step in record.carried:
        expect_keys("carried", step, witness=str, commit=str)
    if record.artefacts and record.artefacts.keys() not in (set(PARTS), {"decoder"}):
        raise ValueError(f"artefacts: {', '.join(record.artefacts)} where {' and '.join(PARTS)}, or the decoder alone, belong")
    if record.pictures:
        expect_keys("pictures", record.pictures, file=str, sha256=str, shape=list, shows=list)
        if record.pictures["file"] != f"{record.id}.png":
            raise ValueError(f"pictures, file: {record.pictures['file']!r} where {record.id}.png belongs")
        for shown in record.pictures["shows"]:
            expect_keys("pictures, shows", shown, name=str, key=int | str | None, count=int)
    for name, entry in record.artefacts.items():
        expect_keys(f"artefacts, {name}", entry, file=str, sha256=str, architecture=dict)
        if Path(entry["file"]).name != entry["file"]:
            raise ValueError(f"artefacts, {name}, file: {entry['file']!r} where the name of a file belongs")
        if entry["architecture"] != record.artefacts["decoder"]["architecture"]:
            raise ValueError(f"artefacts, {name}: another architecture than that of the decoder")


def records() -> dict[str, Record]:
    """All committed records by id."""
    folder = paths.book("results")
    if not folder.is_dir():
        return {}
    found = (read_record(f) for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".json"))
    return {r.id: r for r in found}


def package_digest() -> str:
    """sha256 over the package's source files, so that a record says which code measured it."""
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for file in sorted(top.rglob("*.py")):
        digest.update(file.relative_to(top).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def _commit() -> tuple[str | None, bool | None]:
    top = paths.root()
    if top is None:
        return None, None

    def git(*args):
        return subprocess.run(["git", "-C", str(top), *args], capture_output=True, text=True, timeout=20)

    try:
        head = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=all", "--", "vbook", "pyproject.toml")
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    if head.returncode:
        return None, None
    return head.stdout.strip(), None if changed.returncode else bool(changed.stdout.strip())


def _versions() -> dict:
    found = {"python": platform.python_version()}
    for name in ("vbook", "torch", "torchvision", "numpy", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
