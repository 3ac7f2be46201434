"""The experiments of chapter 12, by what they are about."""

from vbook.experiments.chapter12 import bounds, codes, estimators, frey, optimizers, profiler, protocol, simulated

__all__ = ["bounds", "codes", "estimators", "frey", "optimizers", "profiler", "protocol", "simulated"]
