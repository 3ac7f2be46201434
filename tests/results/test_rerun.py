"""No record without a run: two small ones are measured again, and come out as they stand in the book."""

import pytest
import torch

from vbook.experiments import find, run
from vbook.results import read_record, record_path


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("id", ["ch02-vae-5", "ch02-posterior"])
def test_a_record_comes_out_again(id, monkeypatch):
    """Within one standard error of each metric, on the same data, with the same settings and seeds."""
    monkeypatch.delenv("VBOOK_RECORDS", raising=False)
    kept, threads = read_record(record_path(f"{id}.laptop")), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        again = run(id, "laptop").record
    finally:
        torch.set_num_threads(threads)
    for name in ("data", "settings", "seeds", "steps", "examples", "experiment_digest"):
        assert getattr(again, name) == getattr(kept, name), name
    assert again.metrics.keys() == kept.metrics.keys() and find(id).id == kept.experiment
    for name, entry in kept.metrics.items():
        error = entry.get("standard_error") or 0.0
        assert again.metrics[name]["mean"] == pytest.approx(entry["mean"], abs=max(error, 1e-6 * abs(entry["mean"]))), name
