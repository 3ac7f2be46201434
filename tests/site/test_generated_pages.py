"""The pages made from data: what their tables say, and that their links find sections, algorithms and figures."""

import base64
import io
import json
from dataclasses import replace

import pytest

from vbook.errors import VbookError
from vbook.ledger import Entry, Erratum, Ledger, Verdict
from vbook.results import Record
from vbook.site import build, errata_page, pages, results_page
from vbook.site.build import build_site

CHAPTER = "chapters/02-variational-autoencoders.ipynb"
METRICS = {"elbo": dict(mean=-101.27, standard_error=0.2, unit="nats"), "gap": dict(mean=5.43, standard_error=0.12, unit="nats")}
RECORD = Record(
    "ch02-vae-20", "laptop", [0], METRICS, {}, {}, wall_time_s=1234.5, device="CPU, 2 threads", date="2026-11-05T01:02:03Z"
)
TARGET = dict(
    id="thesis/sec-2.3/a", value=-101.8, unit="nats", direction="higher", protocol="p(x|z), 40 epochs", source="somebody"
)
JUDGED = Verdict(TARGET, "better", 0.53, 0.4, RECORD, "elbo")
LEDGER = Ledger(
    (
        Entry("thesis/sec-2.3", "section", "ELBO", "closed", f"{CHAPTER}#sec-2.3"),
        Entry("thesis/eq-2.10", "estimator", "the bound", "closed", f"{CHAPTER}#eq-2.10", "vbook.bounds.elbo", "a.py::test_elbo"),
        Entry("thesis/alg-1", "algorithm", "AEVB", "closed", f"{CHAPTER}#alg-1", "vbook.training.fit", "a.py::test_fit"),
        Entry("thesis/fig-2.1", "figure", "maps", "closed", f"{CHAPTER}#fig-2.1"),
        Entry("thesis/eq-2.11", "identity", "later", "open"),
    ),
)
ERRATUM = Erratum(
    "thesis/eq-2.10", "formula", "equation (2.10)", "$a_b$", "$a^b$", "because", f"{CHAPTER}#eq-2.10", "a.py::test_it"
)

LATER = Erratum("adams/sec-7", "wording", "section 7", "this", "that", "because")


def cells(markdown: str) -> list[list[str]]:
    """The cells of a Markdown table without its rule."""
    rows = [line.strip("|").split(" |") for line in markdown.splitlines() if not line.startswith("|---")]
    return [[cell.strip(" |") for cell in row if cell.strip(" |")] for row in rows]


def test_results_have_target_record_and_verdict():
    _, row = cells(results_page.results_table([JUDGED]))
    row = [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row]
    assert row == [
        "p(x\\|z), 40 epochs. *somebody*",
        "better by 0.53 nats",
        "[−101.8](target:thesis/sec-2.3/a) nats",
        "[−101.3](record:ch02-vae-20.laptop/elbo) nats",
        "laptop, CPU, 2 threads, 5 Nov 2026",
    ]


FACTOR = JUDGED.target | {"value": 100.0, "unit": "times"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(word="reproduced"), "reproduced"),
        (dict(word="short", difference=-21.3), "**short by 21 nats**"),
        (dict(word="different", difference=2.0), "**different by 2.0 nats**"),
        (dict(word="different", difference=-89.1, target=FACTOR), "**different by a factor of 9.2, smaller**"),
        (dict(word="different", difference=300.0, target=FACTOR), "**different by a factor of 4.0, larger**"),
        (dict(word="partial", record=replace(RECORD, status="partial", reason="interrupted")), "**partial: interrupted**"),
        (dict(word="stale"), "**stale: the experiment has changed since**"),
        (dict(word="not run", record=None, difference=None), "**not run**"),
    ],
)
def test_failures_are_in_plain_sight(change, said):
    assert results_page.said(replace(JUDGED, **change)) == said
    assert said in results_page.results_table([replace(JUDGED, **change)])


