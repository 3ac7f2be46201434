"""What every live widget has: errors that are seen, a picture with words, work that can be held, and a form for the page."""

import base64
import functools
import html
import io
import threading
import time
import traceback

import ipywidgets

from vbook.widgets.base import static_and_live

EVERY = 0.4  # seconds between two pictures of a run: each takes about a tenth of a second from it


def shown(callback):
    """A method of a ``Live`` as a callback: its error is shown in the widget, where ipywidgets would leave it to a log."""

    @functools.wraps(callback)
    def guarded(self, *args, **kwargs):
        self.errors.value = ""
        try:
            return callback(self, *args, **kwargs)
        except Exception as error:
            self.show_error(error)

    return guarded


class Live:
    """A widget with a ``figure``, a ``status`` and a place for ``errors``; ``sentence`` stands under it and its picture."""

    sentence, tone = "", "lines"

    def __init__(self):
        self.errors, self.status, self.picture = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.drawing = threading.Lock()
        self.drawn = 0.0

    def assemble(self, *rows) -> None:
        """Put the parts under one another; each of ``rows`` is a list of controls that stand side by side, or a widget."""
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        rows = [ipywidgets.HBox(row, layout=wrap) if isinstance(row, list) else row for row in rows]
        self.view = ipywidgets.VBox([*rows, self.status, self.errors])

    def show_error(self, error: BaseException) -> None:
        """The error in words, with its traceback to unfold."""
        details = html.escape("".join(traceback.format_exception(error)))
        self.errors.value = (
            f'<div role="alert" style="border-left: 3px solid #d55e00; padding-left: .7em">'
            f"<b>{type(error).__name__}:</b> {html.escape(str(error))}"
            f"<details><summary>Traceback</summary><pre>{details}</pre></details></div>"
        )

    def say(self, text: str) -> None:
        self.status.value = f"<span>{html.escape(text)}</span>"

    def figure(self):
        """The matplotlib figure of what is known now, and its words: (figure, alt)."""
        raise NotImplementedError

    def draw(self, every: float = 0.0) -> None:
        """Show the figure, unless the last one is less than ``every`` seconds old."""
        if time.monotonic() - self.drawn < every:
            return
        with self.drawing:
            fig, alt = self.figure()
            out = io.BytesIO()
            fig.savefig(out, format="png", dpi=100, facecolor="white")
        picture = base64.b64encode(out.getvalue()).decode()
        self.picture.value = f'<img alt="{html.escape(alt)}" style="max-width: 100%" src="data:image/png;base64,{picture}">'
        self.drawn = time.monotonic()

    def static(self):
        """Figure and words for where no kernel is: (figure, alt)."""
        return self.figure()

    def _repr_mimebundle_(self, include=None, exclude=None):
        fig, alt = self.static()
        data, notes = static_and_live(fig, alt, self.tone, self.view)
        notes |= {"needs_background": "light", "vbook": {"caption": self.sentence, "alt": alt, "tone": self.tone}}
        return data | {"text/plain": self.sentence}, notes

    def _ipython_display_(self):
        """The widget and, under it, the sentence: a page has the picture in the widget's place, as it has a figure's."""
        from IPython.display import publish_display_data

        data, notes = self._repr_mimebundle_()
        publish_display_data(data, notes)
        words = {"text/markdown": f"*{self.sentence}*", "text/plain": self.sentence}
        publish_display_data(words, {"vbook": {"role": "caption"}})


class Ended(KeyboardInterrupt):
    """Raised in a job that was told to end; ``fit`` takes it as Ctrl-C and returns what it has."""


class Job:
    """``work(job)`` in a thread of its own, so that the widget's controls keep answering. ``work`` calls ``step()`` often.

    When a hold begins, ``at_rest()`` is called in the job's thread, for what the last steps left to show; then ``resting`` is
    set, as long as the job computes nothing.
    """

    def __init__(self, work, at_rest=lambda: None):
        self.at_rest = at_rest
        self.free, self.resting, self.told = threading.Event(), threading.Event(), False
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work) -> None:
        try:
            work(self)
        except Ended:
            pass

    def step(self) -> None:
        """Wait while the job is held; raises ``Ended`` when it was told to end."""
        if not self.free.is_set():
            self.at_rest()
            self.resting.set()
            self.free.wait()
            self.resting.clear()  # also where ``go`` came while ``at_rest`` was at work
        if self.told:
            raise Ended

    @property
    def alive(self) -> bool:
        return self.thread.is_alive()

    def go(self) -> None:
        """Begin, or go on after ``hold``."""
        self.resting.clear()
        self.free.set()
        if self.thread.ident is None:
            self.thread.start()

    def hold(self) -> None:
        """Nothing more is computed after the step under way, until ``go``."""
        self.free.clear()

    def end(self) -> None:
        """End at the next step and wait until it has."""
        self.told = True
        self.free.set()
        if self.alive and self.thread is not threading.current_thread():
            self.thread.join()
