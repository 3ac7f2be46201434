"""The experiments of chapter 2, by what they are about."""

from vbook.experiments.chapter02 import digits, pictures, rivals

__all__ = ["digits", "pictures", "rivals"]