def test_runs_say_what_ran_where():
    rows = cells(results_page.runs_table({RECORD.id: RECORD}))
    ours = next(row for row in rows if row[0].startswith("`ch02-vae-20`"))
    assert ours[1:] == [
        "5 Nov 2026, 1,234 s".replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", "),
        "**not run**",
        "never",
    ]
    on_gpu = replace(RECORD, profile="paper", device="NVIDIA H200", status="partial", reason="out of time")
    rows = cells(results_page.runs_table({on_gpu.id: on_gpu}))
    ours = next(row for row in rows if row[0].startswith("`ch02-vae-20`"))
    assert ours[1] == "**not run**" and "partial: out of time" in ours[2] and ours[3] == "yes"


def test_own_measurements_leave_out_what_a_source_reports_and_smoke():
    known = {r.id: r for r in (RECORD, replace(RECORD, profile="smoke"), replace(RECORD, experiment="chapter-02"))}
    title, _, *rows = results_page.own_table(known, [JUDGED]).splitlines()
    assert title == "**`ch02-vae-20.laptop`**: VAE 784-500-20 on static binary MNIST"
    assert cells("\n".join(rows))[1:] == [["`gap`", "[5.43](record:ch02-vae-20.laptop/gap) ± 0.12 nats"]]
    assert results_page.own_table({}, []) == "None yet."
    for change, words in (
        (dict(dirty=True, experiment_digest="sha256:x"), ", **measured with local changes**"),
        (dict(experiment_digest="sha256:of other code"), ", **stale: the experiment has changed since**"),
        (dict(status="partial", reason="out of time"), ", **partial: out of time**"),
    ):
        doubtful = replace(RECORD, **change)
        assert words in results_page.own_table({doubtful.id: doubtful}, []) and words in results_page.runs_table(
            {doubtful.id: doubtful}
        )
    counted = replace(RECORD, metrics={"active": {"mean": 10.0, "unit": "latents"}})
    assert "[10](record:ch02-vae-20.laptop/active) latents" in results_page.own_table({counted.id: counted}, [])


def cell(row: str, column: str, value: float) -> Verdict:
    """One cell of a printed table that nobody has measured yet."""
    titles = {"a": "flat", "b": "IAF", "x": "bound", "y": "time"}
    target = TARGET | {"id": f"thesis/table-5.1/{row}/{column}", "table": "thesis/table-5.1", "title": "Bounds", "mark": "S"}
    target |= {"row": row, "column": column, "row_title": titles[row], "column_title": titles[column], "value": value}
    target["protocol"] = f"{titles[row]}, {titles[column]}: MNIST"
    return Verdict(target, "not run")


CELLS = [cell("a", "x", -1.5), cell("b", "x", -1.0), cell("b", "y", 12000)]


def test_a_printed_table_keeps_its_shape():
    ((heading, members),) = results_page.groups(CELLS).items()
    note, _, *rows = results_page.group_table(members).splitlines()
    assert (heading, note) == ("Somebody: Bounds", "MNIST. Stated in the source.")
    assert [row.strip("|").split("|") for row in rows if "---" not in row] == [
        ["  ", " bound (nats) ", " time (nats) "],
        [" flat ", " −1.5 ", " – "],
        [" IAF ", " −1.0 ", " 12,000 "],
    ]


def test_numbers_without_a_table_are_listed_by_source_and_chapter():
    other = replace(JUDGED, target=TARGET | {"id": "assignment/vae/b"})
    assert list(results_page.groups([JUDGED, other])) == [
        "The thesis, single numbers for chapter 2",
        "The assignment on deep generative models, single numbers for chapter 13",
    ]
    assert cells(results_page.group_table([other]))[1] == ["p(x\\|z), 40 epochs. *somebody*", "−101.8 nats; better by 0.53 nats"]


