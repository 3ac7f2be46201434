"""Latent-variable models: each has ``prior()``, ``encode(x)`` -> q(z|x) and ``decode(z)`` -> p(x|z)."""

from vbook.models.linear_gaussian import LinearGaussian
from vbook.models.vae import VAE, vae

__all__ = ["VAE", "LinearGaussian", "vae"]
