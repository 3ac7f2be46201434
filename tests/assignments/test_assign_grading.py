"""What grading says of a submission that isn't whole, in words and in the sheets."""

import handin
import pytest


@pytest.mark.usefixtures("walls")
def test_a_blank_task_is_named_by_those_that_call_it(tmp_path):
    result = handin.grade(tmp_path, handin.blank("scale_and_shift", name="A3"), "A3")
    begun = {outcome.check.task: outcome.begun for outcome in result.outcomes if outcome.words}
    assert begun == {"scale_and_shift": False} | dict.fromkeys(("couple", "uncouple", "encode", "decode", "log_likelihood"), True)
    assert handin.reasons(result, "scale_and_shift").startswith("not begun")
    assert "calls scale_and_shift, which is not begun" in handin.reasons(result, "couple")


@pytest.mark.usefixtures("walls")
def test_a_not_begun_that_the_notebook_doesn_t_hold_says_nothing(tmp_path):
    """Else a name made of what was asked would come back."""
    leak = 'raise NotImplementedError(f"task leak_{mu.shape[0]}: not begun")\n    return 0.5'
    result = handin.grade(tmp_path, handin.changed(("kl", "return 0.5", leak)))
    assert "leak" not in handin.reasons(result, "kl")


@pytest.mark.usefixtures("walls")
def test_an_error_names_what_it_is_about_if_the_notebook_has_it(tmp_path):
    changes = [
        ("kl", "return 0.5", "return half"),
        ("generate", "z = eps", "z = eps.sample"),
        ("draw", "return mu", "raise KeyError(f'leak_{len(mu)}')\n    return mu"),
    ]
    result = handin.grade(tmp_path, handin.changed(*changes))
    assert "kl raises NameError about 'half' (cell 26, line 3)" in handin.reasons(result, "kl")
    assert "generate raises AttributeError about 'sample' (" in handin.reasons(result, "generate")
    assert "draw raises KeyError (" in handin.reasons(result, "draw")
