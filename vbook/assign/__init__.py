"""Assignments: release, grade and check."""

from vbook.assign.compare import expect

__all__ = ["expect"]
