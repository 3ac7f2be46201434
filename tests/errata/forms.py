"""What the checks of the errata share: printed against correct, Gaussians, and sums over a grid."""

import numpy as np


def tell_apart(printed, correct, truth, tolerance=1e-7, apart=0.01):
    """``correct`` equals ``truth`` within ``tolerance``; ``printed`` is off by more than ``apart`` somewhere, or no number."""
    printed, correct, truth = (np.asarray(value, dtype=float) for value in (printed, correct, truth))
    np.testing.assert_allclose(correct, np.broadcast_to(truth, correct.shape), rtol=tolerance, atol=tolerance)
    assert not (np.abs(printed - truth).max() <= apart), "the printed form passes as well"


def log_normal(x, mean=0.0, sd=1.0):
    """The log-density of a Gaussian with standard deviation ``sd``."""
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def grid(reach=14.0, points=28_001):
    """Points of a line and the width of a cell, to integrate smooth densities by a sum."""
    z = np.linspace(-reach, reach, points)
    return z, z[1] - z[0]


def kl_normal(m1, s1, m2=0.0, s2=1.0):
    """KL(N(m1, s1²) || N(m2, s2²))."""
    return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5


class Line:
    """z ~ N(0, 1), x = w z + noise of width s: everything about it is known."""

    def __init__(self, w=1.2, s=0.5):
        self.w, self.s, self.variance = w, s, w**2 + s**2

    def log_px(self, x):
        """log p(x)."""
        return log_normal(x, 0.0, np.sqrt(self.variance))

    def log_px_given(self, x, z):
        """log p(x|z)."""
        return log_normal(x, self.w * z, self.s)

    def posterior(self, x):
        """Mean and standard deviation of p(z|x)."""
        return self.w * x / self.variance, self.s / np.sqrt(self.variance)

    def reconstruction(self, x, m, t):
        """E_q[log p(x|z)] for q = N(m, t²), in closed form."""
        return self.log_px_given(x, m) - 0.5 * (self.w * t / self.s) ** 2

    def bound(self, x, m, t):
        """The ELBO for q = N(m, t²), in closed form."""
        return self.reconstruction(x, m, t) - kl_normal(m, t)
