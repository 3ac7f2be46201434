"""Speed, measured side by side in one process: ratios, since seconds belong to one machine on one day."""

from vbook.bench.site import bench_site
from vbook.bench.train import bench_train
from vbook.bench.widgets import bench_widgets

__all__ = ["bench_site", "bench_train", "bench_widgets"]
