"""What an experiment consists of: a change of its code is seen wherever it stands, a change of its words is not."""

import importlib.util
import shutil

import pytest

from vbook.experiments.source import ALWAYS, PACKAGE, _code_at, code_of

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
    if x is None:
        raise ValueError("no x")
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
        ("no x", "x is missing"),
    ],
)
def test_words_layout_and_other_code_are_not(code, before, after):
    assert code(MODULE) == code(MODULE.replace(before, after))


@pytest.fixture
def package(tmp_path):
    """A copy of the package to change, and the code of an experiment in it."""
    top = shutil.copytree(PACKAGE, tmp_path / "vbook", ignore=shutil.ignore_patterns("__pycache__", "static", "node_modules"))

    def code(name="vae_20"):
        return _code_at(top / "experiments" / "chapter02" / "digits.py", name, top)

    return top, code


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("bounds.py", "- kl_divergence(q, model.prior())", "- 2 * kl_divergence(q, model.prior())"),  # imported by name
        ("models/vae.py", "nn.Module):", "nn.Module, object):"),  # through the __init__ of a package
        ("networks.py", "0.5 * log_variance", "log_variance"),  # used by what is used
        ("networks.py", "nn.Tanh,", "nn.Sigmoid,"),  # a constant
        ("training/optimizers.py", "fused=True", "fused=False"),
        ("evaluation.py", "@torch.no_grad()", "@torch.enable_grad()"),  # a decorator
        (
            "distributions.py",
            "return kl_divergence(as_multi",
            "return -kl_divergence(as_multi",
        ),  # registered
        (ALWAYS[0], "return", "return None or"),
        (
            "training/optimizers.py",
            "\n\ndef opt",
            "\nOPTIMIZERS.update(adam=None)\n\ndef opt",
        ),  # names no new name
        ("training/optimizers.py", "\n\ndef opt", '\nif OPTIMIZERS:\n    OPTIMIZERS["adam"] = None\n\ndef opt'),
        ("models/vae.py", "\n\ndef vae", "\nVAE.decode = None\n\ndef vae"),
        ("experiments/setup.py", '("train", "valid", "test"))', '("train", "test", "test"))'),
    ],
)
def test_changes_of_the_numerics_are_seen_through_imports(package, file, before, after):
    top, code = package
    was, text = code(), (top / file).read_text()
    assert before in text
    (top / file).write_text(text.replace(before, after))
    assert code() != was


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("bounds.py", "def log_mean_exp", "def brand_new(x):\n    return x\n\n\ndef log_mean_exp"),  # nobody uses it yet
        ("models/linear_gaussian.py", "return", "return None or"),  # another model
        ("training/steps.py", "keeps the rate of its recording", "keeps the rate it began with"),
        ("training/checks.py", "if not all(", "if not any("),  # what refuses has no say in what is accepted
        ("experiments/registry.py", "is registered twice", "is there already"),
    ],
)
def test_what_an_experiment_does_not_use_leaves_it_alone(package, file, before, after):
    top, code = package
    was, text = code(), (top / file).read_text()
    assert before in text
    (top / file).write_text(text.replace(before, after))
    assert code() == was


def test_a_bound_that_one_experiment_uses_is_no_business_of_another(package):
    top, code = package
    before = {name: code(name) for name in ("vae_2", "importance_weighted")}
    bounds = top / "bounds.py"
    bounds.write_text(bounds.read_text().replace("return log_mean_exp(log_weights", "return -log_mean_exp(log_weights"))
    assert code("importance_weighted") != before["importance_weighted"] and code("vae_2") == before["vae_2"]
