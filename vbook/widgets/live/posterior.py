"""The posterior of one image: sliders for the latents, the decoded picture, and for two latents the exact posterior beside q."""

import contextlib
import copy
import functools
import math

import ipywidgets
import torch
from torch import Tensor

from vbook.bounds import elbo_analytic_kl
from vbook.errors import VbookError
from vbook.models.vae import vae
from vbook.plots import PALETTE, density_contours, ellipse, figure
from vbook.training import fit
from vbook.training.checks import check_images, in_words
from vbook.widgets.live.base import Live, shown
from vbook.widgets.live.exact import Exact, exact_posterior, log_joint
from vbook.widgets.live.training import digits

MOST_LATENTS = 12


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
        self.model, self.images, self.shape = model, images, shape
        wide = {"style": {"description_width": "initial"}, "layout": ipywidgets.Layout(width="20em")}
        self.index = ipywidgets.IntSlider(0, min=0, max=len(images) - 1, description="image", continuous_update=False, **wide)
        self.sliders = [
            ipywidgets.FloatSlider(0, min=-4, max=4, step=0.05, description=f"z{j + 1}", **wide) for j in range(model.z_dim)
        ]
        self.mean_button = ipywidgets.Button(description="To q's mean", tooltip="Set the latents to the mean of q(z|x)")
        self.draw_button = ipywidgets.Button(description="Draw from q", tooltip="Set the latents to a draw from q(z|x)")
        self.noise = torch.Generator().manual_seed(0)
        self.quiet, self.at = False, 0
        self.assemble([self.index, self.mean_button, self.draw_button], self.sliders, self.picture)
        self.index.observe(self.choose, "value")
        for slider in self.sliders:
            slider.observe(self.move, "value")
        self.mean_button.on_click(self.to_mean)
        self.draw_button.on_click(self.to_draw)
        self._take(0)

    @property
    def z(self) -> Tensor:
        """The latents as the sliders have them, (Z,)."""
        return torch.tensor([slider.value for slider in self.sliders]).to(self.images)

    @shown
    def choose(self, _=None) -> None:
        """Take the image that the slider names: its q, its exact posterior, and the latents at q's mean."""
        if self.quiet:
            return
        try:
            self._take(self.index.value)
        except Exception:
            with self._quietly():
                self.index.value = self.at  # the one that is still shown
            raise

    def _take(self, at: int) -> None:
        x = self.images[at]
        with torch.no_grad():
            q = self.model.encode(x[None])
            finite = q.mean.isfinite().all() and self.model.decode(q.mean[0]).log_prob(x).isfinite()
        if not finite:
            raise VbookError(f"what the model makes of image {at} isn't finite: look at its weights and at the image")
        exact = exact_posterior(self.model, x) if self.model.z_dim == 2 else None
        self._parts = self._build(x, q, exact)
        self.at, self.x, self.q, self.exact = at, x, q, exact
        self._set(q.mean[0])

    @contextlib.contextmanager
    def _quietly(self):
        """Controls may be set without a word to those who watch them."""
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False

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
        with self._quietly():
            for slider, value in zip(self.sliders, z.tolist(), strict=True):
                slider.min, slider.max = min(slider.min, math.floor(value)), max(slider.max, math.ceil(value))
                slider.value = value
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
        fig, decoded, point = self._parts
        with torch.no_grad():
            decoded.set_data(self._ink(self.model.decode(self.z).mean))
        at = ", ".join(f"{v:.2f}" for v in self.z.tolist())
        alt = f"Test image {self.at}, and the picture that the decoder makes of z = ({at})."
        if self.exact is not None:
            z1, z2 = self.z.tolist()
            point.set_data([z1], [z2])
            mean = ", ".join(f"{v:.2f}" for v in self.q.mean[0].tolist())
            alt += f" Beside them the contours of the exact posterior and the dashed ellipses of q around ({mean})"
            alt += f"; the gap is {self.exact.gap:.2f} nats."
        return fig, alt

    def _ink(self, values: Tensor):
        return 1 - values.reshape(self.shape).float().cpu().numpy()

    def _build(self, x: Tensor, q, exact: Exact | None):
        """The figure of an image, and what alone moves in it afterwards, which is quick: the decoded picture and the point."""
        fig, axes = figure(4.6, 2.6, ncols=2) if exact is None else figure(7.0, 3.2, ncols=3, width_ratios=(1, 1, 1.6))
        for ax, title in zip(axes, ("image x", "decoded z"), strict=False):
            decoded = ax.imshow(self._ink(x), cmap="gray", vmin=0, vmax=1)
            ax.set_title(title)
            ax.set_axis_off()
        if exact is None:
            return fig, decoded, None
        ax, mean = axes[2], q.mean[0].tolist()
        tril = getattr(q, "scale_tril", None)
        tril = torch.diag(q.stddev[0]) if tril is None else tril[0]
        covariance = (tril @ tril.mT).cpu().numpy()
        limits = list(exact.box)
        for j in range(2):
            reach = 3 * covariance[j, j] ** 0.5
            limits[2 * j : 2 * j + 2] = [min(limits[2 * j], mean[j] - reach), max(limits[2 * j + 1], mean[j] + reach)]
        density_contours(ax, lambda points: log_joint(self.model, x, points.to(self.images)), limits, n=101)
        for k in (1, 2):
            ellipse(ax, mean, covariance, k=k)
        (point,) = ax.plot([], [], "P", color=PALETTE["purple"], markersize=10, markeredgecolor="white", label="z")
        ax.plot([], [], color=PALETTE["vermillion"], linestyle="-", label="p(z|x)")
        ax.plot([], [], color=PALETTE["blue"], linestyle="--", label="q(z|x)")
        ax.legend(frameon=False, fontsize=10, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, columnspacing=1)
        ax.set(xlim=limits[:2], ylim=limits[2:], xlabel="z1", ylabel="z2")
        return fig, decoded, point


