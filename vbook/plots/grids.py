"""Pictures of data: a grid of images, and the latent plane seen through the decoder."""

import math

from ..errors import VbookError
from .style import SMALL, rgb


def images(ax, x, shape=(28, 28), ncols: int = 10, ink: bool = True, titles=None) -> None:
    """Draw images (B, D) with values in [0, 1] as a grid on ``ax``, row by row from the top left.

    ``shape`` is (height, width), or (channels, height, width) with D their product. ``ink=True`` reads a value as the
    amount of ink on paper, as for handwriting and for the probability of a black pixel: the ground stays transparent, and
    on a dark page the strokes turn light. ``ink=False`` reads it as brightness, as for photographs. ``titles``: one short
    text a column. Raises VbookError for a shape that doesn't fit and for values outside [0, 1].
    """
    picture = _grid(x, shape, ncols, ink)
    ax.imshow(picture, interpolation="antialiased", aspect="equal")
    ax.set_axis_off()
    cell = picture.shape[1] / min(ncols, len(x))
    for i, title in enumerate(titles or ()):
        ax.text((i + 0.5) * cell - 0.5, -0.5 - 0.06 * cell, title, ha="center", va="bottom", fontsize=SMALL)


def latent_grid(n: int = 20):
    """The points of a 2-D latent space that stand for n x n equal shares of the prior N(0, I); (n*n, 2).

    Each coordinate is the inverse Gaussian distribution function of (i + 1/2) / n. Rows run as on a page: the first is the
    top left of the picture, z1 grows to the right and z2 upwards. Raises VbookError for n < 1.

    >>> latent_grid(2).round(decimals=2)
    tensor([[-0.6700,  0.6700],
            [ 0.6700,  0.6700],
            [-0.6700, -0.6700],
            [ 0.6700, -0.6700]])
    """
    if n < 1:
        raise VbookError(f"a latent grid needs n >= 1, not {n}")
    import torch

    z = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n).float()
    return torch.stack([z.repeat(n), z.flip(0).repeat_interleave(n)], dim=1)


def manifold(ax, decode, shape=(28, 28), n: int = 20, ink: bool = True) -> None:
    """Draw the decoder's mean over a 2-D latent space, every cell an equal share of the prior (thesis figure 2.7).

    ``decode`` maps points (N, 2) to means (N, D) in [0, 1]. The axes are the latent coordinates, spaced by probability.
    """
    import torch

    with torch.no_grad():
        x = decode(latent_grid(n))
    picture = _grid(x, shape, n, ink, gap=0)
    ax.imshow(picture, interpolation="antialiased", extent=(0, 1, 0, 1), aspect=picture.shape[0] / picture.shape[1])
    ticks = (-2, -1, -0.5, 0, 0.5, 1, 2)
    places = [0.5 * (1 + math.erf(z / math.sqrt(2))) for z in ticks]
    labels = [f"{z:g}".replace("-", "\N{MINUS SIGN}") for z in ticks]
    ax.set_xticks(places, labels)
    ax.set_yticks(places, labels)
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)


def _grid(x, shape, ncols: int, ink: bool, gap: int = 1):
    """Images (B, D) side by side as one RGBA array (height, width, 4) of floats; the gaps between them are transparent."""
    import torch
    from torchvision.utils import make_grid

    x = torch.as_tensor(x).detach().float().cpu()
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    if x.ndim != 2 or x.shape[1] != channels * height * width or channels not in (1, 3):
        raise VbookError(f"images of shape {tuple(shape)} need values (B, {math.prod(shape)}), not {tuple(x.shape)}")
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise VbookError(f"images need values in [0, 1]; these run from {x.min():.3g} to {x.max():.3g}")
    tiles = x.reshape(-1, channels, height, width).expand(-1, 3, -1, -1)
    cover = torch.ones_like(tiles)
    if ink and channels == 1:
        cover, tiles = tiles, torch.tensor(rgb("ink"))[:, None, None].expand_as(tiles)
    tiles, cover = (make_grid(t, nrow=ncols, padding=gap) for t in (tiles, cover))
    grid = torch.cat([tiles, cover[:1]]).permute(1, 2, 0).numpy()
    border = gap if len(x) > 1 else 0  # make_grid leaves a single image as it is
    return grid[border : grid.shape[0] - border, border : grid.shape[1] - border]
