"""The variational autoencoder: a prior, a decoder and an encoder, nothing else (thesis, section 2.2 and figure 2.1)."""

import math
from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from vbook.distributions import FactorizedNormal, standard_normal
from vbook.errors import VbookError
from vbook.networks import BernoulliDecoder, FullCovarianceEncoder, GaussianDecoder, GaussianEncoder
from vbook.noise import check_seed

ENCODERS = {"factorized": GaussianEncoder, "full-covariance": FullCovarianceEncoder}
DECODERS = {"bernoulli": BernoulliDecoder, "gaussian": partial(GaussianDecoder, sigmoid_mean=True)}


class VAE(nn.Module):
    """p(x, z) = p(z) p(x|z) with p(z) = N(0, I), and an inference model q(z|x).

    ``encoder`` maps x (B, D) to a distribution over z (B, Z), ``decoder`` maps z (..., Z) to a distribution over x (..., D);
    any such pair will do.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, z_dim: int):
        super().__init__()
        self.encoder, self.decoder, self.z_dim = encoder, decoder, z_dim
        self.register_buffer("_like", torch.empty(0), persistent=False)  # carries device and dtype for the prior

    def prior(self) -> FactorizedNormal:
        """p(z) = N(0, I), thesis (1.15)."""
        return standard_normal(self.z_dim, self._like)

    def encode(self, x: Tensor) -> torch.distributions.Distribution:
        """q(z|x), thesis (2.1); (B, D) -> distribution with batch shape (B,)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> torch.distributions.Distribution:
        """p(x|z), thesis (1.16); (..., Z) -> distribution with batch shape (...)."""
        return self.decoder(z)


def vae(
    x_dim: int,
    z_dim: int,
    hidden=(500,),
    posterior: str = "factorized",
    activation: str = "tanh",
    seed: int = 0,
    likelihood: str = "bernoulli",
    init_sd: float | None = None,
) -> VAE:
    """A VAE with MLPs on both sides (784-500-20 in the thesis's experiments), initialised from ``seed``.

    ``posterior`` is ``"factorized"`` (2.36) or ``"full-covariance"`` (2.53); ``likelihood`` is ``"bernoulli"`` (2.74) or
    ``"gaussian"`` (2.75) with means in (0, 1). All parameters start as draws from N(0, init_sd²), as in 2.11, or, without
    ``init_sd``, as PyTorch has them. The global random state is left as it was.

    >>> sum(p.numel() for p in vae(784, 20).parameters())
    815824
    """
    if posterior not in ENCODERS:
        raise VbookError(f"unknown posterior {posterior!r}; known: {', '.join(ENCODERS)}")
    if likelihood not in DECODERS:
        raise VbookError(f"unknown likelihood {likelihood!r}; known: {', '.join(DECODERS)}")
    if init_sd is not None and not (isinstance(init_sd, Real) and 0 < init_sd < math.inf):
        raise VbookError(f"init_sd must be a finite number above 0, got {init_sd!r}")
    if isinstance(hidden, int):
        raise VbookError(f"hidden holds the sizes of the hidden layers: write ({hidden},) for one of {hidden} units")
    for name, size in {"x_dim": x_dim, "z_dim": z_dim}.items():
        if not isinstance(size, Integral) or size < 1:
            raise VbookError(f"{name} must be a positive integer, got {size!r}")
    if isinstance(hidden, str) or not isinstance(hidden, Sequence):
        raise VbookError(f"hidden must hold the sizes of the hidden layers, such as (500,), got {hidden!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_seed(seed))
        encoder = ENCODERS[posterior](x_dim, z_dim, hidden, activation)
        model = VAE(encoder, DECODERS[likelihood](z_dim, x_dim, tuple(reversed(hidden)), activation), z_dim)
        for weight in model.parameters() if init_sd else ():
            nn.init.normal_(weight, std=init_sd)
    return model
