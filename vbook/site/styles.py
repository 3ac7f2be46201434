"""The themes' style sheets, cut down to what the site's pages can use: a browser weighs every rule before it shows a word."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

CLASSES = re.compile(r"""\b(?:class|id)=(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""")
INLINE = re.compile(r"<script(?![^>]*json)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
NAME = re.compile(r"[\w-]+")
GROUPS = {"media", "supports", "layer", "container"}  # rules around rules


def names(site: Path) -> set[str]:
    """All that may be a class or an id of a page under ``site``: those in its HTML, and every word of its scripts.

    A word that ends in a hyphen stands for the names that a script makes by adding to it.
    """
    found = set()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for values in CLASSES.findall(text):
            found.update("".join(values).split())
        for script in INLINE.findall(text):
            found.update(NAME.findall(script))
    for script in site.rglob("*.js"):
        found.update(NAME.findall(script.read_text(encoding="utf-8")))
    return found


def prune(style: str, used: Iterable[str]) -> str:
    """The style sheet without the selectors that need a class or an id which is not ``used``.

    >>> prune(".a,.b .c{color:red}@media print{.b{top:0}}p:not(.b){top:0}p:has(.b){top:0}.tip-top{top:0}", ["a", "tip-"])
    '.a{color:red}p:not(.b){top:0}.tip-top{top:0}'
    """
    import tinycss2

    used = set(used)
    starts = tuple(name for name in used if name.endswith("-") and len(name) > 2)
    kept = _kept(tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True), used, starts)
    return "".join(kept)


def _kept(rules: list, used: set[str], starts: tuple[str, ...]):
    import tinycss2

    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [part for part in _selectors(rule.prelude) if _can_match(part, used, starts)]
            if selectors:
                inside = tinycss2.serialize(rule.content)
                yield f"{','.join(tinycss2.serialize(part).strip() for part in selectors)}{{{inside}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if inside := "".join(_kept(inner, used, starts)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inside}}}"
        elif rule.type != "error":
            yield rule.serialize()


def _selectors(prelude: list) -> list[list]:
    """The prelude of a rule, cut at its commas."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _can_match(selector: list, used: set[str], starts: tuple[str, ...]) -> bool:
    """Whether every class and id that the selector asks for is used; what stands in ``:not()`` it may do without."""
    for part in (token for token in selector if token.type == "function" and token.lower_name in ("has", "is", "where")):
        if not any(_can_match(inner, used, starts) for inner in _selectors(part.arguments)):
            return False
    wanted = [token.value for token in selector if token.type == "hash"]
    wanted += [name.value for dot, name in pairwise(selector) if dot == "." and name.type == "ident"]
    return all(name in used or name.startswith(starts) for name in wanted)
