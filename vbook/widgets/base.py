"""A widget: alive in a notebook through anywidget, in a built page through the form that the build makes of its placeholder."""

import base64
import functools
import hashlib
import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from vbook.widgets import bundle
from vbook.widgets.kept import kept, network

MIME = "application/vnd.vbook.widget+json"
VIEW = "application/vnd.jupyter.widget-view+json"
FOLDER = "_static/widgets"
SCRIPT = "vbook-widgets.js"


@dataclass
class Widget:
    """One interactive picture. Shown at the end of a cell it is alive; in print and without scripts ``picture`` stands in.

    ``payload`` is what its script is given (JSON), ``networks`` the names of the networks it runs (see ``vbook.widgets.kept``),
    ``alt`` says in words what ``picture`` shows.
    """

    name: str
    payload: dict
    networks: tuple[str, ...]
    alt: str
    picture: Callable = field(repr=False)  # a matplotlib figure
    tone: str = "lines"

    def __post_init__(self):
        self.payload = {**self.payload, "networks": {name: kept(name).file() for name in self.networks}}

    def __repr__(self) -> str:
        return f"<vbook widget {self.name}: {self.payload['title']}>"

    @property
    def digest(self) -> str:
        """Of the weights it runs: words and points may change without another run of the chapter."""
        return hashlib.sha256(_json(self.payload["networks"]).encode()).hexdigest()[:16]

    @functools.cached_property
    def live(self):
        """The anywidget: its trait ``state`` follows what the reader does, and moves the widget when it is set.

        It has the weights as float16, for which nobody waits; pages have int8, and differ by up to 0.0024 in a pixel.
        """
        found = {name: network(name, "float16") for name in self.networks}
        networks = {name: {"spec": one.spec, "weights": one.weights} for name, one in found.items()}
        return _live_class()(name=self.name, payload=self.payload, networks=networks)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, notes = static_and_live(self.picture(), self.alt, self.tone, self.live)
        data |= {MIME: {"name": self.name, "digest": self.digest}, "text/plain": repr(self)}
        return data, notes | {"vbook": {"role": "widget", "alt": self.alt, "tone": self.tone}}


def static_and_live(figure, alt: str, tone: str, view) -> tuple[dict, dict]:
    """A matplotlib figure as PNG beside a live ipywidget's view: data and notes by MIME type (the picture's size and words)."""
    from vbook.plots.output import CSS_DPI, png_bytes

    size = {"width": round(CSS_DPI * figure.get_figwidth()), "height": round(CSS_DPI * figure.get_figheight()), "alt": alt}
    picture = base64.b64encode(png_bytes(figure, few_colors=tone == "lines")).decode()
    found = view._repr_mimebundle_()
    data, notes = found if isinstance(found, tuple) else (found or {}, {})  # Colab finds a widget's manager in the notes
    alive, told = ({mime: one[mime] for mime in (VIEW,) if mime in one} for one in (data, notes))
    return {"image/png": picture} | alive, {"image/png": size} | told


@functools.cache
def _live_class():
    import anywidget
    import traitlets

    class Live(anywidget.AnyWidget):
        _esm = bundle.for_notebook()
        name = traitlets.Unicode().tag(sync=True)
        payload = traitlets.Dict().tag(sync=True)
        networks = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)

    return Live


def _json(payload: dict) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def page_form(widget: Widget, picture: str, size: dict, id: str, depth: int) -> str:
    """The widget as HTML for a page ``depth`` folders below the site's front: its data, its picture, and the script's address."""
    up = "../" * depth
    measures = "".join(f' {name}="{size[name]}"' for name in ("width", "height") if name in size)
    tone = " vw-lines" if widget.tone == "lines" else ""
    words = html.escape(widget.payload["title"])
    data = _json(widget.payload).replace("</", "<\\/")
    return (
        f'<div class="vw" id="{id}" data-vbook-widget="{widget.name}">'
        f'<p class="vw-words">{words} (a picture; alive where scripts run)</p>'
        f'<img class="vw-static{tone}" alt="{html.escape(widget.alt)}"{measures} src="data:image/png;base64,{picture}">'
        f'<script type="application/json">{data}</script></div><script defer src="{up}{FOLDER}/{SCRIPT}"></script>'
    )
