"""Settings that change as training goes on: functions of the step, which counts from 1.

``fit(..., lr=...)`` takes one for the learning rate, ``fit(..., schedules={"beta": warmup(1000)})`` one for any keyword of the
objective: the weight of the KL, the minimum of free bits.
"""

import inspect
from collections.abc import Callable, Mapping

from vbook.errors import VbookError
from vbook.training.checks import at_least_0, check_objective, is_finite, positive


def warmup(steps: int) -> Callable[[int], float]:
    """Rises by equal parts from 0 at the first step to 1 after ``steps`` steps: β of thesis 2.9.1.

    >>> beta = warmup(4)
    >>> [beta(step) for step in range(1, 7)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    if not is_finite(steps) or not 1 <= steps or steps != int(steps):
        raise VbookError(f"steps must be a whole number of at least 1, got {steps!r}")
    return lambda step: min(1.0, (step - 1) / steps)


def decay(start: float, halflife: float) -> Callable[[int], float]:
    """Falls from ``start`` at the first step, by half every ``halflife`` steps.

    >>> rate = decay(0.1, halflife=2)
    >>> [rate(step) for step in (1, 3, 5)]
    [0.1, 0.05, 0.025]
    """
    if not all(is_finite(value) and value > 0 for value in (start, halflife)):
        raise VbookError(f"start and halflife must be finite numbers above 0, got {start!r} and {halflife!r}")
    return lambda step: start * 0.5 ** ((step - 1) / halflife)


def value_at(schedule: Callable[[int], float], name: str, step: int) -> float:
    """What the ``schedule`` of ``name`` gives at ``step``; VbookError if that is no finite number, or a rate below 0."""
    try:
        value = schedule(step)
    except (LookupError, ArithmeticError, ValueError, StopIteration) as error:  # a table that ends, a power too large
        raise VbookError(f"the schedule of {name} has nothing for step {step} ({type(error).__name__}: {error})") from error
    if not is_finite(value) or (name == "lr" and value < 0):
        kind = "a finite number of at least 0" if name == "lr" else "a finite number"
        raise VbookError(f"the schedule of {name} must give {kind}, got {value!r} at step {step}")
    return float(value)


def check_of_step(schedule, name: str) -> None:
    """VbookError where the ``schedule`` of ``name`` can't be called with a step alone."""
    try:
        signature = inspect.signature(schedule)
    except (TypeError, ValueError):  # not every callable tells
        return
    try:
        signature.bind(1)
    except TypeError:
        raise VbookError(f"the schedule of {name} is called with the step; the function given takes {signature}") from None


def check_rates(lr, weight_decay: float) -> None:
    """VbookError unless ``lr`` is above 0 (a schedule may begin at 0) and ``weight_decay`` finite and not below 0."""
    if callable(lr):
        check_of_step(lr, "lr")
        value_at(lr, "lr", 1)
    else:
        positive(lr=lr)
    at_least_0(weight_decay=weight_decay)


def check_schedules(schedules, objective: Callable) -> None:
    """VbookError unless each of ``schedules`` is a function of the step, and named as an option of ``objective``."""
    if not isinstance(schedules, Mapping | None):
        raise VbookError(f"schedules must map names of the objective's options to functions of the step, got {schedules!r}")
    check_objective(objective, schedules or ())
    for name, value in (schedules or {}).items():
        if not callable(value):
            raise VbookError(
                f"the schedule of {name} must be a function of the step, got {value!r}; a constant goes to the objective"
            )
        check_of_step(value, name)
