"""What a value that was read from JSON or YAML may be."""

import sys


def is_a(value, kind) -> bool:
    """``isinstance`` as JSON and YAML mean it: ``float`` is any finite number, and a truth value is no number.

    >>> is_a(3, float), is_a(True, float), is_a("3", float), is_a(float("nan"), float), is_a(None, float | None)
    (True, False, False, False, True)
    """
    if isinstance(value, bool) and kind in (int, float):
        return False
    if kind == float | None:
        return value is None or is_a(value, float)
    if kind is float:
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max  # not NaN, nor a whole number too large
    return isinstance(value, kind)


def expect(where: str, value, kind) -> None:
    """ValueError, naming the place ``where`` it stands, unless ``value`` is of ``kind``."""
    if not is_a(value, kind):
        wanted = {float: "number", float | None: "number", int: "whole number", str: "text", list: "list", dict: "mapping"}.get(
            kind, str(kind)
        )
        raise ValueError(f"{where}: {value!r} where a {wanted} belongs")


def expect_keys(where: str, entry, **kinds) -> None:
    """ValueError unless ``entry`` is a mapping with the keys of ``kinds``, each of its kind."""
    expect(where, entry, dict)
    for key, kind in kinds.items():
        expect(f"{where}, {key}", entry.get(key), kind)


def expect_least(where: str, value, least) -> None:
    """ValueError for a ``value`` below ``least``; None is none."""
    if value is not None and value < least:
        raise ValueError(f"{where}: {value} is below {least}")
