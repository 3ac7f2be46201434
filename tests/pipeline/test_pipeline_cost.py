"""The cost label of a chapter: measured, and steady from run to run."""

import subprocess
import sys

import pytest

from vbook.pipeline.cost import commit_cost, cost_record, is_news
from vbook.pipeline.worker import peak_memory
from vbook.results import read_record, save_record

STEM = "02-variational-autoencoders"


def cost(seconds=40.0, peak=1_000_000_000, threads=1, **values):
    return cost_record(STEM, {"profile": "smoke", "seed": 0, "device": "cpu"} | values, seconds, peak, threads)


def test_a_cost_is_a_record_of_the_chapter():
    record = cost()
    assert record.id == "chapter-02.smoke" and record.device == "CPU, 1 thread"
    assert record.metrics == {"wall_time": {"mean": 40.0, "unit": "s"}, "peak_memory": {"mean": 1.0, "unit": "GB"}}
    assert cost(device="cuda").device == "cuda" and cost(threads=2).device == "CPU, 2 threads"


@pytest.mark.parametrize(
    ("changed", "news"),
    [({}, False), ({"seconds": 43.5}, False), ({"seconds": 44.5}, True), ({"peak": 850_000_000}, True), ({"threads": 2}, True)],
)
def test_a_label_changes_only_when_it_is_off_by_a_tenth(changed, news):
    assert is_news(cost(**changed), cost()) is news
    assert is_news(cost(**changed), None)


def test_costs_are_committed_when_they_are_news(tmp_path):
    kept, results = tmp_path / "kept", tmp_path / "results"
    assert not commit_cost("chapter-02.smoke", kept, results)
    for seconds, committed in ((40.0, 40.0), (44.0, 40.0), (60.0, 60.0)):
        save_record(cost(seconds), kept)
        assert commit_cost("chapter-02.smoke", kept, results) is (seconds == committed)
        assert read_record(results / "chapter-02.smoke.json").metrics["wall_time"]["mean"] == committed


def test_peak_memory_sees_what_a_child_held():
    subprocess.run([sys.executable, "-c", "held = bytearray(300_000_000)"], check=True)
    assert 300_000_000 < peak_memory() < 20_000_000_000
