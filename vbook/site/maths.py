"""Mathematics typeset at build time: formulas go to MathJax in one batch and come back as HTML, cached by formula."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.site import vendor

SCRIPT = Path(__file__).with_name("mathjax.mjs")
ASSISTIVE = re.compile(r"<mjx-assistive-mml\b[^>]*>(.*?)</mjx-assistive-mml>", re.DOTALL)  # what a screen reader gets
UNHEARD = re.compile(r' (?:data-mjx-[\w-]+|stretchy)="[^"]*"')  # in it: for the eye, or for MathJax itself
TAG = re.compile(r"\\tag\{([^{}]*)\}")


def split_tag(tex: str) -> tuple[str, str | None]:
    r"""A display formula without its ``\tag``, and the tag's text, or None.

    Raises VbookError for two tags in one block, which could carry only one number.

    >>> split_tag(r"a = b \tag{2.10}")
    ('a = b', '2.10')
    >>> split_tag("a = b")
    ('a = b', None)
    """
    tags = TAG.findall(tex)
    if len(tags) > 1:
        raise VbookError(f"one \\tag a block, found {len(tags)}: {tex.strip()}")
    return TAG.sub("", tex).strip(), tags[0].strip() if tags else None


def key(tex: str, display: bool) -> str:
    """The cache's name of a formula."""
    return hashlib.sha256(f"{'D' if display else 'I'}{tex}".encode()).hexdigest()[:32]


class Typesetter:
    """Formulas already typeset, kept in ``file``; it is void when the script or MathJax's version changes."""

    def __init__(self, file: Path):
        self.file = file
        self.formulas: dict[str, dict] = {}
        self.rules: dict[str, str] = {}
        self._read()

    def _version(self) -> str:
        lock = (paths.root() or Path()) / "package-lock.json"
        return hashlib.sha256(SCRIPT.read_bytes() + lock.read_bytes()).hexdigest()

    def _read(self) -> None:
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no cache, or one cut short: typeset anew
            return
        if kept.get("version") == self._version():
            self.formulas, self.rules = kept["formulas"], kept["rules"]

    def add(self, wanted) -> dict[tuple[str, bool], str]:
        """Typeset the ``(tex, display)`` pairs that are new, in one Node process; returns the errors by formula."""
        missing = [pair for pair in dict.fromkeys(wanted) if key(*pair) not in self.formulas]
        if not missing:
            return {}
        errors = {}
        for pair, answer in zip(missing, _run(missing), strict=True):
            if "error" in answer:
                errors[pair] = answer["error"]
                continue
            names = []
            for rule in answer["rules"]:
                name = hashlib.sha256(rule.encode()).hexdigest()[:12]
                self.rules.setdefault(name, rule)
                names.append(name)
            self.formulas[key(*pair)] = {"html": answer["html"], "rules": names}
        self._write()
        return errors

    def only(self, wanted) -> dict[tuple[str, bool], str]:
        """As ``add``, and forget every formula that is not wanted any more."""
        wanted = list(wanted)
        errors = self.add(wanted)
        kept = {name: self.formulas[name] for name in (key(*pair) for pair in wanted) if name in self.formulas}
        if len(kept) < len(self.formulas):
            self.formulas = kept
            used = {rule for formula in kept.values() for rule in formula["rules"]}
            self.rules = {name: rule for name, rule in self.rules.items() if name in used}
            self._write()
        return errors

    def _write(self) -> None:
        content = {"version": self._version(), "formulas": self.formulas, "rules": self.rules}
        with paths.atomic_write(self.file, "w") as file:
            json.dump(content, file, ensure_ascii=False)

    def html(self, tex: str, display: bool) -> str:
        """The typeset formula; one that no batch has seen is typeset now. Raises VbookError when it can't be."""
        if key(tex, display) not in self.formulas:
            for error in self.add([(tex, display)]).values():
                raise VbookError(f"MathJax: {error}: {tex}")
        # HTML knows MathML without being told, and inline without: with shorter classes that is 110 kB a chapter.
        found = self.formulas[key(tex, display)]["html"].replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
        found = ASSISTIVE.sub(lambda one: UNHEARD.sub("", one[0]), found)
        return _short(found.replace('<mjx-assistive-mml display="inline">', "<mjx-assistive-mml>"))

    def stylesheet(self, wanted) -> str:
        """The style rules that the ``(tex, display)`` pairs need, each once, with only the fonts that they use."""
        known = [self.formulas[key(*pair)] for pair in dict.fromkeys(wanted) if key(*pair) in self.formulas]
        names = dict.fromkeys(name for formula in known for name in formula["rules"])
        rules = [self.rules[name] for name in names]
        used = {word for formula in known for text in re.findall(r'class="([^"]*)"', formula["html"]) for word in text.split()}
        stretchy = " ".join(rule for rule in rules if not rule.startswith((".NCM-", "@font-face")))
        fonts = {f"MJX-{word}" for word in used if word.startswith("NCM-")} | set(re.findall(r"MJX-[\w-]+", stretchy))
        fonts.add("MJX-NCM-ZERO")
        return _short("\n".join(rule for rule in rules if _needed(rule, fonts)) + "\n")


def _short(text: str) -> str:
    """Markup or style rules with the class of each character, mjx-c1D465, as u1D465."""
    return re.sub(r"(?<=[\". ])mjx-c(?=[0-9A-F]{2,5}\b)", "u", text)


def _needed(rule: str, fonts: set[str]) -> bool:
    if not rule.startswith((".NCM-", "@font-face")):
        return True
    return re.findall(r"MJX-[\w-]+", rule)[-1] in fonts


def _run(formulas) -> list[dict]:
    module = vendor.modules() / "mathjax" / "node-main.mjs"
    request = {"module": module.as_uri(), "formulas": [{"tex": tex, "display": display} for tex, display in formulas]}
    done = subprocess.run([vendor.node(), SCRIPT], input=json.dumps(request), capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise VbookError(f"MathJax did not run: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)
