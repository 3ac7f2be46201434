"""Downloads: each source in turn, the right bytes or none, under their final name only when they are whole."""

import hashlib
import http.client
import itertools
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from vbook.data.cards import Card, File
from vbook.paths import atomic_write

TIMEOUT_S = 20


class NotServed(Exception):
    """A source that can't be reached, or that serves something else."""


def sources(card: Card, file: File) -> Iterator[str]:
    """The addresses of ``file``; torchvision's own are asked for last, since importing it takes seconds."""
    yield from file.sources
    yield from (base + file.name for base in card.mirrors)
    if card.torchvision:
        from torchvision import datasets

        yield from (base + file.name for base in getattr(datasets, card.torchvision).mirrors)


def has_source(card: Card, file: File) -> bool:
    """Whether any address of ``file`` is known."""
    return bool(file.sources or card.mirrors or card.torchvision)


def fetch(card: Card, file: File, folder: Path, progress: bool | None = None) -> list[str]:
    """Download ``file`` to its place below ``folder``: an empty list, or what went wrong, a line for each source tried.

    ``progress`` shows a bar (None: on a terminal or in a notebook). A full disk or a folder that can't be written to ends it
    at once; nothing half written stays.
    """
    failures = []
    for url in sources(card, file):
        try:
            _download(url, file, folder / file.path, progress)
            return []
        except NotServed as reason:
            failures.append(f"{url}: {reason}")
        except OSError as error:
            return [*failures, f"{url}: cannot be written to {folder / file.path}: {error.strerror or error}"]
    return failures


def _download(url: str, file: File, path: Path, progress: bool | None) -> None:
    """Write what ``url`` serves to ``path``; NotServed unless it is the right file, OSError when it can't be written."""
    from tqdm import tqdm

    if progress is None:
        progress = sys.stderr.isatty() or "ipykernel" in sys.modules
    digest, count, blocks = hashlib.sha256(), 0, _blocks(url)
    first = next(blocks, b"")  # before anything is made on the disk
    bar = tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True, disable=not progress, leave=False)
    with bar, atomic_write(path) as out:
        for block in itertools.chain([first], blocks):
            count += len(block)
            if count > file.size:
                raise NotServed(f"sends more than the {file.size:,} bytes of the right file")
            out.write(block)
            digest.update(block)
            bar.update(len(block))
        if count < file.size:
            raise NotServed(f"broke off after {count:,} of {file.size:,} bytes")
        if digest.hexdigest() != file.sha256:
            raise NotServed(f"sends another file, sha256 {digest.hexdigest()}")


def _blocks(url: str) -> Iterator[bytes]:
    """The body that ``url`` serves, a block at a time; whatever goes wrong on the way is NotServed."""
    try:
        # Some hosts refuse the standard library's own name.
        with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "vbook"}), timeout=TIMEOUT_S) as reply:
            while block := reply.read(1 << 16):
                yield block
    except urllib.error.HTTPError as error:
        raise NotServed(f"{error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        raise NotServed(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__) from error
