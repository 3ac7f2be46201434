"""The paths between two images: their points, their pictures, and what the widget's question is told about them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp
from scipy.stats import bernoulli
from scripts import run

from vbook.results.record import read_record, record_path
from vbook.results.weights import load_model
from vbook.widgets.between import interpolation
from vbook.widgets.points import DIGITS, FACES, pictures, points, spread_out

WIDGET, T = "widgets/interpolation.js", np.linspace(0, 1, 9)


def paths(a, b, t=T):
    body = "return [straight, spherical].map((way) => t.map((at) => way(a, b, at)));"
    return np.array(run(WIDGET, body, a=list(map(float, a)), b=list(map(float, b)), t=list(t)))


@pytest.mark.parametrize(
    ("a", "b"), [((2.5, 1.3), (-2.0, -1.4)), ((-1, 0.2), (-3, -0.4)), ((0.5, -2), (0.5, 2)), ((1, 1), (2, 2))]
)
def test_the_paths_are_the_line_and_the_turn_about_the_origin(a, b):
    a, b = np.array(a), np.array(b)
    line, turn = paths(a, b)
    assert line == pytest.approx(a + T[:, None] * (b - a), abs=1e-12)
    r, s = np.linalg.norm(a), np.linalg.norm(b)
    around = geometric_slerp(a / r, b / s, T)
    assert turn == pytest.approx(around * ((1 - T) * r + T * s)[:, None], abs=1e-7)


def test_a_point_at_the_origin_has_the_others_angle():
    for a, b in (((0, 0), (1, -2)), ((1, -2), (0, 0))):
        line, turn = paths(a, b)
        assert turn == pytest.approx(line, abs=1e-12)


def test_entropy_is_that_of_independent_pixels():
    p = np.concatenate([[0, 1, 1e-9, 1 - 1e-9], np.random.default_rng(0).random(50)])
    assert run(WIDGET, "return entropy(p);", p=list(p)) == pytest.approx(bernoulli.entropy(p).sum(), rel=1e-9)


@pytest.mark.parametrize(("name", "record"), [("digits", "ch02-vae-2.laptop"), ("faces", "ch02-frey-2.laptop")])
def test_decoded_paths_are_pytorchs_pictures(name, record):
    one = interpolation().payload["sets"][name]
    a, b = (one[end][i]["z"] for end, i in one["start"])
    body = "return [straight, spherical].map((way) => t.map((at) => nets[name](way(a, b, at)).mean));"
    found = torch.tensor(run(WIDGET, body, (name,), name=name, a=a, b=b, t=list(T)))
    with torch.no_grad():
        expected = load_model(record).decode(torch.tensor(paths(a, b)).float()).mean
    assert (found - expected).abs().max() <= 1e-2
    assert (found[0] - expected[1]).abs().max() > 0.1  # the two paths differ by far more


def nearest_digits(z):
    where = points(DIGITS)
    away = torch.cdist(torch.tensor(z), torch.tensor([where["z1"], where["z2"]]).T.double())
    return [where["label_of"][i] for i in away.argmin(1)]


def test_the_answer_is_what_the_paths_meet():
    one = interpolation().payload["sets"]["digits"]
    a, b = (one[end][i] for end, i in one["start"])
    assert (a["label"], b["label"]) == (7, 2)
    met = [nearest_digits(z) for z in paths(a["z"], b["z"])]
    found = run(
        f"{WIDGET} plane.js",
        "return [straight, spherical].map((way) => t.map((at) => nearest(set, way(a, b, at))));",
        a=a["z"],
        b=b["z"],
        t=list(T),
        set=points(DIGITS),
    )
    assert found == met
    line, turn = met
    assert {8, 9} <= set(line[1:-1])  # "runs through the regions of the nines and the eights"
    assert line[0] == 7 and line[-1] == 2 and not any({x, y} == {7, 2} for x, y in pairwise(line))
    assert turn[1:-1].count(1) >= 4 and 1 not in line  # "swings through the ones"


def test_most_straight_lines_between_two_digits_meet_a_third():
    one = interpolation().payload["sets"]["digits"]
    pairs = [(a, b) for a in one["a"] for b in one["b"] if a["label"] != b["label"]]
    others = [set(nearest_digits(np.array([[1 - t, t] @ np.array([a["z"], b["z"]]) for t in T]))) for a, b in pairs]
    assert np.mean([len(met - {a["label"], b["label"]}) > 0 for met, (a, b) in zip(others, pairs, strict=True)]) > 0.85


def test_what_is_offered_are_encoded_test_images_and_no_faces_pixels():
    sets = interpolation().payload["sets"]
    for end in "ab":
        assert [one["label"] for one in sets["digits"][end]] == list(range(10))
    first, second = ({tuple(one["bits"]) for one in sets["digits"][end]} for end in "ab")
    assert not first & second and len(first | second) == 20
    faces = read_record(record_path(FACES)).series
    means = set(zip(faces["z1"], faces["z2"], strict=True))
    assert all(set(one) == {"z"} and tuple(one["z"]) in means for end in "ab" for one in sets["faces"][end])
    apart = torch.pdist(torch.tensor([one["z"] for one in spread_out()])).min()
    assert apart > 0.6 and interpolation().digest == interpolation().digest


def test_packed_pictures_are_unpacked_in_the_page():
    from vbook.experiments.chapter02.plane import unpacked

    found = run("plane.js", "return all.map((bits) => unpacked(bits, 784));", all=[one["bits"] for one in pictures()])
    assert found == [unpacked(one["bits"], 784) for one in pictures()]
