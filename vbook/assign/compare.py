"""Numbers against numbers, and words for what a wrong one looks like: for the public checks and for the grader alike."""

import numpy as np

from vbook.checks import CheckFailed
from vbook.errors import VbookError

REL, ABS = 1e-3, 1e-5


def expect(got, expected, what: str, mistakes: dict | None = None, *, rel: float = REL, abs: float = ABS) -> None:
    """Assert that ``got`` is the number or array ``expected``, within ``abs + rel * |expected|``; prints one line.

    ``mistakes`` maps words to what comes out by a known mistake: where ``got`` is that, the message says the words.
    What stands in ``what`` behind a semicolon is advice, left out when all is well.
    Raises CheckFailed (an AssertionError) with a message that names neither ``got`` nor ``expected``.

    >>> expect(0.5, 0.5, "KL of N(1, 1); inf: use logsumexp")
    ok: KL of N(1, 1)
    >>> expect(-0.5, 0.5, "KL of N(1, 1)", {"the sign is turned round": -0.5})
    Traceback (most recent call last):
    ...
    vbook.checks.CheckFailed: KL of N(1, 1): the sign is turned round
    """
    if rel < 0 or abs <= 0:
        raise VbookError("expect needs abs above 0, and rel of at least 0")
    require(got, expected, what, mistakes, rel=rel, abs=abs, any_shape=True)
    print(f"ok: {what.split('; ')[0]}")


def require(
    got, expected, what: str, mistakes: dict | None = None, *, rel: float = REL, abs: float = ABS, any_shape: bool = False
) -> None:
    """``expect`` without the printed line; of a wrong shape no more is said than ``shape_words`` does, unless ``any_shape``."""
    expected = numbers(expected, "the expected value")
    got = numbers(got, what)
    if got.shape == expected.shape and _near(got, expected, rel, abs):
        return
    for words, wrong in (mistakes or {}).items():
        wrong = numbers(wrong, words)
        if wrong.shape == got.shape and _near(got, wrong, rel, abs):
            raise CheckFailed(f"{what}: {words}")
    if got.shape != expected.shape:
        plain = f"the shape is {got.shape} instead of {expected.shape}"
        raise CheckFailed(f"{what}: {plain if any_shape else shape_words(got.shape, expected.shape)}")
    raise CheckFailed(f"{what}: {_complaint(got)}")


def shape_words(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What is wrong with the shape ``got``, which may be made of what was asked: shown only where it has few sizes to choose of.

    >>> shape_words((2, 5), (5, 2)), shape_words((9776, 1), (5, 2))
    ('the shape is (2, 5) instead of (5, 2)', 'another shape than (5, 2)')
    """
    harmless = len(got) <= len(expected) + 1 and {*got} <= {1, *expected}
    return f"the shape is {got} instead of {expected}" if harmless else f"another shape than {expected}"


def numbers(value, what: str) -> np.ndarray:
    """``value`` as an array of float64; CheckFailed when it is no real number or array of them.

    >>> numbers([True, 2], "a list")
    array([1., 2.])
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        kind = "None (is there a return?)" if value is None else f"a {type(value).__name__}"
        raise CheckFailed(f"{what}: a number or a tensor is needed, this is {kind}") from None


def _near(got: np.ndarray, expected: np.ndarray, rel: float, abs: float) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.abs(got - expected) <= abs + rel * np.abs(expected)).all())


def _complaint(got: np.ndarray) -> str:
    if np.isnan(got).any():
        return "the answer holds nan"
    return "the answer is infinite" if np.isinf(got).any() else "the numbers differ"
