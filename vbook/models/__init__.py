"""Latent-variable models: each has ``prior()`` and a way from z to x; those of chapter 2 have ``encode(x)`` -> q(z|x) besides."""

from vbook.models.gan import GAN
from vbook.models.linear_gaussian import LinearGaussian
from vbook.models.real_nvp import RealNVP
from vbook.models.vae import VAE, vae

__all__ = ["GAN", "VAE", "LinearGaussian", "RealNVP", "vae"]
