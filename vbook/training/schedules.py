"""Settings that change as training goes on: functions of the step, which counts from 1.

``fit(..., lr=...)`` takes one for the learning rate, ``fit(..., schedules={"beta": warmup(1000)})`` one for any keyword of the
objective: the weight of the KL, the minimum of free bits.
"""

import math
from collections.abc import Callable
from numbers import Real

from vbook.errors import VbookError


def warmup(steps: int) -> Callable[[int], float]:
    """Rises by equal parts from 0 at the first step to 1 after ``steps`` steps: β of thesis 2.9.1.

    >>> beta = warmup(4)
    >>> [beta(step) for step in range(1, 7)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    if not isinstance(steps, Real) or not 1 <= steps < math.inf or steps != int(steps):
        raise VbookError(f"steps must be a whole number of at least 1, got {steps!r}")
    return lambda step: min(1.0, (step - 1) / steps)


def decay(start: float, halflife: float) -> Callable[[int], float]:
    """Falls from ``start`` at the first step, by half every ``halflife`` steps.

    >>> rate = decay(0.1, halflife=2)
    >>> [rate(step) for step in (1, 3, 5)]
    [0.1, 0.05, 0.025]
    """
    if not all(isinstance(value, Real) and 0 < value < math.inf for value in (start, halflife)):
        raise VbookError(f"start and halflife must be finite numbers above 0, got {start!r} and {halflife!r}")
    return lambda step: start * 0.5 ** ((step - 1) / halflife)
