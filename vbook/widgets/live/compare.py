"""Architectures side by side: choose one, train it for a while, and see its bound beside those of the runs so far."""

import html
import time
from dataclasses import dataclass

import ipywidgets

from vbook.bounds import elbo_analytic_kl
from vbook.evaluation import Estimate, evaluate
from vbook.models.vae import vae
from vbook.networks import ACTIVATIONS
from vbook.plots import PALETTE, figure
from vbook.training import fit
from vbook.widgets.live.base import EVERY, Job, Live, shown
from vbook.widgets.live.training import check_run, digits

MOST = 10  # runs in the picture


@dataclass(frozen=True)
class Run:
    """What was chosen, and what came of it."""

    hidden: int
    activation: str
    z_dim: int
    seed: int
    steps: int
    weights: int
    seconds: float
    train: Estimate
    valid: Estimate

    @property
    def name(self) -> str:
        return f"{self.hidden} {self.activation}, {self.z_dim} latent{'s' * (self.z_dim > 1)}, seed {self.seed}"


class CompareLive(Live):
    """See ``compare_live``."""

    sentence = (
        "Bounds of small VAEs that differ in their architecture, each trained for the same number of steps. A page shows three "
        "short runs of 120 steps; in a notebook with a kernel you choose the architecture and train your own."
    )

    def __init__(self, steps: int, lr: float, batch_size: int):
        super().__init__()
        self.steps, self.lr, self.batch_size = steps, lr, batch_size
        self.runs: list[Run] = []
        self.job = None
        wide = {"style": {"description_width": "initial"}}
        self.hidden = ipywidgets.Dropdown(options=[10, 25, 50, 100, 200, 400], value=100, description="hidden units", **wide)
        self.activation = ipywidgets.ToggleButtons(options=list(ACTIVATIONS), description="activation", **wide)
        self.activation.style.button_width = "6em"
        self.latents = ipywidgets.IntSlider(2, min=1, max=20, description="latents", **wide)
        self.seed = ipywidgets.BoundedIntText(0, min=0, max=999, description="seed", **wide)
        self.train_button = ipywidgets.Button(description="Train", icon="play", tooltip="Train this architecture")
        self.stop_button = ipywidgets.Button(description="Stop", icon="stop", tooltip="Give up this run", disabled=True)
        self.clear_button = ipywidgets.Button(description="Clear", icon="trash", tooltip="Forget all runs")
        self.table = ipywidgets.HTML()
        buttons = [self.train_button, self.stop_button, self.clear_button]
        self.assemble([self.hidden, self.latents, self.seed], [self.activation], buttons, self.table, self.picture)
        self.train_button.on_click(self.train)
        self.stop_button.on_click(self.stop)
        self.clear_button.on_click(self.clear)
        self.say("Ready: choose an architecture.")
        self.list()

    @shown
    def train(self, _=None) -> None:
        """Train the chosen architecture in the background."""
        if self.train_button.disabled:
            return
        if self.job is not None:
            self.job.end()  # it has nothing left to do
        choice = (self.hidden.value, self.activation.value, self.latents.value, self.seed.value)
        self.job = Job(lambda job: self._work(job, choice))
        self._buttons(True)
        self.job.go()

    @shown
    def stop(self, _=None) -> None:
        """Give up the run under way."""
        if self.job is not None and self.job.alive:
            self.job.end()
            self.say("Stopped: the run is not in the table.")
        self._buttons(False)

    @shown
    def clear(self, _=None) -> None:
        """Forget the runs so far."""
        self.runs.clear()
        self.list()
        if self.job is None or not self.job.alive:
            self.say("Ready: choose an architecture.")

    def _buttons(self, running: bool) -> None:
        self.train_button.disabled, self.stop_button.disabled = running, not running

    @shown
    def _work(self, job: Job, choice) -> None:
        try:
            self.runs.append(self.trained(*choice, job=job))
            self.say(f"Over: {self.runs[-1].name} reaches {self.runs[-1].valid} nats on the validation images.")
            self.list()
        except Exception:
            self.say("Stopped: the run is not in the table.")
            raise
        finally:
            self._buttons(False)

    def trained(self, hidden: int, activation: str, z_dim: int, seed: int, job: Job | None = None) -> Run:
        """Train one architecture for ``steps`` steps and measure it."""
        model, last = vae(784, z_dim, (hidden,), activation=activation, seed=seed), 0.0

        def on_step(step, bound):
            nonlocal last
            if time.monotonic() - last > EVERY:
                last = time.monotonic()
                self.say(f"Running: {hidden} {activation}, z of {z_dim}, step {step} of {self.steps}, {bound.item():.1f} nats.")
            if job is not None:
                job.step()

        options = dict(steps=self.steps, lr=self.lr, batch_size=self.batch_size, seed=seed, on_step=on_step, mode="eager")
        history = fit(model, digits(), elbo_analytic_kl, **options)
        if job is not None:
            job.step()  # told to end, it ends here and leaves no row
        found = [evaluate(model, digits(split), elbo_analytic_kl, samples=8) for split in ("train", "valid")]
        weights = sum(p.numel() for p in model.parameters())
        return Run(hidden, activation, z_dim, seed, self.steps, weights, history.seconds, *found)

    def list(self) -> None:
        """Show the runs as a table and as a picture."""
        heads = ["hidden units", "activation", "latents", "seed", "weights", "time (s)", "training (nats)", "validation (nats)"]
        best = max(self.runs, key=lambda run: run.valid.mean, default=None)
        rows = "".join(_row(run, run is best) for run in self.runs)
        head = "".join(f'<th scope="col" style="padding: 0 .8em 0 0; text-align: right">{name}</th>' for name in heads)
        self.table.value = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        if self.runs:
            self.draw()
        else:
            self.picture.value = ""

    def figure(self):
        """The validation bounds of the last runs, with two standard errors."""
        runs = self.runs[-MOST:]
        fig, ax = figure(6.4, 1.3 + 0.32 * max(2, len(runs)))
        for k, run in enumerate(reversed(runs)):
            named = {"valid": "validation ± 2 s.e.", "train": "training"} if k == 0 else {}
            look = dict(xerr=2 * run.valid.standard_error, fmt="o", color=PALETTE["vermillion"], capsize=3)
            ax.errorbar(run.valid.mean, k, label=named.get("valid"), **look)
            ax.plot(run.train.mean, k, "x", color=PALETTE["blue"], label=named.get("train"))
        ax.set_yticks(range(len(runs)), [run.name for run in reversed(runs)])
        ax.margins(x=0.1)
        ax.set(xlabel="bound (nats)", ylim=(-0.6, len(runs) - 0.4))
        ax.legend(frameon=False, fontsize=10, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
        told = "; ".join(f"{run.name}: {run.valid.mean:.0f}" for run in runs)
        return fig, f"A dot with an error bar for the validation bound of each run, in nats. {told}."

    def static(self):
        """What the runs so far show; without any, three short ones."""
        if self.runs:
            return self.figure()
        sample = CompareLive(120, self.lr, self.batch_size)
        sample.runs = [sample.trained(hidden, "tanh", z_dim, 0) for hidden, z_dim in ((10, 2), (100, 2), (10, 10))]
        return sample.figure()


def _row(run: Run, best: bool) -> str:
    cells = [run.hidden, run.activation, run.z_dim, run.seed, f"{run.weights:,}", f"{run.seconds:.1f}", run.train, run.valid]
    mark = " (best)" if best else ""
    cells[-1] = f"{cells[-1]}{mark}"
    return "<tr>" + "".join(f'<td style="padding: 0 .8em 0 0">{html.escape(str(cell))}</td>' for cell in cells) + "</tr>"


def compare_live(steps: int = 1000, lr: float = 1e-3, batch_size: int = 64) -> CompareLive:
    """Choose hidden units, activation, latents and a seed; each run trains for ``steps`` steps and joins the table.

    The bounds are ELBOs with the KL in closed form and eight draws an image; ``.runs`` has the numbers. Raises VbookError for
    sizes and rates that are not positive, for rates above 0.1 and below 0.0001, and for more than a million steps.
    """
    check_run(steps, lr, batch_size)
    return CompareLive(steps, lr, batch_size)
