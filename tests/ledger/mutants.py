"""Break a formula of the package on purpose and see whether the test that guards it notices.

Run as a program with a JSON list of [symbol, line, test] on standard input; prints a JSON list of [symbol, change, test, rc], one
mutant for each of them, or every mutant with the argument ``all``. Modules load once; a mutant lives in a fork in which the
function has other code, so that files on disk stay as they are.
"""

import ast
import copy
import inspect
import io
import json
import os
import sys
import types
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CALLS = {"sum": "mean", "mean": "sum"}


def function_of(thing):
    """The plain function inside a property, a method or a decorated function."""
    return inspect.unwrap(thing.fget if isinstance(thing, property) else thing)


def sites(tree: ast.AST, function, text: list[str], line: str | None):
    """The nodes of ``function`` where a sign, an operation or a factor can be changed; only on lines that contain ``line``."""
    first = function.__code__.co_firstlineno  # that of its first decorator
    named = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function.__name__)
    defined = next(node for node in named if first == min(part.lineno for part in (node, *node.decorator_list)))
    for statement in defined.body:
        for node in ast.walk(statement):
            if change_of(node) and (line is None or line in text[node.lineno - 1]):
                yield node


def change_of(node: ast.AST) -> str | None:
    """What ``mutate`` would do to the node, in words; None when it leaves it alone."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        return f"{type(node.op).__name__} becomes {SWAPS[type(node.op)].__name__}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return "factors exchanged"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        # -1 is nearly always a dimension; -0.5 and -bound are signs.
        index = isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, int)
        return None if index else "minus sign dropped"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
        return f"{node.func.attr} becomes {CALLS[node.func.attr]}"
    return None


def mutate(node: ast.AST) -> None:
    """Change the node in place."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        node.left, node.right = node.right, node.left
    elif isinstance(node, ast.BinOp):
        node.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    else:
        node.func.attr = CALLS[node.func.attr]


def mutants(symbol: str, line: str | None):
    """Pairs of a change in words and the changed code object of the function behind ``symbol``."""
    from vbook.ledger import symbol as find

    function = function_of(find(symbol))
    source = Path(inspect.getsourcefile(function)).read_text(encoding="utf-8")
    text, tree = source.splitlines(), ast.parse(source)
    for k, node in enumerate(list(sites(tree, function, text, line))):
        changed = copy.deepcopy(tree)
        mutate(list(sites(changed, function, text, line))[k])
        code = compile(ast.fix_missing_locations(changed), function.__code__.co_filename, "exec")
        where = f"line {node.lineno}: {text[node.lineno - 1].strip()}"
        yield f"{change_of(node)} in {where}", inner(code, function.__qualname__)


def inner(code: types.CodeType, qualname: str) -> types.CodeType:
    """The code object of that qualified name inside a module's."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_qualname == qualname:
                return constant
            if found := inner(constant, qualname):
                return found
    return None


def run_test(test: str) -> int:
    """pytest's exit code for ``test``: 0 means that it passes."""
    import pytest

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main([test, "-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider"]))


def run_mutant(test: str, symbol: str, code: types.CodeType) -> int:
    """``run_test`` in a fork in which the function behind ``symbol`` has ``code``."""
    from vbook.ledger import symbol as find

    child = os.fork()
    if child == 0:
        rc = 3
        try:
            function_of(find(symbol)).__code__ = code
            rc = run_test(test)
        finally:
            os._exit(rc)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    results, files = [], set()
    for k, (symbol, line, test) in enumerate(json.load(sys.stdin)):
        if test.partition("::")[0] not in files:  # unbroken, so that its modules are loaded once and not in each fork
            files.add(test.partition("::")[0])
            results.append([None, "nothing", test, run_test(test)])
        found = list(mutants(symbol, line))
        chosen = found if "all" in sys.argv else found[k % len(found) :][:1] if found else []
        results += [[symbol, change, test, run_mutant(test, symbol, code)] for change, code in chosen]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
