"""The experiments of chapter 2, by what they are about."""

from vbook.experiments.chapter02 import challenges, digits, pictures, plane, rivals

__all__ = ["challenges", "digits", "pictures", "plane", "rivals"]
