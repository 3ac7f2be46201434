"""From the names in ledger and errata to the things they name, so that nothing is claimed that isn't there."""

import ast
import importlib
from pathlib import Path

from vbook.errors import VbookError


def symbol(name: str):
    """The object behind a dotted name of the package, such as ``vbook.bounds.elbo``; VbookError when there is none.

    >>> symbol("vbook.errors.nearest")("mnits", ["mnist"])
    "; did you mean 'mnist'?"
    """
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[cut:]:
                found = getattr(found, part)
        except AttributeError:
            break
        return found
    raise VbookError(f"the package has no {name!r}")


def has_test(node_id: str, top: Path) -> bool:
    """Whether ``top`` has the test function that a pytest node id (``file::function``) names, by reading the file."""
    file, _, function = node_id.partition("::")
    if not (top / file).is_file():
        return False
    tree = ast.parse((top / file).read_text(encoding="utf-8"))
    return function.startswith("test_") and any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)
