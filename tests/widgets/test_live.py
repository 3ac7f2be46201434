"""The live widgets without a browser: their buttons are pressed, their sliders moved, and what they computed is held."""

import base64
import copy
import re
import threading
import time

import nbformat
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from vbook.bounds import elbo, log_weights
from vbook.errors import VbookError
from vbook.evaluation import log_px
from vbook.models.linear_gaussian import LinearGaussian
from vbook.models.vae import VAE, vae
from vbook.site.transform import transform
from vbook.training import fit
from vbook.widgets.base import VIEW
from vbook.widgets.live import compare_live, posterior_live, train_live
from vbook.widgets.live.base import Ended, Job, Live, shown
from vbook.widgets.live.exact import exact_posterior
from vbook.widgets.live.training import digits


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def training():
    run = train_live(hidden=(20,), steps=4000, batch_size=32)
    yield run
    run.reset()


class Sample(Live):
    sentence = "A sample."

    def __init__(self):
        super().__init__()
        self.assemble([])

    @shown
    def divide(self, by):
        """Divide one."""
        return 1 / by


def test_an_error_in_a_callback_is_shown_and_goes_with_the_next_success():
    sample = Sample()
    assert sample.divide(2) == 0.5 and sample.errors.value == ""
    assert sample.divide(0) is None
    assert "ZeroDivisionError" in sample.errors.value and "division by zero" in sample.errors.value
    assert 'role="alert"' in sample.errors.value and "in divide" in sample.errors.value  # the traceback
    sample.divide(1)
    assert sample.errors.value == ""
    assert Sample.divide.__doc__ == "Divide one."


def test_an_error_s_words_are_text_and_no_html():
    sample = Sample()
    sample.show_error(ValueError("<script>alert(1)</script>"))
    assert "<script>" not in sample.errors.value and "&lt;script&gt;" in sample.errors.value


def test_an_interrupt_is_not_taken_for_an_error():
    class Interrupted(Sample):
        @shown
        def stop(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().stop()


def test_a_job_is_held_goes_on_and_ends():
    counted = []

    def work(job):
        while True:
            counted.append(len(counted))
            time.sleep(0.001)
            job.step()

    job = Job(work)
    job.go()
    until(lambda: len(counted) > 5)
    job.hold()
    until(job.resting.is_set)
    held = len(counted)
    time.sleep(0.2)
    assert len(counted) == held and job.alive
    job.go()
    until(lambda: len(counted) > held)
    job.hold()
    job.end()  # also from a hold
    assert not job.alive
    assert issubclass(Ended, KeyboardInterrupt)


def test_play_trains_pause_holds_and_play_goes_on(training):
    assert training.pause_button.disabled and not training.play_button.disabled
    training.play_button.click()
    assert training.play_button.disabled and not training.pause_button.disabled
    until(lambda: training.step >= 120)
    training.pause_button.click()
    until(training.job.resting.is_set)
    step, weights = training.step, copy.deepcopy(training.model.state_dict())
    time.sleep(0.5)
    assert training.step == step
    assert all(torch.equal(value, weights[name]) for name, value in training.model.state_dict().items())
    assert training.status.value.startswith("<span>Held: 2 latents") and f"step {step} of 4000" in training.status.value
    first, last = sum(training.bounds[:20]) / 20, sum(training.bounds[-20:]) / 20
    assert last > first + 50  # nats: the loss falls
    training.play_button.click()
    until(lambda: training.step >= step + 20)
    assert len(training.bounds) >= training.step - 1 >= step
    assert training.errors.value == ""
    assert 'alt="A curve of the bound' in training.picture.value


def test_the_picture_of_a_held_training_is_that_of_its_last_step(training, monkeypatch):
    monkeypatch.setattr("vbook.widgets.live.training.EVERY", 1e6)  # as on a machine that takes all steps between two pictures
    for least in (3, 50):
        training.play_button.click()
        until(lambda least=least: training.step >= least)
        training.pause_button.click()
        until(training.job.resting.is_set)
        assert f"step {training.step} of" in training.status.value
        if training.step < 20:
            assert f"after {training.step} steps there is no mean" in training.picture.value
        else:
            assert f"nats in {training.step} steps" in training.picture.value
    assert training.step == len(training.bounds) >= 50


def test_held_and_resumed_training_takes_the_steps_of_an_unbroken_one():
    runs = [train_live(hidden=(10,), steps=60, batch_size=32) for _ in range(2)]
    for run, pauses in zip(runs, (False, True), strict=True):
        run.play_button.click()
        if pauses:
            until(lambda run=run: run.step >= 5)
            run.pause_button.click()
            until(run.job.resting.is_set)
            run.play_button.click()
        run.job.thread.join(60)
        assert run.step == 60 and run.status.value.startswith("<span>Over")
        assert not run.play_button.disabled and run.pause_button.disabled
    assert runs[0].bounds == runs[1].bounds


def test_the_learning_rate_acts_at_once(training):
    training.play_button.click()
    until(lambda: training.step >= 20)
    training.lr.value = 1e-4
    training.pause_button.click()
    assert training.rate == 1e-4 and "1.0e-04" in training.status.value
    until(training.job.resting.is_set)  # the same run
    # Adam moves a weight by about the rate: at the lowest rate the weights stay close to where they were.
    moved = []
    for rate in (1e-4, 1e-1):
        training.lr.value = rate
        before, step = copy.deepcopy(training.model.state_dict()), training.step
        training.play_button.click()
        until(lambda step=step: training.step >= step + 5)
        training.pause_button.click()
        until(training.job.resting.is_set)
        after = training.model.state_dict()
        change = max((after[name] - before[name]).abs().max().item() for name in before)
        moved.append(change / (training.step - step))
    assert moved[1] > 20 * moved[0]


def test_reset_and_another_number_of_latents_are_fresh_starts(training):
    training.play_button.click()
    until(lambda: training.step >= 5)
    job = training.job
    training.latents.value = 7
    assert not job.alive
    assert training.model.z_dim == 7 and training.step == 0 and training.bounds == []
    assert "Ready: 7 latents" in training.status.value
    fresh = vae(784, 7, (20,), seed=0).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in training.model.state_dict().items())
    training.reset_button.click()
    assert training.job is None and 'alt="Empty axes' in training.picture.value


