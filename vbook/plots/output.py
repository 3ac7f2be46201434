"""From a matplotlib figure to the output of a notebook cell: small, the same bytes every time, with words for its content."""

import base64
import io
import re
from contextlib import contextmanager

from ..errors import VbookError, nearest
from .style import FONT, MATH_FONT, context

CSS_DPI = 100  # an inch of figure is 100 pixels of the page
SVG_GROUND = ' style="background: white"'  # JupyterLab gives a drawing no light ground on its dark theme; the site takes it off
PNG_DPI = 130  # sharp where a phone shows the page's 640 pixels on 390 wide with two dots to the pixel
TONES = ("lines", "image")


def show(fig, caption: str, alt: str, tone: str = "lines", svg: bool = False) -> None:
    """Display a figure with its caption below and its text alternative, as two outputs of the cell.

    ``caption`` begins with the figure's number and may hold ``$maths$``; ``alt`` says in words what is to be seen, for
    those who can't. ``tone="lines"`` is inverted on dark pages, ``"image"`` (photographs) is not. ``svg=True`` is for
    schematic drawings. Raises VbookError when the caption or the alternative is missing, or the two are the same.
    """
    caption, alt = (" ".join(str(s or "").split()) for s in (caption, alt))
    _check_words(caption, alt, tone)
    size = {"width": _pixels(fig.get_figwidth()), "height": _pixels(fig.get_figheight()), "alt": alt}
    kind = "image/svg+xml" if svg else "image/png"
    picture = svg_text(fig) if svg else base64.b64encode(png_bytes(fig, few_colors=tone == "lines")).decode()
    metadata = {
        kind: size,
        "needs_background": "light",
        "vbook": {"caption": caption, "alt": alt, "tone": tone},
    }
    _publish({kind: picture, "text/plain": caption}, metadata)
    _publish({"text/markdown": f"*{caption}*", "text/plain": caption}, {"vbook": {"role": "caption"}})


