"""``vbook bench train``: what it compares is the same work, and how it reckons; the seconds themselves are nobody's test."""

import pytest
import torch
from torch import nn

from vbook import bench
from vbook.bench import limit, peers, train
from vbook.bounds import elbo_analytic_kl
from vbook.errors import VbookError
from vbook.models import vae

X = (torch.rand(64, 784, generator=torch.Generator().manual_seed(0)) < 0.2).float()


def test_the_peers_train_our_network_on_our_bound():
    """The tutorial's loss is minus the mean of (2.77), noise and weights being equal."""
    plain, ours = peers.Plain(seed=3), vae(784, 20, seed=3)
    torch.manual_seed(5)
    loss = plain(X)
    torch.manual_seed(5)
    torch.testing.assert_close(loss, -elbo_analytic_kl(ours, X).mean(), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", peers.PEERS)
def test_an_epoch_of_a_peer_goes_through_all_data_and_learns(name, monkeypatch):
    if name != "dataloader":
        pytest.importorskip({"pyro": "pyro"}.get(name, name), reason="install the extra bench")
    made = []
    real = peers.Plain.__init__
    monkeypatch.setattr(peers.Plain, "__init__", lambda self, *a: (real(self, *a), made.append(self))[0])
    epoch = peers.PEERS[name](X, 16)
    before = [p.detach().clone() for m in made for p in m.parameters()]
    for _ in range(20):
        epoch()
    after = [p.detach() for m in made for p in m.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    encoder, decoder = next(m.encoder for m in made), next(m.decoder for m in reversed(made))
    with torch.no_grad():
        mu = encoder(X).chunk(2, 1)[0]
        fit = nn.functional.binary_cross_entropy_with_logits(decoder(mu), X, reduction="sum") / len(X)
    assert fit < 0.8 * 784 * 0.6931  # untrained it is 784 ln 2


def test_the_limit_is_of_the_same_size_as_the_step(monkeypatch):
    """Its products are those of forward and backward: counted in multiplications, and one Adam step each time."""
    model, products, steps = vae(784, 20), [], []
    real = torch.mm
    monkeypatch.setattr(
        torch, "mm", lambda a, b, out: (products.append(a.shape[0] * a.shape[1] * b.shape[1]), real(a, b, out=out))[1]
    )
    run = limit.limit(model, 100)
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self: steps.append(sum(p.numel() for g in self.param_groups for p in g["params"]))
    )
    run(2)
    forward = 100 * (784 * 500 + 500 * 40 + 20 * 500 + 500 * 784)
    assert sum(products) == 2 * (3 * forward - 100 * 784 * 500) and steps == [815_824] * 2


def test_ratios_are_medians_over_rounds_and_the_first_round_is_not_counted(monkeypatch):
    clock = iter([0, 1, 10, 12, 20, 24, 30, 33, 40, 43])  # the first round only begins
    monkeypatch.setattr(train.time, "perf_counter", lambda: next(clock))
    seconds = train.interleaved({"a": lambda: None, "b": lambda: None}, 2, "cpu")
    assert seconds == {"a": [2, 3], "b": [4, 3]} and train.ratio(seconds["a"], seconds["b"]) == 0.75
    monkeypatch.undo()
    assert train.interleaved({"own": lambda: 0.25}, 2, "cpu") == {"own": [0.25, 0.25]}


def test_the_report_has_what_others_read(monkeypatch, vbook_bench):
    """A run of one short round, all ways included: the keys of the issue, and ratios that follow from the milliseconds."""
    monkeypatch.setattr(train, "STEPS", 3)
    monkeypatch.setattr(train, "WARM", 1)
    monkeypatch.setattr(train, "MODES", ("eager",))
    monkeypatch.setattr(train, "PEERS", {"dataloader": peers.dataloader, "pythae": missing, "pyro": missing})
    found = vbook_bench("train", "--json", "--repetitions", "1")
    assert {"limit_ratio", "vs_dataloader", "vs_pythae", "vs_pyro", "samples_per_second", "threads", "device"} <= set(found)
    milliseconds = found["milliseconds_per_step"]
    assert found["limit_ratio"] == pytest.approx(milliseconds["limit"] / milliseconds["fit eager"])
    assert found["vs_dataloader"] == pytest.approx(milliseconds["dataloader"] / milliseconds["fit eager"])
    assert found["vs_pyro"] is None and "not here" in found["missing"]["pyro"]
    assert found["samples_per_second"] == pytest.approx(1e5 / milliseconds["fit eager"])
    assert found["device"] == "CPU" and found["threads"] == torch.get_num_threads()


def test_without_a_compiler_the_table_has_no_compiled_steps(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/c++")
    monkeypatch.setattr(train, "PEERS", {})
    monkeypatch.setattr(train, "interleaved", lambda ways, *rest: {name: [1.0, 2.0] for name in ways})
    found = train.bench_train()
    assert found["mode"] == "eager" and "limit_ratio_compiled" not in found
    assert found["missing"] == {"compiled": "no C++ compiler is found here"}


def missing(x, batch_size):
    raise ImportError("not here")


def test_no_rounds_are_refused():
    with pytest.raises(VbookError, match="repetitions must be at least 1, got 0"):
        bench.bench_train(repetitions=0)
