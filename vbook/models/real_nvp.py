"""Real NVP on flat images: couplings with chess-board masks, one after the other (Dinh, Sohl-Dickstein and Bengio 2017)."""

import torch
from torch import Tensor, nn
from torch.distributions import TransformedDistribution

from vbook.distributions import FactorizedNormal, standard_normal
from vbook.errors import VbookError
from vbook.flows import AffineCoupling, checkerboard, indices
from vbook.networks import mlp
from vbook.noise import check_seed


class RealNVP(nn.Module):
    """p(h) from z = f(h), z ~ N(0, I): ``pairs`` times two couplings, whose kept pixels are the black and the white squares.

    Each coupling has a network A-hidden-hidden-2B with ReLU, whose last layer starts at zero, so that f starts as the identity.
    ``shape`` is (H, W) of the images, D = H·W. The global random state is left as it was.

    >>> sum(p.numel() for p in RealNVP((28, 28), hidden=1024).parameters())
    18045056
    """

    def __init__(self, shape: tuple[int, int], pairs: int = 4, hidden: int = 1024, seed: int = 0):
        super().__init__()
        if pairs < 1:
            raise VbookError(f"pairs must be at least 1, got {pairs!r}")
        black = checkerboard(shape)
        self.register_buffer("black", black, persistent=False)
        for name, where in zip(("_black", "_white"), indices(black), strict=True):
            self.register_buffer(name, where, persistent=False)
        self.register_buffer("_like", torch.empty(0), persistent=False)  # carries device and dtype for the prior
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_seed(seed))
            sizes = [[int(kept.sum()), hidden, hidden, 2 * int((~kept).sum())] for kept in (black, ~black)]
            self.nets = nn.ModuleList(mlp(sizes[k % 2], "relu") for k in range(2 * pairs))
        for net in self.nets:
            nn.init.zeros_(net[-1].weight)
            nn.init.zeros_(net[-1].bias)

    def prior(self) -> FactorizedNormal:
        """p(z) = N(0, I)."""
        return standard_normal(len(self.black), self._like)

    def couplings(self) -> list[AffineCoupling]:
        """The steps of f from data to latents, in order."""
        turns = (self._black, self._white), (self._white, self._black)
        return [AffineCoupling(net, turns[k % 2]) for k, net in enumerate(self.nets)]

    def normalize(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """z = f(h) and log |det ∂f/∂h|, the sum over the couplings as in (17); (..., D) -> (..., D) and (...,) nats."""
        total = h.new_zeros(h.shape[:-1])
        for coupling in self.couplings():
            h, ladj = coupling.forward_and_ladj(h)
            total = total + ladj
        return h, total

    def generate(self, z: Tensor) -> Tensor:
        """h = f⁻¹(z): the couplings' inverses, last one first; (..., D) -> (..., D)."""
        for coupling in reversed(self.couplings()):
            z = coupling.inv(z)
        return z

    def log_ph(self, h: Tensor) -> Tensor:
        """log p(h) = log N(f(h); 0, I) + log |det ∂f/∂h|, (17) for vectors; (..., D) -> (...,) nats."""
        z, ladj = self.normalize(h)
        return self.prior().log_prob(z) + ladj

    def distribution(self) -> TransformedDistribution:
        """p(h) as PyTorch has it: slower than ``log_ph``, since each coupling runs its network twice."""
        return TransformedDistribution(self.prior(), [coupling.inv for coupling in reversed(self.couplings())])


def log_flow(model: RealNVP, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """``model.log_ph`` in the form that ``vbook.flows.of_levels`` takes; a flow draws no noise; (B, D) -> (B,) nats."""
    return model.log_ph(h)
