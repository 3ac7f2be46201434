"""``<details>`` and ``<aside>`` blocks of portable Markdown, whose content MyST would leave as raw HTML."""

import re

OPEN = re.compile(r"^ {0,3}<(?P<tag>details|aside)\b(?P<attributes>[^>]*)>(?P<rest>.*)$", re.IGNORECASE)
SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.IGNORECASE | re.DOTALL)
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")


def fold(markdown: str) -> str:
    """The Markdown with each ``<details>`` or ``<aside>`` block as a directive, so that its text and formulas are typeset.

    Blocks may nest; those inside code fences, and one that never ends, stay as they are.

    >>> print(fold("<details><summary>Why?</summary>\\nBecause $a$.\\n</details>"))
    ~~~~{vbook-details} Why?
    :open: false
    <BLANKLINE>
    Because $a$.
    <BLANKLINE>
    ~~~~
    """
    lines, done, fence, i = markdown.splitlines(), [], "", 0
    while i < len(lines):
        fence = _fence(lines[i], fence)
        opening = None if fence else OPEN.match(lines[i])
        tag = opening["tag"].lower() if opening else ""
        end = _end(lines, i, tag) if opening else None
        if end is None:
            done.append(lines[i])
            i += 1
            continue
        inside = "\n".join([opening["rest"], *lines[i + 1 : end + 1]])
        inside, after = re.match(rf"(.*)</{tag}>(.*)", inside, re.DOTALL | re.IGNORECASE).groups()
        is_open = bool(re.search(r"\bopen\b(?!-)", re.sub(r"""=\s*("[^"]*"|'[^']*')""", "", opening["attributes"].lower())))
        done.append(_block("vbook-aside", inside) if tag == "aside" else _details(inside, is_open))
        if after.strip():
            done += ["", after.strip()]
        i = end + 1
    return "\n".join(done)


def _fence(line: str, fence: str) -> str:
    """The fence that is open after ``line``, given the one open before it ("" for none)."""
    match = FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    closes = match[1][0] == fence[0] and len(match[1]) >= len(fence) and not match[2].strip()
    return "" if closes else fence


def _end(lines: list[str], start: int, tag: str) -> int | None:
    """The line that closes the block of this kind opened at ``start``."""
    depth, fence = 0, ""
    for i in range(start, len(lines)):
        fence = _fence(lines[i], fence)
        if fence:
            continue
        opening = OPEN.match(lines[i])
        depth += bool(opening and opening["tag"].lower() == tag) - lines[i].lower().count(f"</{tag}>")
        if depth <= 0:
            return i
    return None


def _details(inside: str, is_open: bool) -> str:
    found = SUMMARY.search(inside)
    summary = " ".join(found[1].split()) if found else "Details"
    body = (inside[: found.start()] + inside[found.end() :] if found else inside).strip("\n")
    return _block("vbook-details", body, f" {summary}\n:open: {str(is_open).lower()}")


def _block(name: str, inside: str, options: str = "") -> str:
    body = fold(inside.strip("\n"))
    longest = max((len(run) for run in re.findall(r"~{3,}", body)), default=3)
    marks = "~" * (longest + 1)
    return f"{marks}{{{name}}}{options}\n\n{body.strip()}\n\n{marks}"
