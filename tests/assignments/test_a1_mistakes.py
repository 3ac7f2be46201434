"""A1: classic mistakes lose exactly the points that they should, right but unusual answers lose none."""

import handin
import pytest
from mistakes import Suite, Table

# Tasks whose checks look at a task's answer too, or whose master calls it.
MEETS = {
    "log_likelihood": {"losses", "negative_bound"},
    "kl": {"losses", "negative_bound"},
    "draw": {"negative_bound"},
    "losses": {"negative_bound"},
}

# (what, task, old, new, points lost by task, a word of the feedback)
MISTAKES = [
    ("pixels without the sigmoid", "generate", ".sigmoid()", "", {"generate": 3}, "sigmoid"),
    ("pixels rounded, not drawn", "generate", "(u < decoder(z).sigmoid())", "(decoder(z) > 0)", {"generate": 3}, "rounded"),
    ("black above the probability", "generate", "u < decoder(z)", "u > decoder(z)", {"generate": 3}, "below"),
    ("probabilities for pixels", "generate", "(u < decoder(z).sigmoid())", "decoder(z).sigmoid()", {"generate": 4}, "draw"),
    ("pixels averaged", "log_likelihood", ".sum(-1)", ".mean(-1)", {"log_likelihood": 2}, "averaged"),
    (
        "sign of the likelihood",
        "log_likelihood",
        "return (x",
        "return -(x",
        {"log_likelihood": 2},
        "sign",
    ),
    (
        "log of a sigmoid",
        "log_likelihood",
        "nn.functional.logsigmoid(logits), nn.functional.logsigmoid(-logits)",
        "logits.sigmoid().log(), (1 - logits.sigmoid()).log()",
        {"log_likelihood": 2},
        "nan",
    ),
    ("exp of a large logit", "log_likelihood", "x * log_p + (1 - x) * log_1_p", "x * logits - logits.exp().log1p()",
     {"log_likelihood": 2}, "softplus"),
    ("log inside the mean", "log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))", "log_px_z.mean(0)",
     {"log_evidence": 4}, "outside the mean"),
    ("sum over draws for the mean", "log_evidence", " - math.log(len(log_px_z))", "", {"log_evidence": 4}, "log L"),
    ("mean over images for draws", "log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))",
     "log_px_z.logsumexp(1) - math.log(log_px_z.shape[1])", {"log_evidence": 4}, "first dimension"),
    ("exp underflows", "log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))", "log_px_z.exp().mean(0).log()",
     {"log_evidence": 2}, "near −1000"),
    ("one shift for all images", "log_evidence", "log_px_z.logsumexp(0) - math.log(len(log_px_z))",
     "(log_px_z - log_px_z.max()).exp().mean(0).log() + log_px_z.max()", {"log_evidence": 2}, "own largest"),
    ("the chance for the number of draws", "draws_until_hit", "** -k", "** k", {"draws_until_hit": 3}, "probability"),
    ("latents add up", "draws_until_hit", "return math.erf(r / math.sqrt(2)) ** -k", "return k / math.erf(r / math.sqrt(2))",
     {"draws_until_hit": 2}, "multiply"),
    ("a standard deviation of 0", "examples", "(20.0, 1.0)", "(20.0, 0.0)", {"examples": 1}, "variance"),
    ("N(0, 1) itself", "examples", "(0.1, 1.0)", "(0.0, 1.0)", {"examples": 1}, "0 and 0.01"),
    ("sign of the KL", "kl", "0.5 *", "-0.5 *", {"kl": 6}, "sign"),
    ("KL without its half", "kl", "0.5 * ", "", {"kl": 6}, "1/2"),
    ("log-variance for the standard deviation", "kl", "(log_var.exp() + mu**2 - 1 - log_var)",
     "(log_var**2 + mu**2 - 1 - (log_var**2).log())", {"kl": 6}, "standard deviation"),
    ("log-variance for log sigma", "kl", "(log_var.exp() + mu**2 - 1 - log_var)",
     "((2 * log_var).exp() + mu**2 - 1 - 2 * log_var)", {"kl": 6}, "log σ"),
    ("swapped arguments of the KL", "kl", "def kl(mu, log_var)", "def kl(log_var, mu)", {"kl": 6}, "swapped"),
    ("latents averaged", "kl", ".sum(-1)", ".mean(-1)", {"kl": 6}, "averaged"),
    ("images summed", "kl", ".sum(-1)", ".sum()", {"kl": 5, "losses": 3, "negative_bound": 3}, "latents"),
    ("hard-coded answers", "kl", "return 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(-1)", "return torch.tensor([0.0, 5.0])",
     {"kl": 7, "losses": 3, "negative_bound": 6}, "shape"),
    ("gap from the prior", "bound_and_gap", "posterior.log()", "prior.log()", {"bound_and_gap": 3}, "prior"),
    ("swapped divergence", "bound_and_gap", "(q * (q.log() - posterior.log()))", "(posterior * (posterior.log() - q.log()))",
     {"bound_and_gap": 3}, "swapped"),
    ("log of the mean for the bound", "bound_and_gap", "bound = (q * (joint.log() - q.log())).sum()", "bound = joint.sum().log()",
     {"bound_and_gap": 3}, "mean of logarithms"),
    ("log-variance for the standard deviation of the draw", "draw", "(0.5 * log_var).exp()", "log_var",
     {"draw": 5}, "standard deviation"),
    ("variance for the standard deviation", "draw", "(0.5 * log_var)", "log_var", {"draw": 5},
     "variance"),
    ("detached draw", "draw", "mu + (0.5 * log_var).exp() * eps", "(mu + (0.5 * log_var).exp() * eps).detach()",
      {"draw": 4}, "detached"),
    ("detached sigma", "draw", "(0.5 * log_var).exp()", "(0.5 * log_var).exp().detach()", {"draw": 2},
     "log_var"),
    ("sign of the reconstruction", "losses", "= -log", "= log", {"losses": 4}, "sign"),
    ("draws summed", "losses", ".mean(0)", ".sum(0)", {"losses": 2}, "mean"),
    ("KL once for each draw", "losses", "kl(mu, log_var)", "len(logits) * kl(mu, log_var)", {"losses": 3}, "once"),
    ("swapped losses", "losses", "reconstruction, kl(mu, log_var)", "kl(mu, log_var), reconstruction", {"losses": 7}, "swapped"),
    ("variance through ReLU", "Encoder", "return mu, log_var", "return mu, log_var.relu()", {"Encoder": 2}, "activation"),
    ("layers that are no attributes", "Encoder", "nn.Sequential(*layers)", "lambda x: nn.Sequential(*layers)(x)", {"Encoder": 2},
     "attributes"),
    ("probabilities for logits", "Decoder", "self.net(z)", "self.net(z).sigmoid()", {"Decoder": 2}, "logits"),
    ("decoder of one draw only", "Decoder", "self.net(z)", "self.net(z.reshape(-1, z.shape[-1]))", {"Decoder": 2}, "shape"),
    ("sum over the batch", "negative_bound", ").mean()", ").sum()", {"negative_bound": 6}, "summed"),
    ("the bound for the loss", "negative_bound", "(reconstruction + reg", "-(reconstruction + reg", {"negative_bound": 6},
     "sign"),
    ("the divergence is missing", "negative_bound", "(reconstruction + regularisation)", "reconstruction", {"negative_bound": 3},
     "differ"),
    ("batches averaged, not images", "train", "value.item() * len(rows)", "value.item() * batch_size", {"train": 3}, "weight"),
    ("off by one in the number", "train", "total / len(data)", "total / (len(data) - 1)", {"train": 6}, "weight"),
    ("gradients pile up", "train", "            optimizer.zero_grad()\n", "", {"train": 3}, "zero_grad"),
    ("only the decoder learns", "train", "[*encoder.parameters(), *decoder.parameters()]", "decoder.parameters()",
     {"train": 5}, "encoder"),
    ("another optimiser", "train", "optim.Adam", "optim.SGD", {"train": 3}, "Adam"),
    ("an even grid", "manifold_points", "torch.special.ndtri((torch.arange(n) + 0.5) / n)", "(torch.arange(n) + 0.5) / n",
     {"manifold_points": 3}, "evenly"),
    ("infinite corners", "manifold_points", "(torch.arange(n) + 0.5) / n", "torch.linspace(0, 1, n)", {"manifold_points": 3},
     "infinite"),
    ("upside down", "manifold_points", "z.flip(0)", "z", {"manifold_points": 1}, "second"),
]  # fmt: skip
TABLE = Table("A1", MISTAKES, MEETS)

