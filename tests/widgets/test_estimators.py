"""Three estimators of one slope, as the page computes them: closed forms against quadrature, estimates against those."""

import json
import math
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import vbook.widgets
from vbook.site.vendor import node
from vbook.widgets.estimators import QUESTION, START

STATIC = Path(vbook.widgets.__file__).with_name("static")
F = {"bowl": lambda z: z**2, "ripples": lambda z: np.cos(3 * z), "step": lambda z: np.where(z > 0, 1.0, 0.0)}
SLOPE = {"bowl": lambda z: 2 * z, "ripples": lambda z: -3 * np.sin(3 * z), "step": lambda z: 0 * z}
PLACES = [(1.5, 1.0, 0.0), (1.5, 1.0, 10.0), (-2.0, 0.3, 3.5), (0.0, 1.5, 0.0), (0.4, 0.6, 1.0)]
CASES = [(name, *place) for name in F for place in PLACES]


def javascript(body, *given):
    script = f"import {{ exact, estimates }} from {json.dumps((STATIC / 'widgets/gradient-estimators.js').as_uri())};\n"
    script += f"import {{ randomFrom }} from {json.dumps((STATIC / 'maths.js').as_uri())};\n"
    script += "import { readFileSync } from 'node:fs';\nconst given = JSON.parse(readFileSync(0, 'utf-8'));\n"
    script += f"const run = () => {{ {body} }};\nconsole.log(JSON.stringify(run()));"
    command = [node(), "--input-type=module", "-e", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def closed():
    return javascript("return given[0].map(([name, mean, sd, lift]) => exact(name, { mean, sd }, lift));", CASES)


def average(f, mean, sd):
    """E[f(ε)] of a standard normal ε, split where the step jumps."""

    def weighted(e):
        return math.exp(-0.5 * e * e) / math.sqrt(2 * math.pi) * f(e)

    corners = sorted({-10.0, 10.0, min(10.0, max(-10.0, -mean / sd))})
    pieces = [quad(weighted, a, b, limit=500, epsabs=1e-13, epsrel=1e-12)[0] for a, b in pairwise(corners)]
    return sum(pieces)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_slopes_and_variances_in_closed_form_are_scipys(closed, case):
    name, mean, sd, lift = CASES[case]

    def f(e):
        return float(F[name](mean + sd * e)) + lift

    def path(e):
        return float(SLOPE[name](mean + sd * e))

    middle = average(f, mean, sd)
    slope = average(lambda e: f(e) * e / sd, mean, sd)  # (2.72)
    along = average(path, mean, sd)  # (2.23)
    variances = [
        average(lambda e: path(e) ** 2, mean, sd) - along**2,
        average(lambda e: (f(e) * e / sd) ** 2, mean, sd) - slope**2,
        average(lambda e: ((f(e) - middle) * e / sd) ** 2, mean, sd) - slope**2,
    ]
    assert closed[case]["slope"] == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert closed[case]["pathMean"] == pytest.approx(along, rel=1e-9, abs=1e-9)
    assert closed[case]["variances"] == pytest.approx(variances, rel=1e-8, abs=1e-9)
    if name != "step":
        assert along == pytest.approx(slope, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_estimates_are_those_of_numpy_with_each_draws_own_baseline(case):
    name, mean, sd, lift = CASES[case]
    noise = np.random.default_rng(case).standard_normal(50)
    body = (
        "const [name, q, lift, noise] = given; return [2, 3, 50].map((n) => estimates(name, q, lift, noise).to(1).to(n).now());"
    )
    for found in javascript(body, name, {"mean": mean, "sd": sd}, lift, noise.tolist()):
        n = found["n"]
        score, z = noise[:n] / sd, mean + sd * noise[:n]
        f = F[name](z) + lift
        others = (f.sum() - f) / (n - 1)  # the baseline of section 2.10.1
        path = SLOPE[name](z)
        assert found["mean"] == pytest.approx(
            [path.mean(), (f * score).mean(), ((f - others) * score).mean()], rel=1e-9, abs=1e-9
        )
        draws = (path, f * score, (f - f.mean()) * score)
        assert found["variance"] == pytest.approx([each.var(ddof=1) for each in draws], rel=1e-7, abs=1e-9)
        assert found["error"] == pytest.approx([(each.var(ddof=1) / n) ** 0.5 for each in draws], rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("name", F)
def test_over_many_repetitions_means_and_variances_are_the_exact_ones(closed, name):
    repeats, n = 4000, 60
    mean, sd, lift = 0.4, 0.6, 1.0
    body = """const [name, q, lift, repeats, n, seed] = given, random = randomFrom(seed);
    const noise = () => Float64Array.from({ length: n }, () => random.normal());
    return Array.from({ length: repeats }, () => estimates(name, q, lift, noise()).to(n).now().mean);"""
    found = np.array(javascript(body, name, {"mean": mean, "sd": sd}, lift, repeats, n, 7))
    exact = closed[CASES.index((name, mean, sd, lift))]
    of_f = (
        average(lambda e: float(F[name](mean + sd * e)) ** 2, mean, sd)
        - average(lambda e: float(F[name](mean + sd * e)), mean, sd) ** 2
    )
    path, score, baseline = exact["variances"]
    baseline += (of_f / sd**2 + exact["slope"] ** 2) / (n - 1)  # a sample covariance of n draws
    for column, variance, centre in zip(
        found.T, (path, score, baseline), (exact["pathMean"], exact["slope"], exact["slope"]), strict=True
    ):
        assert abs(column.mean() - centre) <= 4.5 * math.sqrt(variance / n / repeats)
        spread = math.sqrt((stats.kurtosis(column, fisher=False) - 1) / repeats) if variance else 0
        assert abs(n * column.var(ddof=1) - variance) <= 4.5 * spread * variance


def test_a_constant_added_to_f_disturbs_only_the_plain_score_function(closed):
    for name in F:
        plain, lifted = (closed[CASES.index((name, 1.5, 1.0, lift))] for lift in (0.0, 10.0))
        assert plain["slope"] == lifted["slope"]
        assert plain["variances"][0] == lifted["variances"][0] and plain["variances"][2] == lifted["variances"][2]
        assert lifted["variances"][1] > 4 * plain["variances"][1]


def test_what_the_question_says_is_so(closed):
    bowl, ripples, step = (closed[CASES.index((name, START["mean"], START["sd"], START["lift"]))] for name in F)
    times = [[v / one["variances"][0] for v in one["variances"][1:]] for one in (bowl, ripples)]
    assert [option["right"] for option in QUESTION["options"]] == [False, True]
    for option in QUESTION["options"]:
        assert f"{times[0][0]:.1f} times" in option["reply"] and f"baseline {times[0][1]:.3g} times" in option["reply"]
        assert "a ninth" in option["reply"]
    assert times[1] == pytest.approx([1 / 9, 1 / 9], rel=0.01)
    assert step["pathMean"] == 0 < 0.1 < step["slope"]


def test_the_pages_noise_is_standard_normal():
    noise = javascript(
        "const random = randomFrom(given[0]); return Array.from({ length: 10000 }, () => random.normal());", START["seed"]
    )
    assert stats.kstest(noise, "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.04


def test_the_picture_shows_estimates_that_settle_on_the_exact_slope(closed):
    widget = vbook.widgets.gradient_estimators()
    ax = widget.picture().axes[0]
    exact = closed[CASES.index(("bowl", 1.5, 1.0, 0.0))]
    assert ax.get_xlabel() and ax.get_ylabel()
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    for i, name in enumerate(("reparameterised", "score function", "with baseline")):
        assert abs(lines[name][-1] - exact["slope"]) < 3 * math.sqrt(exact["variances"][i] / 1000)
    assert f"{math.sqrt(exact['variances'][1] / exact['variances'][0]):.1f} times as wide" in widget.alt
