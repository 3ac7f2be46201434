"""The same network trained by others: a DataLoader loop as tutorials have it, pythae's trainer, Pyro's SVI."""

import contextlib
import io
import logging
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vbook.models import vae

RATE = 1e-3


class Plain(nn.Module):
    """784-500-20 with tanh as a tutorial writes it, its loss included."""

    def __init__(self, seed: int = 0):
        super().__init__()
        ours = vae(784, 20, seed=seed)
        self.encoder, self.decoder = ours.encoder.net, ours.decoder.net

    def forward(self, x: Tensor) -> Tensor:
        """The mean negative ELBO of a minibatch."""
        mu, log_variance = self.encoder(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * log_variance).exp()
        kl = -0.5 * (1 + log_variance - mu.pow(2) - log_variance.exp()).sum()
        return (F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") + kl) / len(x)


def dataloader(x: Tensor, batch_size: int) -> Callable[[], None]:
    """An epoch of the idiomatic loop: torchvision's MNIST with ToTensor, a DataLoader, Adam as it comes."""
    from torchvision import datasets, transforms

    folder = tempfile.TemporaryDirectory()
    _write_as_mnist(x, Path(folder.name))
    images = datasets.MNIST(folder.name, train=True, download=False, transform=transforms.ToTensor())
    loader = torch.utils.data.DataLoader(images, batch_size=batch_size, shuffle=True)
    model = Plain()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def epoch() -> None:
        for batch, _ in loader:
            optimizer.zero_grad()
            loss = model(batch.view(len(batch), -1))
            loss.backward()
            optimizer.step()

    epoch.folder = folder  # lives as long as the function
    return epoch


def _write_as_mnist(x: Tensor, root: Path) -> None:
    """The pixels (N, 784) in [0, 1] in the files that torchvision expects of MNIST."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = (x * 255).round().to(torch.uint8).numpy().tobytes()
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, len(x), 28, 28) + pixels)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, len(x)) + bytes(len(x)))


def pythae(x: Tensor, batch_size: int) -> Callable[[], None]:
    """An epoch of pythae's own training step over its own loader, with the data in memory."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self):
            BaseEncoder.__init__(self)
            self.net = Plain().encoder

        def forward(self, x):
            mu, log_variance = self.net(x).chunk(2, 1)
            return ModelOutput(embedding=mu, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self):
            BaseDecoder.__init__(self)
            self.net = Plain().decoder

        def forward(self, z):
            return ModelOutput(reconstruction=self.net(z).sigmoid())

    logging.disable(logging.WARNING)
    folder = tempfile.TemporaryDirectory()
    model = VAE(VAEConfig(input_dim=(784,), latent_dim=20, reconstruction_loss="bce"), Encoder(), Decoder())
    config = BaseTrainerConfig(
        output_dir=folder.name, per_device_train_batch_size=batch_size, num_epochs=1, learning_rate=RATE, no_cuda=True
    )
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = BaseTrainer(
            model=model, train_dataset=BaseDataset(x, torch.zeros(len(x))), training_config=config, callbacks=[]
        )
        trainer.prepare_training()
    logging.disable(logging.NOTSET)
    count = iter(range(1, 10**9))

    def epoch() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            trainer.train_step(next(count))

    epoch.folder = folder
    return epoch


def pyro(x: Tensor, batch_size: int) -> Callable[[], None]:
    """An epoch of Pyro's stochastic variational inference, with the data in memory."""
    import pyro as ppl
    from pyro import distributions as dist
    from pyro.infer import SVI, Trace_ELBO

    network = Plain()

    def model(batch: Tensor) -> None:
        ppl.module("decoder", network.decoder)
        with ppl.plate("data", len(batch)):
            z = ppl.sample("z", dist.Normal(batch.new_zeros(len(batch), 20), 1.0).to_event(1))
            ppl.sample("x", dist.Bernoulli(logits=network.decoder(z), validate_args=False).to_event(1), obs=batch)

    def guide(batch: Tensor) -> None:
        ppl.module("encoder", network.encoder)
        with ppl.plate("data", len(batch)):
            mu, log_variance = network.encoder(batch).chunk(2, 1)
            ppl.sample("z", dist.Normal(mu, (0.5 * log_variance).exp()).to_event(1))

    ppl.clear_param_store()
    svi = SVI(model, guide, ppl.optim.Adam({"lr": RATE}), loss=Trace_ELBO())

    def epoch() -> None:
        for rows in torch.randperm(len(x)).split(batch_size):
            svi.step(x[rows])

    return epoch


PEERS = {"dataloader": dataloader, "pythae": pythae, "pyro": pyro}
