import json
import zipfile

import pytest
import sample

from vbook.site.build import build_site
from vbook.site.editions import pack

CANARY = "canary5f1d0c"


@pytest.mark.slow
def test_nothing_hidden_reaches_the_site_or_its_archive(tmp_path):
    """Masters and grades of assignments, metadata, attachments, error streams: planted there, found nowhere."""
    top = sample.write(tmp_path / "book")
    chapter = top / "chapters" / "02-variational-autoencoders.ipynb"
    notebook = json.loads(chapter.read_text())
    notebook["metadata"]["solutions"] = CANARY
    for cell in notebook["cells"]:
        cell["metadata"]["nbgrader"] = {"grade_id": CANARY, "solution": True}
        if cell["cell_type"] == "code":
            cell["outputs"].append({"output_type": "stream", "name": "stderr", "text": CANARY})
        else:
            cell["attachments"] = {f"{CANARY}.txt": {"text/plain": CANARY}}
    chapter.write_text(json.dumps(notebook))
    for name in (
        "chapters/assignments/A1.ipynb",
        "chapters/assignments/A1.py",
        "submissions/ada/A1.ipynb",
        "grades/A1.csv",
        "grades/feedback/ada/A1.md",
        "grades/by-hand/ada/A1.md",
        "book/by-hand/ada/A1.md",
        "chapters/A1.ipynb",
        "book/marking.md",
        "book/results/a1.json",
        "tests/hidden.py",
    ):
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        hidden = sample.notebook(("code", f"answer = '{CANARY}'", ["solution"], ()), ("markdown", CANARY))
        file.write_text(json.dumps(hidden) if name.endswith(".ipynb") else f"# {CANARY}\n")
    site = build_site(top=top)
    archive = pack(site, tmp_path / "site.zip")
    with zipfile.ZipFile(archive) as packed:
        content = {name: packed.read(name) for name in packed.namelist()}
    content |= {str(file): file.read_bytes() for file in site.rglob("*") if file.is_file()}
    assert len(content) > 20 and [name for name, text in content.items() if CANARY.encode() in text] == []
