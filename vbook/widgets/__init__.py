"""Interactive pictures that run in the published page, in JupyterLab and in Colab: the same script everywhere.

Each function makes one; shown at the end of a cell it is alive. Python computes nothing while the reader plays.
"""

import importlib

_HOME = {
    "latent_manifold": "manifold",
    "interpolation": "between",
    "draw_a_digit": "digit",
    "elbo_gap": "gap",
    "gradient_estimators": "estimators",
    "posterior_shapes": "shapes",
    "generator_paths": "generator",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
