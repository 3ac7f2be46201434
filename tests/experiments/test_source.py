"""What an experiment consists of: a change of its code is seen wherever it stands, a change of its words is not."""

import importlib.util

import pytest

from vbook.experiments.source import code_of

MODULE = """
SIZE = 3
OTHER = 4


def helper(x):
    \"\"\"Words.\"\"\"
    return inner(x) + 1


def inner(x):
    return x * SIZE


def unused(x):
    return x * OTHER


@str
def decorated(x):
    return x


def run(x):
    # a comment
    return helper(x)
"""


@pytest.fixture
def code(tmp_path):
    def load(text):
        path = tmp_path / "module.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("module", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return code_of(module.run)

    return load


@pytest.mark.parametrize(
    ("before", "after"),
    [("x * SIZE", "x / SIZE"), ("SIZE = 3", "SIZE = 5"), ("+ 1", "- 1"), ("return helper(x)", "return -helper(x)")],
)
def test_a_change_of_code_is_seen_wherever_it_stands(code, before, after):
    assert code(MODULE) != code(MODULE.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Words.", "Other words."),
        ("# a comment", "# another"),
        ("x * OTHER", "x"),
        ("return x\n", "return (x)\n"),
        ("OTHER = 4", "OTHER = 9"),
    ],
)
def test_words_layout_and_other_code_are_not(code, before, after):
    assert code(MODULE) == code(MODULE.replace(before, after))
