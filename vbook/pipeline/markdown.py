"""The few things that the pipeline reads in a chapter's Markdown: equations with a tag, links to them, links to numbers."""

import re
from collections.abc import Callable

_FENCED = r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[`~]*\s*?$"
_CODE = re.compile(rf"{_FENCED}|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<reference>(?:record|target):[^()\s]+)\)")
_EQUATION = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<file>[^()\s#]*)#eq-(?P<label>[^()\s]+)\)")
_TAG = re.compile(r"\\tag\*?\{([^{}]*)\}")


def without_code(text: str) -> str:
    """``text`` with fenced blocks and code spans blanked out, so that nothing in them is taken for prose.

    >>> without_code("a `$$` b")
    'a  b'
    """
    return _CODE.sub("", text)


def equations(text: str) -> list[list[str]]:
    """The tags of each display formula, formula by formula.

    >>> equations(r"so $$ a = b \\tag{2.1} $$ and $$ c $$")
    [['2.1'], []]
    """
    return [_TAG.findall(block) for block in without_code(text).split("$$")[1::2]]


def equation_links(text: str) -> list[tuple[str, str, str]]:
    """``(text, file, label)`` of each link to an equation; ``file`` is empty for one on the same page.

    >>> equation_links("see [(2.10)](02-vae.ipynb#eq-2.10)")
    [('(2.10)', '02-vae.ipynb', '2.10')]
    """
    return _EQUATION.findall(without_code(text))


def number_links(text: str) -> list[tuple[str, str]]:
    """``(text, reference)`` of each link to a record or a target.

    >>> number_links("[−101.3](record:ch02-vae-20.laptop/elbo_valid) nats")
    [('−101.3', 'record:ch02-vae-20.laptop/elbo_valid')]
    """
    return _NUMBER.findall(without_code(text))


def with_numbers(text: str, number: Callable[[str, str], str]) -> str:
    """``text`` with the text of each number link replaced by ``number(text, reference)``; code stays as it is.

    >>> with_numbers("[1](target:a) `[1](target:a)`", lambda text, reference: "2")
    '[2](target:a) `[1](target:a)`'
    """

    def link(match):
        return f"[{number(match['text'], match['reference'])}]({match['reference']})"

    kept, end = [], 0
    for code in _CODE.finditer(text):
        kept += [_NUMBER.sub(link, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*kept, _NUMBER.sub(link, text[end:])])
