"""The posterior of one image: sliders for the latents, the decoded picture, and for two latents the exact posterior beside q."""

import functools
import math
from dataclasses import dataclass

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from vbook.bounds import elbo_analytic_kl
from vbook.errors import VbookError
from vbook.models.vae import vae
from vbook.plots import PALETTE, density_contours, ellipse, figure
from vbook.training import fit
from vbook.widgets.live.base import Live, shown
from vbook.widgets.live.training import digits

MOST_LATENTS = 12
NEGLIGIBLE, FAINT = 25.0, 7.0  # nats below the peak: what an integral may leave out, and a picture


@dataclass(frozen=True)
class Exact:
    """The posterior of x on a grid, and how far q is from it; nats."""

    box: tuple[float, float, float, float]  # z1 from, to, z2 from, to: where its density is above a thousandth of its peak's
    log_px: float
    elbo: float

    @property
    def gap(self) -> float:
        """KL(q(z|x) || p(z|x)), thesis (2.11)."""
        return self.log_px - self.elbo


@torch.no_grad()
def log_joint(model, x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z) of one image x (D,) at points z (N, Z), a few thousand at a time; (N,) nats."""
    return torch.cat([model.prior().log_prob(part) + model.decode(part).log_prob(x) for part in z.split(2000)]).double()


@torch.no_grad()
def exact_posterior(model, x: Tensor, n: int = 81, reach: float = 5.0) -> Exact:
    """p(z|x) of a model with two latents by quadrature: a coarse grid finds where it lies, a fine one there takes the integral.

    The ELBO of q comes from Gauss-Hermite quadrature with 20 x 20 points.
    """
    q, like = model.encode(x[None]), next(iter(model.parameters()))
    reach = max(reach, 1 + q.mean.abs().max().item())
    box = (-reach, reach, -reach, reach)
    for _ in range(3):
        axes = [torch.linspace(low, high, n, dtype=like.dtype, device=like.device) for low, high in (box[:2], box[2:])]
        values = log_joint(model, x, torch.cartesian_prod(*axes)).reshape(n, n)
        cell = [float(axis[1] - axis[0]) for axis in axes]
        log_px = values.flatten().logsumexp(0).item() + math.log(cell[0] * cell[1])
        box, seen = (_around(axes, cell, values > values.max() - depth) for depth in (NEGLIGIBLE, FAINT))
    nodes, weights = (torch.tensor(a) for a in np.polynomial.hermite_e.hermegauss(20))
    eps = torch.cartesian_prod(nodes, nodes).to(like)
    share = torch.cartesian_prod(weights, weights).prod(1) / (2 * math.pi)
    z = q.transport(eps[:, None])[:, 0]  # (400, 2)
    elbo = (share.to(like.device) * (log_joint(model, x, z) - q.log_prob(z[:, None])[:, 0].double())).sum().item()
    return Exact(seen, log_px, elbo)


def _around(axes, cell, near: Tensor) -> tuple:
    """The limits of the points marked in ``near`` (n, n), one cell wider on each side."""
    along = zip(axes, cell, (near.any(1), near.any(0)), strict=True)
    return tuple(v for axis, step, kept in along for v in (float(axis[kept].min()) - step, float(axis[kept].max()) + step))


@functools.cache
def small_model():
    """A VAE with two latents, trained on the embedded digits for a second or two."""
    model = vae(784, 2, (100,), seed=0)
    fit(model, digits(), elbo_analytic_kl, steps=1000, batch_size=64, lr=2e-3, seed=0)
    return model


class PosteriorLive(Live):
    """See ``posterior_live``."""

    tone = "image"
    sentence = (
        "The posterior of a test image: for two latents the exact one on a grid and the encoder's q, and what the decoder makes "
        "of a point. In a notebook with a kernel you choose the image and move the point with sliders."
    )

    def __init__(self, model, images: Tensor, shape: tuple[int, int]):
        super().__init__()
        if images.ndim != 2 or images.shape[1] != math.prod(shape):
            raise VbookError(f"images (N, {math.prod(shape)}) expected for the shape {shape}, got {tuple(images.shape)}")
        if not 1 <= model.z_dim <= MOST_LATENTS:
            raise VbookError(f"there are sliders for 1 to {MOST_LATENTS} latents, the model has {model.z_dim}")
        like = next(model.parameters(), images) if isinstance(model, torch.nn.Module) else images
        self.model, self.images, self.shape = model, images.to(like), shape  # the model may be on another device
        wide = {"style": {"description_width": "initial"}, "layout": ipywidgets.Layout(width="20em")}
        self.index = ipywidgets.IntSlider(0, min=0, max=len(images) - 1, description="image", continuous_update=False, **wide)
        self.sliders = [
            ipywidgets.FloatSlider(0, min=-4, max=4, step=0.05, description=f"z{j + 1}", **wide) for j in range(model.z_dim)
        ]
        self.mean_button = ipywidgets.Button(description="To q's mean", tooltip="Set the latents to the mean of q(z|x)")
        self.draw_button = ipywidgets.Button(description="Draw from q", tooltip="Set the latents to a draw from q(z|x)")
        self.noise = torch.Generator().manual_seed(0)
        self.quiet = False
        self.assemble([self.index, self.mean_button, self.draw_button], self.sliders, self.picture)
        self.index.observe(self.choose, "value")
        for slider in self.sliders:
            slider.observe(self.move, "value")
        self.mean_button.on_click(self.to_mean)
        self.draw_button.on_click(self.to_draw)
        self.choose()

    @property
    def z(self) -> Tensor:
        """The latents as the sliders have them, (Z,)."""
        return torch.tensor([slider.value for slider in self.sliders]).to(self.images)

    @shown
    def choose(self, _=None) -> None:
        """Take the image that the slider names: its q, its exact posterior, and the latents at q's mean."""
        self.x = self.images[self.index.value]
        with torch.no_grad():
            self.q = self.model.encode(self.x[None])
        self.exact = exact_posterior(self.model, self.x) if self.model.z_dim == 2 else None
        self._build()
        self._set(self.q.mean[0])

    @shown
    def move(self, _=None) -> None:
        """Decode the latents of the sliders."""
        if not self.quiet:
            self.update()

    @shown
    def to_mean(self, _=None) -> None:
        """The latents at q's mean."""
        self._set(self.q.mean[0])

    @shown
    def to_draw(self, _=None) -> None:
        """The latents at a draw from q, seeded: the first draws are always the same."""
        eps = torch.randn(1, self.model.z_dim, generator=self.noise).to(self.images)
        self._set(self.q.transport(eps)[0])

    def _set(self, z: Tensor) -> None:
        self.quiet = True
        try:
            for slider, value in zip(self.sliders, z.tolist(), strict=True):
                slider.min, slider.max = min(slider.min, math.floor(value)), max(slider.max, math.ceil(value))
                slider.value = value
        finally:
            self.quiet = False
        self.update()

    def update(self) -> None:
        """Show what the latents give."""
        with torch.no_grad():
            said = self.model.decode(self.z).log_prob(self.x).item()
            density = self.q.log_prob(self.z[None]).item()
        joint = said + self.model.prior().log_prob(self.z).item()
        text = f"log p(x|z) = {said:.1f}, log p(x, z) = {joint:.1f}, log q(z|x) = {density:.1f} nats."
        if self.exact is not None:
            e = self.exact
            text += f" ELBO {e.elbo:.2f}, gap KL(q‖p) {e.gap:.2f}, log p(x) {e.log_px:.2f}; log p(z|x) = {joint - e.log_px:.1f}."
        self.say(text)
        self.draw()

    def figure(self):
        """Image, decoded picture, and for two latents the plane."""
        with torch.no_grad():
            self._decoded.set_data(self._ink(self.model.decode(self.z).mean))
        at = ", ".join(f"{v:.2f}" for v in self.z.tolist())
        alt = f"Test image {self.index.value}, and the picture that the decoder makes of z = ({at})."
        if self.exact is not None:
            z1, z2 = self.z.tolist()
            self._point.set_data([z1], [z2])
            mean = ", ".join(f"{v:.2f}" for v in self.q.mean[0].tolist())
            alt += f" Beside them the contours of the exact posterior and the dashed ellipses of q around ({mean})"
            alt += f"; the gap is {self.exact.gap:.2f} nats."
        return self._fig, alt

    def _ink(self, values: Tensor):
        return 1 - values.reshape(self.shape).cpu().numpy()

    def _build(self) -> None:
        """The figure of this image; afterwards only the decoded picture and the point move, which is quick."""
        with_plane = self.exact is not None
        self._fig, axes = figure(7.0, 3.2, ncols=3, width_ratios=(1, 1, 1.6)) if with_plane else figure(4.6, 2.6, ncols=2)
        for ax, title in zip(axes, ("image x", "decoded z"), strict=False):
            self._decoded = ax.imshow(self._ink(self.x), cmap="gray", vmin=0, vmax=1)
            ax.set_title(title)
            ax.set_axis_off()
        if not with_plane:
            return
        ax, mean = axes[2], self.q.mean[0].tolist()
        tril = getattr(self.q, "scale_tril", None)
        tril = torch.diag(self.q.stddev[0]) if tril is None else tril[0]
        covariance = (tril @ tril.mT).cpu().numpy()
        limits = list(self.exact.box)
        for j in range(2):
            reach = 3 * covariance[j, j] ** 0.5
            limits[2 * j : 2 * j + 2] = [min(limits[2 * j], mean[j] - reach), max(limits[2 * j + 1], mean[j] + reach)]
        density_contours(ax, lambda points: log_joint(self.model, self.x, points.to(self.images)), limits, n=101)
        for k in (1, 2):
            ellipse(ax, mean, covariance, k=k)
        (self._point,) = ax.plot([], [], "P", color=PALETTE["purple"], markersize=10, markeredgecolor="white", label="z")
        ax.plot([], [], color=PALETTE["vermillion"], linestyle="-", label="p(z|x)")
        ax.plot([], [], color=PALETTE["blue"], linestyle="--", label="q(z|x)")
        ax.legend(frameon=False, fontsize=10, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, columnspacing=1)
        ax.set(xlim=limits[:2], ylim=limits[2:], xlabel="z1", ylabel="z2")


def posterior_live(model=None, images: Tensor | None = None, shape: tuple[int, int] = (28, 28)) -> PosteriorLive:
    """Explore the posterior of one of ``images`` (N, D) under ``model``: sliders for up to twelve latents, the decoded picture.

    With two latents the exact posterior is computed on a grid, and with it log p(x) and the gap of q. Without arguments a small
    model is trained on the embedded digits first, and their test images are shown.
    """
    return PosteriorLive(small_model() if model is None else model, digits("test") if images is None else images, shape)