def test_the_counts_by_source():
    head, thesis, total = cells(results_page.summary_table([JUDGED, *CELLS]))
    assert head == ["source", "numbers", "not run", "better"] and thesis == ["The thesis", "4", "3", "1"]
    assert total == ["**all**", "**4**", "**3**", "**1**"]


def test_what_was_measured_is_drawn_where_there_are_two_numbers_on_one_scale():
    two = [JUDGED, replace(JUDGED, target=TARGET | {"spread": 0.2, "tolerance": 0.1})]
    made = results_page.comparison_picture("A & B", two)
    assert "data:image/png;base64,iVBOR" in made and "A &amp; B" in made and made.count("better by 0.53 nats") == 2
    assert not results_page.comparison_picture("one", two[:1]) and not results_page.comparison_picture("none", CELLS)
    assert not results_page.comparison_picture("two units", [JUDGED, replace(JUDGED, target=TARGET | {"unit": "s"})])


def test_coverage_counts_closed_equations_only():
    more = (Entry("thesis/rq-2", "question", "does it?", "open"), Entry("adams/table-2", "table", "t", "open"))
    known = replace(LEDGER, entries=LEDGER.entries + more)
    assert cells(pages.coverage_table(known))[1:] == [
        ["The thesis, chapter 2", "1 of 2", "4 of 5"],
        ["The thesis as a whole", "–", "0 of 1"],
        ["Exploiting uncertainty of the loss landscape", "–", "0 of 1"],
        ["**all**", "**1 of 2**", "**4 of 7**"],
    ]
    closed = pages.entries_tables(known)
    assert "later" not in closed
    assert [closed.count(head) for head in ("| where | what |\n", "| where | what | code | test |\n")] == [2, 2]
    left = pages.open_tables(known)
    rows = ("chapter 2: 1 open", "| (2.11) | identity | later |", "| table 2 | table | t |")
    assert [left.count(words) for words in rows] == [1, 1, 1]
    assert "| research question 2 | question | does it? |" in left and "ELBO" not in left


def test_the_real_ledger_goes_through():
    known = pages.ledger()
    assert sum(map(len, pages.parts(known).values())) == len(known.entries)
    assert pages.open_tables(known).count("\n| ") > sum(entry.status == "open" for entry in known.entries)


def test_state_counts():
    said = pages.state(LEDGER, [JUDGED, replace(JUDGED, word="not run")], (ERRATUM,))
    assert "1 of the thesis's 2 numbered equations" in said and "2 reported numbers" in said and "1 better, 1 not run" in said
    assert "1 mistake has" in said and "2 mistakes have" in pages.state(LEDGER, [], (ERRATUM, ERRATUM))


def test_errata_by_source_and_chapter_and_counted():
    both = (ERRATUM, LATER)
    assert list(errata_page.groups(both)) == ["The thesis, chapter 2", "Exploiting uncertainty of the loss landscape"]
    _, *rows = cells(errata_page.count_table(both))
    assert [row[1:] for row in rows] == [["1", "1", "–"], ["1", "–", "1"], ["**2**", "**1**", "**1**"]]
    assert f"](../{CHAPTER}#eq-2.10)" in errata_page.erratum_text(ERRATUM)
    text = errata_page.erratum_text(LATER)
    assert "waits for chapter 10" in text and "Check" not in text


def test_the_real_tables_can_be_made():
    """Every record and target that the book has goes through."""
    judged = results_page.verdicts()
    assert results_page.results_table(judged).count("](target:") == len(judged) > 0
    made = results_page.groups(judged)
    assert sum(map(len, made.values())) == len(judged)
    for heading, members in made.items():
        text = results_page.group_table(members)
        assert len(heading) > 9 and all(results_page._reported(one).partition(";")[0] in text for one in members)
    assert results_page.runs_table(results_page.records()).count("`ch02-") >= 5
    assert results_page.own_table(results_page.records(), judged)