def test_a_run_that_fails_says_so(training):
    training.model.decoder.net[0].weight.data.fill_(float("nan"))
    training.play_button.click()
    until(lambda: training.errors.value)
    training.job.thread.join(60)
    assert "the model holds NaN" in training.errors.value and "Stopped" in training.status.value
    assert not training.play_button.disabled and training.pause_button.disabled  # and another try is possible
    training.play_button.click()  # with a fresh model
    until(lambda: training.step >= 3)
    assert training.errors.value == ""


def test_architectures_are_trained_and_compared():
    widget = compare_live(steps=40)
    for hidden, activation in ((10, "tanh"), (100, "relu")):
        widget.hidden.value, widget.activation.value, widget.latents.value = hidden, activation, 3
        widget.train_button.click()
        assert widget.train_button.disabled and not widget.stop_button.disabled
        widget.job.thread.join(120)
    assert widget.errors.value == ""
    small, large = widget.runs
    assert (small.hidden, small.activation, large.hidden, large.activation) == (10, "tanh", 100, "relu")
    assert small.weights == sum(p.numel() for p in vae(784, 3, (10,)).parameters())
    assert -540 < small.valid.mean < large.valid.mean - 20  # 784 log 2 = 543 nats is where they begin
    assert widget.table.value.count("<tr>") == 3 and widget.table.value.count("(best)") == 1
    assert f"{large.valid} (best)" in widget.table.value
    assert f"{large.valid.mean:.0f}" in re.search('alt="([^"]*)"', widget.picture.value)[1]
    assert not widget.train_button.disabled
    again = widget.trained(10, "tanh", 3, 0)
    assert again.valid == small.valid
    widget.clear_button.click()
    assert widget.runs == [] and widget.table.value == widget.picture.value == ""
    assert "Ready" in widget.status.value  # and no longer of a run that is forgotten


