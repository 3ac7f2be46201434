"""What a cell's output holds: the same bytes every time, the words that belong to a figure, and nothing else."""

import base64
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vbook.errors import VbookError
from vbook.plots import figure, png_bytes, show, svg_text
from vbook.plots.output import reduce_colors

CAPTION = "Figure 2.9. The bound $\\mathcal{L}$ through training."
ALT = "A curve rises steeply, then flattens."


@pytest.fixture
def outputs(monkeypatch):
    """The outputs that a notebook would get."""
    sent = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, metadata: sent.append((data, metadata)))
    return sent


def curve(width=6.4, height=3.6):
    fig, ax = figure(width, height)
    x = np.linspace(0, 40, 41)
    ax.plot(x, -100 - 440 * np.exp(-x / 5))
    ax.set(xlabel="epoch", ylabel="ELBO (nats)")
    ax.text(20, -300, r"$\log p_\theta(\mathbf{x})$")
    return fig


def test_png_output_is_as_the_site_expects(outputs):
    show(curve(5, 3), CAPTION, ALT)
    (data, metadata), (words, role) = outputs
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"] == CAPTION
    assert metadata == {
        "image/png": {"width": 500, "height": 300, "alt": ALT},
        "needs_background": "light",
        "vbook": {"caption": CAPTION, "alt": ALT, "tone": "lines"},
    }
    assert words == {"text/markdown": f"*{CAPTION}*", "text/plain": CAPTION}
    assert role == {"vbook": {"role": "caption"}}
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.size == (650, 390)
    assert picture.convert("RGBA").getpixel((1, 1))[3] == 0  # the ground is transparent


def test_svg_output_is_as_the_site_expects(outputs):
    show(curve(), CAPTION, ALT, tone="image", svg=True)
    data, metadata = outputs[0]
    assert set(data) == {"image/svg+xml", "text/plain"}
    assert data["image/svg+xml"].startswith("<svg ")
    assert metadata["image/svg+xml"] == {"width": 640, "height": 360, "alt": ALT}
    assert metadata["vbook"]["tone"] == "image"
    assert len(outputs) == 2


def test_lines_get_few_colours_and_photographs_keep_theirs(outputs):
    show(curve(), CAPTION, ALT)
    show(curve(), CAPTION, ALT, tone="image")
    lines, photograph = (Image.open(io.BytesIO(base64.b64decode(outputs[i][0]["image/png"]))) for i in (0, 2))
    assert (lines.mode, photograph.mode) == ("P", "RGBA")


def test_a_grey_photograph_keeps_its_shades():
    """A ramp of 200 greys between inked labels comes back within 8 of 255 (a shade is 6.5 wide), in 40 shades."""
    fig, ax = figure(4, 2)
    ramp = np.linspace(0, 1, 200)[None].repeat(40, 0)
    ax.imshow(ramp, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_xlabel("many small letters, whose edges have colours of their own")
    pixels = np.asarray(Image.open(io.BytesIO(png_bytes(fig, few_colors=False))).convert("RGBA")).astype(int)
    opaque = pixels[(pixels[..., 3] == 255)]
    assert len(np.unique(opaque[:, :3], axis=0)) == 40
    row = pixels[pixels.shape[0] // 2]
    row = row[row[:, 3] == 255][5:-5, 0]
    ideal = np.linspace(row[0], row[-1], len(row))
    assert np.abs(row - ideal).max() <= 8


def test_caption_is_one_line(outputs):
    show(curve(), "Figure 2.9.\n  Two   lines.", ALT)
    assert outputs[0][0]["text/plain"] == "Figure 2.9. Two lines."


def test_outside_a_notebook_the_caption_is_printed(capsys):
    show(curve(), CAPTION, ALT)
    assert capsys.readouterr().out == CAPTION + "\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"caption": "", "alt": ALT}, "needs a caption"),
        ({"caption": CAPTION, "alt": " "}, "needs a text alternative"),
        ({"caption": CAPTION, "alt": None}, "needs a text alternative"),
        ({"caption": "Same.", "alt": "Same. "}, "repeats the caption"),
        ({"caption": CAPTION, "alt": "The bound $L$ rises."}, r"without \$"),
        ({"caption": CAPTION, "alt": ALT, "tone": "line"}, "did you mean 'lines'"),
    ],
)
def test_missing_words_are_refused_before_anything_is_shown(outputs, words, message):
    with pytest.raises(VbookError, match=message):
        show(curve(), **words)
    assert outputs == []


@pytest.mark.parametrize("render", [png_bytes, svg_text])
def test_same_figure_same_bytes(render):
    fig = curve()
    first = render(fig)
    assert render(fig) == first == render(curve())


def test_same_svg_in_another_process():
    code = "from vbook.plots import draw_flow, svg_text; import sys; sys.stdout.write(svg_text(draw_flow()))"
    texts = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert texts[0] == texts[1] != b""


def test_files_say_nothing_of_their_maker():
    for few_colors in (True, False):
        picture = Image.open(io.BytesIO(png_bytes(curve(), few_colors)))
        assert set(picture.info) <= {"transparency", "dpi"}
    text = svg_text(curve())
    assert not any(word in text for word in ("matplotlib", "Date", "DOCTYPE", "metadata", "<!--"))
    assert {part.split('"')[0] for part in text.split('="http')[1:]} == {"://www.w3.org/2000/svg", "://www.w3.org/1999/xlink"}


def test_words_added_outside_our_settings_get_our_fonts():
    from matplotlib.text import Text

    fig = curve()
    png_bytes(fig)
    assert {t.get_math_fontfamily() for t in fig.findobj(Text)} == {"cm"}


def test_reduced_colours_stay_close():
    image = Image.open(io.BytesIO(png_bytes(curve(), few_colors=False)))
    full = np.asarray(image).astype(float)
    index, palette = reduce_colors(np.asarray(image))
    small = palette[index].astype(float)

    def on_white(p):
        return 255 + (p[..., :3] - 255) * p[..., 3:] / 255

    assert len(palette) <= 64
    assert np.abs(on_white(small) - on_white(full)).max() < 32
    assert np.abs(on_white(small) - on_white(full)).mean() < 0.2


def test_a_ramp_of_ink_keeps_its_shades():
    ramp = np.zeros((1, 256, 4), dtype=np.uint8)
    ramp[..., 3] = np.arange(256)
    index, palette = reduce_colors(ramp)
    assert np.abs(palette[index][..., 3].astype(int) - ramp[..., 3]).max() <= 3
    assert len(palette) > 40
