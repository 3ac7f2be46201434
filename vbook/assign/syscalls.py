"""A filter of system calls for the sandbox: no new process, no namespaces, no mounts. Threads stay possible.

One process means that its own limits bound the whole, and that there is nothing to fork a bomb of.
"""

import platform
import struct

from vbook.errors import VbookError

# Fields of what a filter sees: number, architecture, lower half of the first argument (all on little-endian machines).
_NUMBER, _ARCH, _FIRST = 0, 4, 16
_LOAD, _EQUAL, _ABOVE, _ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # go on, EPERM, ENOSYS
_THREAD = 0x00010000  # CLONE_THREAD
_CLONE3 = 435
# io_uring_setup, open_tree, move_mount, fsopen, fsmount
_NEW = (425, 428, 429, 430, 432)
# Audit number and clone; then fork and vfork where they exist, unshare, setns, mount, ptrace, bpf, userfaultfd,
# perf_event_open, add_key, request_key, keyctl.
_MACHINES = {
    "x86_64": (0xC000003E, 56, (57, 58, 272, 308, 165, 101, 321, 323, 298, 248, 249, 250)),
    "aarch64": (0xC00000B7, 220, (97, 268, 40, 117, 280, 282, 241, 217, 218, 219)),
}


def program(machine: str | None = None) -> bytes:
    """The filter for ``machine`` (by default this one), as the kernel reads it; VbookError for an unknown processor."""
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise VbookError(f"no filter of system calls is written for a {machine} processor")
    audit, clone, refused = _MACHINES[machine]
    refused += _NEW
    rest = len(refused) + 4  # instructions behind the loop up to "refuse"
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, _NUMBER)]
    lines += [(_ABOVE, rest + 1, 0, 0x40000000)]  # x86's second set of numbers
    lines += [(_EQUAL, rest - k, 0, number) for k, number in enumerate(refused)]
    lines += [(_EQUAL, 5, 0, _CLONE3), (_EQUAL, 0, 2, clone), (_LOAD, 0, 0, _FIRST), (_ANY, 0, 1, _THREAD)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _UNKNOWN)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