def test_a_stopped_comparison_leaves_no_row_and_a_failed_one_its_error():
    widget = compare_live(steps=100_000)
    widget.train_button.click()
    until(lambda: "step" in widget.status.value)
    widget.stop_button.click()
    assert not widget.job.alive and widget.runs == [] and not widget.train_button.disabled
    widget.lr = -1.0
    widget.train_button.click()
    widget.job.thread.join(60)
    assert "VbookError" in widget.errors.value and not widget.train_button.disabled
    assert "Stopped" in widget.status.value


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"z_dim": 0}, "z_dim must be a positive integer, got 0"),
        ({"z_dim": 999}, "1 to 20 latents, not 999"),
        ({"lr": 5.0}, "a rate from 0.0001 to 0.1, not 5"),
        ({"lr": "fast"}, "lr must be a positive number"),
        ({"hidden": (0,)}, r"hidden\[0\] must be a positive integer"),
        ({"hidden": "wide"}, r"hidden\[0\] must be a positive integer"),
        ({"steps": 0}, "steps must be a positive integer"),
        ({"batch_size": 1.5}, "batch_size must be a positive integer"),
        ({"seed": "a"}, "seed must be a whole number"),
        ({"hidden": 10**9}, "4 hidden layers of 1,024 units, not 1 of up to 1,000,000,000"),
        ({"hidden": (10,) * 500}, "not 500 of up to 10"),
        ({"steps": 10**30}, "at most 1,000,000 steps"),
    ],
)
def test_a_training_that_cannot_be_is_refused_at_once(given, words):
    with pytest.raises(VbookError, match=words):
        train_live(**given)


def test_a_model_with_broken_weights_is_told_in_words():
    model = vae(784, 2, (5,))
    model.decoder.net[0].weight.data.fill_(float("nan"))
    with pytest.raises(VbookError, match=r"of image 0 isn.t finite"):
        posterior_live(model, torch.zeros(1, 784))


@pytest.mark.parametrize("given", [{"steps": 0}, {"steps": 1.5}, {"lr": -1}, {"lr": "fast"}, {"batch_size": 0}])
def test_a_comparison_that_cannot_be_is_refused_at_once(given):
    with pytest.raises(VbookError, match=f"{next(iter(given))} must be a positive"):
        compare_live(**given)


def test_a_comparison_at_a_rate_where_nothing_is_learnt_is_refused():
    with pytest.raises(VbookError, match=r"a rate from 0\.0001 to 0\.1, not 0\.5"):
        compare_live(lr=0.5)
    assert "nats" in compare_live(lr=0.1).static()[1]


class _Other(VAE):
    """Somebody's own, with a slip in one part; and it keeps what its bound is made of."""

    def __init__(self, z_dim=2, q="", loose=""):
        inner = vae(784, 2, (5,), seed=0)
        super().__init__(inner.encoder, inner.decoder, z_dim)
        self.q, self.loose, self.kept = q, loose, None

    def encode(self, x):
        self.kept = super().encode(x)
        return Independent(Normal(self.kept.mean, 1), 1) if self.q else self.kept

    def decode(self, z):
        p = super().decode(z)
        return Bernoulli(probs=p.mean) if self.loose == "decode" else p

    def prior(self):
        return Normal(torch.zeros(2), 1) if self.loose == "prior" else super().prior()


class _Strange:
    """Somebody's own model, whose encoder gives a tensor."""

    def __init__(self, **parts):
        vars(self).update(parts)

    encode = decode = prior = staticmethod(lambda x=None: x)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": torch.zeros(0, 784)}, r"at least one data point and have shape \(N, D\), got \(0, 784\)"),
        ({"images": [[0.0] * 784]}, "got list"),
        ({"images": torch.full((3, 784), float("nan"))}, "3 of 3 data points hold NaN"),
        ({"images": torch.zeros(3, 784, dtype=torch.complex64)}, "floating-point"),
        ({"images": torch.zeros(3, 784).to_sparse()}, "one by one"),
        ({"model": "a model"}, "str hasn't"),
        ({"model": _Strange()}, "_Strange hasn't"),
        ({"model": _Strange(z_dim=2)}, "don't give distributions as vbook's models do"),
        ({"model": _Other(q="independent")}, "Independent has no map z = g"),
        ({"model": _Other(z_dim=3)}, r"q.mean has the shape \(1, 2\) for one image, where \(1, 3\) is meant"),
        ({"model": _Other(loose="prior")}, r"p\(z\).log_prob has the shape \(1, 2\)"),
        ({"model": _Other(loose="decode")}, r"p\(x|z\).log_prob has the shape \(1, 784\)"),
        ({"images": torch.full((3, 784), 255.0)}, r"takes x for probabilities, but its values lie in \[255, 255\]"),
        ({"images": torch.zeros(3, 64), "shape": (8, 8)}, "does not fit data points of shape"),
        ({"shape": "8x8"}, "two positive integers"),
        ({"shape": (-1, 8)}, "two positive integers"),
        ({"shape": (4, 4, 4)}, "two positive integers"),
    ],
)
def test_no_images_or_no_model_is_told_in_words(given, words):
    model = vae(784, 2, (5,))
    with pytest.raises(VbookError, match=words):
        posterior_live(**({"model": model, "images": torch.zeros(1, 784)} | given))


