"""The worked solutions of a printed chapter, at its end."""

from bs4 import BeautifulSoup

from vbook.site.answers import FILLER, move_solutions

CHECK = '<div class="cell tag_check">check K</div>'


def solution(k: int) -> str:
    return (
        f'<details class="vbook-details vbook-solution" id="a--fold-{k}" open><summary>Solution</summary>'
        f'<div class="vbook-details-body"><p>Answer {k}.</p></div></details>'
    )


def in_code(k: int) -> str:
    return f'<div class="cell tag_solution">{solution(k).replace("Solution", "Solution in code").replace("Answer", "Code")}</div>'


def exercise(number: str, *rest: str) -> str:
    return f'<p id="a--ex-{number}"><strong>Exercise {number}.</strong> Show it.</p>{"".join(rest)}'


def moved(*parts: str):
    soup = BeautifulSoup(f'<article id="a"><section>{"".join(parts)}</section></article>', "html.parser")
    move_solutions(soup, soup.article, "a")
    return soup.article


def test_a_solution_moves_to_the_end_and_each_leads_to_the_other():
    article = moved(exercise("2.1", "<ul><li>Or this.</li></ul>", solution(1)), "<p>On.</p>")
    text, end = article.find_all("section", recursive=False)
    assert text.get_text("|") == f"Exercise 2.1.| Show it.|Or this.|Solution on page |{FILLER}|On."
    assert (end["id"], end.h2.get_text()) == ("a--solutions", "Solutions to the exercises")
    there = text.select_one("p.edition-pointer a")
    assert there["href"] == "#" + end.section["id"] and there.span["data-page"] == end.section["id"]
    back = end.h3.a
    assert (back.get_text(), back["href"]) == ("Exercise 2.1", "#a--ex-2.1")
    assert end.select_one(".edition-solution-head > a span")["data-page"] == "a--ex-2.1"
    assert end.section.p.get_text() == "Answer 1." and not article.find_all(["details", "summary"])
    assert article.find(id="a--fold-1") in end.find_all("div")


def test_code_of_a_solution_and_the_cells_right_below_it_move_too():
    article = moved(
        '<div class="cell">before</div>',
        exercise("2.1", in_code(1), solution(2), CHECK, CHECK, "<p>On.</p>", CHECK),
        exercise("2.2", solution(3), CHECK),
    )
    text, end = article.find_all("section", recursive=False)
    first, second = (section.get_text("|") for section in end.find_all("section"))
    assert first.endswith("|Code 1.|Answer 2.|check K|check K") and second.endswith("|Answer 3.|check K")
    assert text.get_text("|").count("check K") == 1 and text.div.get_text() == "before"


def test_other_folded_blocks_stay():
    step = "<details class='vbook-details'><summary>Why?</summary>Because.</details>"
    article = moved(step, solution(1), exercise("2.1"), "<p>Think.</p>", step, "<section><h3>On</h3>", solution(2), "</section>")
    assert article.find("section").find_next_sibling() is None and not article.select(".edition-pointer")
    assert len(article.find_all("details")) == 4


def test_solutions_stand_by_number():
    article = moved(*(exercise(f"2.{k}", solution(k)) for k in (10, 9, 2)))
    assert [head.get_text() for head in article.find_all("h3")] == ["Exercise 2.2", "Exercise 2.9", "Exercise 2.10"]
