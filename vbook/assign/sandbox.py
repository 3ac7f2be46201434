"""Where a student's code runs: a process that sees a read-only system, its own empty folder, no network and no answers.

Bubblewrap (``bwrap``) gives it fresh namespaces; as root it also becomes a user that nobody is. What of the book it may import is
a copy of named modules; every other copy of the book, this checkout included, is out of its sight.
"""

import os
import random
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from vbook.assign import syscalls
from vbook.errors import VbookError

#: Modules that every answer may import, as paths below vbook/; an assignment may name more.
COMMON = (
    "__init__.py",
    "errors.py",
    "loaded.py",
    "paths.py",
    "checks.py",
    "data",
    *(f"assign/{name}.py" for name in ("__init__", "cells", "channel", "compare", "worker")),
)
STAGE = "/book"
_PREFIX, _DAY = "vbook-assign-", 24 * 60 * 60  # of temporary folders: the name, and seconds until one is out of use
_PACKAGE = Path(__file__).resolve().parent.parent
_BOOT = """
import os, sys
if uid := int(sys.argv[1]):
    os.setgroups([]), os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid)
sys.path.insert(0, sys.argv[2])
from vbook.assign.worker import main
main(*map(int, sys.argv[3:]))
"""
_SCRATCH = 1 << 28  # bytes in /tmp
_QUIET = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"), "1")
_ENVIRONMENT = _QUIET | {"HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": ""}
HELP = (
    "Debian and Ubuntu: apt-get install bubblewrap (0.8 or newer). In a container it also needs the right to make namespaces. "
    "`--unsafe` runs answers without a sandbox, with your rights and your files: only for people whom you would lend your laptop"
)


@contextmanager
def staged(allowed=()):
    """A folder with a copy of the modules that answers may import, ``vbook/...``; gone at the end.

    Those that a killed grading left behind go first, once they are a day old: a younger one may be in use.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's
            if time.time() - left.lstat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        for name in (*COMMON, *allowed):
            source, target = _PACKAGE / name, Path(folder, "vbook", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        for path in (Path(folder), *Path(folder).rglob("*")):  # readable by the nobody of the sandbox
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield Path(folder)


def start(stage: Path, handles: tuple[int, int], limits: tuple[int, int], unsafe: bool = False) -> subprocess.Popen:
    """A worker that reads requests from the first of ``handles`` and answers into the second.

    ``limits``: bytes of memory beyond what PyTorch takes, seconds of processor time. Raises VbookError where there is no sandbox.
    """
    if not unsafe and (trouble := missing()):
        raise VbookError(f"no sandbox for the answers here: {trouble}. {HELP}")
    # A user id of its own for each worker; 0 stays who it is.
    uid = 0 if unsafe or os.geteuid() else random.SystemRandom().randrange(1 << 30, 1 << 31)
    code = [sys.executable, "-I", "-c", _BOOT, str(uid), str(stage) if unsafe else STAGE, *map(str, handles + limits)]
    return _launch([] if unsafe else _walls(stage), code, handles, stdin=subprocess.DEVNULL, env=_environment(unsafe))


@cache
def missing() -> str | None:
    """Why there can be no sandbox, in words; None where one was tried and holds."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (the program bwrap) is not installed"
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as stage:
        try:
            tried = _launch(_walls(Path(stage)), [sys.executable, "-I", "-c", "import torch"], (), env=_environment(False))
            _, said = tried.communicate(timeout=120)
        except (OSError, VbookError, subprocess.TimeoutExpired) as error:
            return str(error)
    return (
        None if tried.returncode == 0 else "bubblewrap: " + (said.decode(errors="replace").strip().splitlines() or ["failed"])[-1]
    )


def _launch(walls: list[str], code: list[str], handles: tuple[int, ...], **options) -> subprocess.Popen:
    """``code`` behind ``walls`` (none: bare), with the filter of system calls that belongs to them."""
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    if not walls:
        return subprocess.Popen(code, pass_fds=handles, **quiet)
    with tempfile.TemporaryFile() as rules:
        rules.write(syscalls.program())
        rules.seek(0)
        return subprocess.Popen([*walls, "--seccomp", str(rules.fileno()), *code], pass_fds=(*handles, rules.fileno()), **quiet)


def _environment(unsafe: bool) -> dict[str, str]:
    """The environment variables of a worker, nothing of ours among them; unsafe ones keep the path and the home folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if unsafe and name in os.environ}
    return _ENVIRONMENT | {"PATH": "/usr/bin:/bin"} | kept


def _walls(stage: Path) -> list[str]:
    """The bwrap command up to the program that it runs."""
    rights = ["--unshare-user", "--disable-userns"]
    if os.geteuid() == 0:  # stays root until the worker has become nobody, for which it needs these two rights
        rights = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    spaces = (f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup-try"))
    walls = [shutil.which("bwrap"), *spaces, *rights, "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    for name in ("bin", "lib", "lib64", "sbin"):
        old = Path("/", name)
        walls += ["--symlink", os.readlink(old), str(old)] if old.is_symlink() else []
    views = _views()
    for path, view in sorted(views.items(), key=lambda item: len(item[0].parts)):  # what lies deeper comes later
        for folder in reversed(path.parents[:-1]):  # bwrap's own would be closed to the nobody
            there = any(folder.is_relative_to(place) for place, how in views.items() if how == ("--ro-bind",))
            walls += [] if there else ["--perms", "0755", "--dir", str(folder)]
        walls += [*view, str(path)] if "--tmpfs" in view else [*view, str(path), str(path)]
    return [*walls, "--ro-bind", str(stage), STAGE, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]


def _views() -> dict[Path, tuple[str, ...]]:
    """What stands where: the system and this Python to read, a scratch folder, and nothing where a copy of the book lies."""
    system = [Path("/", name) for name in ("usr", "bin", "lib", "lib64", "sbin")]
    settings = [Path("/etc", name) for name in ("ld.so.cache", "localtime", "alternatives", "fonts")]
    python = {Path(sys.prefix), Path(sys.base_prefix), *map(Path, site.getsitepackages()), Path(sysconfig.get_path("stdlib"))}
    shown = [path for path in (*system, *settings, *python) if path.exists() and not (path in system and path.is_symlink())]
    books = {_PACKAGE.parent if (_PACKAGE.parent / "_toc.yml").is_file() else _PACKAGE}
    books |= {found for path in map(Path, sys.path) for found in path.glob("vbook*") if found.is_dir()}
    hidden = [path for path in books if any(path.is_relative_to(place) for place in shown)]
    return (
        dict.fromkeys(shown, ("--ro-bind",))
        | {Path("/tmp"): ("--perms", "1777", "--size", str(_SCRATCH), "--tmpfs")}
        | dict.fromkeys(hidden, ("--perms", "0555", "--size", "4096", "--tmpfs"))
    )