def test_one_hidden_layer_may_be_given_as_a_number():
    assert train_live(hidden=30).model.encoder.net[0].out_features == 30


def test_the_grid_s_posterior_is_that_of_the_model_that_can_be_solved():
    g = torch.Generator().manual_seed(0)
    model = LinearGaussian(torch.randn(5, 2, generator=g).double(), torch.randn(5, generator=g).double(), 0.3)
    x = torch.randn(5, generator=g).double()
    model.encoder = _Shifted(model.posterior(x[None]))
    exact = exact_posterior(model, x)
    assert exact.log_px == pytest.approx(model.log_px(x[None]).item(), abs=1e-6)
    gap = torch.distributions.kl_divergence(model.encoder.as_normal(), model.posterior(x[None])).item()
    assert exact.gap == pytest.approx(gap, abs=1e-6) and gap > 0.1


class _Shifted(torch.nn.Module):
    """A q that is not the posterior: away from its mean, and wider."""

    def __init__(self, posterior):
        super().__init__()
        self.mean, self.sd = posterior.mean.detach() + 0.05, 1.2 * posterior.stddev.detach()

    def as_normal(self):
        return torch.distributions.MultivariateNormal(self.mean, scale_tril=torch.diag_embed(self.sd))

    def forward(self, x):
        from vbook.distributions import FactorizedNormal

        return FactorizedNormal(self.mean, self.sd)


@pytest.fixture(scope="module")
def explorer():
    return posterior_live()


def test_the_posterior_of_a_test_image_agrees_with_importance_sampling(explorer):
    explorer.index.value = 2
    assert explorer.errors.value == ""
    log_w = log_weights(explorer.model, explorer.x[None], 20_000, torch.Generator().manual_seed(0)).detach()
    estimate, error = (v.item() for v in log_px(log_w))
    assert abs(explorer.exact.log_px - estimate) < 4 * error and error < 0.1
    one = log_w.std().item() / len(log_w) ** 0.5
    assert abs(explorer.exact.elbo - log_w.mean().item()) < 4 * one
    assert f"gap KL(q‖p) {explorer.exact.gap:.2f}" in explorer.status.value and explorer.exact.gap > 0


def test_the_sliders_decode(explorer):
    explorer.index.value = 1
    with torch.no_grad():
        q = explorer.model.encode(explorer.x[None])
    assert [s.value for s in explorer.sliders] == pytest.approx(q.mean[0].tolist(), abs=1e-6)
    explorer.sliders[0].value, explorer.sliders[1].value = 0.5, -1.0
    with torch.no_grad():
        decoded = explorer.model.decode(torch.tensor([0.5, -1.0]))
    assert torch.allclose(torch.tensor(explorer._parts[1].get_array()).flatten(), 1 - decoded.mean, atol=1e-6)
    assert f"log p(x|z) = {decoded.log_prob(explorer.x).item():.1f}" in explorer.status.value
    assert "z = (0.50, -1.00)" in explorer.picture.value
    explorer.draw_button.click()
    assert [s.value for s in explorer.sliders] != [0.5, -1.0]
    explorer.mean_button.click()
    assert [s.value for s in explorer.sliders] == pytest.approx(q.mean[0].tolist(), abs=1e-6)


def test_a_mean_beyond_the_sliders_widens_them():
    model = vae(784, 5, (10,))
    with torch.no_grad():
        model.encoder.net[-1].weight.zero_()
        model.encoder.net[-1].bias.zero_()[:2] += torch.tensor([6.2, -4.7])
    widget = posterior_live(model, torch.zeros(3, 784))
    assert [s.value for s in widget.sliders] == pytest.approx([6.2, -4.7, 0, 0, 0], abs=1e-6)
    assert [(s.min, s.max) for s in widget.sliders[:3]] == [(-4, 7), (-5, 4), (-4, 4)]


def test_a_model_that_trains_on_does_not_move_its_posterior():
    model = vae(784, 2, (10,), seed=0)
    widget = posterior_live(model, digits("test"))
    before = widget.status.value
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3
    widget.index.value = 1
    widget.index.value = 0
    assert widget.status.value == before and posterior_live(model, digits("test")).status.value != before


