"""On a CUDA device: graphs replay what eager steps do, nothing waits, and what goes wrong is told."""

import math
import statistics
import time

import pytest
import torch

from vbook.bounds import elbo
from vbook.errors import VbookError
from vbook.experiments.chapter13.flow import with_shifts
from vbook.flows import of_levels
from vbook.mcem import fit_mcem
from vbook.models import RealNVP, vae
from vbook.models.real_nvp import log_flow
from vbook.objectives import annealed, wake_sleep
from vbook.training import decay, fit, fit_many, warmup

pytestmark = pytest.mark.gpu
SIZE = dict(x_dim=784, z_dim=20, hidden=(500,))


def data(n=1_050):
    return (torch.rand(n, 784, generator=torch.Generator().manual_seed(0)) < 0.2).float().cuda()


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).cpu()


def losses(mode, objective=elbo, x=None, **options):
    model, seen = vae(**SIZE, seed=1).cuda(), []
    options = dict(steps=100, batch_size=100, on_step=lambda step, bound: seen.append(bound.clone())) | options
    history = fit(model, data() if x is None else x, objective, mode=mode, **options)
    return torch.stack(seen).cpu(), model, history


WAYS = {
    "adam": dict(),
    "adagrad": dict(optimizer="adagrad", lr=0.01, weight_decay=1e-3),
    "sgd": dict(optimizer="sgd", lr=1e-4),
    "momentum": dict(optimizer={"name": "sgd", "momentum": 0.9}, lr=1e-5),
    "rmsprop": dict(optimizer={"name": "rmsprop", "alpha": 0.9}, lr=1e-4),
    "rate": dict(lr=decay(1e-3, 20)),
    "warm-up": dict(objective=annealed, schedules={"beta": warmup(50)}),
    "wake-sleep": dict(objective=wake_sleep, lr=1e-4),
    "binarize": dict(binarize=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_replays_the_eager_step_with_the_same_noise(way):
    """1,050 images in batches of 100: each epoch has a short batch, which runs beside the graph."""
    eager, first, _ = losses("eager", **WAYS[way])
    graph, second, history = losses("graph", **WAYS[way])
    torch.testing.assert_close(graph, eager, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(flat(second), flat(first), rtol=1e-2, atol=1e-3)
    assert history.steps == 100 and len(history.rows) == 9


def test_a_flow_of_levels_runs_in_a_graph():
    x, found = (255 * data()).round() / 255, []
    objective = with_shifts(of_levels(log_flow), (28, 28))
    for mode in ("eager", "graph"):
        model = RealNVP((28, 28), pairs=2, hidden=64, seed=1).cuda()
        history = fit(model, x, objective, steps=50, batch_size=100, mode=mode, seed=3)
        found.append((history.rows[-1]["train"], flat(model)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-4)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-2, atol=1e-3)


def test_the_fastest_mode_is_found_and_changes_nothing_else():
    fastest, _, history = losses("fastest")
    assert history.mode in ("graph", "compiled")
    assert torch.equal(fastest, losses(history.mode)[0])


def test_the_same_seed_gives_the_same_run():
    a, b = losses("graph"), losses("graph")
    assert torch.equal(a[0], b[0]) and torch.equal(flat(a[1]), flat(b[1]))


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_nothing_waits_for_the_device_between_rows(mode):
    def guard(step, bound):
        torch.cuda.set_sync_debug_mode("error" if 5 <= step < 55 else "default")

    try:
        losses(mode, x=data(1_000), steps=60, rows_at=[60], on_step=guard)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_bound_that_is_not_finite_is_told_with_its_step_and_leaves_the_weights(mode):
    model = vae(**SIZE, seed=1).cuda()
    late = {"scale": lambda step: 1e38 if step >= 42 else 1.0}  # times a bound of −500 nats: more than float32 holds

    def objective(m, x, scale, generator):
        return elbo(m, x, generator=generator) * scale

    with pytest.raises(VbookError, match="step 42"):
        fit(model, data(), objective, steps=300, batch_size=100, mode=mode, schedules=late)
    assert flat(model).isfinite().all()


@pytest.mark.parametrize("way", ["adam", "adagrad", "warm-up", "binarize"])
def test_a_run_that_was_cut_off_resumes_bit_for_bit(way, tmp_path):
    class Cut(Exception):
        pass

    def cut(step, bound):
        if step == 38:
            raise Cut

    _, whole, history = losses("graph", **WAYS[way])
    with pytest.raises(Cut):
        losses("graph", checkpoint=tmp_path / "run", save_every=0, **WAYS[way], on_step=cut)
    _, resumed, again = losses("graph", checkpoint=tmp_path / "run", **WAYS[way])
    assert torch.equal(flat(resumed), flat(whole)) and again.rows == history.rows


def test_out_of_memory_says_what_to_lower():
    x = data(200)
    with pytest.raises(VbookError, match=r"out of memory .*: lower batch_size \(now 200\)"):
        fit(
            vae(**SIZE).cuda(), x, lambda m, b, generator: elbo(m, b, samples=10**7, generator=generator), steps=1, batch_size=200
        )


def test_copies_trained_together_are_the_runs_alone():
    ours, theirs = ([vae(**SIZE, seed=k).cuda().double() for k in range(3)] for _ in range(2))
    x = data(500).double()
    fit_many(ours, x, seeds=[4, 5, 6], lr=[1e-3, 3e-3, 1e-2], steps=100, batch_size=64)
    for k, model in enumerate(theirs):
        fit(model, x, seed=4 + k, lr=[1e-3, 3e-3, 1e-2][k], steps=100, batch_size=64, mode="eager")
        assert (flat(ours[k]) - flat(model)).abs().max() < 1e-8


@pytest.mark.parametrize("lr", [1e-3, [1e-3, 3e-3, 1e-2]])
def test_copies_that_were_cut_off_resume_bit_for_bit(lr, tmp_path):
    def grid(budget=None, **options):
        models = [vae(**SIZE, seed=k).cuda() for k in range(3)]
        options = dict(steps=60, batch_size=100, lr=lr) | options
        histories = fit_many(models, data(), seeds=[4, 5, 6], budget=budget, **options)
        return torch.stack([flat(model) for model in models]), histories

    whole, expected = grid()
    file = tmp_path / "grid.safetensors"
    _, cut = grid(budget=1e-6, checkpoint=file)  # at once: after a step
    resumed, again = grid(checkpoint=file)
    assert all(history.interrupted and 0 < history.steps < 60 for history in cut)
    assert torch.equal(resumed, whole) and [history.rows for history in again] == [history.rows for history in expected]


def test_a_copy_that_diverges_does_not_stop_the_others():
    """At its first row copy 1 is out, with its weights from before, or those that momentum has moved; the others are as alone."""

    def fragile(model, x, generator, limit):
        return elbo(model, x, generator=generator) * torch.where(torch.as_tensor(limit, device=x.device) > 1, math.inf, 1.0)

    models, alone = ([vae(**SIZE, seed=k).cuda() for k in range(3)] for _ in range(2))
    settings = dict(steps=20, batch_size=100, rows_at=[10, 20])
    histories = fit_many(models, data(), fragile, options={"limit": [0.0, 2.0, 0.0]}, **settings)
    assert "step 1:" in histories[1].failure and not histories[1].rows and flat(models[1]).isfinite().all()
    for k in (0, 2):
        fit(alone[k], data(), elbo, seed=k, **settings)
        assert histories[k].failure is None and [row["step"] for row in histories[k].rows] == [10, 20]
        torch.testing.assert_close(flat(models[k]), flat(alone[k]), rtol=1e-2, atol=1e-3)


def test_averages_and_monte_carlo_em_run_on_the_device():
    _, model, history = losses("graph", average=0.9)
    assert history.averaged.encoder.net[0].weight.is_cuda
    assert not torch.equal(flat(history.averaged), flat(model)) and flat(history.averaged).isfinite().all()
    history = fit_mcem(vae(**SIZE, seed=1).cuda(), data(200), epochs=3)
    assert history.chains.is_cuda and history.rows[-1]["train"] > history.rows[0]["train"]


def samples_per_second(train, count, steps=400):
    train(50)
    torch.cuda.synchronize()
    found = []
    for _ in range(5):
        start = time.perf_counter()
        train(steps)
        torch.cuda.synchronize()
        found.append(100 * steps * count / (time.perf_counter() - start))
    return statistics.median(found)


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_properties(0).total_memory < 30e9, reason="needs a data-centre GPU"
)
def test_speed_on_a_data_centre_gpu():
    """Ten times the eager loop and a million samples a second at batch 100; 64 copies at least eight times one."""
    x, model = data(10_000), vae(**SIZE).cuda()
    graph, eager = (
        samples_per_second(lambda steps, mode=mode: fit(model, x, steps=steps, batch_size=100, mode=mode, rows_at=[]), 1, 4_000)
        for mode in ("graph", "eager")
    )
    copies = [vae(**SIZE, seed=k).cuda() for k in range(64)]
    many = samples_per_second(lambda steps: fit_many(copies, x, steps=steps, batch_size=100, rows_at=[]), 64)
    assert graph > 1e6 and graph > 10 * eager and many > 8 * graph, (graph, eager, many)
