"""Peak memory of a run: the data once, the weights four times, the activations, and not a fifth more."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, threading, time
import psutil, torch
from vbook.bounds import elbo
from vbook.models import vae
from vbook.training import fit

me, small = psutil.Process(), vae(784, 2, hidden=(4,))
fit(small, torch.rand(200, 784), elbo, epochs=2, batch_size=100)  # what is loaded once
before = me.memory_info().rss
x = torch.rand(40_000, 784)
model = vae(784, 20, hidden=(3_000,))
peak, over = [0], threading.Event()

def watch():
    while not over.is_set():
        peak[0] = max(peak[0], me.memory_info().rss)
        time.sleep(0.002)

thread = threading.Thread(target=watch)
thread.start()
fit(model, x, elbo, steps=30, batch_size=100, lr=1e-5)
over.set(), thread.join()
weights = sum(p.numel() for p in model.parameters())
rows = 100 * 4 * 3 * (784 + 3_000 + 40 + 20 + 3_000 + 784)  # kept forward, their slopes, and what elementwise steps leave between
print(peak[0] - before, x.numel() * 4 + 16 * weights + rows)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident set as Linux reports it")
def test_peak_memory_is_data_weights_and_activations():
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    found, allowed = map(int, out.split())
    assert found < 1.2 * allowed, f"{found / 1e6:.0f} MB where {allowed / 1e6:.0f} MB are needed"
