"""A small VAE in training: play, pause, another learning rate on the way, a curve that grows."""

import functools
import math

import ipywidgets
import torch

from vbook.bounds import elbo_analytic_kl
from vbook.data import load
from vbook.errors import VbookError
from vbook.evaluation import evaluate
from vbook.models.vae import vae
from vbook.noise import check_seed
from vbook.plots import PALETTE, figure
from vbook.training import fit
from vbook.training.checks import positive
from vbook.widgets.live.base import EVERY, Job, Live, shown

LATENTS, RATES = 20, (1e-4, 1e-1)  # as far as the sliders go
WIDEST, DEEPEST, LONGEST = 1_024, 4, 1_000_000  # hidden units, hidden layers, steps: more is not for looking on
SMOOTH = 20  # steps whose mean is a point of the curve


@functools.cache
def digits(split: str = "train") -> torch.Tensor:
    """Binary images of the digits that ship with scikit-learn (N, 784)."""
    return load("digits", split, protocol="static").x


class TrainLive(Live):
    """See ``train_live``."""

    sentence = (
        "A small VAE in training on the embedded digits, its bound and the validation bound. A page shows a short run; "
        "in a notebook with a kernel you start it, hold it, and change the learning rate while it climbs."
    )

    def __init__(self, z_dim: int, lr: float, hidden: tuple[int, ...], steps: int, batch_size: int, seed: int):
        super().__init__()
        self.hidden, self.steps, self.batch_size, self.seed = tuple(hidden), steps, batch_size, seed
        self.play_button = ipywidgets.Button(description="Play", icon="play", tooltip="Begin or go on")
        self.pause_button = ipywidgets.Button(description="Pause", icon="pause", tooltip="Hold the training")
        self.reset_button = ipywidgets.Button(description="Reset", icon="undo", tooltip="A fresh model")
        wide = {"style": {"description_width": "initial"}, "layout": ipywidgets.Layout(width="22em")}
        low, high = map(math.log10, RATES)
        self.lr = ipywidgets.FloatLogSlider(lr, min=low, max=high, step=0.25, description="learning rate", **wide)
        self.latents = ipywidgets.IntSlider(z_dim, min=1, max=LATENTS, description="latents", continuous_update=False, **wide)
        self.assemble([self.play_button, self.pause_button, self.reset_button], [self.lr, self.latents], self.picture)
        self.play_button.on_click(self.play)
        self.pause_button.on_click(self.pause)
        self.reset_button.on_click(self.reset)
        self.latents.observe(self.reset, "value")
        self.lr.observe(self._rate, "value")
        self.rate, self.job, self.state = lr, None, "Ready"
        self._fig, self._ax = figure(6.4, 3.2)
        (self._train,) = self._ax.plot([], [], color=PALETTE["blue"], linestyle="-", label="training, mean of 20 steps")
        (self._valid,) = self._ax.plot([], [], "o", color=PALETTE["vermillion"], markersize=5, label="validation")
        self._ax.set(xlabel="gradient step", ylabel="bound (nats)")
        self._ax.legend(frameon=False, loc="lower right")
        self.reset()

    @shown
    def play(self, _=None) -> None:
        """Begin, or go on from where it was held."""
        if self.state == "Over":
            self.reset()
        if self.job is None:
            self.job = Job(self._work, at_rest=self._rest)
        self._now("Running")  # before the job can say more
        self.job.go()

    @shown
    def pause(self, _=None) -> None:
        """Hold the training; the model stays as it is."""
        if self.state == "Running":
            self._now("Held")  # before the job looks
            self.job.hold()

    @shown
    def reset(self, _=None) -> None:
        """A fresh model with as many latents as the slider says; the run is over."""
        if self.job is not None:
            self.job.end()
        self.model = vae(784, self.latents.value, self.hidden, seed=self.seed)
        self.job, self.step, self.bounds, self.valid = None, 0, [], []
        self._now("Ready")
        self.draw()

    @shown
    def _rate(self, change) -> None:
        self.rate = change["new"]  # the run asks for it at each step
        self._tell()

    @shown
    def _work(self, job: Job) -> None:
        def on_step(step, bound):
            self.step = step
            self.bounds.append(bound.item())
            if step % 10 == 0:
                self._tell()
            self.draw(EVERY)
            job.step()

        def measure(model):
            self.valid.append((self.step, evaluate(model, digits("valid"), elbo_analytic_kl).mean))
            return {"valid": self.valid[-1][1]}

        self.say("Reading the images.")
        options = dict(steps=self.steps, batch_size=self.batch_size, seed=self.seed, lr=lambda step: self.rate)
        options |= dict(rows_at=range(100, self.steps + 1, 100), evaluate=measure, on_step=on_step, mode="eager")
        try:
            history = fit(self.model, digits(), elbo_analytic_kl, **options)
        except Exception:
            self._now("Over")
            self.say(f"Stopped at step {self.step}.")
            raise
        if not history.interrupted:
            self.draw()
            self._now("Over")

    def _rest(self) -> None:
        """Line and picture of the step at which the training is held: those of a run are some steps old."""
        self._tell()
        self.draw()

    def _now(self, state: str) -> None:
        """Enter the state Ready, Running, Held or Over: the buttons follow, and the line says it."""
        self.state = state
        self.play_button.disabled, self.pause_button.disabled = state == "Running", state != "Running"
        self.play_button.description = "Go on" if state == "Held" else "Play"
        self._tell()

    def _tell(self) -> None:
        what = f"{self.model.z_dim} latents, learning rate {self.rate:.1e}, step {self.step} of {self.steps}"
        last = f", bound {_mean(self.bounds[-SMOOTH:]):.1f} nats" if self.bounds else ""
        valid = f", validation {self.valid[-1][1]:.1f} nats" if self.valid else ""
        self.say(f"{self.state}: {what}{last}{valid}.")

    def figure(self):
        """The bound over the steps so far."""
        bounds, valid = list(self.bounds), list(self.valid)
        points = [_mean(bounds[i : i + SMOOTH]) for i in range(0, len(bounds) - SMOOTH + 1, SMOOTH)]
        self._train.set_data([SMOOTH * (i + 1) for i in range(len(points))], points)
        self._valid.set_data([step for step, _ in valid], [value for _, value in valid])
        seen = points + [value for _, value in valid] or [-550.0, -150.0]
        self._ax.set(xlim=(0, max(200, len(bounds))), ylim=(min(seen) - 10, max(seen) + 10))
        if not points:
            steps = f"after {len(bounds)} steps there is no mean of {SMOOTH} yet" if bounds else "the training has not begun"
            return self._fig, f"Empty axes: the bound in nats over gradient steps; {steps}."
        ends = f"from {points[0]:.0f} to {points[-1]:.0f} nats in {len(bounds)} steps"
        return self._fig, f"A curve of the bound over gradient steps, {ends}; points of the validation bound beside it."

    def static(self):
        """A short run of its own, so that the page has a curve to show."""
        run = TrainLive(self.latents.value, self.lr.value, self.hidden, 120, self.batch_size, self.seed)
        run.play()
        run.job.thread.join()
        if run.errors.value:
            self.errors.value = run.errors.value
        return run.figure()


