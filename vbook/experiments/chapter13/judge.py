"""What drawn digits are worth to an eye that knows digits: a classifier's verdict, and a test of two samples."""

import torch
from torch import Tensor

from vbook import data
from vbook.evaluation import summarize
from vbook.experiments.setup import Setup

CLASSES = 10
SEEN = 0.01  # a class with a smaller share of the drawn images counts as missing


class Judge:
    """A support vector machine trained on the first ``images`` labelled training images of the setup's set, pixels in [0, 1]."""

    def __init__(self, setup: Setup, images: int):
        from sklearn.svm import SVC

        self.machine = SVC(C=10.0, gamma="scale")
        x, y = self._labelled(setup, "train", images)
        self.machine.fit(x, y)
        self.accuracy = float(self.machine.score(*self._labelled(setup, "test", images)))

    @staticmethod
    def _labelled(setup: Setup, split: str, images: int):
        train = setup.train
        found = data.load(train.name, split, root=setup.data_root, protocol=train.protocol, labels=True)
        return found.x[:images].numpy(), found.y[:images].numpy()

    def classes(self, x: Tensor) -> Tensor:
        """The class of each image; (N, D) -> (N,) whole numbers."""
        return torch.from_numpy(self.machine.predict(x.detach().cpu().numpy()))


def shares(classes: Tensor) -> Tensor:
    """The share of each of the ten classes; (N,) -> (10,).

    >>> shares(torch.tensor([0, 0, 9, 1])).tolist()[:2]
    [0.5, 0.25]
    """
    return torch.bincount(classes, minlength=CLASSES).double() / len(classes)


def coverage(classes: Tensor) -> dict:
    """Entries of a record: how many classes are SEEN among the drawn images, and the share of the largest."""
    found = shares(classes)
    largest = found.max().item()
    error = (largest * (1 - largest) / len(classes)) ** 0.5
    return {
        "classes": {"mean": float((found >= SEEN).sum()), "unit": "classes"},
        "largest_class": {"mean": largest, "standard_error": error, "n": len(classes), "unit": "of the images"},
    }


def among_their_like(real: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """1 where the image nearest to one, itself left out, is of its kind, else 0; real (N, D), drawn (M, D) -> (N,), (M,)."""
    from sklearn.neighbors import NearestNeighbors

    both = torch.cat([real, drawn]).detach().cpu().numpy()
    nearest = NearestNeighbors(n_neighbors=1).fit(both).kneighbors(return_distance=False)[:, 0]
    is_real = torch.arange(len(both)) < len(real)
    hits = (is_real[torch.from_numpy(nearest)] == is_real).double()
    return hits[: len(real)], hits[len(real) :]


def told_apart(real: Tensor, drawn: Tensor) -> float:
    """The accuracy of the nearest neighbour at telling real (N, D) from drawn images (N, D).

    ½ if nothing tells them apart (Lopez-Paz and Oquab 2017); 1 if each has only its like about it; below ½ where drawn images
    are copies of real ones.
    """
    return torch.cat(among_their_like(real, drawn)).mean().item()


def worth(judge: Judge, draws: Tensor, real: Tensor, moved: Tensor | None = None) -> dict:
    """Entries of a record for drawn images (N, D) beside ``real`` ones (M, D): ``coverage``, and ``told_apart`` on pairs.

    ``real_among_real`` and ``drawn_among_drawn`` are its two halves, which can miss ½ to either side of it. ``told_apart_real``
    is what the same test says of two halves of the real images; ``told_apart_moved`` says it where the second half is taken from
    ``moved`` (M, D), real images as a model saw them that was trained on moved ones. Errors are as if images were independent of
    each other. ``largest_class_real`` is what the judge finds among the real images.
    """
    pairs = min(len(draws), len(real) // 2, 1_000)
    others = {"": draws[:pairs], "_real": real[pairs : 2 * pairs]}
    if moved is not None:
        others["_moved"] = moved[pairs : 2 * pairs]
    hits = {name: among_their_like(real[:pairs], other) for name, other in others.items()}
    parts = {f"told_apart{name}": torch.cat(both) for name, both in hits.items()}
    parts |= dict(zip(("real_among_real", "drawn_among_drawn"), hits[""], strict=True))
    entries = {name: summarize(values).metric("of the images") for name, values in parts.items()}
    entries["largest_class_real"] = coverage(judge.classes(real))["largest_class"]
    return coverage(judge.classes(draws)) | entries
