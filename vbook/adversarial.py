"""Two networks against each other: the values of the game of a GAN, and both players' steps in one objective for ``fit``."""

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import logsigmoid

from vbook.noise import normal


def value(real: Tensor, fake: Tensor) -> Tensor:
    """log D(x) + log(1 − D(G(z))) from the discriminator's logits, (15) of the assignment's hand-out; (B,) each -> (B,) nats.

    With D = ½ everywhere, the best answer to a generator whose density is that of the data, it is −log 4.

    >>> round(value(torch.zeros(1), torch.zeros(1)).item(), 4)
    -1.3863
    """
    return logsigmoid(real) + logsigmoid(-fake)


def non_saturating(fake: Tensor) -> Tensor:
    """log D(G(z)), what the generator *ascends* (question 2.4); logits (B,) -> (B,) nats.

    Its slope by the logit is 1 − D, which is 1 where the discriminator is sure and the generator bad.
    """
    return logsigmoid(fake)


def saturating(fake: Tensor) -> Tensor:
    """−log(1 − D(G(z))), the generator's side of (15) turned round so that it, too, is ascended; logits (B,) -> (B,) nats.

    Its slope by the logit is D: next to nothing where the discriminator is sure.
    """
    return -logsigmoid(-fake)


def play(model, x: Tensor, gain=non_saturating, generator: torch.Generator | None = None) -> Tensor:
    """The value of the game at a minibatch, with both players' slopes; x (B, D) -> (B,) nats.

    ``model`` is a ``vbook.models.GAN``. In the discriminator's weights the gradient is that of the ``value``, in the generator's
    that of ``gain``: each player takes the other as it is, and both move at once, where the usual loop lets the discriminator
    move first.
    """
    z = normal((len(x), model.z_dim), x, generator)
    made = model.generate(z)
    score = value(model.judge(x, generator), model.judge(made.detach(), generator))
    still = {name: weight.detach() for name, weight in model.discriminator.named_parameters()}
    wish = gain(functional_call(model.discriminator, still, (made, generator)))
    return score + wish - wish.detach()
