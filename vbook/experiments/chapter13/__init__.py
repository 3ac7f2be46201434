"""The experiments of chapter 13, by what they are about."""

from vbook.experiments.chapter13 import flow, gan, judge, levels, small, speed

__all__ = ["flow", "gan", "judge", "levels", "small", "speed"]
