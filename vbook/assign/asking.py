"""What hidden checks of all assignments share: forms of answers, own earlier answers, networks that can be done by hand."""

import numpy as np

from vbook.assign.compare import numbers, require, shape_words
from vbook.assign.process import Trouble
from vbook.assign.session import Affine
from vbook.checks import CheckFailed


def float32(values) -> np.ndarray:
    """An array as students' tensors mostly are.

    >>> float32([1, 2]).dtype
    dtype('float32')
    """
    return np.asarray(values, dtype=np.float32)


def bits(cases: np.random.Generator, *shape: int) -> np.ndarray:
    """Random black and white pixels."""
    return float32(cases.random(shape) < 0.4)


def network(cases: np.random.Generator, inputs: int, outputs: int, chunks: int = 1) -> Affine:
    """A random affine network; with two ``chunks`` an encoder, which answers with a pair."""
    weight, bias = cases.normal(size=(outputs * chunks, inputs)), cases.normal(size=outputs * chunks)
    return Affine(float32(weight / inputs**0.5), float32(bias), chunks)


def through(net: Affine, x) -> np.ndarray:
    """What an affine network answers, its chunks side by side; (..., in) -> (..., out) in double precision."""
    return x @ net.weight.astype(float).T + net.bias


def hold(condition, words: str) -> None:
    """CheckFailed with ``words`` unless the condition holds."""
    if not condition:
        raise CheckFailed(words)


def shaped(got: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    """CheckFailed unless ``got`` has ``shape``, in words that give nothing away."""
    hold(got.shape == shape, f"{what}: {shape_words(got.shape, shape)}")


def several(answer, n: int, what: str) -> list:
    """``answer`` as a list of ``n`` values, be they stacked in one array; CheckFailed where it is something else."""
    if isinstance(answer, np.ndarray) and answer.ndim:
        answer = list(answer)
    hold(isinstance(answer, list) and len(answer) == n, f"{what}: {n} values are to be returned, as in `return a, b`")
    return answer


def near_and_far(ask, name: str, what: str, cases: np.random.Generator, none: str, some: str, parts: int = 1):
    """What ``name`` answers to random logarithms (6 draws, 3 images) and to the same near −1000, and how far those were moved.

    Each image is moved by another way; all by one where the first of the ``parts`` isn't one number an image, which has lost its
    points elsewhere. CheckFailed where nothing of the far answer is finite (the words ``none``), or not all of it (``some``).
    """

    def asked(logs):
        answer = ask(name, float32(logs))
        return [numbers(part, what) for part in (several(answer, parts, name) if parts > 1 else [answer])]

    logs = float32(cases.normal(size=(6, 3)))
    near = asked(logs)
    moved = cases.permutation([800.0, 1050.0, 1300.0]) + cases.integers(0, 100, 3)
    moved = moved if near[0].shape == (3,) else moved[0]
    far = asked(logs - moved)
    finite = np.concatenate([np.isfinite(part).ravel() for part in far])
    hold(finite.any(), none)
    hold(finite.all(), some)
    return near, far, moved


def earlier(value) -> np.ndarray:
    """``value()``, made of a student's own earlier answers, or nan where they give none."""
    try:
        return numbers(value(), "an earlier answer")
    except (CheckFailed, Trouble, ValueError, TypeError, IndexError):
        return np.array(np.nan)


def own_or_right(got, right, own: np.ndarray, what: str, mistakes: dict | None = None, given=None) -> None:
    """``require`` of ``right``, or of ``own``: what follows from earlier answers, so that one mistake costs its points once.

    Own values count only where they are finite and differ from image to image: constants follow from nothing. Nor do they count
    where they are what was ``given``: then the earlier answers do nothing.
    """
    got, right = numbers(got, what), np.asarray(right)
    counts = np.isfinite(own).all() and np.ptp(own) > 1e-3
    counts = counts and not (given is not None and own.shape == np.shape(given) and np.allclose(own, given, rtol=1e-3))
    if not (counts and got.shape == right.shape == own.shape and np.allclose(got, own, rtol=1e-3)):
        require(got, right, what, mistakes)


def every_parameter_learns(ask, module, x, least: int = 4) -> None:
    """CheckFailed unless a kept module has ``least`` arrays of parameters and each gets a gradient."""
    hold(len(ask.parameters(module)) >= least, "too few parameters: are all layers attributes of the module?")
    _, grads = ask(module, x, grad=("own",))
    hold(all(g is not None and np.abs(g).sum() > 0 for g in grads), "a parameter gets no gradient: is every layer used?")
