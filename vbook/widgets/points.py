"""What widgets show of encoded test images: their points in the latent plane and, of binary digits, the images themselves."""

from vbook.results.record import read_record, record_path

DIGITS, FACES = "ch02-plane.laptop", "ch02-plane-frey.laptop"


def points(record: str, most: int = 600) -> dict:
    """The first ``most`` posterior means of a ``ch02-plane`` record, with their classes where it has them."""
    series = read_record(record_path(record)).series
    found = {name: [round(value, 2) for value in series[name][:most]] for name in ("z1", "z2")}
    return found | ({"label_of": [int(label) for label in series["label"][:most]]} if "label" in series else {})


def pictures(record: str = DIGITS) -> list[dict]:
    """The test images that the record holds, two of each digit: class, posterior mean and widths, pixels packed 16 a number."""
    series = read_record(record_path(record)).series
    return [
        {
            "label": int(series["label"][i]),
            "z": _mean(series, i),
            "sd": [series["sigma1"][i], series["sigma2"][i]],
            "bits": [int(bits) for bits in series[f"picture_{i}"]],
        }
        for i in map(int, series["pictures"])
    ]


def one_of_each(found: list[dict], which: int) -> list[dict]:
    """Of ``pictures``, the first (0) or second (1) of each class, 0 to 9."""
    return [[one for one in found if one["label"] == digit][which] for digit in range(10)]


def spread_out(record: str = FACES, count: int = 10) -> list[dict]:
    """Posterior means far from each other, from left to right: each the farthest from those before it."""
    series = read_record(record_path(record)).series
    means = [_mean(series, i) for i in range(len(series["z1"]))]
    chosen = [min(means)]
    while len(chosen) < count:
        chosen.append(max(means, key=lambda z: min((z[0] - c[0]) ** 2 + (z[1] - c[1]) ** 2 for c in chosen)))
    return [{"z": z} for z in sorted(chosen)]


def _mean(series: dict, i: int) -> list[float]:
    return [series["z1"][i], series["z2"][i]]


def numerals(ax, most: int = 600, **looks) -> None:
    """The encoded digits on matplotlib axes, each as its numeral."""
    from vbook.plots import PALETTE

    colors, found = [PALETTE[name] for name in ("blue", "vermillion", "green", "purple", "ink")], points(DIGITS, most)
    for digit in range(10):
        at = [(z1, z2) for z1, z2, label in zip(found["z1"], found["z2"], found["label_of"], strict=True) if label == digit]
        looks_of_one = dict(marker=f"${digit}$", color=colors[digit % 5], s=22, linewidths=0)
        ax.scatter(*zip(*at, strict=True), **looks_of_one | looks)