def png_bytes(fig, few_colors: bool = True) -> bytes:
    """The figure as PNG bytes: transparent ground, no date and no program's name in it.

    ``few_colors`` keeps 64 colours, or 16 where the figure holds pictures: a third of the bytes or less. Without it 40 shades of
    grey are kept, and of a colour photograph, which would show bands, every colour.
    """
    import numpy as np
    from PIL import Image

    with _house_style(fig):
        pixels = _drawn(fig)
    picture = Image.fromarray(pixels)
    grey = (np.ptp(pixels[..., :3][pixels[..., 3] > 0], axis=1) <= 24).all()  # the ink of labels is not quite grey
    if few_colors or grey:
        most = 16 if few_colors and any(ax.images for ax in fig.axes) else 64
        index, palette = reduce_colors(pixels, most) if few_colors else _keep_greys(pixels, most)
        picture = Image.fromarray(index)
        picture.putpalette(palette.tobytes(), rawmode="RGBA")
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _drawn(fig):
    """The figure's pixels (H, W, 4) as bytes, on a transparent ground; ``savefig`` would draw it twice."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before, canvas = (fig.canvas, fig.get_dpi(), fig.get_facecolor(), fig.get_edgecolor()), FigureCanvasAgg(fig)
    try:
        fig.set(dpi=PNG_DPI, facecolor="none", edgecolor="none")
        canvas.draw()
        return np.array(canvas.buffer_rgba())
    finally:
        fig.set(canvas=before[0], dpi=before[1], facecolor=before[2], edgecolor=before[3])


def reduce_colors(rgba, most: int = 64):
    """The pixels (H, W, 4) as indices (H, W) into a palette (N, 4) of at most ``most`` colours, all of them bytes.

    Colours that are the same after rounding, times their opacity, share an entry: their mean. So a figure of few inks keeps
    fine shades (Pillow's own reduction leaves eight greys of a handwritten digit).

    >>> import numpy as np
    >>> index, palette = reduce_colors(np.array([[[9, 9, 9, 255], [200, 0, 0, 255], [7, 7, 7, 0]]], dtype=np.uint8))
    >>> palette[index].tolist()
    [[[9, 9, 9, 255], [200, 0, 0, 255], [0, 0, 0, 0]]]
    """
    import numpy as np

    # Once over the pixels, to know the exact colours; the search for the rounding then runs over those few alone.
    exact, index, count = np.unique(np.ascontiguousarray(rgba).view(np.uint32).ravel(), return_inverse=True, return_counts=True)
    colors = exact.view(np.uint8).reshape(-1, 4).astype(float)
    colors[:, :3] *= colors[:, 3:] / 255
    for step in range(1, 257):
        key = np.rint(colors / step).astype(np.int64) @ (1 << np.arange(24, -1, -8))  # the four in one number: faster to sort
        _, group = np.unique(key, return_inverse=True)
        if group.max() < most:
            break
    group = group.ravel()  # NumPy 2.0 gives a column here
    total = np.bincount(group, weights=count)
    mean = np.stack([np.bincount(group, weights=count * channel) / total for channel in colors.T], axis=1)
    mean[:, :3] *= 255 / np.maximum(mean[:, 3:], 1e-9)
    return group[index].reshape(rgba.shape[:2]).astype(np.uint8), np.rint(mean.clip(0, 255)).astype(np.uint8)


def _keep_greys(rgba, most: int):
    """As ``reduce_colors``, but what is opaque keeps 40 even shades of grey: the edges of letters don't count against them."""
    import numpy as np

    opaque, shades = rgba[..., 3] == 255, np.rint(np.arange(40) * 255 / 39).astype(np.uint8)
    index, palette = reduce_colors(np.where(opaque[..., None], 0, rgba), most)
    levels = np.rint(rgba[..., :3].mean(-1) * 39 / 255).astype(np.uint8)
    greys = np.stack([shades, shades, shades, np.full(40, 255, np.uint8)], axis=1)
    return np.where(opaque, levels, index + 40).astype(np.uint8), np.concatenate([greys, palette])


def svg_text(fig) -> str:
    """The figure as SVG text: letters as outlines, a white ground, hundredths of a point, no date, no document type."""
    with _house_style(fig):
        raw = io.StringIO()
        fig.savefig(raw, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = raw.getvalue()
    text = text[text.index("<svg") :]
    size = f'width="{_pixels(fig.get_figwidth())}" height="{_pixels(fig.get_figheight())}"'
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" width="[\d.]+pt"', size + SVG_GROUND, text, count=1)
    text = re.sub(r'(?<=<g) id="[^"]*"|<!--.*?-->|(?<=\n) +', "", text)
    # Hundredths are finer than a pixel, and hide the last digits in which processors differ.
    return re.sub(r' (d|x|y)="[^"]*"|translate\([^)]*\)', lambda place: re.sub(r"-?\d+\.\d+", _short, place.group()), text)


def _short(number: re.Match) -> str:
    text = f"{float(number.group()):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _pixels(inches: float) -> int:
    return round(CSS_DPI * inches)


@contextmanager
def _house_style(fig):
    """The book's settings, and its fonts for text that was added outside them."""
    from matplotlib.text import Text

    for text in fig.findobj(Text):
        text.set_fontfamily(FONT)
        text.set_math_fontfamily(MATH_FONT)
    with context():
        yield


def _check_words(caption: str, alt: str, tone: str) -> None:
    if tone not in TONES:
        raise VbookError(f"unknown tone {tone!r}{nearest(str(tone), TONES)}")
    if not caption:
        raise VbookError('a figure needs a caption: show(fig, caption="Figure 2.1. …", alt="…")')
    if not alt:
        raise VbookError("a figure needs a text alternative (alt=): say in words what is to be seen")
    if alt == caption:
        raise VbookError("the text alternative repeats the caption: say what is to be seen, not what it means")
    if "$" in alt:
        raise VbookError("the text alternative is read aloud: write its mathematics in words, without $")


def _publish(data: dict, metadata: dict) -> None:
    """Send one output to the notebook; outside a notebook print its text."""
    try:
        from IPython import get_ipython
        from IPython.display import publish_display_data
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        if "text/markdown" not in data:
            print(data["text/plain"])
        return
    publish_display_data(data, metadata)