RIGHT = [
    ("torch.distributions", "kl", "return 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(-1)",
     "from torch.distributions import Normal, kl_divergence\n"
     "    return kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(-1)"),
    ("a cross-entropy", "log_likelihood", "return (x * log_p + (1 - x) * log_1_p).sum(-1)",
     "x = x.expand_as(logits)\n"
     "    return -nn.functional.binary_cross_entropy_with_logits(logits, x, reduction='none').sum(-1)"),
    ("a log-sum-exp by hand, in numpy", "log_evidence", "return log_px_z.logsumexp(0) - math.log(len(log_px_z))",
     "import numpy as np\n"
     "    a = log_px_z.numpy()\n"
     "    top = a.max(0)\n"
     "    return np.log(np.exp(a - top).mean(0)) + top"),
    ("floats, by scipy", "draws_until_hit", "return math.erf(r / math.sqrt(2)) ** -k",
     "from scipy.stats import norm\n    return float(1 / (norm.cdf(r) - norm.cdf(-r)) ** k)"),
    ("two heads", "Encoder", "mu, log_var = self.net(x).chunk(2, -1)\n        return mu, log_var",
     "h = self.net[:2](x)\n        return self.mean(h), self.spread(h)"),
    ("an evaluation after each epoch", "train", "history.append(total / len(data))",
     "with torch.no_grad():\n"
     "            eps = torch.randn(1, len(data), z_dim, generator=noise)\n"
     "            history.append(float(loss(data, encoder, decoder, eps)))"),
    ("a loop over draws and helper functions", "losses", "reconstruction = -log_likelihood(x, logits).mean(0)",
     "parts = [-log_likelihood(x, one) for one in logits]\n    reconstruction = sum(parts) / len(parts)"),
    ("a list of pairs", "manifold_points", "return torch.stack([z.repeat(n), z.flip(0).repeat_interleave(n)], 1)",
     "return torch.cartesian_prod(z.flip(0), z).flip(1)"),
    ("another operation", "draw", "return mu + (0.5 * log_var).exp() * eps",
     "return torch.addcmul(mu, log_var.exp().sqrt(), eps)"),
    ("booleans for pixels", "generate", "return (u < decoder(z).sigmoid()).float()",
     "return torch.special.logit(u) < decoder(z)"),
]  # fmt: skip
TWO_HEADS = ("Encoder", "nn.Sequential(*layers)", "nn.Sequential(*layers[:2])\n"
             "        self.mean, self.spread = nn.Linear(hidden, z_dim), nn.Linear(hidden, z_dim)")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "loses"),
    [(("draw", "(0.5 * log_var).exp()", "log_var.exp()"), ("draw(mu, log_var, eps)", "draw(mu, log_var, eps).detach()"),
      {"draw": 5, "negative_bound": 2}),
     (("draw", "return mu + (0.5 * log_var).exp() * eps", "return (mu + (0.5 * log_var).exp() * eps).detach()"),
      ("(reconstruction + regularisation)", "regularisation"), {"draw": 4, "negative_bound": 6}),
     (("losses", "reconstruction = -", "reconstruction = -2 * "), (").mean()", ").sum()"), {"losses": 4, "negative_bound": 6})],
    ids=["variance, detached", "detached, no reconstruction", "doubled, summed"],
)  # fmt: skip
def test_a_mistake_of_the_loss_is_found_beside_one_of_what_it_calls(first, second, loses, folder):
    """What follows from own earlier answers counts, and nothing else does."""
    assert handin.lost(handin.grade(folder, handin.changed(first, ("negative_bound", *second)))) == loses


class TestA1(Suite):
    table, right, spoilt = TABLE, [*(row[1:] for row in RIGHT), TWO_HEADS], ({"kl": 6}, {"draw": 5})


def test_checks_deleted_moved_or_weakened_change_nothing(walls, tmp_path):
    notebook = handin.changed(("check-kl", "[0, 5]", "kl(mu_try, log_var_try)"))
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "a1-check-draw"]
    for cell in notebook["cells"]:
        if cell["id"] in ("a1-generate", "a1-check-train"):
            cell["metadata"].pop("nbgrader")
    result = handin.grade(tmp_path, notebook)
    assert handin.lost(result) == {} and "check-kl, check-draw" in result.incidents[0]


def test_a_function_written_into_a_check_cell_counts(walls, tmp_path):
    notebook = handin.changed(
        ("kl", "def kl(", "def unused("), ("check-kl", "", "def kl(mu, log_var):\n    return unused(mu, log_var)")
    )
    assert handin.lost(handin.grade(tmp_path, notebook)) == {}