def test_an_image_that_cannot_be_taken_leaves_the_one_before_whole(explorer):
    explorer.index.value = 0
    before = explorer.x, explorer.exact, explorer.status.value, explorer.picture.value
    explorer.images = explorer.images.clone()
    explorer.images[1] = 1e38  # the encoder can't
    explorer.index.value = 1
    assert "the model makes of image 1 isn&#x27;t finite" in explorer.errors.value
    assert explorer.index.value == 0 and before == (explorer.x, explorer.exact, explorer.status.value, explorer.picture.value)
    explorer.sliders[0].value += 0.1
    assert explorer.errors.value == "" and "Test image 0" in explorer.picture.value
    explorer.index.value = 2
    assert "Test image 2" in explorer.picture.value


def test_a_model_that_keeps_its_q_is_copied_all_the_same():
    model = _Other()
    fit(model, digits(), elbo, steps=2, batch_size=8, seed=0)
    assert model.kept.mean.requires_grad
    before = posterior_live(model, digits("test"))
    assert before.model is not model and "ELBO" in before.status.value


@pytest.mark.parametrize("kept", [threading.Lock(), torch.ones(1, requires_grad=True) * 2])
def test_a_model_that_cannot_be_copied_is_refused(kept):
    model = vae(784, 2, (5,))
    model.last = kept
    with pytest.raises(VbookError, match="can't be copied: it keeps more than weights"):
        posterior_live(model, digits("test"))


def test_a_decoder_that_takes_no_single_point_is_refused():
    model = vae(784, 2, (5,))
    model.decoder.net.insert(1, torch.nn.BatchNorm1d(5))
    with pytest.raises(VbookError, match="as vbook's models do: expected 2D or 3D input"):
        posterior_live(model.eval(), digits("test"))


def test_half_precision_is_looked_at_in_single():
    widget = posterior_live(vae(784, 2, (10,)).bfloat16(), digits("test"))
    assert widget.images.dtype == torch.float32 and "ELBO" in widget.status.value


def test_more_latents_have_sliders_and_no_plane():
    widget = posterior_live(vae(784, 5, (10,)), torch.zeros(3, 784))
    assert len(widget.sliders) == 5 and widget.exact is None and widget.errors.value == ""
    assert "contours" not in widget.picture.value


def test_what_the_explorer_cannot_show_is_refused():
    with pytest.raises(VbookError, match="sliders for 1 to 12 latents, the model has 20"):
        posterior_live(vae(784, 20, (10,)), torch.zeros(3, 784))
    with pytest.raises(VbookError, match=r"images \(N, 64\) expected for the shape \(8, 8\), got \(3, 784\)"):
        posterior_live(vae(784, 2, (10,)), torch.zeros(3, 784), shape=(8, 8))


@pytest.mark.parametrize(
    "make", [lambda: train_live(hidden=(10,)), compare_live, posterior_live], ids=["train", "compare", "posterior"]
)
def test_a_page_has_a_picture_and_a_sentence_in_its_place(make):
    widget = make()
    data, notes = widget._repr_mimebundle_()
    assert VIEW in data and data["text/plain"] == widget.sentence
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert notes["vbook"]["alt"] and "$" not in notes["vbook"]["alt"] and "Empty" not in notes["vbook"]["alt"]
    cell = nbformat.v4.new_code_cell("w", metadata={}, execution_count=1)
    words = {"text/markdown": f"*{widget.sentence}*", "text/plain": widget.sentence}
    cell.outputs = [
        nbformat.v4.new_output("display_data", data=data, metadata=notes),
        nbformat.v4.new_output("display_data", data=words, metadata={"vbook": {"role": "caption"}}),
    ]
    page = transform(nbformat.v4.new_notebook(cells=[cell]), "chapters/x")
    picture, caption = page["cells"][-1]["outputs"]
    assert set(picture["data"]) == {"image/png"} and widget.sentence in caption["data"]["text/markdown"]
    roles = page["cells"][-1]["metadata"]["vbook_outputs"]
    assert [role["role"] for role in roles] == ["figure", "caption"] and roles[0]["alt"] == notes["vbook"]["alt"]


def test_displaying_publishes_both(monkeypatch):
    import IPython.display

    sent = []
    monkeypatch.setattr(IPython.display, "publish_display_data", lambda data, notes: sent.append((data, notes)))
    before = threading.active_count()
    widget = train_live(hidden=(10,))
    widget._ipython_display_()
    assert VIEW in sent[0][0] and sent[1][1] == {"vbook": {"role": "caption"}}
    assert threading.active_count() == before  # nothing is computed before the reader asks
