"""What counts as an answer: several values in one tensor do, and what only hands on what it was given doesn't."""

import handin
import pytest

STACKED = {
    "A1": [("losses", "return reconstruction, kl(mu, log_var)", "return torch.stack([reconstruction, kl(mu, log_var)])")],
    "A3": [
        ("bend", "return x + a * t, (1 + a * (1 - t**2)).log()", "return torch.stack([x + a * t, (1 + a * (1 - t**2)).log()])"),
        (
            "scale_and_shift",
            "return scale.tanh() * (1 - mask), shift * (1 - mask)",
            "return torch.stack([scale.tanh(), shift]) * (1 - mask)",
        ),
    ],
    "A4": [
        (
            "summary",
            "return values.mean(), values.std() / math.sqrt(len(values))",
            "return torch.stack([values.mean(), values.std() / math.sqrt(len(values))])",
        ),
        (
            "slopes",
            "return f[:, None] * score, torch.stack([df, df * eps], 1)",
            "return torch.stack([f[:, None] * score, torch.stack([df, df * eps], 1)])",
        ),
    ],
}
NOTHING = [
    (
        "scale_and_shift",
        "return scale.tanh() * (1 - mask), shift * (1 - mask)",
        "return torch.zeros_like(x), torch.zeros_like(x)",
    ),
    ("couple", "return x * s.exp() + t, s.sum(-1)", "return x, 0 * s.sum(-1)"),
    ("uncouple", "return (y - t) * (-s).exp()", "return y"),
    ("encode", "return x, total", "return x, 0 * total"),
    ("decode", "return z", "return z + 0"),
]


@pytest.mark.parametrize("name", STACKED)
def test_values_in_one_tensor_lose_nothing(name, folder):
    result = handin.grade(folder, handin.changed(*STACKED[name], name=name), name)
    assert (handin.lost(result), result.incidents) == ({}, [])


def test_a_flow_that_does_nothing_earns_next_to_nothing(folder):
    """Each part follows from the part before; all of them hand on what they were given."""
    result = handin.grade(folder, handin.changed(*NOTHING, name="A3"), "A3")
    earned = {task: result.points(task) for task, *_ in NOTHING}
    assert earned["uncouple"] == earned["decode"] == 0 and sum(earned.values()) <= 4, earned
