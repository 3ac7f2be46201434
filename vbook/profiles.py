"""The three sizes at which the same functions run; a profile is a row of numbers, never an ``if`` in the mathematics."""

from vbook.errors import VbookError, nearest

PROFILES = ("smoke", "laptop", "paper")

ABOUT = {
    "smoke": "embedded data, on the CPU, seconds: continuous integration and first contact",
    "laptop": "the real sets, a reduced schedule, minutes: a reader's machine or a free Colab",
    "paper": "the source's own protocol: a GPU or patience",
}


def check_profile(name: str) -> str:
    """``name`` if it is a profile, else a VbookError that offers the nearest.

    >>> check_profile("smoke")
    'smoke'
    """
    if name not in PROFILES:
        raise VbookError(f"unknown profile {name!r}{nearest(str(name), PROFILES)}")
    return name
