"""The worked solutions of a printed chapter: taken from below their exercises to a section at its end, each led to and back."""

FILLER = "000"  # stands for a page's number until it is known
EXERCISE = "--ex-"  # in the id of an exercise's first paragraph, before its number


def move_solutions(soup, article, slug: str) -> None:
    """Move what solves each exercise of ``article``, in place, to a section at its end whose ids begin with ``slug``,
    by number.

    A solution is the folded blocks right after an exercise and the cells that follow them without a word between: they check
    what the solution has said. Nothing happens where there is none.
    """
    solved = {}
    for exercise in article.select(f'p[id*="{EXERCISE}"]'):
        parts = _solution(exercise)
        if parts:
            number = exercise["id"].rpartition(EXERCISE)[2]
            place = f"{slug}--solution-{number}"
            pointer = _tag(soup, "p", "edition-pointer")
            pointer.append(_page(soup, "Solution on page ", place))
            parts[0].insert_before(pointer)
            section = _tag(soup, "section", "edition-solution", id=place)
            section.extend([_head(soup, number, exercise["id"]), *(_unfolded(part) for part in parts)])
            solved[number] = section
    if solved:
        made = _tag(soup, "section", "edition-solutions", id=f"{slug}--solutions")
        made.append(_tag(soup, "h2", text="Solutions to the exercises"))
        made.extend(solved[number] for number in sorted(solved, key=lambda number: [part.zfill(4) for part in number.split(".")]))
        article.append(made)


def _solution(exercise) -> list:
    """The blocks that solve an exercise."""
    parts = []
    for node in exercise.find_next_siblings():
        if node.name == "section" or EXERCISE in node.get("id", ""):
            break
        if _is_solution(node) or (parts and "cell" in node.get("class", ())):
            parts.append(node)
        elif parts:
            break
    return parts


def _is_solution(node) -> bool:
    return (node.name == "details" and "vbook-solution" in node["class"]) or bool(node.select(":scope > .vbook-solution"))


def _unfolded(part):
    """A block whose folded box, if it is or has one, is a plain one: what it holds stands under a head of its own now."""
    for box in [*([part] if part.name == "details" else part.select(":scope > details"))]:
        box.summary.decompose()
        box.name, box.attrs = "div", {name: value for name, value in box.attrs.items() if name == "id"}
        for body in box.select(":scope > .vbook-details-body"):
            body.unwrap()
    return part


def _head(soup, number: str, exercise: str):
    """The head of a solution: the exercise, as a link, and its page."""
    head, title = _tag(soup, "div", "edition-solution-head"), _tag(soup, "h3")
    title.append(_tag(soup, "a", text=f"Exercise {number}", href=f"#{exercise}"))
    head.extend([title, _page(soup, "page ", exercise)])
    return head


def _page(soup, words: str, place: str):
    """A link that ends with the number of the page to which it leads."""
    link = _tag(soup, "a", text=words, href=f"#{place}")
    link.append(_tag(soup, "span", text=FILLER, **{"data-page": place}))
    return link


def _tag(soup, name: str, kind: str = "", text: str = "", **attributes):
    tag = soup.new_tag(name, attrs=attributes | ({"class": [kind]} if kind else {}))
    if text:
        tag.string = text
    return tag
