"""Data cards: what a set is, whose it is, how its pixels are prepared, which files it needs and what stands in for it."""

from dataclasses import dataclass

from vbook.errors import VbookError, nearest

SPLITS = ("train", "valid", "test")
PROTOCOLS = {
    "real": "grey levels in [0, 1], as they are",
    "dynamic": "grey levels in [0, 1], each the probability of a binary pixel that is drawn anew whenever it is used",
    "static": "binary pixels, drawn once with the grey level as their probability and then kept",
    "threshold": "binary pixels, 1 where the grey level is above 0.5",
}
BINARY = ("static", "threshold")


@dataclass(frozen=True)
class File:
    """One file of a set: path below the data root, digest, bytes, the splits that need it, and where it can be had."""

    path: str
    sha256: str
    size: int
    splits: tuple[str, ...] = SPLITS
    labels: bool = False
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Card:
    """A set's data card; ``protocols[0]`` is the default, and any one of ``forms`` (groups of files) holds the whole set.

    ``sizes`` counts the images of each split, ``shape`` is (H, W) or (H, W, C), and a stored level divided by ``scale`` is a
    pixel in [0, 1]. An embedded set has no ``stand_in`` and its files come with scikit-learn.
    """

    name: str
    title: str
    sizes: dict[str, int]
    shape: tuple[int, ...]
    scale: int
    protocols: tuple[str, ...]
    preprocessing: str
    licence: str
    citation: str
    home: str
    forms: tuple[tuple[File, ...], ...]
    stand_in: str | None = None
    labels: str | None = None
    mirrors: tuple[str, ...] = ()
    torchvision: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether the set needs neither a network nor a data root."""
        return self.stand_in is None

    def files(self, split: str | None = None, labels: bool = True) -> list[tuple[File, ...]]:
        """The groups of files, any one of which is enough for ``split`` (None: every split), with or without labels."""
        return [
            tuple(f for f in form if (split is None or split in f.splits) and (labels or not f.labels)) for form in self.forms
        ]

    def content(self) -> str:
        """What decides which numbers come out of the set: sizes, shape, scale and files, not the words about it."""
        files = [[(f.path, f.sha256, f.splits, f.labels) for f in form] for form in self.forms]
        return repr((sorted(self.sizes.items()), self.shape, self.scale, files))

    def __str__(self) -> str:
        sizes = ", ".join(f"{n:,} {split}" for split, n in self.sizes.items())
        return f"{self.name}: {self.title}; {sizes}; {'×'.join(map(str, self.shape))}; {', '.join(self.protocols)}"


def check_protocol(chosen: Card, protocol: str | None) -> str:
    """``protocol`` if the set admits it (None: its default), else a VbookError that says which ones it does."""
    if protocol is None:
        return chosen.protocols[0]
    if protocol not in PROTOCOLS:
        raise VbookError(f"unknown protocol {protocol!r}{nearest(str(protocol), PROTOCOLS)}")
    if protocol not in chosen.protocols:
        raise VbookError(f"{chosen.name} has no protocol {protocol!r}; it has: {', '.join(chosen.protocols)}")
    return protocol


def check_split(chosen: Card, split: str) -> tuple[str, ...]:
    """The splits that ``split`` names, joined by ``+``, each at most once; a VbookError for any other.

    >>> from vbook.data.catalogue import MNIST
    >>> check_split(MNIST, "train+valid")
    ('train', 'valid')
    """
    parts = tuple(str(split).split("+"))
    for part in parts:
        if part not in chosen.sizes:
            raise VbookError(f"{chosen.name} has no split {part!r}{nearest(part, chosen.sizes)}")
    if len(set(parts)) < len(parts):
        raise VbookError(f"split {split!r} names one part twice")
    return parts
