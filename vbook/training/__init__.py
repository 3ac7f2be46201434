"""One ``fit`` for every model of the book: thesis algorithm 1, doubly stochastic ascent of a bound."""

from vbook.training.ascent import fit
from vbook.training.history import History
from vbook.training.many import fit_many
from vbook.training.schedules import decay, warmup

__all__ = ["History", "decay", "fit", "fit_many", "warmup"]
