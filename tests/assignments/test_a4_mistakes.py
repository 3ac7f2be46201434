"""A4: classic mistakes lose exactly the points that they should, right but unusual answers lose none."""

import handin
import pytest
from mistakes import Table

from vbook.assign.release import student_copy
from vbook.pipeline.notebook import code_cells

pytestmark = pytest.mark.usefixtures("walls")

# Tasks whose checks look at a task's answer too, or whose master calls it.
MEETS = {"kl": {"bound_terms"}}

# (what, task, old, new, points lost by task, a word of the feedback)
MISTAKES = [
    ("noise's standard deviation for its variance", "posterior", "W.T @ W / s**2", "W.T @ W / s", {"posterior": 5}, "s²"),
    ("a posterior without its prior", "posterior", "torch.eye(W.shape[1], dtype=W.dtype) + ", "", {"posterior": 5}, "prior"),
    ("precision for covariance", "posterior", "torch.linalg.inv(precision)", "precision", {"posterior": 5}, "inverse"),
    ("one s too few in the mean", "posterior", "covariance / s**2, cov", "covariance / s, cov", {"posterior": 3}, "one s"),
    ("independent observations", "exact_log_px", "W @ W.T + ", "(W @ W.T).diagonal().diag() + ", {"exact_log_px": 4},
     "together"),
    ("s for s² in the evidence", "exact_log_px", "s**2 *", "s *", {"exact_log_px": 4}, "s²"),
    ("no logarithm of 2π in the evidence", "exact_log_px", " + len(W) * LOG_2PI", "", {"exact_log_px": 4}, "2π"),
    ("the whole log-determinant", "exact_log_px", "+ torch.logdet", "+ 2 * torch.logdet", {"exact_log_px": 4}, "1/2"),
    ("sign of the KL", "kl", "return 0.5", "return -0.5", {"kl": 4}, "sign"),
    ("KL(p||q) for KL(q||p)", "kl", "def kl(m, S, mu, C)", "def kl(mu, C, m, S)", {"kl": 4}, "swapped"),
    ("KL without its half", "kl", "return 0.5 * ", "return ", {"kl": 4}, "1/2"),
    ("log-determinants swapped", "kl", "torch.logdet(C) - torch.logdet(S)", "torch.logdet(S) - torch.logdet(C)",
     {"kl": 3}, "swapped"),
    ("a doubled log-determinant", "kl", "+ torch.logdet(C) - torch.logdet(S)", "+ 2 * torch.logdet(C) - 2 * torch.logdet(S)",
     {"kl": 3}, "half"),
    ("the means' difference without C", "kl", "torch.linalg.solve(C, shift.T).T", "shift", {"kl": 4},
     "units of C"),
    ("a mean over the images", "kl", "torch.logdet(S))", "torch.logdet(S)).mean()", {"kl": 5, "bound_terms": 2}, "shape"),
    ("the width of q is forgotten", "bound_terms", " + (W @ S @ W.T).trace()", "", {"bound_terms": 3}, "width"),
    ("a loss for a log-probability", "bound_terms", "reconstruction = -0.5", "reconstruction = 0.5", {"bound_terms": 3}, "sign"),
    ("log s once", "bound_terms", "2 * math.log(s)", "math.log(s)", {"bound_terms": 3}, "log s"),
    ("the negative divergence", "bound_terms", "return reconstruction, kl", "return reconstruction, -kl", {"bound_terms": 2},
     "sign"),
    ("swapped arguments of the divergence", "bound_terms", "kl(m, S, torch.zeros_like(m), torch.eye(len(S), dtype=S.dtype))",
     "kl(torch.zeros_like(m), torch.eye(len(S), dtype=S.dtype), m, S)", {"bound_terms": 2}, "swapped"),
    ("the two directions swapped", "best_factorised", "1 / torch.linalg.inv(C).diagonal(), C.diagonal()",
     "C.diagonal(), 1 / torch.linalg.inv(C).diagonal()", {"best_factorised": 4}, "swapped"),
    ("precisions for variances", "best_factorised", "1 / torch", "torch", {"best_factorised": 2}, "precisions"),
    ("standard deviations for variances", "best_factorised", "C.diagonal()", "C.diagonal().sqrt()", {"best_factorised": 2},
     "standard"),
    ("L transposed", "draw", "(factor @", "(factor.mT @", {"draw": 4}, "Lᵀ"),
    ("log-variance for log σ", "draw", "log_sigma.exp()", "(log_sigma / 2).exp()", {"draw": 4}, "log σ²"),
    ("log σ for σ", "draw", "torch.diag_embed(log_sigma.exp())", "torch.diag_embed(log_sigma)", {"draw": 4}, "logarithm"),
    ("variance for the standard deviation", "draw", "log_sigma.exp()", "(2 * log_sigma).exp()", {"draw": 4}, "σ²"),
    ("the diagonal counted twice", "draw", ".tril(-1)", ".tril()", {"draw": 4}, "alone"),
    ("no mask at all", "draw", "lower.tril(-1)", "lower", {"draw": 4}, "below"),
    ("a detached draw", "draw", "return mu + (factor @ eps.unsqueeze(-1)).squeeze(-1)",
     "return (mu + (factor @ eps.unsqueeze(-1)).squeeze(-1)).detach()", {"draw": 2}, "detached"),
    ("a detached factor", "draw", "(factor @", "(factor.detach() @", {"draw": 2}, "gradient"),
    ("the log-determinant is missing", "log_density", " - log_sigma.sum(-1)", "", {"log_density": 4}, "missing"),
    ("the log-determinant is halved", "log_density", "- log_sigma", "- 0.5 * log_sigma", {"log_density": 4}, "half"),
    ("the log-determinant is doubled", "log_density", "- log_sigma", "- 2 * log_sigma", {"log_density": 4}, "twice"),
    ("the log-determinant is added", "log_density", "- log_sigma", "+ log_sigma", {"log_density": 4}, "wider"),
    ("latents averaged", "log_density", "return -0.5 * (eps.square() + LOG_2PI).sum(-1) - log_sigma.sum(-1)",
     "return (-0.5 * (eps.square() + LOG_2PI) - log_sigma).mean(-1)", {"log_density": 4}, "averaged"),
    ("the prior is forgotten", "log_weights", "log_px_z + log_pz - log_q", "log_px_z - log_q", {"log_weights": 4}, "prior"),
    ("q is forgotten", "log_weights", "log_pz - log_q", "log_pz", {"log_weights": 4}, "q is"),
    ("q is multiplied", "log_weights", "log_pz - log_q", "log_pz + log_q", {"log_weights": 4}, "denominator"),
    ("weights for their logarithms", "log_weights", "return log_px_z + log_pz - log_q",
     "return (log_px_z + log_pz - log_q).exp()", {"log_weights": 4}, "logarithms"),
    ("log inside the mean", "estimate", "log_w.logsumexp(0) - math.log(len(log_w))", "log_w.mean(0)", {"estimate": 5},
     "outside the mean"),
    ("sum over draws for the mean", "estimate", "log_w.logsumexp(0) - math.log(len(log_w))", "log_w.logsumexp(0)",
     {"estimate": 5}, "log L"),
    ("mean over images for draws", "estimate", "log_w.logsumexp(0) - math.log(len(log_w))",
     "log_w.logsumexp(1) - math.log(log_w.shape[1])\n    return value, value", {"estimate": 7}, "first dimension"),
    ("exp underflows", "estimate", "log_w.logsumexp(0) - math.log(len(log_w))", "log_w.exp().mean(0).log()", {"estimate": 2},
     "1000"),
    ("no root of L", "estimate", "w.std(0) / math.sqrt(len(log_w))", "w.std(0)", {"estimate": 2}, "spread"),
    ("L for its root", "estimate", "math.sqrt(len(log_w))", "len(log_w)", {"estimate": 2}, "root"),
    ("L for L - 1", "estimate", "w.std(0)", "w.std(0, correction=0)", {"estimate": 2}, "L − 1"),
    ("the error of p(x)", "estimate", "w.std(0) /", "value.exp() * w.std(0) /", {"estimate": 4}, "relative"),
    ("weights not normalised", "effective_size", "log_w.softmax(0)", "log_w.exp()", {"effective_size": 4}, "normalised"),
    ("one over the effective size", "effective_size", "1 / log_w.softmax(0).square().sum(0)",
     "log_w.softmax(0).square().sum(0)", {"effective_size": 3}, "one over"),
    ("a share of L", "effective_size", "1 / log_w", "1 / len(log_w) / log_w", {"effective_size": 3}, "share"),
    ("the baseline multiplied", "moments", "(f - b)", "(f * (b if b else 1))", {"moments": 4}, "multiplied"),
    ("an even average", "moments", "mean = (q * estimates).sum()", "mean = estimates.mean()", {"moments": 4}, "evenly"),
    ("the mean square for the variance", "moments", "(estimates - mean) ** 2", "estimates**2", {"moments": 2}, "mean square"),
    ("a standard deviation for the variance of the estimate", "moments", "(q * (estimates - mean) ** 2).sum()",
     "(q * (estimates - mean) ** 2).sum().sqrt()", {"moments": 2}, "standard deviation"),
    ("the mean of f", "best_baseline", "weight = q * score**2", "weight = q", {"best_baseline": 3}, "mean of f"),
    ("a score that isn't squared", "best_baseline", "score**2", "score.abs()", {"best_baseline": 3}, "squared"),
    ("not divided by the mean squared score", "best_baseline", " / weight.sum()", "", {"best_baseline": 3}, "divide"),
    ("a reward that isn't detached", "surrogate", ".detach()", "", {"surrogate": 2}, "detach"),
    ("a baseline that isn't detached", "surrogate", "((f - baseline).detach() * log_q)", "((f.detach() - baseline) * log_q)",
     {"surrogate": 1}, "baseline"),
    ("a detached log q", "surrogate", "* log_q)", "* log_q.detach() + 0 * log_q)", {"surrogate": 4}, "gradient"),
    ("sum for mean", "surrogate", ".mean()", ".sum()", {"surrogate": 2}, "sum"),
    ("the baseline multiplied by f", "surrogate", "(f - baseline)", "(f * baseline)", {"surrogate": 2}, "multiplied"),
    ("a loss to be descended", "surrogate", "return (", "return -(", {"surrogate": 2}, "sign"),
    ("the density for its logarithm", "surrogate", "* log_q)", "* log_q.exp())", {"surrogate": 2}, "log q"),
    ("a baseline that depends on the draw", "leave_one_out", "(f.sum(0) - f) / (len(f) - 1)", "f.mean(0).expand_as(f)",
     {"leave_one_out": 3}, "own value"),
    ("L for L - 1 others", "leave_one_out", "(len(f) - 1)", "len(f)", {"leave_one_out": 3}, "others"),
    ("other images for other draws", "leave_one_out", "(f.sum(0) - f) / (len(f) - 1)",
     "(f.sum(1, keepdim=True) - f) / (f.shape[1] - 1)", {"leave_one_out": 3}, "images"),
    ("f minus its baseline", "leave_one_out", "return (f", "return f - (f", {"leave_one_out": 3}, "minus"),
    ("the score by σ without log σ", "slopes", "eps**2 - 1", "eps**2", {"slopes": 3}, "second term"),
    ("1/σ forgotten", "slopes", " / sigma", "", {"slopes": 3}, "1/σ"),
    ("1/σ² for 1/σ", "slopes", " / sigma", " / sigma**2", {"slopes": 3}, "ε/σ"),
    ("f for its slope", "slopes", "torch.stack([df, df * eps], 1)", "torch.stack([f, f * eps], 1)", {"slopes": 2}, "slope"),
    ("the slope by log σ", "slopes", "df * eps]", "sigma * df * eps]", {"slopes": 2}, "log σ"),
    ("the two estimates swapped", "slopes", "f[:, None] * score, torch.stack([df, df * eps], 1)",
     "torch.stack([df, df * eps], 1), f[:, None] * score", {"slopes": 5}, "swapped"),
    ("the squared mean stays in", "variances", "14 * m**2", "18 * m**2", {"variances": 3}, "mean square"),
    ("no square of the score's 1/σ", "variances", "m**4 / sigma**2 + 14 * m**2 + 15 * sigma**2",
     "m**4 + 18 * m**2 * sigma**2 + 15 * sigma**4 - 4 * m**2", {"variances": 3}, "divides"),
    ("the variance of z", "variances", ", 4 * sigma**2", ", sigma**2", {"variances": 1}, "factor"),
    ("a standard deviation", "variances", ", 4 * sigma**2", ", 2 * sigma", {"variances": 1}, "standard deviation"),
    ("no root of N", "summary", "values.std() / math.sqrt(len(values))", "values.std()", {"summary": 3}, "spread"),
    ("N for its root", "summary", "math.sqrt(len(values))", "len(values)", {"summary": 3}, "root"),
    ("N for N - 1", "summary", "values.std()", "values.std(correction=0)", {"summary": 3}, "N − 1"),
    ("a sum for the mean", "summary", "values.mean()", "values.sum()", {"summary": 3}, "sum"),
]  # fmt: skip
TABLE = Table("A4", MISTAKES, MEETS)

