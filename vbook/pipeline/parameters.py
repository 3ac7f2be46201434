"""The parameters cell: what a chapter accepts, what a user asks for, and what the executed copy shows."""

import ast
from pathlib import Path

from vbook.devices import check_device
from vbook.errors import VbookError, nearest
from vbook.pipeline.notebook import tags
from vbook.profiles import check_profile

#: What every committed notebook carries.
COMMITTED = {"profile": "smoke", "seed": 0, "device": "cpu", "data_root": None}


def cell_of(nb: dict) -> dict:
    """The one code cell tagged ``parameters``; VbookError when there is none or more than one."""
    found = [cell for cell in nb["cells"] if cell["cell_type"] == "code" and "parameters" in tags(cell)]
    if len(found) != 1:
        raise VbookError(f"a chapter needs one code cell tagged 'parameters'; this one has {len(found)}")
    return found[0]


def declared(source: str) -> dict[str, object]:
    """Names and values that a parameters cell assigns; VbookError for anything but ``name = literal``.

    >>> declared('profile = "smoke"  # or laptop\\nseed = 0')
    {'profile': 'smoke', 'seed': 0}
    """
    try:
        return {name: ast.literal_eval(value) for name, value in _assignments(source)}
    except SyntaxError as error:
        raise VbookError(f"the parameters cell may only hold lines of the form `name = literal`, not {error.text!r}") from None
    except ValueError:
        wrong = next(line for line in ast.parse(source).body if not _is_literal(line))
        raise VbookError(
            f"the parameters cell may only hold lines of the form `name = literal`, not `{ast.get_source_segment(source, wrong)}`"
        ) from None


def asked(defaults: dict, profile: str, seed=None, device=None, data_root=None, extra=()) -> dict[str, object]:
    """All parameters of a run: ``defaults`` with the caller's wishes, each checked; ``extra`` holds ``name=value`` texts.

    Raises VbookError for an unknown name (with the nearest) or a bad value.

    >>> asked({"profile": "smoke", "seed": 0, "latents": 2}, "laptop", extra=["latents=20"])
    {'profile': 'laptop', 'seed': 0, 'latents': 20}
    """
    wishes = {"profile": profile}
    named = {"seed": seed, "device": device, "data_root": data_root}
    wishes |= {name: value for name, value in named.items() if value is not None}
    for item in extra:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            raise VbookError(f"-p takes name=value, not {item!r}")
        if name.strip() == "profile":  # it also says where the copy goes and which records are written
            raise VbookError("the profile is chosen with --profile, not with -p")
        wishes[name.strip()] = text.strip()
    for name in wishes:
        if name not in defaults:
            raise VbookError(f"this chapter has no parameter {name!r}{nearest(name, defaults)}")
    return {name: _check(name, wishes[name], default) if name in wishes else default for name, default in defaults.items()}


def shown(nb: dict, values: dict) -> dict:
    """``nb`` with its parameters cell saying ``values``; ``data_root`` stays as committed, since it names a machine's folder.

    Raises VbookError when the notebook has no parameters cell.
    """
    cell = cell_of(nb)
    lines = cell["source"].splitlines(True)
    for statement in ast.parse(cell["source"]).body:
        name, node, row = statement.targets[0].id, statement.value, statement.lineno - 1
        if name != "data_root" and values[name] != ast.literal_eval(node) and node.lineno == node.end_lineno:
            raw = lines[row].encode()
            lines[row] = (raw[: node.col_offset] + _literal(values[name]).encode() + raw[node.end_col_offset :]).decode()
    return nb | {"cells": [c | {"source": "".join(lines)} if c is cell else c for c in nb["cells"]]}


def _literal(value) -> str:
    # The book writes double quotes.
    return '"' + repr(value)[1:-1] + '"' if isinstance(value, str) and '"' not in value and "'" not in value else repr(value)


def _is_literal(statement: ast.stmt) -> bool:
    try:
        return bool([ast.literal_eval(value) for _, value in _assignments(ast.unparse(statement))])
    except ValueError:
        return False


def _assignments(source: str):
    for statement in ast.parse(source).body:
        if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)):
            raise ValueError("not an assignment to one name")
        yield statement.targets[0].id, statement.value


def _check(name: str, value, default):
    """``value`` in the type of ``default``, or a VbookError that says what would do."""
    if name == "profile":
        return check_profile(value)
    if name == "device":
        return check_device(value)
    if name == "data_root":
        return _folder(value)
    if isinstance(default, bool):
        if str(value).lower() not in ("true", "false"):
            raise VbookError(f"parameter {name!r} takes true or false, not {value!r}")
        return str(value).lower() == "true"
    if isinstance(default, (int, float)):
        return _number(name, value, type(default))
    if default is None or isinstance(default, str):
        return str(value)
    try:
        parsed = ast.literal_eval(str(value))
    except (ValueError, SyntaxError):
        parsed = None
    if type(parsed) is not type(default):
        raise VbookError(f"parameter {name!r} takes a {type(default).__name__} such as {default!r}, not {value!r}")
    return parsed


def _number(name: str, value, kind: type):
    try:
        number = kind(value)
    except ValueError:
        word = "a whole number" if kind is int else "a number"
        raise VbookError(f"parameter {name!r} takes {word}, not {value!r}") from None
    if name == "seed" and not 0 <= number < 2**62:
        raise VbookError(f"the seed is 0 or more and below 2^62, not {number}")
    return number


def _folder(value) -> str:
    path = Path(value).expanduser().resolve()
    if not path.is_dir():
        raise VbookError(f"the data root {str(value)!r} is not a folder; make it, or leave it out to use the cache folder")
    return str(path)
