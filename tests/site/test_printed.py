"""The printed book: one page of all, its cover and contents, and the PDF that a browser makes of it."""

import functools
import json
import re
import shutil
from collections import Counter

import pypdf
import pytest
from bs4 import BeautifulSoup
from look import visit

from vbook.errors import VbookError
from vbook.results import records
from vbook.site import editions, printed
from vbook.site.cover import read_facts
from vbook.site.editions import COLUMN, FIT, print_book
from vbook.site.state import STATE

ORIGIN = {"profile": "laptop", "committed": ["03-next"], "commit": "0123456789abcdef", "day": "2024-02-29", "changed": True}
LINES = 140  # more than a page takes


def _lines(form: str) -> str:
    return "".join(form.replace("K", str(k)) for k in range(LINES))


PRINTED = '<div class="highlight-x"><div class="highlight"><pre>' + _lines("code-K-\n") + "</pre></div></div>"
LONG = {
    "code": PRINTED,
    "output": f'<div class="cell"><div class="cell_output"><div class="output stream">{PRINTED.replace("code", "output")}'
    "</div></div></div>",
    "rows": f'<div class="pst-scrollable-table-container"><table>{_lines("<tr><td>rows-K-</td></tr>")}</table></div>',
    "items": f"<ul>{_lines('<li>items-K-</li>')}</ul>",
    "folded": '<details class="vbook-details"><summary>Folded</summary><div class="vbook-details-body">'
    f"{_lines('<p>folded-K-</p>')}</div></details>",
}
BROKEN = "This heading is so long that it doesn't fit on a line, and where it is broken it has a blank that isn't printed"
SQUARE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='920' height='920'%3E%3C/svg%3E"
OWN_ROWS = "<tr><td><p>own</p></td><td><p>1</p></td></tr>" * 12
OWN = f'<p>own-head</p><div class="pst-scrollable-table-container"><table>{OWN_ROWS}</table></div>'
WIDE_THINGS = (
    f"<h2>{BROKEN}</h2>"
    f'<p>Numbers of our own.</p><div class="vbook-own">{OWN * 12}{OWN.replace("<table", "<table id=own")}</div>'
    f'<div class="vw"><img class="vw-static" src="{SQUARE}" alt="A square." width="460" height="460"></div>'
    '<div class="vbook-eq"><div class="vbook-eq-math"><mjx-container jax="CHTML" display="true">'
    '<span style="display: inline-block; width: 60em; height: 1em"></span></mjx-container></div></div>'
    f"<div><table><tr>{''.join(f'<td>column{k}</td>' for k in range(20))}</tr></table></div>"
)
CODE = "experiments.<wbr>chapter12.<wbr>protocol.<wbr>ascend", "the_<wbr>solution_<wbr>by_<wbr>quadrature"
NAMES = "".join(f'<td><code class="literal"><span class="pre">{name}</span></code></td>' for name in CODE)
COVERED = (
    '<div class="vbook-coverage"><details class="vbook-details"><summary>Sections</summary><div class="vbook-details-body">'
    '<table class="vbook-listing" id="covered"><tr><th>where</th><th>what</th><th>code</th><th>test</th></tr>'
    f"<tr><td>section references</td><td>{'the bound is right, ' * 9}</td>{NAMES}</tr></table></div></details></div>"
)
SEVEN = "".join(f"cell-K-{line}\n" for line in range(1, 8))
SHORT = "".join(
    f'<blockquote style="margin-top: {k}mm"><p>quote-{k}-1<br>and<br>on<br>quote-{k}-4</p></blockquote>'
    f'<div class="highlight-x"><div class="highlight"><pre>{SEVEN.replace("K", str(k))}</pre></div></div>'
    for k in range(30)
)
EXERCISE = (
    '<p id="ex-3.1"><strong>Exercise 3.1.</strong> Show it.</p><details class="vbook-details vbook-solution">'
    '<summary>Solution</summary><div class="vbook-details-body"><p>It is shown.</p></div></details>'
)


