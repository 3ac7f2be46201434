"""What ``vbook build`` notes in the site: what it was made from, its files, and the profile and commit that a cover names."""

import datetime
import json
import subprocess
from pathlib import Path

from vbook import paths

STATE = ".vbook-site.json"
SINGLE = ".edition.html"  # the page that is printed, in the site while it is
SOURCES = ("_config.yml", "_toc.yml", "book", "chapters", "vbook", "pyproject.toml", "package-lock.json")


def site_files(out: Path) -> list[Path]:
    """All in the site but its folders, its own state, and what a printing that was killed has left."""
    ours = (out / STATE, out / SINGLE)
    return sorted(file for file in out.rglob("*") if (file.is_symlink() or not file.is_dir()) and file not in ours)


def inventory(out: Path) -> dict[str, list[int]]:
    """The site's files with their sizes and times, to notice that somebody else wrote there."""
    rows = ((file, file.lstat()) for file in site_files(out))
    return {file.relative_to(out).as_posix(): [stat.st_size, stat.st_mtime_ns] for file, stat in rows}


def read_state(out: Path) -> dict | None:
    """What was noted in the site ``out``: ``inputs``, ``files`` and ``origin``; None where there is no such note."""
    try:
        state = json.loads((out / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) and isinstance(state.get("files"), dict) else None


def write_state(out: Path, inputs: str, origin: dict) -> None:
    """Note in the site ``out`` that it was made from ``inputs``, a digest, with the files it has now, and its ``origin``."""
    paths.write_text(out / STATE, json.dumps({"inputs": inputs, "files": inventory(out), "origin": origin}))


def origin(top: Path, profile: str, committed: list[str]) -> dict:
    """Where a site built from the checkout ``top`` comes from.

    That is its ``profile``, the stems of the chapters whose committed outputs stand in (``committed``), the ``commit`` with
    its ``day`` (as UTC has it), and whether the sources have ``changed`` since; these three are None where ``top`` is no git
    checkout.
    """
    known = {"profile": profile, "committed": committed, "commit": None, "day": None, "changed": None}
    place, head, changed = (
        _git(top, *command)
        for command in (
            ("rev-parse", "--show-toplevel"),
            ("rev-list", "-1", "--timestamp", "HEAD"),
            ("status", "--porcelain", "--", *SOURCES),
        )
    )
    if not head or changed is None or Path(place).resolve() != top.resolve():  # a commit around a copy says nothing of the copy
        return known
    seconds, commit = head.split()
    day = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).date().isoformat()
    return known | {"commit": commit, "day": day, "changed": bool(changed)}


def _git(top: Path, *command: str) -> str | None:
    """What git says, without the line's end; None where there is no git or no repository."""
    try:
        said = subprocess.run(["git", "-C", str(top), *command], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if said.returncode else said.stdout.strip()
