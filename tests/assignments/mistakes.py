"""Tables of mistakes: each a change of the master in one place, with the points that it loses and a word of the feedback.

Mistakes that can't meet share a submission, for each submission takes seconds.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import handin

from vbook.assign.grading import Graded


class Mistake(NamedTuple):
    """``old``, which stands once in the task's cell, becomes ``new``."""

    what: str
    task: str
    old: str
    new: str
    points: dict[str, int]
    word: str


class Table:
    """``rows`` of assignment ``name``; ``meets`` says which other tasks' checks or masters use a task's answer."""

    def __init__(self, name: str, rows: Sequence[tuple], meets: Mapping[str, set[str]]):
        self.name, self.rows, self.meets = name, [Mistake(*row) for row in rows], meets
        self.graded: dict[int, Graded] = {}

    @property
    def ids(self) -> list[str]:
        return [row.what for row in self.rows]

    def reach(self, row: Mistake) -> set[str]:
        """Tasks whose result a mistake may change."""
        return {row.task} | self.meets.get(row.task, set()) | set(row.points)

    def meet(self, one: Mistake, other: Mistake) -> bool:
        return one.task in self.reach(other) or other.task in self.reach(one) or bool(set(one.points) & set(other.points))

    @cached_property
    def groups(self) -> list[list[Mistake]]:
        """Rows in groups whose mistakes can't meet."""
        groups: list[list[Mistake]] = []
        for row in self.rows:
            group = next((group for group in groups if not any(self.meet(row, other) for other in group)), None)
            groups.append([row]) if group is None else group.append(row)
        return groups

    def grade(self, k: int, folder: Path) -> Graded:
        """The submission that makes all mistakes of group ``k``; graded once."""
        if k not in self.graded:
            changes = [(row.task, row.old, row.new) for row in self.groups[k]]
            self.graded[k] = handin.grade(folder, handin.changed(*changes, name=self.name), self.name)
        return self.graded[k]

    def every_task_has_one(self) -> bool:
        return len(set(self.ids)) == len(self.rows) and {row.task for row in self.rows} == set(handin.master(self.name).tasks)

    def explained(self, row: Mistake, folder: Path) -> bool:
        """Whether ``row`` loses exactly its points and the feedback says why; an AssertionError that shows it if not."""
        result = self.grade(next(k for k, rows in enumerate(self.groups) if row in rows), folder)
        lost, reasons = handin.lost(result), handin.reasons(result, row.task)
        assert {name: lost.get(name, 0) for name in row.points} == row.points and row.word in reasons, (lost, reasons)
        return row.task in lost

    def nothing_else_lost(self, folder: Path) -> bool:
        """Whether each group loses the sum of its rows and not a point more; an AssertionError that shows it if not."""
        for k, rows in enumerate(self.groups):
            expected = {task: points for row in rows for task, points in row.points.items()}
            assert handin.lost(self.grade(k, folder)) == expected
        return bool(self.groups)
