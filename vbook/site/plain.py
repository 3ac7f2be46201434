"""Formulas as lines of text, from their MathML: for excerpts and descriptions, which can't typeset."""

import html
import re
from xml.etree import ElementTree

from vbook.site.maths import ASSISTIVE

SILENT = str.maketrans("", "", "\u2061\u2062\u2063\u2064\u200b")  # signs of MathML that nobody sees
LOW = str.maketrans("0123456789+−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
HIGH = str.maketrans("0123456789+−=()inT′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁱⁿᵀ′")
APART = frozenset("=≠<>≤≥≈∼∝→↦⇒⇔∈∣∥+−")

TOP, END = "\ue002", "\ue003"  # around a fraction, until it is known what stands beside it
FRACTION = re.compile(f"{TOP}([^{TOP}{END}]*){END}")
CALL = re.compile(r"\w+|\w*\([^()]*\)")  # what needs no brackets above or below the line of a fraction
BRACES = "⏟⏞"


def plain(formula: str) -> str:
    """A typeset formula as a line of text, from its MathML.

    >>> plain("<mjx-assistive-mml><math><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"
    ...       "</mjx-assistive-mml>")
    'x² + 1/2'
    """
    found = ASSISTIVE.search(formula)
    line = _line(ElementTree.fromstring(found[1])).translate(SILENT) if found else ""
    while fraction := FRACTION.search(line):
        line = _placed(fraction, line)
    return re.sub(r" +(?=[),\]])|(?<=\() +|(?<=[\w)\]′]) +(?=\()", "", " ".join(line.split()))


def _placed(fraction: re.Match, line: str) -> str:
    """The line with the fraction in brackets where it would read as another: log p/q as (log p)/q, 1/2(a + b) as 1/(2(a + b))."""
    before, after = line[: fraction.start()], line[fraction.end() :]
    last, following = before.rstrip()[-1:], after.lstrip()[:1]
    alone = not (last.isalnum() or last in (")", "]", "′")) and not (following.isalpha() or following in ("(", "[", TOP))
    return f"{before}{fraction[1] if alone else f'({fraction[1]})'}{after}"


def _set(text: str, signs: dict[int, int], before: str = "") -> str:
    """The text in small signs, below or above the line, or as it is, after ``before``, where Unicode lacks one of them."""
    bare = text.replace(" ", "")
    if all(ord(sign) in signs for sign in bare):
        return bare.translate(signs)
    return f"{before}({text.strip()})" if before and not bare.isalnum() and bare[0] + bare[-1] != "()" else before + bare


def _line(node: ElementTree.Element) -> str:
    name, parts = node.tag.rpartition("}")[2], [_line(part) for part in node]
    if name == "mfrac":
        top, below = (part.strip() for part in parts)
        return TOP + "/".join(part if CALL.fullmatch(part) else f"({part})" for part in (top, below)) + f"{END} "
    if name in ("munder", "mover") and parts[1].strip() in BRACES:
        return parts[0]
    if name in ("munder", "mover") and any(part.text and part.text.strip() in BRACES for part in node[0].iter()):
        return f"{parts[0].strip()} [{parts[1].strip()}] "
    if name in ("msub", "msup", "msubsup", "munder", "munderover"):
        low, high = parts[1] * (name != "msup"), parts[-1] * (name not in ("msub", "munder"))
        below = _set(low, LOW, "_" * ("under" in name or bool(re.match(r"[A-Za-z]", low.strip())))) if low else ""
        above = _set(high, HIGH, "^") if high else ""
        return parts[0].rstrip() + below + above + " " * ("under" in name or parts[0].endswith(" "))  # log₂ x
    if name == "mover":
        return parts[0]
    if name == "msqrt":
        return f"√({''.join(parts)})"
    if name == "mspace":
        return " "
    said = html.unescape(node.text or "").strip()
    if name == "mo" and said in APART:
        return f" {said} "
    if name == "mo" and said == ",":
        return ", "
    return said + (" " if name == "mi" and len(said) > 1 else "") + "".join(parts)  # log p, not logp
