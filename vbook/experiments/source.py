"""The code that an experiment consists of, as a text that words, comments, layout and other people's functions don't change."""

import ast
import functools
import inspect
import os
from pathlib import Path

from vbook.loaded import PACKAGE

# Where numbers are turned into numbers. Definitions that an experiment uses are followed into these modules, no further.
NUMERICS = (
    *("noise", "distributions", "networks", "flows", "models", "bounds", "objectives", "adversarial", "score", "hmc", "mcem"),
    *("variational_bayes", "training", "evaluation", "experiments"),
)
ALWAYS = ("data/pixels.py", "data/read.py", "data/datasets.py")  # every experiment reads its data through these
STARTED_BY = ("Setup", "prepare")  # what decides on which numbers an experiment works
# These only start experiments, or look at what goes in and say what is wrong with it.
FRAMEWORK = (
    *(f"vbook.experiments.{name}" for name in ("registry", "setup", "keeping", "carrying", "source", "queue", "together")),
    "vbook.training.checks",
)


def code_of(function) -> str:
    """``function`` and everything of the package's numerical modules that it uses, directly or through each other.

    Functions, classes and constants are followed by name through imports; what a decorator registers comes along with the class
    it is registered for. Docstrings, comments, layout, the words of error messages and ``@experiment`` are left out.
    """
    return _code_at(Path(inspect.getsourcefile(function)), function.__name__, PACKAGE)


def _code_at(file: Path, name: str, package: Path) -> str:
    changed = (str(file), file.stat().st_mtime_ns), *_times(package)
    return _code_since(file, name, package, changed)


def _times(folder) -> list[tuple[str, int]]:
    """The Python files below ``folder`` with the times of their last changes."""
    found = []
    with os.scandir(folder) as entries:  # a page asks hundreds of times: pathlib takes five times as long
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                found += _times(entry.path)
            elif entry.name.endswith(".py"):
                found.append((entry.path, entry.stat().st_mtime_ns))
    return found


@functools.cache
def _code_since(file: Path, name: str, package: Path, _changed: tuple) -> str:
    found = _reachable(file, name, package)
    parts = [f"# {path.name} {key.partition(' ')[0]}\n{_definition(path, key)[0]}" for path, key in sorted(found)]
    parts += [_definition(package / "experiments" / "setup.py", key)[0] for key in STARTED_BY]
    parts += [_whole(package / always, (package / always).stat().st_mtime_ns) for always in ALWAYS]
    return "\n".join(parts)


def _reachable(file: Path, name: str, package: Path) -> set[tuple[Path, str]]:
    """The definitions, as (file, name), that ``name`` in ``file`` leads to, itself included."""
    found, waiting = set(), [(file, name)]
    while waiting:
        place = _resolve(*waiting.pop(), package)
        if place is None or place in found:
            continue
        found.add(place)
        path, key = place
        waiting += [(path, used) for used in _definition(path, key)[1]]
        waiting += [(path, other) for other, acts_on in _acts_on(path, path.stat().st_mtime_ns).items() if key in acts_on]
    return found


def _definition(file: Path, key: str) -> tuple[str, set[str]]:
    """The text of a definition, bare, and the names that it uses."""
    return _read(file, file.stat().st_mtime_ns, key)


# A chapter asks for the digests of a dozen records, which share most of their code: each piece of it is read once a process.
@functools.cache
def _read(file: Path, changed: int, key: str) -> tuple[str, set[str]]:
    bare = _bare(_parsed(file, changed)[0][key])
    return ast.unparse(bare), _uses(bare)


@functools.cache
def _whole(file: Path, _changed: int) -> str:
    return ast.unparse(_bare(ast.parse(file.read_text(encoding="utf-8"))))


@functools.cache
def _acts_on(file: Path, changed: int) -> dict[str, set[str]]:
    """For each definition of a module the names of those that it acts on."""
    return {name: _mentions(*_effects(name, node)) for name, node in _parsed(file, changed)[0].items()}


def _effects(name: str, node: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that act on other definitions: decorators that register, and loose statements as a whole."""
    return [node] if name.startswith("line ") else getattr(node, "decorator_list", [])


def _resolve(file: Path, name: str, package: Path) -> tuple[Path, str] | None:
    """Where ``name``, as ``file`` uses it, is defined; None for what lies outside the numerical modules.

    A dotted name (``bounds.elbo``) is looked up in the module that its first part imports.
    """
    definitions, imports = _module(file)
    first, _, rest = name.partition(".")
    if first in definitions:
        return file, first
    if first not in imports:
        return None
    module, attribute = imports[first]
    as_module = _file_of(f"{module}.{attribute}" if attribute else module, package)
    if rest and as_module is not None:
        return _resolve(as_module, rest, package)
    source = _file_of(module, package)
    return _resolve(source, attribute, package) if source is not None and attribute else None


def _file_of(module: str, package: Path) -> Path | None:
    top, *parts = module.split(".")
    if top != "vbook" or not parts or parts[0] not in NUMERICS or module in FRAMEWORK:
        return None
    base = package.joinpath(*parts)
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


def _module(file: Path) -> tuple[dict[str, ast.stmt], dict[str, tuple[str, str | None]]]:
    return _parsed(file, file.stat().st_mtime_ns)


@functools.cache
def _parsed(file: Path, _changed: int) -> tuple[dict[str, ast.stmt], dict[str, tuple[str, str | None]]]:
    """The definitions of a module by name, and its imports as name -> (module, attribute or None).

    A statement that defines no name of its own (``OPTIMIZERS.update(...)``, ``VAE.note = 1``) stands under its line.
    """
    definitions, imports = {}, {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            fresh = all(isinstance(target, ast.Name | ast.Tuple) for target in targets) and not definitions.keys() & set(names)
            definitions |= dict.fromkeys(names, node) if fresh else {f"line {node.lineno}": node}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            imports |= {alias.asname or alias.name: (alias.name, None) for alias in node.names}
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            definitions[f"line {node.lineno}"] = node
    return definitions, imports


def _uses(node: ast.AST) -> set[str]:
    """The names that a definition needs from its module; a function's parameters hide what they name."""
    if not isinstance(node, ast.FunctionDef):
        return _mentions(node)
    hidden = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
    return _mentions(*node.body) - hidden | _mentions(node.args, *node.decorator_list)


def _mentions(*nodes: ast.AST) -> set[str]:
    """The names in the nodes, dotted where they are (``bounds.elbo``)."""
    inside = [n for node in nodes for n in ast.walk(node)]
    return {n.id for n in inside if isinstance(n, ast.Name)} | {ast.unparse(n) for n in inside if _is_dotted(n)}


def _is_dotted(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and (isinstance(node.value, ast.Name) or _is_dotted(node.value))


class _Bare(ast.NodeTransformer):
    def generic_visit(self, node):
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [d for d in node.decorator_list if not ast.unparse(d).startswith("experiment(")]
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc, node.cause = node.exc.func, None
        return node


def _bare(node: ast.AST) -> ast.AST:
    """A copy without docstrings, ``@experiment`` and the words of errors: what has no say in any number."""
    copy = _Bare().visit(ast.parse(ast.unparse(node)))
    return copy if isinstance(node, ast.Module) else copy.body[0]
