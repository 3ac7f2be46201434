"""What students name and say, fit for a terminal, a page and a table."""

import re

_UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\\\\]")


def named(name) -> str:
    """A file's or a folder's name as text for any file and any terminal, another one for each name.

    Spelt out are bytes that are no UTF-8, control characters, which a terminal would obey, and what turns a line's direction.

    >>> named("zo\\udceb"), named("a\\x1b[2J\\n"), named("a\\\\n"), named("Zoë")
    ('zo\\\\udceb', 'a\\\\x1b[2J\\\\n', 'a\\\\\\\\n', 'Zoë')
    """
    return _UNTOLD.sub(lambda found: found[0].encode("unicode_escape").decode(), str(name))


def error_words(error: dict) -> str:
    """What a worker says of a cell's error, on one line."""
    line = f" in its line {clean(error['line'], 8)}" if error.get("line") else ""
    text = f": {clean(error.get('text'), 160)}" if error.get("text") else ""
    return f"{clean(error.get('type'), 40)}{line}{text}"


def clean(text, most: int) -> str:
    """Text from a student's process on one line, without control characters, at most ``most`` characters."""
    text = "".join(c if c.isprintable() else " " for c in str(text))
    return text if len(text) <= most else text[: most - 1] + "…"
