"""Links and formulas are found in prose, never in code."""

from vbook.pipeline import markdown

TEXT = """Bound [−101.3](record:a.laptop/elbo) and `[1](target:x)`.

```python
[2](target:y)  # $$ not \\tag{9.9} maths $$
```

$$ x \\tag{2.1} $$ and [(2.1)](#eq-2.1), [see (3.2)](03-next.ipynb#eq-3.2), ``a ` [4](target:z)``.
"""


def test_number_links_outside_code_only():
    assert markdown.number_links(TEXT) == [("−101.3", "record:a.laptop/elbo")]


def test_equations_outside_code_only():
    assert markdown.equations(TEXT) == [["2.1"]]


def test_equation_links():
    assert markdown.equation_links(TEXT) == [("(2.1)", "", "2.1"), ("see (3.2)", "03-next.ipynb", "3.2")]


def test_rewriting_touches_the_number_and_nothing_else():
    assert markdown.with_numbers(TEXT, lambda text, reference: f"<{text}|{reference}>") == TEXT.replace(
        "[−101.3]", "[<−101.3|record:a.laptop/elbo>]"
    )


def test_several_links_on_a_line_keep_their_order():
    text = "[1](target:a) to [2](target:b), `x` [3](target:c)"
    assert markdown.with_numbers(text, lambda _, reference: reference[-1]) == "[a](target:a) to [b](target:b), `x` [c](target:c)"
