"""The code that an experiment consists of, as a text that words, comments and layout don't change."""

import ast
import functools
import hashlib
import inspect
from pathlib import Path

# What turns numbers into numbers: a change of code in any of these makes every record that used it stale.
NUMERICS = "distributions.py networks.py models bounds.py training.py evaluation.py data/pixels.py data/read.py".split()


@functools.cache
def numerics() -> str:
    """The sha256 of the package's numerical modules, without docstrings, comments and layout; the same on any Python."""
    top = Path(__file__).resolve().parents[1]
    files = [file for name in NUMERICS for file in (sorted((top / name).glob("*.py")) if (top / name).is_dir() else [top / name])]
    code = "\n".join(ast.unparse(_bare_deep(ast.parse(file.read_text(encoding="utf-8")))) for file in files)
    return hashlib.sha256(code.encode()).hexdigest()


def _bare_deep(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def code_of(function) -> str:
    """``function`` and the functions and constants of its module that it uses, directly or through each other.

    Docstrings, comments, decorators and layout are left out; what the module imports is the business of ``numerics``.
    """
    tree = ast.parse(Path(inspect.getsourcefile(function)).read_text(encoding="utf-8"))
    known = {name: node for node in tree.body for name in _defines(node)}
    return "\n".join(ast.unparse(_bare(known[name])) for name in sorted(_reachable(function.__name__, known)))


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
    return ast.copy_location(type(node)(**fields), node)
