"""The code that an experiment consists of, as a text that words, comments and layout don't change."""

import ast
import inspect
from pathlib import Path


def code_of(function) -> str:
    """``function`` and the functions and constants of its module that it uses, directly or through each other.

    Docstrings, comments, decorators and layout are left out. Names that the module imports belong to the package, whose digest
    stands in each record.
    """
    tree = ast.parse(Path(inspect.getsourcefile(function)).read_text(encoding="utf-8"))
    known = {name: node for node in tree.body for name in _defines(node)}
    return "\n".join(ast.dump(_bare(known[name])) for name in sorted(_reachable(function.__name__, known)))


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _reachable(name: str, known: dict[str, ast.stmt]) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found.add(name)
            waiting += [node.id for node in ast.walk(_bare(known[name])) if isinstance(node, ast.Name)]
    return found


def _bare(node: ast.stmt) -> ast.stmt:
    """The statement without decorators and docstring."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    fields = dict(ast.iter_fields(node)) | {"decorator_list": [], "body": body or [ast.Pass()]}
    return type(node)(**fields)
