"""A running worker and the two pipes to it: requests out, replies in, each within a deadline.

A worker is never believed: what it says is bytes, numbers at most, and only as good as the comparison that follows.
"""

import os
import secrets
import select
import time
from pathlib import Path

from vbook.assign import sandbox
from vbook.assign.channel import HEAD, Unreadable, pack, sizes, unpack
from vbook.errors import VbookError

MEMORY = 2 << 30  # bytes beyond what PyTorch takes
PROCESSOR = 240  # seconds of processor time of one worker
START, GRACE = 120.0, 3.0  # seconds of wall clock; grace is for what defeats its own alarm


class Trouble(Exception):
    """A student's code gave no answer; the text says why, not what was asked. ``begun``: not where it is still to be written."""

    def __init__(self, text: str, begun: bool = True):
        super().__init__(text)
        self.begun = begun


class Process:
    """A running worker and its two pipes."""

    def __init__(self, stage: Path, unsafe: bool):
        theirs, self._requests = os.pipe()
        self._answers, other = os.pipe()
        try:
            self._process = sandbox.start(stage, (theirs, other), (MEMORY, PROCESSOR), unsafe)
        except BaseException:
            os.close(self._requests), os.close(self._answers)
            raise
        finally:
            os.close(theirs), os.close(other)
        os.set_blocking(self._requests, False)
        try:
            self.exchange({"do": "hello"}, {}, START)  # nothing of a student has run yet: a failure is ours
        except Trouble:
            self._process.kill()
            said = self._process.stderr.read().decode(errors="replace").strip().splitlines()
            self.close()
            raise VbookError(f"the grader's worker doesn't start: {(said or ['no word from it'])[-1]}") from None

    def close(self) -> None:
        """End the worker and all that it started."""
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()
        os.close(self._requests), os.close(self._answers)

    def exchange(self, message: dict, arrays: dict, seconds: float) -> tuple[dict, dict]:
        """One request and its reply. Raises Trouble when the worker is late, gone or speaks nonsense."""
        number, until = secrets.token_hex(8), time.monotonic() + seconds
        try:
            self._send(pack(message | {"id": number}, arrays), until)
            text, block = sizes(self._receive(HEAD.size, until))
            reply, found = unpack(self._receive(text, until), self._receive(block, until))
        except TimeoutError:
            raise Trouble("no answer in time") from None
        except (EOFError, OSError):
            raise Trouble("the process ended: exit, too much memory or time, or a crash") from None
        except Unreadable:
            raise Trouble("the process wrote into the grader's channel") from None
        if reply.get("id") != number:
            raise Trouble("the process wrote into the grader's channel")
        return reply, found

    def _send(self, data: bytes, until: float) -> None:
        while data:
            _wait([], [self._requests], until)
            data = data[os.write(self._requests, data) :]

    def _receive(self, size: int, until: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            _wait([self._answers], [], until)
            more = os.read(self._answers, min(size - len(parts), 1 << 20))
            if not more:
                raise EOFError
            parts += more
        return bytes(parts)


def _wait(readers: list, writers: list, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0 or not any(select.select(readers, writers, [], left)):
        raise TimeoutError
