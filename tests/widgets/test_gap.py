"""The ELBO's gap in one dimension, as the page computes it, against quadrature and closed forms; what its words claim."""

import json
import math
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Normal, kl_divergence

import vbook.widgets
from vbook.site.vendor import node
from vbook.widgets.gap import QUESTION, START, X

SCRIPT = Path(vbook.widgets.__file__).with_name("static") / "widgets" / "elbo-gap.js"
DECODERS = {"line": lambda z: z, "parabola": lambda z: z * z / 2, "bend": lambda z: math.tanh(2 * z)}
CASES = [
    (decoder, s, mean, sd)
    for decoder in DECODERS
    for s, mean, sd in [(0.25, 0.5, 0.6), (0.5, -1.2, 0.3), (0.2, 2.6, 2.0), (0.6, 0.0, 0.1), (0.2, -2.6, 0.1)]
]


def javascript(names, body, *given):
    """What ``body`` returns, with ``names`` of the widget's script in scope and ``given`` as its arguments."""
    script = f"import {{ {names} }} from {json.dumps(SCRIPT.as_uri())};\nconst run = (...given) => {{ {body} }};\n"
    script += f"console.log(JSON.stringify(run(...{json.dumps(given)})));"
    done = subprocess.run([node(), "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def computed():
    body = """return given[0].map(([decoder, s, mean, sd]) => {
        const of = model(decoder, s, given[1]), q = { mean, sd };
        return { logPx: of.logPx, ...terms(of, q), slopes: slopes(of, q) };
    });"""
    return javascript("model, terms, slopes", body, CASES, X)


def log_normal(value, mean, sd):
    return -0.5 * math.log(2 * math.pi) - math.log(sd) - 0.5 * ((value - mean) / sd) ** 2


def log_joint(decoder, s, z):
    return log_normal(z, 0, 1) + log_normal(X, DECODERS[decoder](z), s)


def integral(f, low, high):
    return quad(f, low, high, limit=500, epsabs=1e-12, epsrel=1e-11, points=[low + (high - low) * k / 8 for k in range(1, 8)])[0]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_elbo_kl_and_evidence_are_scipys(computed, case):
    decoder, s, mean, sd = CASES[case]
    log_px = math.log(integral(lambda z: math.exp(log_joint(decoder, s, z)), -9, 9))

    def average(f):
        return integral(lambda u: math.exp(log_normal(u, 0, 1)) * f(mean + sd * u), -9, 9)

    elbo = average(lambda z: log_joint(decoder, s, z) - log_normal(z, mean, sd))
    kl = average(lambda z: log_normal(z, mean, sd) - (log_joint(decoder, s, z) - log_px))
    found = computed[case]
    assert found["logPx"] == pytest.approx(log_px, abs=1e-8)
    assert found["elbo"] == pytest.approx(elbo, rel=1e-8, abs=1e-8)
    assert found["kl"] == pytest.approx(kl, rel=1e-8, abs=1e-8)
    assert found["elbo"] + found["kl"] == pytest.approx(log_px, abs=1e-8)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_where_there_is_a_closed_form_it_holds(computed, case):
    decoder, s, mean, sd = CASES[case]
    if decoder == "line":  # everything is Gaussian
        ours, posterior = (
            Normal(*torch.tensor(pair, dtype=torch.float64)) for pair in ((mean, sd), (X / (1 + s**2), s / math.sqrt(1 + s**2)))
        )
        kl = kl_divergence(ours, posterior).item()
        assert computed[case]["logPx"] == pytest.approx(log_normal(X, 0, math.sqrt(1 + s**2)), abs=1e-9)
        assert computed[case]["kl"] == pytest.approx(kl, rel=1e-9, abs=1e-9)
    elif decoder == "parabola":  # the moments of q, as in section 2.3
        z2, z4 = mean**2 + sd**2, mean**4 + 6 * mean**2 * sd**2 + 3 * sd**4
        entropy = 0.5 * math.log(2 * math.pi * math.e) + math.log(sd)
        gap = X**2 - X * z2 + z4 / 4  # E[(x - z^2/2)^2]
        elbo = -math.log(2 * math.pi) - math.log(s) - 0.5 * z2 - gap / (2 * s**2) + entropy
        assert computed[case]["elbo"] == pytest.approx(elbo, rel=1e-9, abs=1e-9)
    else:
        assert computed[case]["kl"] > 0.05  # no Gaussian is the posterior of a bent decoder


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_climbs_slopes_are_autograds(computed, case):
    decoder, s, mean, sd = CASES[case]
    f = torch.tanh if decoder == "bend" else DECODERS[decoder]
    mu, log_sd = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (mean, math.log(sd)))
    u = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    weights = Normal(0.0, 1.0).log_prob(u).exp() * (u[1] - u[0])
    z = mu + log_sd.exp() * u
    log_pxz = Normal(0.0, 1.0).log_prob(z) + Normal(f(2 * z) if decoder == "bend" else f(z), s).log_prob(torch.tensor(X).double())
    elbo = (weights * (log_pxz - Normal(mu, log_sd.exp()).log_prob(z))).sum()
    expected = torch.stack(torch.autograd.grad(elbo, (mu, log_sd)))
    assert torch.allclose(torch.tensor(computed[case]["slopes"], dtype=torch.float64), expected, rtol=1e-8, atol=1e-8)


CLIMB = """const [starts, x] = given;
return starts.map(([decoder, s, mean, sd]) => {
    const of = model(decoder, s, x), path = [{ mean, sd, ...terms(of, { mean, sd }) }];
    for (let rate = 1, next; path.length < 2000 && (next = climbOnce(of, path.at(-1), rate)); rate = next.rate) {
        path.push({ ...next.q, ...terms(of, next.q) });
    }
    return { path, last: slopes(of, path.at(-1)) };
});"""


def climbs(*starts):
    return javascript("model, terms, slopes, climbOnce", CLIMB, starts, X)


def test_a_climb_rises_at_each_step_takes_short_steps_and_ends_where_the_slope_is_nil():
    for climb in climbs(*CASES):
        path = climb["path"]
        assert len(path) < 500
        for a, b in pairwise(path):
            assert b["elbo"] > a["elbo"]
            assert math.hypot(b["mean"] - a["mean"], math.log(b["sd"] / a["sd"])) <= 0.0351
        assert math.hypot(*climb["last"]) < 1e-3


def test_what_the_question_says_is_so():
    start = (START["decoder"], START["s"], START["mean"], START["sd"])
    hump, middle, blunt, line = climbs(
        start, ("parabola", 0.25, 0.0, 0.6), ("parabola", 0.5, START["mean"], START["sd"]), ("line", *start[1:])
    )
    end = hump["path"][-1]
    assert abs(end["mean"] - 1.33) < 0.005 and end["sd"] < 0.2
    no, yes = (option["reply"] for option in QUESTION["options"])
    assert [option["right"] for option in QUESTION["options"]] == [False, True]
    assert f"{end['kl']:.2f} nats below log p(x)" in no and math.log(2) < end["kl"] < math.log(2) + 0.03
    assert abs(middle["path"][-1]["mean"]) < 1e-9
    assert all(f"{middle['path'][-1]['kl']:.2f}" in reply for reply in (no, yes))
    assert blunt["path"][-1]["kl"] < 0.41  # the chapter's model
    for climb in climbs(*(("parabola", 0.5, mean, sd) for mean in (-2.6, -1.2, 1.2, 2.6) for sd in (0.1, 0.3, 2.0))):
        assert abs(climb["path"][-1]["mean"]) < 0.01 and climb["path"][-1]["sd"] > 0.8
    assert line["path"][-1]["kl"] < 1e-6  # a line's gap can be closed


def test_the_printed_numbers_add_up():
    cases = [(kl, log_px) for kl in (0, 0.004, 0.0051, 3.4749, 36.126) for log_px in (-1.4762, -0.656, -1.4151)]
    found = javascript("shown", "return given[0].map(([kl, logPx]) => shown({ kl }, logPx));", cases)
    for (kl, log_px), texts in zip(cases, found, strict=True):
        elbo, gap, total = (float(texts[name].replace("−", "-")) for name in ("elbo", "kl", "sum"))
        assert round(100 * elbo) + round(100 * gap) == round(100 * total)
        assert abs(gap - kl) <= 0.005 + 1e-9 and abs(total - log_px) <= 0.005 + 1e-9 and abs(elbo - (log_px - kl)) <= 0.01 + 1e-9


def test_the_picture_says_what_the_page_computes():
    widget = vbook.widgets.elbo_gap()
    first = climbs((START["decoder"], START["s"], START["mean"], START["sd"]))[0]["path"][0]
    numbers = (f"minus {-first['elbo']:.2f}", f"{first['kl']:.2f}", f"minus {-(first['elbo'] + first['kl']):.2f}")
    assert all(number in widget.alt for number in numbers)
    left, right = widget.picture().axes
    assert left.get_xlabel() and left.get_ylabel() and right.get_ylabel() == "nats"
    blue, orange = right.patches
    assert blue.get_y() + blue.get_height() == pytest.approx(first["elbo"], abs=1e-6)
    assert orange.get_height() == pytest.approx(first["kl"], abs=1e-6)
