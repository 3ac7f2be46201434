"""From the committed notebooks to executed ones: run, normalise, keep, lint. Command line: ``vbook run``."""

from vbook.pipeline.normalise import normalise
from vbook.pipeline.run import Failure, run_chapters

__all__ = ["Failure", "normalise", "run_chapters"]
