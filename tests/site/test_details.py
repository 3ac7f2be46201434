from hypothesis import given
from hypothesis import strategies as st

from vbook.site.details import fold


def test_code_fences_are_left_alone():
    text = "```html\n<details><summary>a</summary>\nb\n</details>\n```"
    assert fold(text) == text


def test_a_block_that_never_ends_is_left_alone():
    text = "<details><summary>a</summary>\nb"
    assert fold(text) == text


def test_open_and_missing_summary():
    assert fold("<details open>\nb\n</details>") == "~~~~{vbook-details} Details\n:open: true\n\nb\n\n~~~~"


def test_what_follows_the_end_of_a_block_stays():
    assert fold("<aside>a</aside> and b").endswith("a\n\n~~~~\n\nand b")


def test_a_class_does_not_open_a_block():
    assert ":open: false" in fold('<details class="open opening"><summary>a</summary>b</details>')
    assert ":open: true" in fold('<details class="x" open><summary>a</summary>b</details>')


def test_one_line_and_text_around():
    folded = fold("before\n\n<details><summary>a `b`</summary>c</details>\n\nafter")
    assert folded == "before\n\n~~~~{vbook-details} a `b`\n:open: false\n\nc\n\n~~~~\n\nafter"


def test_a_summary_over_two_lines():
    assert fold("<details>\n<summary>a\nb</summary>\n\nc\n</details>").startswith("~~~~{vbook-details} a b\n")


def test_nested_blocks_get_longer_fences_outside():
    folded = fold("<details><summary>a</summary>\n<details><summary>b</summary>\nc\n</details>\nd\n</details>")
    assert folded.startswith("~~~~~{vbook-details} a\n") and folded.endswith("\nd\n\n~~~~~")
    assert "\n~~~~{vbook-details} b\n" in folded


def test_details_inside_code_inside_a_block():
    folded = fold("<details><summary>a</summary>\n\n```html\n</details>\n```\n\nlast\n</details>\nafter")
    assert folded.endswith("```html\n</details>\n```\n\nlast\n\n~~~~\nafter")


@given(st.lists(st.sampled_from(["text", "", "```", "~~~", "- item", "$$a$$", "> quote"])))
def test_text_without_details_comes_back_as_it_is(lines):
    text = "\n".join([*lines, "end"])
    assert fold(text) == text
