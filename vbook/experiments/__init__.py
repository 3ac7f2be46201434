"""Every measured number of the book is the outcome of an experiment registered here under its id, one module a chapter."""

from vbook.experiments import chapter02, chapter12, chapter13
from vbook.experiments.queue import reproduce
from vbook.experiments.registry import Experiment, Outcome, experiments, find, run
from vbook.experiments.setup import Setup
from vbook.experiments.together import start

__all__ = [
    "Experiment",
    "Outcome",
    "Setup",
    "chapter02",
    "chapter12",
    "chapter13",
    "experiments",
    "find",
    "reproduce",
    "run",
    "start",
]
