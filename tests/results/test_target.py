"""The sources' numbers: a file that is not what it should be is told in one line."""

import pytest

from vbook import paths
from vbook.errors import VbookError
from vbook.results import target

GOOD = """- id: thesis/sec-1/a
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


def test_a_missing_file_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "book", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(VbookError, match=r"targets\.yml can't be read \(No such file"):
        target.targets.__wrapped__()


def test_targets_are_read_by_id(read):
    assert read(GOOD)["thesis/sec-1/a"]["value"] == -101.8 and read("[]") == {}


TABLE = """- table: thesis/table-5.9
  title: Bounds
  source: thesis, table 5.9
  protocol: MNIST
  mark: S
  unit: nats
  direction: higher
  columns:
    vlb: {what: bound}
    time: {what: time, unit: s, direction: lower, tolerance: 0.5}
  rows:
    flat: {what: factorised, values: [[-84.1, 0.1], 3]}
    iaf: {what: IAF, values: [-80.8, null], records: {vlb: ch05-iaf.paper/vlb}}
"""


def test_the_cells_of_a_table_are_targets(read):
    found = read(TABLE)
    assert list(found) == [f"thesis/table-5.9/{cell}" for cell in ("flat/vlb", "flat/time", "iaf/vlb")]
    flat, time, iaf = found.values()
    assert (flat["value"], flat["spread"], flat["unit"], flat["direction"]) == (-84.1, 0.1, "nats", "higher")
    assert (time["value"], time["unit"], time["direction"], time["tolerance"]) == (3, "s", "lower", 0.5) and "spread" not in time
    assert iaf["record"] == "ch05-iaf.paper/vlb" and "record" not in flat and iaf["protocol"] == "IAF, bound: MNIST"
    assert [target.chapter_of(cell) for cell in found.values()] == [5, 5, 5] and target.source_of(flat) == "thesis"
    assert (flat["table"], flat["row"], flat["column"], flat["title"]) == ("thesis/table-5.9", "flat", "vlb", "Bounds")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "  note: [", "can't be read as YAML"),
        (GOOD.encode() + b"  note: \xff", "can't be read as YAML"),
        ("a: 1", "a list of entries belongs there"),
        ("- 1", "1 is no target"),
        (GOOD.replace("-101.8", "about 102"), "'thesis/sec-1/a': 'about 102' is no value"),
        (GOOD.replace("-101.8", ""), "'thesis/sec-1/a': None is no value"),
        (GOOD.replace("thesis/sec-1/a", "[1]"), "[1]: [1] is no id"),
        (GOOD.replace("higher", "up"), "'thesis/sec-1/a': 'up' is no direction"),
        (GOOD + "  spread: wide", "'thesis/sec-1/a': 'wide' is no spread"),
        (GOOD.replace("  unit: nats\n", "  1: nats\n"), "missing ['unit'], unknown ['1']"),
        ("", "a list of entries belongs there"),
        (GOOD + GOOD, "thesis/sec-1/a stands twice"),
        (GOOD + "  unit: s", "'unit' stands twice"),
        (GOOD + "  note: 2020-13-45", "can't be read as YAML: month must be in 1..12"),
        (GOOD + "  spread: -0.1", "'thesis/sec-1/a': spread -0.1 is below 0"),
        (GOOD + "  record: nothing", "record 'nothing' is no <experiment>.<profile>/<metric>"),
        (GOOD.replace("thesis/", "theses/"), "begins with none of thesis, adams"),
        (GOOD.replace("thesis/sec-1/a", "thesis/x"), "'thesis/x': names no place of the thesis"),
        (GOOD.replace("thesis/sec-1/a", "thesis/table-14.1/a"), "'thesis/table-14.1/a': names no place of the thesis"),
        (GOOD.replace("thesis/sec-1/a", "adams/"), "'adams/': names nothing in its source"),
        (GOOD.replace("thesis/sec-1/a", "adams"), "'adams': names nothing in its source"),
        (TABLE.replace("ch05-iaf.paper/vlb", "''"), "'thesis/table-5.9/iaf': record '' is no <experiment>"),
        (GOOD.replace("thesis/sec-1/a", "thesis/sec-0/a"), "'thesis/sec-0/a': names no place of the thesis"),
        (GOOD.replace("mark: S", "mark: Z"), "'Z' is no mark"),
        (TABLE.replace("records: {vlb", "records: {time"), "a record for ['time'], where the source has no number"),
        (TABLE + TABLE, "thesis/table-5.9/flat/time, thesis/table-5.9/flat/vlb, thesis/table-5.9/iaf/vlb stands twice"),
        (TABLE.replace("-80.8, null", "-80.8"), "'thesis/table-5.9/iaf': 1 values for the 2 columns"),
        (TABLE.replace("[-84.1, 0.1]", "[-84.1, 0.1, 2]"), "[-84.1, 0.1, 2] is no value"),
        (TABLE.replace("[-84.1, 0.1]", "[-84.1, wide]"), "'wide' is no spread"),
        (TABLE.replace("records: {vlb", "records: {bound"), "a record for ['bound'], which is no column"),
        (TABLE.replace("records: {vlb", "records: {1: x, vlb"), "a record for ['1'], which is no column"),
        (TABLE.replace("  direction: higher\n", ""), "missing ['direction']"),
        (TABLE.replace("flat: {what: factorised,", "flat: {"), "'thesis/table-5.9/flat': missing ['what']"),
        (TABLE.replace("vlb: {what: bound}", "vlb: bound"), "column vlb': 'bound' is no column"),
    ],
)
def test_what_is_no_target_is_told_in_one_line(read, text, words):
    with pytest.raises(VbookError, match=r"^targets\.yml") as caught:
        read(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)
