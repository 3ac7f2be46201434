"""The sources' numbers: a file that is not what it should be is told in one line."""

import pytest

from vbook import paths
from vbook.errors import VbookError
from vbook.results import target

GOOD = """- id: t/a
  value: -101.8
  unit: nats
  direction: higher
  protocol: p
  mark: S
  source: s
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    """A function that reads a text as the file of targets."""
    monkeypatch.setattr(paths, "book", lambda *parts: tmp_path.joinpath(*parts))

    def targets(text):
        (tmp_path / "targets.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return target.targets.__wrapped__()

    return targets


def test_targets_are_read_by_id(read):
    assert read(GOOD)["t/a"]["value"] == -101.8 and read("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "  note: [", "can't be read as YAML"),
        (GOOD.encode() + b"  note: \xff", "can't be read as YAML"),
        ("a: 1", "a list of targets"),
        ("- 1", "1 is no target"),
        (GOOD.replace("-101.8", "about 102"), "'t/a': 'about 102' is no value"),
        (GOOD.replace("-101.8", ""), "'t/a': None is no value"),
        (GOOD.replace("t/a", "[1]"), "[1]: [1] is no id"),
        (GOOD.replace("higher", "up"), "'t/a': 'up' is no direction"),
        (GOOD + "  spread: wide", "'t/a': 'wide' is no spread"),
        (GOOD.replace("  unit: nats\n", "  1: nats\n"), "missing ['unit'], unknown ['1']"),
        (GOOD + GOOD, "'t/a' stands twice"),
    ],
)
def test_what_is_no_target_is_told_in_one_line(read, text, words):
    with pytest.raises(VbookError, match=r"^targets\.yml") as caught:
        read(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)
