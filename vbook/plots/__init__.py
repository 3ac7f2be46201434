"""Figures: one style, one way to show them, and the drawings of the chapters.

Names load when first used, so that ``import vbook.plots`` costs nothing and leaves matplotlib alone.
"""

_HOME = {
    "PALETTE": "style",
    "LINES": "style",
    "context": "style",
    "mix": "style",
    "figure": "style",
    "show": "output",
    "png_bytes": "output",
    "svg_text": "output",
    "images": "grids",
    "latent_grid": "grids",
    "manifold": "grids",
    "curves": "lines",
    "density_contours": "densities",
    "ellipse": "densities",
    "draw_families": "families",
    "draw_maps": "maps",
    "draw_flow": "flow",
    "draw_reparameterization": "reparameterization",
}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__():
    return sorted(__all__)