RIGHT = [
    ("conditioning the joint Gaussian", "posterior", "return x @ W @ covariance / s**2, covariance",
     "gain = W.T @ torch.linalg.inv(W @ W.T + s**2 * torch.eye(len(W)))\n"
     "    return (gain @ x.T).T, torch.eye(W.shape[1]) - gain @ W"),
    ("torch.distributions", "exact_log_px", "return -0.5 * (square + torch.logdet(covariance) + len(W) * LOG_2PI)",
     "from torch.distributions import MultivariateNormal\n"
     "    return MultivariateNormal(torch.zeros(len(W)), covariance).log_prob(x)"),
    ("torch's divergence", "kl", "return 0.5 * (trace + square - len(S) + torch.logdet(C) - torch.logdet(S))",
     "from torch.distributions import MultivariateNormal, kl_divergence\n"
     "    return kl_divergence(MultivariateNormal(m, S), MultivariateNormal(mu, C))"),
    ("a closed form of its own", "bound_terms", "kl(m, S, torch.zeros_like(m), torch.eye(len(S), dtype=S.dtype))",
     "0.5 * (S.trace() + (m**2).sum(-1) - len(S) - 2 * torch.linalg.cholesky(S).diagonal().log().sum())"),
    ("numpy and lists", "best_factorised", "return 1 / torch.linalg.inv(C).diagonal(), C.diagonal()",
     "import numpy as np\n"
     "    precision = np.linalg.inv(C.numpy())\n"
     "    return [1 / precision[k, k] for k in range(len(C))], np.diag(C.numpy()).tolist()"),
    ("einsum and a mask", "draw", "return mu + (factor @ eps.unsqueeze(-1)).squeeze(-1)",
     "mask = torch.ones_like(lower[0]).tril(-1)\n"
     "    return mu + log_sigma.exp() * eps + torch.einsum('bij,lbj->lbi', mask * lower, eps)"),
    ("a normal density", "log_density", "return -0.5 * (eps.square() + LOG_2PI).sum(-1) - log_sigma.sum(-1)",
     "return torch.distributions.Normal(0.0, log_sigma.exp()).log_prob(log_sigma.exp() * eps).sum(-1)"),
    ("densities of torch", "log_weights", "log_pz = -0.5 * (z.square() + LOG_2PI).sum(-1)",
     "log_pz = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)"),
    ("scipy and a shift by the largest", "estimate", "value = log_w.logsumexp(0) - math.log(len(log_w))",
     "from scipy.special import logsumexp\n"
     "    value = torch.from_numpy(logsumexp(log_w.numpy(), axis=0)) - math.log(len(log_w))"),
    ("a quotient of sums", "effective_size", "return 1 / log_w.softmax(0).square().sum(0)",
     "w = (log_w - log_w.max(0).values).exp()\n    return w.sum(0) ** 2 / (w**2).sum(0)"),
    ("mean square less squared mean", "moments", "return mean, (q * (estimates - mean) ** 2).sum()",
     "return float(mean), float(torch.dot(q, estimates**2) - mean**2)"),
    ("a quotient of covariances", "best_baseline", "return (weight * f).sum() / weight.sum()",
     "return float(torch.dot(f, weight)) / float(torch.sum(weight))"),
    ("a loop over draws", "leave_one_out", "return (f.sum(0) - f) / (len(f) - 1)",
     "return torch.stack([torch.cat([f[:k], f[k + 1 :]]).mean(0) for k in range(len(f))])"),
    ("a value that isn't zero and detached clones", "surrogate", "return ((f - baseline).detach() * log_q).mean()",
     "with torch.no_grad():\n"
     "        signal = f - baseline\n"
     "    return f.detach().mean() + (signal * (log_q - log_q.detach())).sum() / log_q.numel()"),
    ("a score by z", "slopes", "score = torch.stack([eps, eps**2 - 1], 1) / sigma",
     "shift = sigma * eps\n"
     "    score = torch.stack([shift / sigma**2, shift**2 / sigma**3 - 1 / sigma], 1)"),
    ("moments by a polynomial", "variances", "return m**4 / sigma**2 + 14 * m**2 + 15 * sigma**2, 4 * sigma**2",
     "import numpy as np\n"
     "    eps, w = np.polynomial.hermite_e.hermegauss(9)\n"
     "    w, z = w / w.sum(), m + sigma * eps\n"
     "    a, b = z**2 * eps / sigma, 2 * z\n"
     "    return [(w * v**2).sum() - (w * v).sum() ** 2 for v in (a, b)]"),
    ("scipy's standard error", "summary", "return values.mean(), values.std() / math.sqrt(len(values))",
     "from scipy.stats import sem\n    return values.mean(), sem(values.numpy())"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("submissions")


def test_there_are_enough_mistakes_each_told_from_the_others():
    tasks = [row.task for row in TABLE.rows]
    assert len(MISTAKES) >= 30 and TABLE.every_task_has_one() and min(map(tasks.count, tasks)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("row", TABLE.rows, ids=TABLE.ids)
def test_a_mistake_loses_exactly_its_points_and_is_explained(row, folder):
    assert TABLE.explained(row, folder)


@pytest.mark.slow
def test_together_they_lose_nothing_else(folder):
    assert len(TABLE.groups) < 20 and TABLE.nothing_else_lost(folder)


def test_the_master_has_all_points_whatever_the_seed(folder):
    for seed in ("1", "2", "another"):
        result = handin.grade(folder, handin.changed(name="A4"), "A4", seed)
        assert (handin.lost(result), result.incidents) == ({}, [])


def test_right_but_unusual_answers_lose_nothing(folder):
    result = handin.grade(folder, handin.changed(*(row[1:] for row in RIGHT), name="A4"), "A4")
    assert (handin.lost(result), result.incidents) == ({}, [])


def test_the_released_copy_scores_nothing_and_stops_at_its_first_task(folder):
    handed_out = student_copy(handin.master("A4"))
    result = handin.grade(folder, handed_out, "A4")
    assert result.points() == 0 and result.incidents == [] and not any(outcome.begun for outcome in result.outcomes)
    namespace = {}
    with pytest.raises(NotImplementedError, match="task posterior: not begun"):
        for cell in code_cells(handed_out):
            if cell["id"] != "a4-setup":  # its %pip is for a fresh Colab
                exec(cell["source"], namespace)
    assert cell["metadata"]["nbgrader"]["grade_id"] == "check-posterior"
