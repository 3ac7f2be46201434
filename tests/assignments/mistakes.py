"""Tables of mistakes, each a change of the master in one place with the points that it loses and a word of the feedback.

Mistakes that can't meet share a submission, for each submission takes seconds. ``Suite`` is what is tested of every assignment.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import handin
import pytest

from vbook.assign.grading import Graded
from vbook.assign.release import student_copy
from vbook.pipeline.notebook import code_cells


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


class Suite:
    """An assignment's tests: ``class TestA2(Suite)`` with its ``table``, and ``right``: changes into unusual right answers.

    ``spoilt`` has the points lost by rows whose wrong value makes gradients wrong, too.
    """

    table: Table
    right: Sequence[tuple[str, str, str]]
    spoilt: Sequence[dict[str, int]] = ()

    def pytest_generate_tests(self, metafunc):
        if "row" in metafunc.fixturenames:
            metafunc.parametrize("row", self.table.rows, ids=[row.what for row in self.table.rows])

    def test_every_task_has_two_mistakes_each_told_from_the_others(self):
        rows, tasks = self.table.rows, handin.master(self.table.name).tasks
        count = Counter(row.task for row in rows)
        few = {task: count[task] for task in tasks if count[task] < 2}
        assert not few, f"tasks with fewer than two rows of mistakes in the table: {few}"
        assert not (gone := set(count) - set(tasks)), f"rows of tasks that the master doesn't have: {gone}"
        twice = [what for what, times in Counter(row.what for row in rows).items() if times > 1]
        assert not twice, f"each row needs a name of its own: {twice}"
        assert len(rows) >= 30, f"{len(rows)} rows of mistakes; an assignment has 30 or more"
        groups = len(self.table.groups)
        assert groups < 25, f"{groups} submissions to grade, for too many rows meet: is MEETS wider than it need be?"

    @pytest.mark.slow
    def test_a_mistake_loses_exactly_its_points_and_is_explained(self, row, folder):
        result = self.table.grade(next(k for k, rows in enumerate(self.table.groups) if row in rows), folder)
        lost = handin.lost(result)
        got = {name: lost.get(name, 0) for name in row.points}
        assert row.task in lost and got == row.points, f"{row.what!r} loses {got or 'nothing'}, the table says {row.points}"
        said = handin.reasons(result, row.task)
        assert row.word in said, f"the feedback on {row.what!r} lacks {row.word!r}: {said}"

    @pytest.mark.slow
    def test_a_gradient_of_a_wrong_value_is_explained_by_the_value(self, folder):
        for row in (row for row in self.table.rows if row.points in self.spoilt):
            result = self.table.grade(next(k for k, rows in enumerate(self.table.groups) if row in rows), folder)
            said = [outcome.words for outcome in result.outcomes if outcome.check.task == row.task and outcome.words]
            assert len(said) > 1 and all(row.word in words for words in said), f"{row.what!r}: not all of {said} say {row.word!r}"

    @pytest.mark.slow
    def test_together_they_lose_nothing_else(self, folder):
        for k, rows in enumerate(self.table.groups):
            expected = {task: points for row in rows for task, points in row.points.items()}
            got = handin.lost(self.table.grade(k, folder))
            assert got == expected, f"{[row.what for row in rows]} together lose {got}, the table says {expected}"

    @pytest.mark.parametrize("seed", ["1", "2", "another"])
    def test_the_master_has_all_points_whatever_the_seed(self, seed, folder):
        result = handin.grade(folder, handin.changed(name=self.table.name), self.table.name, seed)
        assert (handin.lost(result), result.incidents) == ({}, [])

    def test_right_but_unusual_answers_lose_nothing(self, folder):
        assert len(self.right) >= 8, f"{len(self.right)} unusual right answers; an assignment has 8 or more"
        result = handin.grade(folder, handin.changed(*self.right, name=self.table.name), self.table.name)
        assert (handin.lost(result), result.incidents) == ({}, [])

    def test_the_released_copy_scores_nothing_and_stops_at_its_first_task(self, folder):
        name = self.table.name
        handed_out, first = student_copy(handin.master(name)), next(iter(handin.master(name).tasks))
        result = handin.grade(folder, handed_out, name)
        assert result.points() == 0 and result.incidents == [] and not any(outcome.begun for outcome in result.outcomes)
        namespace = {}
        with pytest.raises(NotImplementedError, match=f"task {first}: not begun"):
            for cell in code_cells(handed_out):
                if cell["id"] != f"{name.lower()}-setup":  # its %pip is for a fresh Colab
                    exec(cell["source"], namespace)
        assert cell["metadata"]["nbgrader"]["grade_id"] == f"check-{first}"
