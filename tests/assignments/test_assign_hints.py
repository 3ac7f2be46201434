"""What public checks say of mistakes, in the student's own environment."""

import handin
import pytest

from vbook.assign.public import public_checks


@pytest.mark.parametrize(
    ("name", "task", "old", "new", "checked", "words"),
    [("A1", "log_likelihood", "x * log_p + (1 - x) * log_1_p", "x * logits - logits.exp().log1p()", "log_likelihood", "softplus"),
     ("A1", "log_evidence", "log_px_z.logsumexp(0)", "((log_px_z - log_px_z.max()).exp().sum(0).log() + log_px_z.max())",
      "log_evidence", "e^500"),
     ("A1", "kl", "0.5 *", "-0.5 *", "losses", "look at `kl`"),
     ("A2", "coverage", "shares >= 0.01", "shares > 0.01", "coverage", "one in a hundred"),
     ("A3", "couple", "s.sum(-1)", "s.mean(-1)", "encode", "look at `couple`"),
     ("A3", "uncouple", "(y - t)", "(y + t)", "decode", "look at `uncouple`"),
     ("A4", "kl", "return 0.5 *", "return", "bound_terms", "look at `kl`")],
)  # fmt: skip
def test_a_public_check_says_what_is_wrong_or_where_else_to_look(name, task, old, new, checked, words, tmp_path):
    path = handin.write(tmp_path, "ada", handin.changed((task, old, new), name=name), name)
    says = {check.name: check.says for check in public_checks(path)}[checked]
    assert words in says, f"{checked} of {name} says {says!r}"
