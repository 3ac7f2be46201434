"""Ink to pixels to posterior to bound: the drawing widget against numpy and vbook, and the truth of its question's answer."""

import numpy as np
import pytest
import torch
from scripts import run
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vbook.bounds import elbo_analytic_kl
from vbook.experiments.chapter02.plane import unpacked
from vbook.results.record import read_record, record_path
from vbook.results.weights import load_model
from vbook.widgets.digit import draw_a_digit
from vbook.widgets.points import DIGITS, pictures

INK, WIDGET, FINE = "ink.js", "widgets/draw-a-digit.js", 56
STROKES = [([10, 12], [44, 12]), ([44, 12], [20, 50.5]), ([5, 30], [5, 30])]


def inked(strokes=STROKES):
    body = "const ink = new Uint8Array(FINE * FINE); for (const [a, b] of strokes) stroke(ink, a, b); return ink;"
    return np.array(run(INK, body, strokes=strokes))


def images():
    return torch.tensor([unpacked(one["bits"], 784) for one in pictures()]).float()


def test_a_stroke_inks_what_lies_within_the_pens_radius():
    centres = np.stack(np.meshgrid(np.arange(FINE) + 0.5, np.arange(FINE) + 0.5), -1).reshape(-1, 2)
    share = np.linspace(0, 1, 4001)[:, None]
    expected = np.zeros(len(centres), int)
    for a, b in STROKES:
        trail = np.array(a) + share * (np.array(b) - np.array(a, float))
        away = np.array([np.hypot(*(trail - centre).T).min() for centre in centres])
        expected |= away <= run(INK, "return PEN;")
    assert inked().sum() > 300 and np.abs(inked() - expected).sum() <= 2  # the trail is sampled
    erased = run(INK, "const ink = new Uint8Array(FINE * FINE).fill(1); stroke(ink, [0, 28], [56, 28], 0); return ink;")
    assert np.array(erased).reshape(FINE, FINE)[:20].all() and not np.array(erased).reshape(FINE, FINE)[27:29].any()


@pytest.mark.parametrize(
    "strokes", [STROKES, [([20, 20], [26, 30])], [([2, 3], [54, 10])], [([3, 3], [4, 54]), ([4, 54], [9, 54])]]
)
def test_ink_is_scaled_and_centred_as_mnist_was(strokes):
    ink = inked(strokes)
    grey = np.array(run(INK, "return fitted(ink);", ink=ink.tolist())).reshape(28, 28)
    rows, columns = np.nonzero(ink.reshape(FINE, FINE))
    scale = 20 / max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert grey.sum() == pytest.approx(ink.sum() * scale**2, rel=1e-9) and grey.max() <= 1 + 1e-9  # nothing cut off
    across, down = (np.nonzero(grey.sum(axis) > 1e-9)[0] for axis in (0, 1))
    assert max(np.ptp(across), np.ptp(down)) + 1 == 20
    middle = [(grey.sum(axis) * (np.arange(28) + 0.5)).sum() / grey.sum() for axis in (0, 1)]
    assert np.abs(np.array(middle) - 14.5).max() <= 0.5 + 1e-9
    # Every grey level is a share of area: count points of a fine grid that fall on inked cells.
    k = 24
    at = (np.arange(28 * k) + 0.5) / k
    r = np.floor((at - down[0]) / scale).astype(int) + rows.min()
    c = np.floor((at - across[0]) / scale).astype(int) + columns.min()
    fine = ink.reshape(FINE, FINE)[np.clip(r, 0, 55)][:, np.clip(c, 0, 55)].astype(float)
    fine[(r < 0) | (r >= FINE)], fine[:, (c < 0) | (c >= FINE)] = 0, 0
    assert np.abs(fine.reshape(28, k, 28, k).mean((1, 3)) - grey).max() < 3 / k


def test_mnists_own_images_pass_unchanged():
    body = "return all.map((x) => [0, 1].map((fit) => seen(enlarged(x), fit)));"
    found = torch.tensor(run(INK, body, all=images().tolist()))
    assert torch.equal(found[:, 0], images())
    # Centres of mass were taken of grey levels; of black and white ones a few lie across the middle of a pixel.
    assert (found[:, 1] == images()).all(1).sum() >= 18


