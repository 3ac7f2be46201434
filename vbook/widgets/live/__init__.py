"""Live widgets of stock ipywidgets, for what Python has to compute: they need a kernel; in a page their picture stands in."""

import importlib

_HOME = {"train_live": "training", "compare_live": "compare", "posterior_live": "posterior"}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
