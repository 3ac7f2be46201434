"""Parameters are checked before anything runs, and the executed copy says what it ran with."""

import pytest
from samples import PARAMETERS, chapter, code, nb

from vbook.errors import VbookError
from vbook.pipeline import parameters

DEFAULTS = parameters.COMMITTED | {"latents": 2, "rate": 1e-3, "fast": False, "name": "elbo", "sizes": [500]}


def test_declared_reads_the_committed_cell():
    assert parameters.declared(PARAMETERS) == parameters.COMMITTED


@pytest.mark.parametrize("source", ["a = b", "a = 1\nimport os", "a, b = 1, 2", "a = f()", "a = ", "print(1)"])
def test_a_cell_that_computes_is_refused(source):
    with pytest.raises(VbookError, match="name = literal") as caught:
        parameters.declared(source)
    assert source.splitlines()[-1].strip() in str(caught.value), "the line is shown"


@pytest.mark.parametrize("cells", [[code("seed = 0")], [code("a = 1", "parameters"), code("b = 1", "parameters")]])
def test_one_parameters_cell(cells):
    with pytest.raises(VbookError, match="one code cell tagged 'parameters'"):
        parameters.cell_of(nb(*cells))


def test_values_take_the_type_of_their_default():
    extra = ["latents=20", "rate=0.5", "fast=true", "name=iwae", "sizes=[1, 2]", "seed=7"]
    found = parameters.asked(DEFAULTS, "laptop", extra=extra)
    assert found == DEFAULTS | dict(profile="laptop", latents=20, rate=0.5, fast=True, name="iwae", sizes=[1, 2], seed=7)
    assert type(found["latents"]) is int and type(found["fast"]) is bool


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("latnets=3", "did you mean 'latents'"),
        ("latents", "name=value"),
        ("=3", "name=value"),
        ("latents=two", "whole number"),
        ("latents=2.5", "whole number"),
        ("rate=fast", "takes a number"),
        ("fast=1", "true or false"),
        ("sizes=3", "takes a list"),
        ("sizes=[", "takes a list"),
        ("seed=-1", "0 or more"),
        ("profile=laptop", "with --profile"),
        ("device=gpu", "unknown device"),
        ("data_root=/no/such/folder", "not a folder"),
    ],
)
def test_bad_wishes_are_refused(extra, message):
    with pytest.raises(VbookError, match=message):
        parameters.asked(DEFAULTS, "smoke", extra=[extra])


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VbookError, match="device 'cuda' asked for"):
        parameters.asked(DEFAULTS, "smoke", device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert parameters.asked(DEFAULTS, "smoke", device="cuda:0")["device"] == "cuda:0"
    with pytest.raises(VbookError, match="cuda:1"):
        parameters.asked(DEFAULTS, "smoke", device="cuda:1")


def test_shown_changes_the_values_and_nothing_else(tmp_path):
    source = 'profile = "smoke"  # or "laptop"\nseed = 0\ndevice = "cpu"\ndata_root = None\nσ = 1.5; note = "é"'
    cell = code(source, "parameters")
    values = dict(profile="paper", seed=3, device="cpu", data_root=str(tmp_path), note="ü") | {"σ": 2.0}
    made = parameters.shown(nb(cell), values)["cells"][0]["source"]
    assert made == source.replace('"smoke"', '"paper"').replace("seed = 0", "seed = 3").replace("1.5", "2.0").replace(
        '"é"', '"ü"'
    )


def test_shown_leaves_the_committed_values_as_written():
    made = chapter()
    assert parameters.shown(made, dict(parameters.COMMITTED)) == made
