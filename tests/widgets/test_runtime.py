"""The pages' runtime against PyTorch: every layer and head, every number format, every network that the book exports."""

import base64
import json
import subprocess
import zlib
from pathlib import Path

import pytest
import scripts
import torch
from torch import nn

import vbook.widgets
from vbook.errors import VbookError
from vbook.networks import BernoulliDecoder, FullCovarianceEncoder, GaussianDecoder, GaussianEncoder
from vbook.results.weights import load_model
from vbook.site.vendor import node
from vbook.widgets.export import LIMIT, export
from vbook.widgets.kept import KEPT, network

RUNTIME = Path(vbook.widgets.__file__).with_name("static") / "runtime.js"
# Largest difference in a pixel's probability, or in a mean or standard deviation on the scale of pixels.
TOLERANCES = {"float32": 1e-5, "float16": 2e-3, "int8": 1e-2}


def in_javascript(network, points, changes=None):
    request = {"spec": network.spec, "weights": network.text(), "points": points.tolist()} | (changes or {})
    command = [node(), Path(__file__).with_name("parity.mjs"), RUNTIME]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def outputs(part, points):
    with torch.no_grad():
        given = part(points)
    if isinstance(part, BernoulliDecoder):
        return {"mean": given.mean}
    return {"mean": given.loc, "sd": given.scale}


def largest_difference(part, network, points):
    """Of means as they are, of standard deviations as a share: far from the data some are very large."""
    found, expected = in_javascript(network, points)["found"], outputs(part, points)
    assert all(set(row) == set(expected) for row in found)
    found = {name: torch.tensor([row[name] for row in found]) for name in expected}
    away = (found["mean"] - expected["mean"]).abs().max().item()
    return max(away, (found["sd"] / expected["sd"] - 1).abs().max().item()) if "sd" in expected else away


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("weights", TOLERANCES)
@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "gaussian-sigmoid", "encoder"])
def test_every_layer_head_and_format_gives_pytorchs_numbers(kind, weights, activation):
    torch.manual_seed(0)
    part = {
        "bernoulli": lambda: BernoulliDecoder(3, 21, (17, 9), activation),
        "gaussian": lambda: GaussianDecoder(3, 21, (17, 9), activation),
        "gaussian-sigmoid": lambda: GaussianDecoder(3, 21, (17, 9), activation, sigmoid_mean=True),
        "encoder": lambda: GaussianEncoder(3, 4, (17, 9), activation),
    }[kind]()
    assert largest_difference(part, export(part, weights), 2 * torch.randn(20, 3)) <= TOLERANCES[weights]


def test_a_sigmoid_layer_runs_too():
    part = BernoulliDecoder(2, 5, (7,))
    part.net[1] = nn.Sigmoid()
    assert largest_difference(part, export(part, "float32"), torch.randn(9, 2)) <= 1e-5


def seen(name):
    """What widgets give the network called ``name``: points of the plane, or pictures such as its own model draws."""
    model, g = load_model(KEPT[name].record), torch.Generator().manual_seed(1)
    points = 1.2 * torch.randn(60, model.z_dim, generator=g)
    if KEPT[name].part == "decoder":
        corner = 3.0 * (-1.0) ** torch.arange(model.z_dim)
        return model.decoder, torch.cat([points, torch.zeros(1, model.z_dim), corner[None], -corner[None]])
    with torch.no_grad():
        return model.encoder, torch.bernoulli(model.decode(points).mean, generator=g)


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize("name", KEPT)
def test_every_network_of_the_book_gives_pytorchs_pixels(name, weights):
    part, points = seen(name)
    network = export(part, weights, limit=10**7)
    assert largest_difference(part, network, points) <= TOLERANCES[weights]


@pytest.mark.parametrize("name", KEPT)
def test_every_network_as_the_page_carries_it_gives_pytorchs_pixels(name):
    part, points = seen(name)
    assert largest_difference(part, network(name), points) <= TOLERANCES[KEPT[name].weights]


def test_rounding_for_the_points_is_nearer_than_rounding_alone():
    part, points = seen("faces")
    assert largest_difference(part, network("faces"), points) < 0.5 * largest_difference(part, export(part, "int8"), points)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": "AAAA"}, "damaged"),
        ({"weights": "!"}, "damaged: its weights are no base64"),
        ({"points": [[1.0]]}, "2 numbers expected, got 1"),
        ({"spec": None}, "damaged"),
        ({"spec": {"head": "flow", "weights": "int8"}}, "damaged"),
    ],
)
def test_a_damaged_network_is_told_in_words(changes, words):
    network = export(BernoulliDecoder(2, 5, (7,)), "int8")
    assert words in in_javascript(network, torch.zeros(1, 2), changes)["error"]


