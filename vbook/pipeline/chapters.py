"""Which chapters there are (``_toc.yml``) and which of them a user means."""

import re
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError, nearest


def checkout() -> Path:
    """The checkout's root; VbookError where only the wheel is installed."""
    top = paths.root()
    if top is None:
        raise VbookError("there is no checkout of the book around this package; clone its repository and run `make setup` there")
    return top


def toc_files(toc: object) -> list[str]:
    """Every ``file:`` entry of a parsed table of contents, in reading order.

    >>> toc_files({"root": "book/index", "parts": [{"chapters": [{"file": "chapters/02-x", "sections": [{"file": "a"}]}]}]})
    ['chapters/02-x', 'a']
    """
    if isinstance(toc, list):
        return [file for entry in toc for file in toc_files(entry)]
    if not isinstance(toc, dict):
        return []
    own = [toc["file"]] if "file" in toc else []
    return own + [file for key, value in toc.items() if key != "file" for file in toc_files(value)]


def read_yaml(path: Path) -> object:
    """What one of the book's own files holds; VbookError when it can't be read."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise VbookError(f"{path.name} can't be read ({said}); mend it, or take it back from git") from None


def _check_entries(toc: object) -> None:
    """VbookError for a part or a page of the table of contents that names nothing."""
    if isinstance(toc, dict) and "parts" in toc:
        for part in toc["parts"] if isinstance(toc["parts"], list) else [toc["parts"]]:
            if not (isinstance(part, dict) and isinstance(part.get("chapters"), list)):
                raise VbookError(f"_toc.yml: a part needs its chapters, got {part!r}")
    for key, inside in toc.items() if isinstance(toc, dict) else enumerate(toc) if isinstance(toc, list) else ():
        for entry in inside if key in ("chapters", "sections") and isinstance(inside, list) else ():
            if not (isinstance(entry, dict) and {"file", "glob", "url"} & entry.keys()):
                raise VbookError(f"_toc.yml: an entry of {key} needs one of file, glob and url, got {entry!r}")
        _check_entries(inside)


def all_chapters(top: Path | None = None) -> dict[str, Path]:
    """The notebooks under ``chapters/`` that the table of contents lists, by stem, in reading order."""
    top = top or checkout()
    toc = read_yaml(top / "_toc.yml")
    if isinstance(toc, dict) and "root" not in toc:
        raise VbookError("_toc.yml names no root, the book's first page; mend it, or take it back from git")
    _check_entries(toc)
    files = toc_files(toc)
    notebooks = [top / f"{str(file).removesuffix('.ipynb')}.ipynb" for file in files]
    found = {path.stem: path for path in notebooks if path.parent == top / "chapters"}
    if not found:
        raise VbookError("_toc.yml lists no chapter; mend it, or take it back from git")
    return found


def select(words, known: dict[str, Path]) -> dict[str, Path]:
    """The chapters that ``words`` name by number or stem, in reading order; none or ``all`` means every one.

    Raises VbookError for a word that names no chapter, and for a chapter whose notebook is missing.
    """
    words = [str(word) for word in words]
    wanted = set(known) if not words or "all" in words else {_stem(word, known) for word in words}
    for stem, path in known.items():
        if stem in wanted and not path.is_file():
            raise VbookError(f"_toc.yml lists {stem}, but chapters/ has no {path.name}; restore it or take its line out")
    return {stem: path for stem, path in known.items() if stem in wanted}


def _stem(word: str, known: dict[str, Path]) -> str:
    name = Path(word).name.removesuffix(".ipynb")
    for stem in known:
        number = re.match(r"(\d+)-", stem)
        if name == stem or (number and name.isdigit() and int(name) == int(number[1])):
            return stem
    raise VbookError(f"unknown chapter {word!r}{nearest(word, [*known, 'all'])}")