def test_no_ink_gives_an_empty_picture_and_damaged_text_none():
    assert not any(run(INK, "return seen(new Uint8Array(FINE * FINE), 1);"))
    assert run(INK, "return ['', 'AAAA', undefined, '!'.repeat(523)].map(inkOf);") == [None] * 4


def test_the_drawing_survives_its_link():
    ink = inked()
    text, back = run(INK, "return [textOf(ink), inkOf(textOf(ink))];", ink=ink.tolist())
    assert len(text) == 523 and back == ink.tolist() and text.replace("-", "").replace("_", "").isalnum()


def test_likelihood_divergence_and_standard_error_are_torchs():
    g = torch.Generator().manual_seed(0)
    p, x = torch.rand(784, generator=g, dtype=torch.float64), images()[3].double()
    q = {"mean": [0.3, -2.0], "sd": [0.05, 1.7]}
    body = "return [logLikelihood(x, p), divergence(q), average([1, 2, 4, 9]), drawn(q, [2, -1])];"
    fit, kl, mean, z = run(WIDGET, body, x=x.tolist(), p=p.tolist(), q=q)
    assert fit == pytest.approx(Bernoulli(p).log_prob(x).sum().item(), rel=1e-12)
    m, sd = (torch.tensor(q[name], dtype=torch.float64) for name in ("mean", "sd"))
    prior = Independent(Normal(torch.zeros(2).double(), torch.ones(2).double()), 1)
    assert kl == pytest.approx(kl_divergence(Independent(Normal(m, sd), 1), prior).item(), rel=1e-12)
    assert mean == {"mean": 4.0, "error": pytest.approx(np.std([1, 2, 4, 9], ddof=1) / 2)}
    assert z == pytest.approx([0.4, -3.7])


def test_both_terms_of_a_test_image_are_vbooks():
    model, x = load_model("ch02-vae-2.laptop"), images()
    eps = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    body = """return all.map((x) => { const q = nets["digit-encoder"](x);
        return [average(eps.map((e) => logLikelihood(x, nets.digits(drawn(q, e)).mean))).mean, divergence(q)]; });"""
    found = torch.tensor(run(WIDGET, body, ("digit-encoder", "digits"), all=x.tolist(), eps=eps.tolist()))
    with torch.no_grad():
        q = model.encode(x)
        z = q.loc + q.scale * eps[:, None]
        expected = model.decode(z).log_prob(x).mean(0)
        many = elbo_analytic_kl(model, x, 2000, torch.Generator().manual_seed(1))
        spread = model.decode(z).log_prob(x).std(0) / 8
    assert (found[:, 0] - expected).abs().max() < 2.0  # nats; weights are rounded to int8 in both networks
    assert (found[:, 0] - expected).abs().mean() < 0.3
    assert (found[:, 1] - kl_divergence(q, model.prior())).abs().max() < 0.03
    assert ((found[:, 0] - found[:, 1] - many).abs() < 4.5 * spread + 1.0).all()


def test_the_answer_is_true_of_window_house_and_empty_paper():
    body = "return [...Object.keys(SHAPES).map((name) => seen(inkOfShape(name), 1)), seen(new Uint8Array(FINE * FINE), 1)];"
    shapes = torch.tensor(run(INK, body)).float()
    model = load_model("ch02-vae-2.laptop")
    with torch.no_grad():
        q, g = model.encode(shapes), torch.Generator().manual_seed(0)
        fit = model.decode(q.rsample((500,))).log_prob(shapes).mean(0)
        test = elbo_analytic_kl(model, images(), 100, g)
    series = read_record(record_path(DIGITS)).series
    widths = torch.tensor([series["sigma1"], series["sigma2"]])
    window, _, empty = q.scale
    for each in (0, 1):
        assert (widths[each] > window[each]).double().mean() > 0.6  # "narrower than that of most test digits"
    assert (window.prod() < widths.prod(0)).double().mean() > 0.6
    assert fit[0] == pytest.approx(-590, abs=5) and fit[0] < 1.5 * test.min()
    assert fit[1] == pytest.approx(-210, abs=8) and fit[1] > test.min()
    assert (empty > widths.amax(1)).all()


def test_the_ten_on_offer_are_one_of_each_class():
    payload = draw_a_digit().payload
    assert [payload["pictures"][i]["label"] for i in payload["offered"]] == list(range(10))
    assert payload["pictures"][payload["offered"][payload["first"]]]["label"] == 7
    assert draw_a_digit().digest == draw_a_digit().digest
