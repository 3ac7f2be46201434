"""Data sets as tensors on the device: real ones from the data root or the network, embedded ones that need neither.

>>> from vbook.data import load
>>> load("digits").x.shape
torch.Size([1297, 784])
"""

from vbook.data.cards import PROTOCOLS, Card, File
from vbook.data.catalogue import card, cards, names, stand_in
from vbook.data.datasets import Dataset, load
from vbook.data.files import data_root
from vbook.data.pixels import binarize, check_pixels
from vbook.data.store import FileStatus, available, get, verify

__all__ = [
    "PROTOCOLS",
    "Card",
    "Dataset",
    "File",
    "FileStatus",
    "available",
    "binarize",
    "card",
    "cards",
    "check_pixels",
    "data_root",
    "get",
    "load",
    "names",
    "stand_in",
    "verify",
]
