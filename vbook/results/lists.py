"""The lists in ``book/`` (targets, ledger, errata): read whole, with words for whatever is wrong with a file or an entry."""

import functools
from collections import Counter

from vbook import paths
from vbook.errors import VbookError, nearest
from vbook.results.kinds import is_a


def read_list(name: str, text: str | None = None) -> list:
    """The entries of ``book/<name>``, or of ``text`` in its place; VbookError where that is no YAML list."""
    import yaml

    try:
        text = paths.book(name).read_text(encoding="utf-8") if text is None else text
        entries = yaml.load(text, _loader())
    except OSError as error:
        raise VbookError(f"{name} can't be read ({error.strerror})") from None
    # A date or a number that is none, bytes that are no text; and what PyYAML lets through where a tag doesn't fit.
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise VbookError(f"{name} can't be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise VbookError(f"{name}: a list of entries belongs there")
    return entries


def check_fields(file: str, name, entry, needed: dict, optional: dict, what: str) -> None:
    """VbookError unless ``entry`` has all the ``needed`` fields, none but these and the ``optional``, each of its type."""
    if not isinstance(entry, dict):
        raise VbookError(f"{file}, {name!r}: {entry!r} is no {what}, which has {', '.join(needed)}")
    known = needed | optional
    missing, unknown = sorted(needed.keys() - entry.keys()), sorted(map(str, entry.keys() - known.keys()))
    if missing or unknown:
        hint = nearest(unknown[0], known) if unknown else ""
        raise VbookError(f"{file}, {name!r}: missing {missing}, unknown {unknown}{hint}")
    for key, kind in known.items():
        if key in entry and not is_a(entry[key], kind):
            raise VbookError(f"{file}, {name!r}: {entry[key]!r} is no {key} that a {what} can have")


def check_once(file: str, names) -> None:
    """VbookError for names that stand more than once."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise VbookError(f"{file}: {', '.join(sorted(twice))} stands twice")


@functools.cache
def _loader():
    import yaml

    class OnceLoader(yaml.SafeLoader):
        """PyYAML takes the last of two values of one field, without a word."""

        def construct_mapping(self, node, deep=False):
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            keys = Counter(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))
            if twice := [key for key, count in keys.items() if count > 1]:
                raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} stands twice", node.start_mark)
            return super().construct_mapping(node, deep)

    return OnceLoader
