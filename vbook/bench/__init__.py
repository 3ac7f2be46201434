"""Speed, measured side by side in one process: ratios, since seconds belong to one machine on one day."""

from vbook.bench.train import bench_train

__all__ = ["bench_train"]
