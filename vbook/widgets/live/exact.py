"""The exact posterior of a model with two latents, by quadrature."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NEGLIGIBLE, FAINT = 25.0, 7.0  # nats below the peak: what an integral may leave out, and a picture


@dataclass(frozen=True)
class Exact:
    """The posterior of x on a grid, and how far q is from it; nats."""

    box: tuple[float, float, float, float]  # z1 from, to, z2 from, to: where its density is above a thousandth of its peak's
    log_px: float
    elbo: float

    @property
    def gap(self) -> float:
        """KL(q(z|x) || p(z|x)), thesis (2.11)."""
        return self.log_px - self.elbo


@torch.no_grad()
def log_joint(model, x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z) of one image x (D,) at points z (N, Z), a few thousand at a time; (N,) nats."""
    return torch.cat([model.prior().log_prob(part) + model.decode(part).log_prob(x) for part in z.split(2000)]).double()


@torch.no_grad()
def exact_posterior(model, x: Tensor, n: int = 81, reach: float = 5.0) -> Exact:
    """p(z|x) of a model with two latents by quadrature: a coarse grid finds where it lies, a fine one there takes the integral.

    The ELBO of q comes from Gauss-Hermite quadrature with 20 x 20 points.
    """
    q = model.encode(x[None])
    reach = max(reach, 1 + q.mean.abs().max().item())
    box = (-reach, reach, -reach, reach)
    for _ in range(3):
        axes = [torch.linspace(low, high, n, dtype=x.dtype, device=x.device) for low, high in (box[:2], box[2:])]
        values = log_joint(model, x, torch.cartesian_prod(*axes)).reshape(n, n)
        cell = [float(axis[1] - axis[0]) for axis in axes]
        log_px = values.flatten().logsumexp(0).item() + math.log(cell[0] * cell[1])
        box, seen = (_around(axes, cell, values > values.max() - depth) for depth in (NEGLIGIBLE, FAINT))
    nodes, weights = (torch.tensor(a) for a in np.polynomial.hermite_e.hermegauss(20))
    eps = torch.cartesian_prod(nodes, nodes).to(x)
    share = torch.cartesian_prod(weights, weights).prod(1) / (2 * math.pi)
    z = q.transport(eps[:, None])[:, 0]  # (400, 2)
    elbo = (share.to(x.device) * (log_joint(model, x, z) - q.log_prob(z[:, None])[:, 0].double())).sum().item()
    return Exact(seen, log_px, elbo)


def _around(axes, cell, near: Tensor) -> tuple:
    """The limits of the points marked in ``near`` (n, n), one cell wider on each side."""
    along = zip(axes, cell, (near.any(1), near.any(0)), strict=True)
    return tuple(v for axis, step, kept in along for v in (float(axis[kept].min()) - step, float(axis[kept].max()) + step))
