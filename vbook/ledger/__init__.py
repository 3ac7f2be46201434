"""What the book covers of its sources, which mistakes it found there, and how its numbers compare with theirs."""

from vbook.ledger.anchors import anchors
from vbook.ledger.entries import KINDS, TESTED, Entry, Ledger, ledger, read_ledger
from vbook.ledger.errata import Erratum, errata, read_errata
from vbook.ledger.resolve import has_test, symbol
from vbook.ledger.verdicts import Verdict, verdict, verdicts

__all__ = [
    "KINDS",
    "TESTED",
    "Entry",
    "Erratum",
    "Ledger",
    "Verdict",
    "anchors",
    "errata",
    "has_test",
    "ledger",
    "read_errata",
    "read_ledger",
    "symbol",
    "verdict",
    "verdicts",
]