def picture() -> str:
    from matplotlib.figure import Figure

    file = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def notebook() -> str:
    caption = "Figure 2.1. Two maps."
    note = {"caption": caption, "alt": "Two planes", "tone": "lines"}
    outputs = [
        dict(output_type="display_data", data={"image/png": picture()}, metadata={"vbook": note}),
        dict(output_type="display_data", data={"text/markdown": f"*{caption}*"}, metadata={"vbook": {"role": "caption"}}),
    ]
    text = "# 2 VAEs\n\n## 2.3 How good?\n\n$$ a \\tag{2.10} $$\n\n**Algorithm 1: AEVB.** See [above](#sec-2.3).\n\n1. Draw."
    made = [
        dict(cell_type="markdown", id="a", metadata={}, source=text),
        dict(cell_type="code", id="b", metadata={}, source=f'show(fig, caption="{caption}")', execution_count=1, outputs=outputs),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps(dict(cells=made, metadata=kernel, nbformat=4, nbformat_minor=5))


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one chapter and one page that has all four directives."""
    import sample

    top = sample.write(tmp_path)
    for file in (*(top / "chapters").iterdir(), *(top / "book").iterdir()):
        file.unlink()
    (top / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: chapters/02-variational-autoencoders\n"
    )
    (top / CHAPTER).write_text(notebook(), encoding="utf-8")
    blocks = (
        "{vbook-coverage} closed",
        "{vbook-coverage} open",
        "{vbook-errata}",
        "{vbook-results} targets",
        "{vbook-results} runs",
    )
    (top / "book" / "index.md").write_text("# Home\n\n" + "\n\n".join(f"```{name}\n```" for name in blocks), encoding="utf-8")
    monkeypatch.setattr(pages, "ledger", lambda: LEDGER)
    monkeypatch.setattr(errata_page, "errata", lambda: (ERRATUM, LATER))
    monkeypatch.setattr(pages, "verdicts", lambda: [replace(JUDGED, word="not run", record=None)])
    monkeypatch.setattr(results_page, "verdicts", lambda: [replace(JUDGED, word="not run", record=None)])
    monkeypatch.setattr(results_page, "records", dict)
    return top


@pytest.mark.slow
def test_pages_made_from_data_are_read_again_when_the_data_change(book, monkeypatch):
    read, judged = [], results_page.verdicts
    monkeypatch.setattr(results_page, "verdicts", lambda: read.append("results") or judged())
    build_site(top=book)
    assert read == ["results"] * 2
    (book / CHAPTER).write_text(notebook().replace("1. Draw.", "1. Draw one word more."), encoding="utf-8")
    site = build_site(top=book)
    assert "Draw one word more" in (site / CHAPTER).with_suffix(".html").read_text(encoding="utf-8") and len(read) == 2
    monkeypatch.setattr(build.inputs, "of_data", lambda top: "other data")
    build_site(top=book)
    assert len(read) == 4


@pytest.mark.slow
def test_links_find_their_places_and_a_missing_place_stops_the_build(book):
    site = build_site(top=book)
    chapter = (site / CHAPTER).with_suffix(".html").read_text(encoding="utf-8")
    home = (site / "book" / "index.html").read_text(encoding="utf-8")
    for place in ("sec-2.3", "eq-2.10", "alg-1", "fig-2.1"):
        assert chapter.count(f'id="{place}"') == 1
        assert f'href="../chapters/02-variational-autoencoders.html#{place}"' in home
    assert 'href="#sec-2.3"' in chapter
    assert "Equation (2.10)" in home and "not run" in home and "waits for chapter 10" in home
    fold = home.partition('id="thesis-eq-2-10"')[0].rpartition("<details")[2]
    assert "</details>" not in fold, "the target lies outside of its fold, which a link wouldn't open"
    (book / CHAPTER).write_text(notebook().replace("Algorithm 1", "Method 1"), encoding="utf-8")
    with pytest.raises(
        VbookError, match=r"book/index: link to chapters/02-variational-autoencoders#alg-1, a place that isn't there"
    ):
        build_site(top=book)
