"""What ``make mutants`` says in the end: the share of mutants that the tests notice, and each one that they don't, with a reason.

A mutant is a function of the formulas with one operator, number or name changed (mutmut). A survivor is harmless where it
computes the same; then one of REASONS fits its change, and stands beside it. Ends with exit code 1 below the share asked for, or
where a survivor has no reason.
"""

import re
import subprocess
import sys
from collections import Counter

SHARE = 0.85
NOTICED = ("killed", "timeout", "suspicious", "segfault")
# (what the changed line looks like, why nobody can notice, or need not); the first that fits.
REASONS = [
    (r"validate_args", "whether arguments are checked: the numbers are the same"),
    (r"^-\s*(def |\w+: [^=]*= |[\w, :]*\bsamples: int = )", "a default: mutmut calls the function with the original's"),
    (r"^\+.*(XX|VbookError\(None\))|^-\s*(raise VbookError|f?\".*\"$)", "the words of a message"),
    (r"device=", "the device: these tests run where there is one; tests/training/test_gpu.py asks for the other"),
    (r"strict=", "a check of lengths that are known to agree"),
    (r"\.amax\(", "a constant that cancels"),
    (r"\+1\)", "the last of two dimensions is number 1 too"),
    (r"eigh\(\(x \+ mean\)|\(x \+ mean\) / len", "the mean drops out: the deviations add up to 0"),
    (r"<= minimum, minimum", "both sides are the same where they meet"),
    (r"n > 1 else math\.nan|samples > 1 else|\) or True else", "the spread of one value is not a number either"),
    (r"finfo\(x\.dtype\)\.eps", "where rounding begins: any number of its size does"),
    (r"fork_rng", "the devices whose random state is kept: there are none in these tests"),
    (r"encoder|aside", "the encoder has no slope in Monte Carlo EM, and rests either way"),
]


def results() -> dict[str, list[str]]:
    """The mutants by what became of them."""
    found: dict[str, list[str]] = {}
    said = subprocess.run(["mutmut", "results", "--all", "true"], capture_output=True, text=True, check=True).stdout
    for name, _, status in (line.strip().rpartition(": ") for line in said.splitlines() if ": " in line):
        found.setdefault(status, []).append(name.rstrip(":"))
    return found


def change(mutant: str) -> str:
    """The lines that the mutant takes out (-) and puts in (+)."""
    said = subprocess.run(["mutmut", "show", mutant], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in said.splitlines() if re.match(r"[-+](?![-+])", line))


def reason(lines: str) -> str | None:
    """Why the change is harmless, if one of REASONS fits it.

    >>> reason("-    kl = torch.where(kl.mean(0) <= minimum, minimum, kl)")
    'both sides are the same where they meet'
    """
    return next((why for pattern, why in REASONS if re.search(pattern, lines, re.MULTILINE)), None)


def main() -> int:
    found = results()
    noticed = sum(len(found.get(status, ())) for status in NOTICED)
    total = sum(len(names) for status, names in found.items() if status != "skipped")
    if not total or "not checked" in found:
        print("mutmut has not gone through: run it again, it goes on where it was")
        return 1
    reasons, unexplained = Counter(), []
    for mutant in sorted(name for status, names in found.items() if status not in (*NOTICED, "skipped") for name in names):
        lines = change(mutant)
        why = reason(lines)
        reasons[why or "no reason yet"] += 1
        unexplained += [] if why else [mutant]
        print(f"{mutant}: {why or 'no reason yet'}\n{lines}\n")
    for why, count in reasons.most_common():
        print(f"{count:4d} survive: {why}")
    print(f"{noticed} of {total} mutants are noticed: {noticed / total:.1%} (asked for: {SHARE:.0%})")
    return int(noticed / total < SHARE or bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