def test_one_changed_bit_is_noticed():
    network = export(BernoulliDecoder(2, 5, (7,)), "float16")
    damaged = bytearray(network.weights)
    damaged[len(damaged) // 2] ^= 4
    changes = {"weights": base64.b64encode(damaged).decode()}
    assert "damaged" in in_javascript(network, torch.zeros(1, 2), changes)["error"]


@pytest.mark.parametrize(
    "change", [{"inputs": 3}, {"head": "gaussian"}, {"bytes": 4}, {"weights": "float32"}, {"layers": [["linear", 2, 5, "int8"]]}]
)
def test_a_changed_word_of_the_spec_is_noticed(change):
    network = export(BernoulliDecoder(2, 5, (7,)), "int8")
    assert "damaged" in in_javascript(network, torch.zeros(1, 2), {"spec": network.spec | change})["error"]


def test_what_a_newer_exporter_may_write_is_told_by_name():
    network = export(BernoulliDecoder(2, 5, (7,)), "float32")
    for change, words in (({"head": "flow"}, "unknown kind of network"), ({"bytes": 4}, "bytes read of 4")):
        spec = {key: value for key, value in (network.spec | change).items() if key != "crc32"}
        spec["crc32"] = zlib.crc32(json.dumps(spec, separators=(",", ":")).encode() + network.weights)
        assert words in in_javascript(network, torch.zeros(1, 2), {"spec": spec})["error"]


def test_the_checksum_is_that_of_zip_files():
    assert scripts.run("", "return crc32(Uint8Array.from(given));", given=list(b"123456789")) == 0xCBF43926


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (torch.zeros(0, 2), r"shape \(N, 2\) with N > 0, not \(0, 2\)"),
        (torch.zeros(4, 3), r"not \(4, 3\)"),
        (torch.zeros(2), r"not \(2,\)"),
        (torch.full((4, 2), float("nan")), "points must be finite"),
        (torch.full((4, 2), 1e30), "below a million"),
        ([[1.0, 2.0]], "must be a tensor of floating-point numbers, not list"),
        (torch.zeros(4, 2, dtype=torch.complex64), "must be a tensor of floating-point numbers"),
    ],
)
def test_points_that_the_network_cannot_take_are_refused(points, words):
    with pytest.raises(VbookError, match=words):
        export(BernoulliDecoder(2, 5, (7,)), "int8", points)


def misshapen(name, *shape):
    layer = nn.Linear(2, 10)
    setattr(layer, name, nn.Parameter(torch.zeros(shape)))
    return layer


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((nn.Linear(2, 7), nn.Linear(9, 5)), "layer 1 takes 9 numbers, the one before gives 7"),
        ((nn.Linear(2, 5),), "2 inputs and 5 outputs has no gaussian head"),
        ((misshapen("weight", 7, 9),), "layer 0 has weights of another shape than its sizes"),
        ((misshapen("bias", 1),), "layer 0 has weights of another shape than its sizes"),
    ],
)
def test_layers_that_do_not_meet_are_refused(layers, words):
    part = GaussianDecoder(2, 5, (7,))
    part.net = nn.Sequential(*layers)
    with pytest.raises(VbookError, match=words):
        export(part)


def test_a_network_must_begin_with_a_linear_layer():
    part = BernoulliDecoder(2, 5, (7,))
    net, part.net = part.net, part.net[0]
    with pytest.raises(VbookError, match=r"nn\.Sequential, not Linear"):
        export(part)
    part.net = net
    part.net = nn.Sequential(nn.Tanh(), *part.net)
    with pytest.raises(VbookError, match="begin with Linear, this one begins with Tanh"):
        export(part)
    part.net = nn.Sequential()
    with pytest.raises(VbookError, match="begins with nothing"):
        export(part)


class _Sharp(BernoulliDecoder):
    def forward(self, z):
        return super().forward(3 * z)


def test_a_network_that_computes_something_else_is_refused():
    with pytest.raises(VbookError, match=r"GaussianEncoder of vbook\.networks, not _Sharp"):
        export(_Sharp(2, 6, (10,)))
    part = BernoulliDecoder(2, 6, (10,))
    part.net[1].register_forward_hook(lambda *_: None)
    with pytest.raises(VbookError, match="without its hooks"):
        export(part)


def test_what_the_runtime_cannot_run_is_refused_by_name():
    part = BernoulliDecoder(2, 5, (7,))
    part.net[1] = nn.GELU()
    with pytest.raises(VbookError, match="layer 1 is GELU; pages run Linear, ReLU"):
        export(part)
    with pytest.raises(VbookError, match="not FullCovarianceEncoder"):
        export(FullCovarianceEncoder(5, 2, (7,)))
    part.net[1] = nn.Softplus(beta=2)
    with pytest.raises(VbookError, match=r"pages run Softplus\(beta=1"):
        export(part)
    with pytest.raises(VbookError, match="not as 'int4'"):
        export(BernoulliDecoder(2, 5), "int4")


def test_a_network_too_large_for_a_page_is_refused_with_the_limit():
    with pytest.raises(VbookError, match=f"more than {LIMIT:,}"):
        export(BernoulliDecoder(2, 784, (500,)), "float32")
    assert len(export(BernoulliDecoder(2, 784, (500,)), "int8").text()) < LIMIT


@pytest.mark.parametrize(
    ("value", "words"), [(float("nan"), "not finite"), (1e6, r"above 65504, too large for float16: export it as")]
)
def test_weights_that_the_format_cannot_hold_are_refused(value, words):
    part = BernoulliDecoder(2, 5, (7,))
    with torch.no_grad():
        part.net[2].weight[0, 0] = value
    with pytest.raises(VbookError, match=words):
        export(part, "float16")


def test_of_float32_its_own_limit_is_named():
    part = BernoulliDecoder(2, 5, (7,)).double()
    with torch.no_grad():
        part.net[2].weight[0, 0] = 1e300
    with pytest.raises(VbookError, match=r"above 3\.40282e\+38, too large for float32$"):
        export(part, "float32")


def test_half_precision_is_read_bit_by_bit():
    bits = torch.randint(0, 2**16, (4000,), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    values = bits.to(torch.uint16).view(torch.float16).double()
    show = f"console.log(JSON.stringify({bits.tolist()}.map((b) => String(half(b)))))"
    script = f"import {{ half }} from {json.dumps(RUNTIME.as_uri())}; {show}"
    done = subprocess.run([node(), "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    found = torch.tensor([float(text.replace("Infinity", "inf")) for text in json.loads(done.stdout)], dtype=torch.float64)
    assert torch.equal(found.nan_to_num(7.0), values.nan_to_num(7.0))