@pytest.fixture(scope="module")
def site(sample_site, tmp_path_factory):
    """A copy of the sample with things longer and wider than a page, a measured number, and an origin."""
    copy = tmp_path_factory.mktemp("printed") / "html"
    shutil.copytree(sample_site, copy)
    page = copy / "chapters" / "03-next.html"
    long = "".join(f"<section id='long-{name}'><h2>Long {name}</h2>{html}</section>" for name, html in LONG.items())
    text = page.read_text(encoding="utf-8")
    assert "</article>" in text
    page.write_text(text.replace("</article>", f"{WIDE_THINGS}{COVERED}{EXERCISE}{SHORT}{long}</article>"), encoding="utf-8")
    state = json.loads((copy / STATE).read_text(encoding="utf-8"))
    (copy / STATE).write_text(json.dumps(state | {"origin": ORIGIN}), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def made(site, browser, tmp_path_factory):
    """The PDF of the sample, read, and its file."""
    file = print_book(site, tmp_path_factory.mktemp("pdf") / "book.pdf", browser)
    return pypdf.PdfReader(file), file


@pytest.fixture(scope="module")
def texts(made):
    """The words of each of its pages."""
    return [" ".join(page.extract_text().split()) for page in made[0].pages]


@pytest.fixture(scope="module")
def page_of(request):
    """A function that gives all pages of a site, by its fixture's name, as one; the same text each time."""

    def make(name):
        site = request.getfixturevalue(name)
        return printed.single_page(site, read_facts(site))

    return functools.cache(make)


DRAWN = re.compile(r"(<mjx-container[^>]*>).*?(?=</mjx-container>)", re.DOTALL)


@pytest.fixture(scope="module", params=["sample_site", pytest.param("built_site", marks=pytest.mark.slow)])
def one(request, page_of):
    """All pages as one, parsed, without what formulas are made of: of the sample, and of the real book."""
    return BeautifulSoup(DRAWN.sub(r"\1", page_of(request.param)), "html.parser")


def test_each_link_of_the_one_page_has_its_place(one):
    ids = Counter(node["id"] for node in one.find_all(id=True))
    assert [name for name, count in ids.items() if count > 1] == []
    inside = [a["href"][1:] for a in one.find_all("a", href=re.compile("^#."))]
    assert len(inside) > 10 and set(inside) <= set(ids)
    rest = {a["href"] for a in one.find_all("a", href=True)} - {f"#{name}" for name in inside}
    assert [href for href in rest if not href.startswith(("http", "mailto:", "#"))] == []


def test_nothing_in_the_one_page_runs_or_stays_folded(one):
    assert one.find_all(["script", "template"]) == [] and one.find_all("details", open=False) == []
    assert not one.select(".vbook-tip") and all(image.get("loading") is None for image in one.find_all("img"))
    assert all(image.get("alt") for image in one.find_all("img"))


SCREEN = re.compile(r"\b(?:point at (?:a|an|its|it) |drag |press play|click|escape|scrolls)", re.IGNORECASE)


def test_the_one_page_has_no_words_for_a_screen_and_no_code_that_draws(one):
    assert SCREEN.findall(one.get_text(" ")) == [] and not one.select(".screen, kbd")
    assert not {box.summary.get_text() for box in one.select(".cell > details")} & printed.UNPRINTED
    assert one.select(".cell_input") and not one.select(".edition-solutions details")
    assert [item for item in one.select("article li") if not item.get_text(strip=True)] == []


def test_what_paper_has_no_use_for_goes_with_all_around_it():
    parts = {
        "<p>Look.<span class='screen'> <b>Point</b> at it.</span></p>": "<p>Look.</p>",
        "<ul><li><p><span class='screen'>Drag.</span></p></li><li>On.</li></ul>": "<ul><li>On.</li></ul>",
        "<ul><li><span class='screen'>Drag <i class='screen'>it</i>.</span></li></ul>": "",
        "<div class='cell'><details><summary> Code</summary>draw()</details><img/></div>": "<div class='cell'><img/></div>",
        "<div class='cell'><details><summary>Setup</summary>pip</details></div>": "",
        "<div class='cell'>shown()</div>": "<div class='cell'>shown()</div>",
        "<details><summary>Code</summary>a proof's</details>": "<details><summary>Code</summary>a proof's</details>",
    }
    article = BeautifulSoup(f"<article>{''.join(parts)}</article>", "html.parser").article
    printed._leave_out(article)
    assert str(article) == f"<article>{''.join(parts.values())}</article>".replace("'cell'", '"cell"')


def test_the_numbers_of_the_one_page_say_where_they_come_from(one):
    assert one.select(".vbook-number")
    for article in one.select("article:has(.vbook-number)"):
        marks, lines = article.select("sup.edition-mark a"), article.select(".edition-sources li")
        assert {a["href"][1:] for a in marks} == {line["id"] for line in lines}
        assert [int(line["id"].rpartition("-")[2]) for line in lines] == list(range(1, len(lines) + 1))
    shown = {line.code.get_text() for line in one.select(".edition-sources li:has(> code)")}
    assert shown <= set(records())


def test_the_contents_name_every_page_and_the_sections_of_chapters(one):
    rows = [row["href"][1:] for row in one.select(".edition-contents a")]
    assert [article["id"] for article in one.select("article")] == [row for row in rows if "--" not in row]
    heads = one.select("article[id^=chapters-] section:not(.edition-sources) > h2")
    sections = [head.parent["id"] for head in heads if head.parent.get("id")]
    assert sections and [row for row in rows if "--" in row] == sections
    assert [row.get_text() for row in one.select(".edition-page")] == [printed.FILLER] * len(rows)
    captions = [caption.get_text() for caption in one.select(".edition-contents p")]
    assert captions[0] == "The thesis" and captions[-1] == "About the book"


@pytest.mark.parametrize(
    "size, kind, paper",
    [((640, 320), "", 480), ((640, 1280), "", 190), ((640, 320), "vw-static", 480), ((460, 460), "vw-static", 300)],
)
def test_a_picture_is_smaller_on_paper_and_never_taller_than_a_page_bears(size, kind, paper):
    image = BeautifulSoup(
        f'<img src="../a.png" class="{kind}" loading="lazy" width="{size[0]}" height="{size[1]}">', "html.parser"
    )
    printed._place_picture(image.img, "chapters/x.html")
    assert (
        image.img["style"] == f"width: {paper}px; height: auto"
        and image.img["src"] == "a.png"
        and "loading" not in image.img.attrs
    )


@pytest.mark.browser
def test_the_page_numbers_in_the_contents_are_those_of_the_pages(made, texts):
    contents = " ".join(text for text in texts if text.startswith("Variational Inference and Deep Learning Contents"))
    assert printed.FILLER not in contents
    heads = {"The bound": "The bound", "Next": "Next", "Notation": "Notation"} | {f"Long {name}": f"{name}-0-" for name in LONG}
    for head, word in heads.items():
        number = int(re.search(rf"{head} (\d+)\b", contents)[1])
        assert word in texts[number - 1] and number > 2, head
    assert len({re.search(rf"Long {name} (\d+)", contents)[1] for name in LONG}) == len(LONG)


@pytest.mark.browser
def test_an_exercise_and_its_solution_name_each_others_pages(texts):
    contents = " ".join(text for text in texts if text.startswith("Variational Inference and Deep Learning Contents"))
    pairs = [(k, text) for k, text in enumerate(texts, 1)]
    ((asked, there),) = [(k, int(n)) for k, text in pairs for n in re.findall(r"Show it. Solution on page (\d+)", text)]
    ((solved, back),) = [(k, int(n)) for k, text in pairs for n in re.findall(r"Exercise 3.1 page (\d+) It is", text)]
    assert (there, back) == (solved, asked) and solved > asked
    assert re.search(rf"Solutions to the exercises {solved}\b", contents)


@pytest.mark.browser
def test_a_box_is_not_broken_and_code_not_behind_its_first_lines(texts):
    pages = {found: k for k, text in enumerate(texts) for found in re.findall(r"(?:quote|cell)-\d+-\d", text)}
    assert len({pages[f"quote-{k}-1"] for k in range(30)}) > 2
    assert [k for k in range(30) if pages[f"quote-{k}-1"] != pages[f"quote-{k}-4"]] == []
    assert [k for k in range(30) if pages[f"cell-{k}-1"] != pages[f"cell-{k}-4"]] == []


@pytest.mark.browser
def test_long_columns_begin_right_below_their_head(texts):
    (page,) = [text for text in texts if "Numbers of our own" in text]
    assert "own-head own 1" in page


@pytest.mark.browser
def test_what_is_long_goes_on_overleaf_and_leaves_no_page_half_empty(made, texts):
    for name in LONG:
        assert [k for text in texts for k in map(int, re.findall(rf"{name}-(\d+)-", text))] == list(range(LINES))
        pages = [k for k, text in enumerate(texts) if re.search(rf"{name}-\d+-", text)]
        assert f"Long {name}" in texts[pages[0]] and len(pages) > 1, name
        for k in pages[:-1]:
            assert _lowest(made[0].pages[k]) < ROOM, f"page {k + 1}, {name}"


ROOM = 57 + 40  # points: the lower margin, and three lines with what stands between them


def _lowest(page) -> float:
    """The height above the paper's edge, in points, of the last line, that of the page number aside."""
    heights = []

    def note(text, transform, matrix, font, size):
        if text.strip():
            heights.append(matrix[5] * transform[3] + transform[5])

    page.extract_text(visitor_text=note)
    return sorted(height for height in set(heights) if height > 57)[0]


@pytest.mark.browser
def test_the_cover_says_what_the_book_is_and_where_it_comes_from(texts, site):
    facts = read_facts(site)
    for part in ("title", "subtitle", "authors"):
        assert facts[part] and facts[part] in texts[0]
    assert facts["address"].removeprefix("https://") in texts[0]
    assert len(facts["sources"]) == 5 and "Kingma" in texts[0] and "A New Synthesis" in texts[0]
    for part in ("laptop", "03-next", "012345678 with local changes", "2024-02-29", "Chapters so far 2, 3"):
        assert part in texts[0]


def test_a_site_without_a_note_is_refused(sample_site, tmp_path):
    shutil.copytree(sample_site, tmp_path / "html", ignore=shutil.ignore_patterns(STATE))
    with pytest.raises(VbookError, match="doesn't say what it was built from: build it again"):
        print_book(tmp_path / "html", tmp_path / "book.pdf")


@pytest.mark.browser
def test_the_head_names_the_book_and_the_chapter_and_the_foot_the_page(texts):
    title = "Variational Inference and Deep Learning"
    for number, text in list(enumerate(texts, 1))[1:]:
        assert re.match(rf"{title} .+? {number} ", text)
    assert re.match(rf"{title} [A-Z]", texts[0])  # the cover's own title: it has neither head nor foot
    page = next(text for text in texts if "It falls short by the divergence" in text)
    assert page.startswith(f"{title} Variational autoencoders ")


@pytest.mark.browser
def test_the_file_describes_itself_and_is_the_same_each_time(made, site, browser, tmp_path):
    book, file = made
    facts = read_facts(site)
    told = book.metadata
    assert (told.title, told.author, told.subject) == (facts["title"], facts["authors"], facts["subtitle"])
    assert told.creation_date.date().isoformat() == ORIGIN["day"] and "/ModDate" not in told
    catalogue = book.trailer["/Root"]
    assert catalogue["/Lang"] == "en" and catalogue["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in catalogue
    assert print_book(site, tmp_path / "again.pdf", browser).read_bytes() == file.read_bytes()


@pytest.mark.browser
def test_the_printed_book_has_every_page_its_pictures_and_an_outline(made, texts, site):
    book, _ = made
    for part in ("Contents", "The bound", "Solution in code", "(2.23)", "Notation"):
        assert any(part in text for text in texts)
    assert book.pages[0].mediabox.height == pytest.approx(842, abs=1)  # points, of A4
    titles = [entry["/Title"] for entry in _flat(book.outline)]
    assert titles[:2] == ["Variational Inference and Deep Learning", "Contents"]
    assert {"The bound", "Notation", BROKEN} <= set(titles)
    links = [note.get_object() for page in book.pages for note in page.get("/Annots", [])]
    inside = [str(link["/Dest"]) for link in links if "/Dest" in link]
    assert len(inside) > 5 and set(inside) <= set(book.named_destinations)
    assert not [link for link in links if str(link.get("/A", {}).get("/URI", "")).startswith("file:")]
    assert sum(len(page.images) for page in book.pages) >= 1  # both figures of the sample are one picture
    assert not list(site.glob(".edition*"))


def _flat(outline):
    for entry in outline:
        if isinstance(entry, list):
            yield from _flat(entry)
        else:
            yield entry


WIDE = """() => [...document.querySelectorAll(".edition *")].filter((node) => !node.closest("mjx-assistive-mml"))
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => `${node.tagName} ${Math.round(node.getBoundingClientRect().right)}: ${node.textContent.slice(0, 60)}`)"""


STARTS = """(nodes) => nodes.map((node) => {
  const range = document.createRange(), starts = {};
  range.selectNodeContents(node);
  for (const { top, left } of range.getClientRects()) starts[Math.round(top)] = Math.min(left, starts[Math.round(top)] ?? left);
  return Object.values(starts);
})"""  # where each line of a code word starts
HIGH = """() => [...document.querySelectorAll(".edition-mark")].filter((mark) => {
  const { top, height } = mark.getBoundingClientRect(), size = parseFloat(getComputedStyle(mark).fontSize);
  return top + (height - size) / 2 < mark.closest("p, td, li, dd").getBoundingClientRect().top - 1; }).length"""


@pytest.mark.browser
@pytest.mark.parametrize("name", ["site", pytest.param("built_site", marks=pytest.mark.slow)])
def test_nothing_is_wider_than_the_paper(name, browser, request, page_of):
    file = request.getfixturevalue(name) / ".edition.html"
    file.write_text(page_of(name), encoding="utf-8")
    try:
        with visit(browser, file.as_uri(), width=COLUMN) as page:
            page.emulate_media(media="print")
            assert name == "built_site" or len(page.evaluate(WIDE)) > 2
            page.evaluate(FIT)
            assert page.evaluate(WIDE) == [] and page.complaints == []
            assert page.locator("[id$=own]").evaluate_all("(tables) => tables.map((table) => table.style.fontSize)") in ([""], [])
            for starts in page.locator("[id$=covered] code").evaluate_all(STARTS):
                assert len(starts) <= 2 and max(starts) - min(starts) < 1
            assert page.locator(".edition-mark").count() and page.evaluate(HIGH) == 0  # else a page's edge cuts the mark
            flat = page.evaluate("""() => [...document.images].filter((image) =>
              Math.abs(image.width / image.height / (image.naturalWidth / image.naturalHeight) - 1) > 0.02).length""")
            assert flat == 0  # pictures keep their proportions
            grounds = page.evaluate("""() => [...document.querySelectorAll("body, body *")].map((node) => {
              const colour = getComputedStyle(node).backgroundColor, [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
              return 255 * (1 - a) + (a * (r + g + b) * (colour.startsWith("color(srgb") ? 255 : 1)) / 3; })""")
            assert min(grounds) > 230  # of 255: paper, and the tint of a question
    finally:
        file.unlink()


def test_page_numbers_that_never_settle_are_told(monkeypatch, tmp_path):
    moving, printed_texts = iter(range(7, 99)), []
    file = tmp_path / "page.html"
    file.write_text(f'<span data-page="a">{printed.FILLER}</span>')
    monkeypatch.setattr(editions, "_print_once", lambda *args: (printed_texts.append(file.read_text()) or b"", []))
    monkeypatch.setattr(editions, "page_numbers", lambda made, places: {place: next(moving) for place in places})
    with pytest.raises(VbookError, match="still move after 3 printings"):
        editions._print(None, file)
    assert [re.search(r">(\d+)<", text)[1] for text in printed_texts] == [printed.FILLER, "7", "9"]