def _mean(values) -> float:
    return math.fsum(values) / len(values)


def check_run(steps: int, lr: float, batch_size: int) -> None:
    """VbookError for a run that nobody could look on: numbers that aren't positive, too high a rate, too many steps."""
    positive(steps=steps, lr=lr, batch_size=batch_size)
    if not RATES[0] <= lr <= RATES[1]:
        raise VbookError(f"a training to look on has a rate from {RATES[0]:g} to {RATES[1]:g}, not {lr:g}")
    if steps > LONGEST:
        raise VbookError(f"a training to look on has at most {LONGEST:,} steps, not {steps:,}")


def train_live(
    z_dim: int = 2, lr: float = 1e-3, hidden: tuple[int, ...] = (100,), steps: int = 5000, batch_size: int = 64, seed: int = 0
) -> TrainLive:
    """Train a small VAE on the embedded digits with buttons to play, pause and reset, and sliders for rate and latents.

    The learning rate acts at the next step, another number of latents is a fresh start. ``.model`` is the model as it stands,
    for instance for ``posterior_live(run.model)``.

    Raises VbookError for latents and rates that the sliders don't have, for sizes that are not positive or too large to look on
    (four hidden layers of 1,024 units, a million steps), and for a bad seed.
    """
    hidden = tuple(hidden) if isinstance(hidden, tuple | list) else (hidden,)
    check_run(steps, lr, batch_size)
    positive(z_dim=z_dim, **{f"hidden[{k}]": size for k, size in enumerate(hidden)})
    if max(hidden, default=0) > WIDEST or len(hidden) > DEEPEST:
        found = f"{len(hidden)} of up to {max(hidden):,}"
        raise VbookError(f"a small VAE has at most {DEEPEST} hidden layers of {WIDEST:,} units, not {found}")
    if z_dim > LATENTS:
        raise VbookError(f"the slider has 1 to {LATENTS} latents, not {z_dim}")
    seed = check_seed(seed)
    return TrainLive(z_dim, lr, hidden, steps, batch_size, seed)
