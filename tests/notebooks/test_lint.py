"""The committed chapters keep the rules of the house."""

from pathlib import Path

from vbook.pipeline.lint import lint_book

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_chapters_keep_the_rules():
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    assert chapters, "there are no chapters to check"
    complaints = lint_book(chapters, sorted((ROOT / "book").glob("*.md")))
    assert not complaints, "\n".join(complaints)
