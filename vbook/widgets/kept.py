"""The networks that pages carry, each once: which record's, which part, in which number format."""

import functools
import json
from dataclasses import dataclass

from vbook.errors import VbookError
from vbook.results.record import read_record, record_path

FORM = 2  # of the scripts that hand a network over: the pages' runtime reads this one


@dataclass(frozen=True)
class Kept:
    """A network of a record, as a page carries it."""

    record: str
    part: str  # encoder or decoder
    weights: str  # int8 where the test of parity holds with it

    def file(self) -> str:
        """The name of its script, which changes with the weights and with the script's form."""
        entry = read_record(record_path(self.record)).artefacts[self.part]
        return f"{self.record}.{self.part}.{self.weights}.{entry['sha256'][:12]}.{FORM}.js"


KEPT = {
    "digits": Kept("ch02-vae-2.laptop", "decoder", "int8"),
    "digit-encoder": Kept("ch02-vae-2.laptop", "encoder", "int8"),
    "faces": Kept("ch02-frey-2.laptop", "decoder", "int8"),
    "generator": Kept("ch13-gan-small.laptop", "decoder", "float16"),
}


@functools.cache
def network(name: str, weights: str | None = None):
    """The network called ``name`` as ``vbook.widgets.export.Network``, in the number format that pages carry or in another.

    int8 is rounded for what widgets ask of the network; that takes a second or two.
    """
    import torch

    from vbook.results.weights import load_model
    from vbook.widgets.export import export

    chosen = kept(name)
    model, g = load_model(chosen.record), torch.Generator().manual_seed(0)
    if weights not in (None, "int8"):
        return export(getattr(model, chosen.part), weights)
    if chosen.weights != "int8":
        return export(getattr(model, chosen.part), chosen.weights)
    points = 8 * torch.rand(4_000, model.z_dim, generator=g) - 4  # the part of the plane that widgets show
    if chosen.part == "encoder":
        with torch.no_grad():
            points = torch.bernoulli(model.decode(points / 2).mean, generator=g)
    return export(getattr(model, chosen.part), chosen.weights, points)


def script(name: str) -> str:
    """The script that hands the network called ``name`` to the page: a file of the site, for a page from disk can't fetch."""
    found = network(name)
    return f"vbookNetwork({json.dumps(name)}, {json.dumps(found.spec)}, {json.dumps(found.text())});\n"


def kept(name: str) -> Kept:
    """The network called ``name``; VbookError for another name."""
    if name not in KEPT:
        raise VbookError(f"no network {name!r} is kept for pages; known: {', '.join(KEPT)}")
    return KEPT[name]
