"""Where tensors live: the devices that the book knows, and whether this machine has them."""

from vbook.errors import VbookError, nearest

DEVICES = ("cpu", "cuda", "mps")


def check_device(name: str) -> str:
    """``name`` if it is cpu, cuda, cuda:1 or mps and this machine has it, else a VbookError."""
    name = str(name)
    kind, colon, number = name.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and number.isdecimal())):
        raise VbookError(f"unknown device {name!r}{nearest(name, DEVICES)}")
    if name != "cpu":
        import torch

        there = torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()
        if not there or (number and int(number) >= torch.cuda.device_count()):
            raise VbookError(f"device {name!r} asked for, but PyTorch finds no such device here; use cpu")
    return name
