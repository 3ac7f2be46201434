"""Run a student's code cells one after the other, as a kernel would, but without one; each error is kept in words.

Read by the worker inside the sandbox and by ``vbook assign check``. It knows nothing of answers.
"""

import ast
import re
import signal
import traceback
from contextlib import contextmanager

_MAGIC = re.compile(r"(\s*)[%!?]")
_TRANSPARENT = ("%%time", "%%timeit", "%%capture", "%%prun")
_STUB = re.compile(r"task (\w+): not begun")  # as `release` writes it
CELL = "<cell"  # how names of cells begin, in tracebacks
_GIVEN = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class TimeIsUp(BaseException):
    """Raised inside a cell that takes too long; no Exception, so that a plain ``except Exception`` doesn't swallow it."""


def run_cell(source: str, name: str, namespace: dict, seconds: float | None = None) -> dict | None:
    """Execute ``source`` in ``namespace``; None, or what went wrong as ``{"type", "text", "cell", "line"}``.

    ``name`` begins with CELL. After ``seconds`` the cell is interrupted (where the system has alarms). Errors of any kind are
    caught, exits too.
    """
    try:
        with alarm(seconds):
            exec(compile(plain(source), name, "exec"), namespace)
    except BaseException as error:
        return describe(error)
    return None


def define(source: str, namespace: dict) -> None:
    """Of a cell that is not graded: its imports, functions, classes and plain constants; what fails is passed over."""
    try:
        tree = ast.parse(plain(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.body:
        if isinstance(node, _GIVEN) or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)):
            run = compile(ast.Module([node], type_ignores=[]), "<given cell>", "exec")
            try:
                exec(run, namespace)
            except BaseException:  # a module that isn't there: what needs its names will say so
                continue


def not_begun(task: str, text: str) -> str:
    """Words for a NotImplementedError that ``task`` ended in: not begun itself, or one that it calls.

    >>> not_begun("kl", "task kl: not begun"), not_begun("losses", "task kl: not begun")
    ('not begun', 'calls kl, which is not begun')
    """
    said = _STUB.fullmatch(text)
    return "not begun" if said is None or said[1] == task else f"calls {said[1]}, which is not begun"


def describe(error: BaseException) -> dict:
    """An error as plain words: its type, the first line of its message, and the cell's name and line where it arose, if any."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    cell, line = next((place for place in reversed(places) if place[0].startswith(CELL)), (None, None))
    try:
        text = str(error).strip().splitlines()
    except BaseException:  # an error whose own text fails
        text = []
    return {"type": type(error).__name__, "text": text[0][:300] if text else "", "cell": cell, "line": line}


def plain(source: str) -> str:
    """``source`` without what only a notebook understands: magics, shell commands, help."""
    first = source.lstrip().split("\n", 1)
    if first[0].startswith("%%"):
        return first[1] if len(first) > 1 and first[0].split()[0] in _TRANSPARENT else ""
    lines = source.split("\n")
    for _ in lines:
        try:
            ast.parse("\n".join(lines))
            break
        except SyntaxError as error:
            number = min(error.lineno or 1, len(lines)) - 1
            if not (magic := _MAGIC.match(lines[number])):
                break  # the student's own mistake, to be reported as such
            lines[number] = f"{magic[1]}pass"
        except (ValueError, RecursionError, MemoryError):
            break
    return "\n".join(lines)


@contextmanager
def alarm(seconds: float | None):
    """Raise TimeIsUp in the block after ``seconds``, where the system has alarms."""
    if seconds is None or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number, frame):
        raise TimeIsUp(f"stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