def posterior_live(model=None, images: Tensor | None = None, shape: tuple[int, int] = (28, 28)) -> PosteriorLive:
    """Explore the posterior of one of ``images`` (N, D) under ``model``: sliders for up to twelve latents, the decoded picture.

    With two latents the exact posterior is computed on a grid, and with it log p(x) and the gap of q. The model is taken as it
    stands, in a copy on the CPU: one that is being trained meanwhile doesn't move the picture. Without arguments a small model is
    trained on the embedded digits first, and their test images are shown.

    Raises VbookError for what is no model, for images that ``fit`` wouldn't take either or that the model can't encode, for a
    shape that isn't theirs, and for too many latents.
    """
    images = digits("test") if images is None else images
    model = small_model() if model is None else model
    parts = all(callable(getattr(model, part, None)) for part in ("encode", "decode", "prior"))
    if not parts or type(getattr(model, "z_dim", None)) is not int:
        raise VbookError(f"a model has encode, decode, prior and a whole number z_dim; {type(model).__name__} hasn't")
    if not (isinstance(shape, tuple | list) and len(shape) == 2 and all(type(side) is int and side > 0 for side in shape)):
        raise VbookError(f"shape must be two positive integers, height and width, not {shape!r}")
    if isinstance(images, Tensor) and not images.is_complex() and images.device.type != "meta":
        images = images.to(next(model.parameters(), torch.zeros(())) if isinstance(model, torch.nn.Module) else "cpu")
    check_images(model, images)
    with in_words(images, 1):
        _try(model, images[:1])
    if isinstance(model, torch.nn.Module):
        model = _copied(model)
        images = images.to(next(model.parameters(), images).dtype).cpu()
    return PosteriorLive(model, images, tuple(shape))


@torch.no_grad()
def _try(model, x: Tensor) -> None:
    """VbookError unless the model makes of one image (1, D) what vbook's own models do."""
    try:
        q = model.encode(x)
        _shaped("q.mean", q.mean, (1, model.z_dim))
        _shaped("q.log_prob", q.log_prob(q.mean))
        _shaped("p(x|z).log_prob", model.decode(q.mean).log_prob(x))
        _shaped("p(z).log_prob", model.prior().log_prob(q.mean))
        _shaped("p(x|z).log_prob at one z", model.decode(q.mean[0]).log_prob(x[0]), ())
    except (AttributeError, IndexError, NotImplementedError, TypeError, ValueError) as error:
        raise VbookError(f"encode, decode and prior don't give distributions as vbook's models do: {error}") from error
    if not hasattr(q, "transport"):
        raise VbookError(f"{type(q).__name__} has no map z = g(ε): q needs transport, as the distributions of vbook have it")


def _shaped(name: str, value: Tensor, wanted: tuple[int, ...] = (1,)) -> None:
    if tuple(value.shape) != wanted:
        raise VbookError(f"{name} has the shape {tuple(value.shape)} for one image, where {wanted} is meant")


def _copied(model: torch.nn.Module) -> torch.nn.Module:
    """The model as it stands now, on the CPU, in single or double precision; VbookError where it can't be copied."""
    try:
        model = copy.deepcopy(model).cpu()
    except (RuntimeError, TypeError) as error:
        said = str(error).partition(".")[0]
        raise VbookError(
            f"a copy of the model is looked at, and this one can't be copied: it keeps more than weights ({said})"
        ) from error
    return model.float() if next(model.parameters(), torch.zeros(())).dtype in (torch.float16, torch.bfloat16) else model
