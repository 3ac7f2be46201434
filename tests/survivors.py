"""What ``make mutants`` says in the end: the share of mutants that the tests notice, and each one that they don't, with a reason.

A mutant is a function of the formulas with one operator, number or name changed (mutmut). A survivor is harmless where it
computes the same; then one of REASONS fits its change, and stands beside it. Ends with exit code 1 below the share asked for, or
where a survivor has no reason.
"""

import re
import subprocess
import sys
from collections import Counter
from itertools import takewhile

SHARE = 0.85
NOTICED = ("killed", "timeout", "suspicious", "segfault")
# (what changed, as ``piece`` has it; the line that it changed in; why nobody can notice, or need not); the first that fits.
REASONS = [
    (r"^validate_args=", "", "whether arguments are checked: the numbers are the same"),
    (r"^\w+: .* = .* -> \w+: ", "", "a default: mutmut calls the function with the original's"),
    ("", r"^\s*(raise VbookError\(|f?\"[^\"]*\",?$)", "the words of a message"),
    (r"^device=", "", "the device: there is one in these tests; tests/training/test_gpu.py asks for the other"),
    (r"^strict=", "", "a check of lengths that are known to agree"),
    (r"amax\(0 -> .*amax\(None", "", "a constant that cancels"),
    (r"\.sum\(-1 -> .*\.sum\(\+1", "", "the last of two dimensions is number 1 too"),
    (r"x - mean -> .*x \+ mean", "", "the mean drops out: the deviations add up to 0"),
    (r" <= minimum -> .* < minimum", "", "both sides are the same where they meet"),
    (r" > 1 else .* -> .*( >= 1 else|or True else)", "", "the spread of one value is not a number either"),
    (r"", r"if not variance > torch\.finfo", "where rounding begins: any number of its size does"),
    (r"devices=\[\] -> ", "", "whose random state is kept: there is one device in these tests"),
    (r"persistent", "", "whether a buffer that the constructor makes anew is saved with the weights"),
    (r"_like|_LIKE|empty\(", r"register_buffer\(\"_like\"", "a buffer of which only the type and the device are read"),
    (r"dtype=", r"(torch\.full|as_tensor|torch\.eye)\(", "the type of a constant that is promoted where it meets others"),
    (
        "",
        r"^\s*(parts = \{|method=|settings \|= |return \{\"step_size\")",
        "names and settings inside a checkpoint: one code writes and reads",
    ),
    (r"history\.steps|Diverged", r"^\s*raise Diverged\(", "the step that a message names"),
    (r"_validate_sample\(", "", "whether arguments are checked: the numbers are the same"),
    ("", r"with in_words\(", "the words of a message"),
    (r"^1 -> 2$", r"theta, z = draw\(", "the first of two draws is the draw"),
    (r">= self.dropout -> .*> self.dropout", "", "both sides are the same where they meet, which noise never does"),
    (r"sbi,sbj", "", "the letters of indices"),
    (r"x\.split\(", "", "how many images at a time"),
    (r"\+ columns -> .*- columns", "", "the sum and the difference are odd together"),
    (r"set_to_none", "", "slopes of zero or none: the optimizer's steps are the same"),
    (r"(manual_seed|Generator)\(|0x5EED", "", "another stream of noise, or the device of the only one"),
    ("", r"failed = \(failed > 0\)", "where rounding begins: any number of its size does"),
    ("", r"for t in range\(1, warm_up \+ 1\)", "a step of the warm-up more or less"),
    (r"(budget|progress)", r"loop = Loop\(|check_flags", "how long it may take and what it shows: tests/training tries them"),
    ("", r"^\s*(encoder = getattr\(model|aside = \{id)", "the encoder has no slope in Monte Carlo EM, and rests either way"),
]


def results() -> dict[str, list[str]]:
    """The mutants by what became of them."""
    found: dict[str, list[str]] = {}
    said = subprocess.run(["mutmut", "results", "--all", "true"], capture_output=True, text=True, check=True).stdout
    for name, _, status in (line.strip().rpartition(": ") for line in said.splitlines() if ": " in line):
        found.setdefault(status, []).append(name)
    return found


def change(mutant: str) -> tuple[str, str]:
    """The line that the mutant takes out and the one that it puts in."""
    said = subprocess.run(["mutmut", "show", mutant], capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if re.match(r"[-+](?![-+])", line)]
    return tuple("\n".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")


def _alike(one: str, other: str) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def piece(out: str, into: str) -> str:
    """What differs, with the argument, or the index, that it stands in.

    >>> piece("f(a, g(b), check=True)", "f(a, g(b), check=None)")
    'check=True -> check=None'
    >>> piece("w = (v - v.amax(0)).exp()", "w = (v - v.amax(None)).exp()")
    'v.amax(0 -> v.amax(None'
    >>> piece("w = (v - v.amax(0)).exp()", "w = (v + v.amax(0)).exp()")
    '(v - v.amax(0 -> (v + v.amax(0'
    """
    start = _alike(out, into)
    end = _alike(out[start:][::-1], into[start:][::-1])
    begun = out[:start]
    start -= len(re.search(r"([\w.]*[(\[])?[^(\[,]*$", begun)[0].lstrip())
    closed = len(re.match(r"[^)\],]*", out[len(out) - end :])[0]) if end else 0
    return f"{out[start : len(out) - end + closed]} -> {into[start : len(into) - end + closed]}"


def reason(out: str, into: str) -> str | None:
    """Why the change is harmless, if one of REASONS fits it; a real one in the same line has none.

    >>> reason("kl = torch.where(kl.mean(0) <= minimum, minimum, kl)", "kl = torch.where(kl.mean(0) < minimum, minimum, kl)")
    'both sides are the same where they meet'
    >>> reason("kl = torch.where(kl.mean(0) <= minimum, minimum, kl)", "kl = torch.where(kl.mean(0) <= minimum, minimum, None)")
    >>> reason("Normal(mu, (0.5 * v).exp(), validate_args=False)", "Normal(mu, (1.5 * v).exp(), validate_args=False)")
    """
    changed = piece(out, into)
    return next((why for what, line, why in REASONS if re.search(what, changed) and re.search(line, out)), None)


def main() -> int:
    found = results()
    noticed = sum(len(found.get(status, ())) for status in NOTICED)
    total = sum(len(names) for status, names in found.items() if status != "skipped")
    if not total or "not checked" in found:
        print("mutmut has not gone through: run it again, it goes on where it was")
        return 1
    reasons, unexplained = Counter(), []
    for mutant in sorted(name for status, names in found.items() if status not in (*NOTICED, "skipped") for name in names):
        out, into = change(mutant)
        why = reason(out, into)
        reasons[why or "no reason yet"] += 1
        unexplained += [] if why else [mutant]
        print(f"{mutant}: {why or 'no reason yet'}\n-{out}\n+{into}\n")
    for why, count in reasons.most_common():
        print(f"{count:4d} survive: {why}")
    print(f"{noticed} of {total} mutants are noticed: {noticed / total:.1%} (asked for: {SHARE:.0%})")
    return int(noticed / total < SHARE or bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
