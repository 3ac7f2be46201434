"""Monte Carlo EM without an encoder, thesis appendix 2.B: HMC samples of p(z|x), then updates of the decoder on them.

The chains persist: each data point keeps its z from one epoch to the next, all of them in one tensor (N, Z), so that a few
transitions follow a posterior that moves a little with each update.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vbook.checkpoints import Checkpoint
from vbook.descriptions import describe_data, describe_model
from vbook.distributions import draw
from vbook.errors import Diverged, VbookError
from vbook.hmc import hmc_step, tune
from vbook.noise import check_seed
from vbook.training.checks import below_1, check_data, check_flags, in_words, positive
from vbook.training.history import History
from vbook.training.loop import SAVE_EVERY, Loop, length
from vbook.training.optimizers import optimizer_for


@dataclass(repr=False)
class McemHistory(History):
    """A ``History`` whose ``train`` is the mean log p(x, z) at the samples (no bound on log p(x)), with the state of the chains.

    Each row also has ``acceptance`` and ``step_size``; ``steps`` counts weight updates and ``examples`` the chains moved.
    """

    chains: Tensor | None = None
    step_size: float = math.nan

    column_name, unit = "log p(x, z)", "updates"


def log_joint(model, x: Tensor) -> Callable[[Tensor], Tensor]:
    """z -> log p(z) + log p(x|z), the density that HMC samples; x (B, D) and z (B, Z) row by row -> (B,) nats."""
    return lambda z: model.prior().log_prob(z) + model.decode(z).log_prob(x)


def fit_mcem(
    model: nn.Module,
    x: Tensor,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    rows_at: Collection[int] | None = None,
    batch_size: int = 100,
    transitions: int = 1,
    leapfrogs: int = 10,
    updates: int = 5,
    lr: float = 0.02,
    seed: int = 0,
    step_size: float = 0.1,
    target: float = 0.9,
    jitter: float = 0.1,
    weight_prior: bool = False,
    evaluate: Callable[[nn.Module], dict] | None = None,
    on_epoch: Callable[[nn.Module, dict], None] | None = None,
    checkpoint: str | Path | None = None,
    save_every: float = SAVE_EVERY,
    budget: str | float | None = None,
    progress: bool = False,
) -> McemHistory:
    """Maximise log p(x) of the data x (N, D) in the decoder: per minibatch an E-step and an M-step.

    E: ``transitions`` HMC transitions of ``leapfrogs`` steps for the chains of the minibatch, at p(z|x) ∝ p(z) p(x|z); their step
    size is tuned to the acceptance ``target``, fast at first. M: ``updates`` Adagrad steps on the mean of log p(x|z) at these
    samples, with ``weight_prior`` plus log N(w; 0, I)/N over the trainable weights w of the decoder, the MAP protocol of thesis
    2.11. An encoder, if the model has one, stays as it is. ``epochs`` or ``steps`` (minibatches), ``rows_at``, ``evaluate``,
    ``on_epoch``, ``checkpoint``, ``budget``, Ctrl-C and the errors are those of ``fit``.
    """
    check_data(model, x)
    seed = check_seed(seed)
    check_flags(weight_prior=weight_prior, progress=progress)
    if not (hasattr(model, "prior") and hasattr(model, "decode")):
        raise VbookError(f"Monte Carlo EM needs a model with prior() and decode(z), which {type(model).__name__} lacks")
    if not any(weight.requires_grad for weight in _weights(model)):
        raise VbookError("the decoder has nothing to train: it has no weights, or all of them are frozen")
    steps = length(len(x), batch_size, epochs, steps)
    positive(transitions=transitions, leapfrogs=leapfrogs, updates=updates, lr=lr, step_size=step_size)
    below_1(target=target, jitter=jitter)
    ascent = optimizer_for("adagrad", _weights(model), lr, 1 / len(x) if weight_prior else 0.0, x.device)
    shuffle, noise = (torch.Generator(x.device).manual_seed(seed + k) for k in (0, 0x5EED))
    chains = draw(model.prior(), len(x), noise)  # (N, Z)
    epsilon = torch.as_tensor(step_size, dtype=chains.dtype, device=x.device).clone()
    history = McemHistory(chains=chains)
    options = dict(steps=steps, batch_size=batch_size, generator=shuffle, rows_at=rows_at, evaluate=evaluate, on_epoch=on_epoch)
    loop = Loop(model, history, len(x), **options, budget=budget, save_every=save_every, progress=progress)

    def update(step: int, rows: Tensor) -> tuple[int, dict[str, Tensor]]:
        with in_words(x, len(rows)):
            return expect_and_maximize(step, rows)

    def expect_and_maximize(step: int, rows: Tensor) -> tuple[int, dict[str, Tensor]]:
        batch, moved = x[rows], x.new_zeros(())
        for _ in range(transitions):  # E: z ~ p(z|x)
            chain = hmc_step(log_joint(model, batch), chains[rows], epsilon, leapfrogs, noise, jitter)
            chains[rows] = chain.z
            epsilon.copy_(tune(epsilon, chain.acceptance, target, rate=max(0.1, step**-0.5)))
            moved += chain.accepted.sum() / transitions
        for k in range(updates):  # M: θ up the slope of log p(x|z); log p(z) has no part in it
            log_px_z = model.decode(chain.z).log_prob(batch)
            loss = -log_px_z.mean()
            if not math.isfinite(loss.item()):
                raise Diverged(_blame(log_px_z, history.steps + k + 1), history.steps + k + 1)
            if not k:
                at_samples = (log_px_z + model.prior().log_prob(chain.z)).detach().sum()
            ascent.zero_grad(set_to_none=True)
            loss.backward()
            ascent.step()
        return updates, {"train": at_samples, "acceptance": moved}

    def settled() -> dict:
        history.step_size = epsilon.item()
        return {"step_size": history.step_size}

    if checkpoint is not None:
        parts = {"model": model, "optimizer": ascent, "noise": noise, "chains": chains, "epsilon": epsilon}
        settings = dict(
            method="mcem", batch_size=batch_size, transitions=transitions, leapfrogs=leapfrogs, updates=updates, lr=lr
        )
        settings |= dict(rows_at=None if rows_at is None else sorted(loop.rows_at))
        settings |= dict(seed=seed, step_size=float(step_size), target=target, jitter=jitter, weight_prior=weight_prior)
        loop.checkpoint = Checkpoint(checkpoint, describe_model(model) | describe_data(x) | settings, parts)
    loop.run(update, settled)
    settled()
    return history


def _weights(model: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters outside the encoder, which has no part in p(x, z)."""
    encoder = getattr(model, "encoder", None)
    aside = {id(p) for p in encoder.parameters()} if isinstance(encoder, nn.Module) else set()
    return [p for p in model.parameters() if p.requires_grad and id(p) not in aside]


def _blame(log_px_z: Tensor, step: int) -> str:
    wrong = int((~torch.isfinite(log_px_z)).sum())
    return (
        f"update {step}: log p(x|z) is not finite ({wrong} of {len(log_px_z)} data points in the batch); "
        "try a smaller lr or look at the data"
    )
