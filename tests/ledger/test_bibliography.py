"""The bibliography: complete entries, and none of the works that a chapter links to is missing."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^@\w+\{([\w-]+),\n(.*?)^\}", TEXT, flags=re.MULTILINE | re.DOTALL))


def test_entries_are_complete():
    assert len(ENTRIES) == TEXT.count("\n@") > 10, "an entry could not be read, or a key stands twice"
    for key, body in ENTRIES.items():
        fields = dict(re.findall(r"^\s+(\w+)\s*=\s*\{(.*)\},?$", body, flags=re.MULTILINE))
        assert {"author", "title", "year"} <= set(fields), key
        assert re.fullmatch(r"\d{4}", fields["year"]) and {"url", "note"} & set(fields), key
        assert "eprint" not in fields or fields["url"] == f"https://arxiv.org/abs/{fields['eprint']}", key


def test_works_that_chapters_link_to_are_there():
    linked = set()
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        linked |= set(re.findall(r"https://arxiv\.org/abs/[\d.]+\d", "".join("".join(cell["source"]) for cell in cells)))
    assert {url for url in linked if url not in TEXT} == set()
