"""A time budget, in words or in seconds."""

import re
import sys

from vbook.errors import VbookError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def seconds(budget: str | float | None) -> float | None:
    """Seconds of a budget such as ``1h30m``, ``25m`` or ``90s`` (a bare number is seconds); VbookError for anything else.

    >>> seconds("25m"), seconds("1h30m"), seconds("90"), seconds(7.5), seconds(None)
    (1500.0, 5400.0, 90.0, 7.5, None)
    """
    if budget is None:
        return None
    if isinstance(budget, int | float) and not isinstance(budget, bool) and 0 < budget <= sys.float_info.max:
        return float(budget)
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", str(budget).strip().lower())
    total = sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS.values(), strict=True) if part) if match else 0.0
    if not 0 < total <= sys.float_info.max:
        raise VbookError(f"a budget is a time such as 90s, 25m or 1h30m, not {budget!r}")
    return total
