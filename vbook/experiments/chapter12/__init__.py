"""The experiments of chapter 12, by what they are about."""

from vbook.experiments.chapter12 import bounds, frey, optimizers, profiler, protocol, simulated

__all__ = ["bounds", "frey", "optimizers", "profiler", "protocol", "simulated"]
