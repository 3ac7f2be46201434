import subprocess
import sys

import pytest
import sample

from vbook.errors import VbookError
from vbook.site import build
from vbook.site.build import build_site, chapter_files, stage
from vbook.site.state import read_state

TABLE = """format: jb-book
root: book/index
parts:
  - caption: The thesis
    chapters:
      - file: chapters/02-variational-autoencoders
"""


@pytest.fixture
def book(tmp_path):
    """A book that is staged but not built."""
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_config.yml").write_text("title: x")
    (tmp_path / "_toc.yml").write_text(TABLE)
    (tmp_path / "book" / "index.md").write_text("# x")
    (tmp_path / "book" / "results" / "a.json").write_text("{}")
    (tmp_path / "chapters" / "02-variational-autoencoders.ipynb").write_text("committed")
    return tmp_path


def _stage(book, *args):
    stage(book, book / "staged", "smoke", *args)
    return book / "staged" / "chapters" / "02-variational-autoencoders.ipynb"


def test_chapters_come_from_the_table_of_contents(book):
    assert chapter_files(book) == ["chapters/02-variational-autoencoders.ipynb"]


def test_chapters_may_be_written_in_any_form_of_yaml(book):
    (book / "_toc.yml").write_text('root: book/index\nchapters:\n- file: "chapters/02-variational-autoencoders"  # the first\n')
    assert chapter_files(book) == ["chapters/02-variational-autoencoders.ipynb"]


def test_stages_the_executed_copy_of_the_profile_where_there_is_one(book):
    assert _stage(book).read_text() == "committed"
    executed = book / "_build" / "executed" / "smoke" / "02-variational-autoencoders.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_text("executed")
    assert _stage(book).read_text() == "executed"
    assert _stage(book, ["03-other"]).read_text() == "committed"


def test_chapters_whose_copy_of_the_profile_is_missing_are_told(book):
    assert stage(book, book / "staged", "laptop") == ["02-variational-autoencoders"]
    assert stage(book, book / "staged", "laptop", []) == []
    executed = book / "_build" / "executed" / "laptop" / "02-variational-autoencoders.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_text("executed")
    assert stage(book, book / "staged", "laptop") == []


def test_staging_keeps_times_removes_what_is_gone_and_leaves_records_out(book):
    first = _stage(book).stat().st_mtime_ns
    (book / "staged" / "book" / "old.md").write_text("gone")
    assert _stage(book).stat().st_mtime_ns == first
    assert sorted(file.name for file in (book / "staged" / "book").rglob("*") if file.is_file()) == ["index.md"]


def test_a_missing_chapter_is_named(book):
    (book / "chapters" / "02-variational-autoencoders.ipynb").unlink()
    with pytest.raises(VbookError, match=r"chapters/02-variational-autoencoders\.ipynb is in the table of contents"):
        _stage(book)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("_toc.yml", "\t- caption: x", r"_toc.yml can't be read \(.*line"),
        ("_toc.yml", "root: a\nchapters: [{fiel: b}]", "_toc.yml: an entry of chapters needs one of file"),
        ("_config.yml", "", "_config.yml holds no settings"),
        ("_config.yml", "- a", "_config.yml holds no settings"),
        ("_config.yml", 'title: "x', r"_config.yml can't be read \(.*line"),
    ],
)
def test_a_broken_list_of_the_book_is_told_in_words(name, text, words, book):
    (book / name).write_text(text)
    with pytest.raises(VbookError, match=words):
        build_site(top=book)


def test_a_notebook_with_a_merge_marker_is_named(book):
    with pytest.raises(VbookError, match=r"chapters/02-.*\.ipynb is no Jupyter notebook of format 4: restore it, or"):
        build_site(top=book)


def test_an_unknown_profile_is_refused(book):
    with pytest.raises(VbookError, match="did you mean 'smoke'"):
        build_site("smokey", top=book)


@pytest.fixture
def quick(book, monkeypatch):
    """A book whose pages are made without Sphinx."""

    def make(work, data):
        made = work / "sphinx" / "html"
        made.mkdir(parents=True, exist_ok=True)
        (made / "index.html").write_text((work / "stage" / "book" / "index.md").read_text())
        return made

    monkeypatch.setattr(build, "_make", make)
    monkeypatch.setattr(build.vendor, "modules", lambda: None)
    return book


def _tree(folder):
    return {file: file.is_file() and file.read_bytes() for file in folder.rglob("*")}


def test_the_site_notes_its_profile_and_the_chapters_that_were_not_run(quick):
    out = build_site("laptop", top=quick)
    came = read_state(out)["origin"]
    assert (came["profile"], came["committed"]) == ("laptop", ["02-variational-autoencoders"])
    executed = quick / "_build" / "executed" / "laptop" / "02-variational-autoencoders.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    executed.write_bytes((quick / "chapters" / executed.name).read_bytes())
    assert read_state(build_site("laptop", top=quick))["origin"]["committed"] == []
    assert read_state(build_site("laptop", [], top=quick))["origin"]["committed"] == ["02-variational-autoencoders"]


def test_another_commit_of_the_same_sources_changes_the_note_alone(quick, monkeypatch):
    monkeypatch.setattr(build, "origin", lambda *args: {"commit": "a"})
    page = build_site(top=quick) / "index.html"
    before = page.stat().st_mtime_ns
    monkeypatch.setattr(build, "origin", lambda *args: {"commit": "b"})
    monkeypatch.setattr(build, "_make", lambda *args: pytest.fail("it was built again"))
    assert read_state(build_site(top=quick))["origin"] == {"commit": "b"} and page.stat().st_mtime_ns == before


@pytest.mark.parametrize("fill", ["thesis.tex", ".git/config", ".vbook-site.json", "sub/sub/notes.txt"])
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(quick, tmp_path_factory, fill):
    home = tmp_path_factory.mktemp("home")
    for name in (f"docs/{fill}", "stage/mine.txt", "sphinx/unfinished", ".docs.new/mine.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("[]")
    before = _tree(home), _tree(quick)
    with pytest.raises(VbookError, match="no part of a site built here; name a new or an empty folder"):
        build_site(top=quick, out=home / "docs")
    assert (_tree(home), _tree(quick)) == before


@pytest.mark.parametrize("name", [".", "_build", "_build/stage", "_build/sphinx/html", "_build/html/sub", "_config.yml"])
def test_a_place_that_is_in_use_is_refused(quick, name):
    before = _tree(quick)
    with pytest.raises(VbookError, match=r"holds other things of the book|is no folder"):
        build_site(top=quick, out=quick / name)
    assert _tree(quick) == before


def test_a_place_that_takes_no_files_is_refused_before_anything_is_built(quick, monkeypatch):
    monkeypatch.setattr(build, "stage", lambda *args: pytest.fail("something was built"))
    with pytest.raises(VbookError, match="the site could not be written"):
        build_site(top=quick, out="/proc/vbook-site")


@pytest.mark.parametrize("make", [False, True])
def test_a_site_of_ours_is_replaced_and_what_others_put_into_it_is_not(quick, tmp_path_factory, make):
    home = tmp_path_factory.mktemp("home")
    out = home / "docs"
    for name in ("stage/mine.txt", "sphinx/unfinished", ".docs.new/mine.txt", ".docs.old/mine.txt"):
        (home / name).parent.mkdir()
        (home / name).write_text("mine")
    if make:
        out.mkdir()
    beside = {file: content for file, content in _tree(home).items() if file != out}
    build_site(top=quick, out=out)
    (quick / "book" / "index.md").write_text("# y")
    build_site(top=quick, out=out)
    assert (out / "index.html").read_text() == "# y"
    assert beside.items() <= _tree(home).items() and {file.name for file in home.iterdir()} == {
        "docs",
        *(file.name for file in beside if file.parent == home),
    }
    (out / "CNAME").write_text("example.org")
    before = _tree(home)
    (quick / "book" / "index.md").write_text("# z")
    with pytest.raises(VbookError, match="holds CNAME"):
        build_site(top=quick, out=out)
    assert _tree(home) == before


def test_what_appears_during_the_build_is_kept(quick, monkeypatch):
    make, out = build._make, quick / "docs"

    def meanwhile(work, data):
        out.mkdir()
        (out / "mine.txt").write_text("mine")
        return make(work, data)

    monkeypatch.setattr(build, "_make", meanwhile)
    with pytest.raises(VbookError, match=r"holds mine\.txt"):
        build_site(top=quick, out=out)
    assert [file.name for file in out.iterdir()] == ["mine.txt"]


def test_two_sites_each_know_what_they_were_made_from(quick, monkeypatch):
    for out in (None, quick / "docs"):
        build_site(top=quick, out=out)
    monkeypatch.setattr(build, "_make", lambda *args: pytest.fail("built again"))
    for out in (None, quick / "docs"):
        build_site(top=quick, out=out)
    (quick / "docs" / "index.html").write_text("by hand")
    with pytest.raises(pytest.fail.Exception, match="built again"):
        build_site(top=quick, out=quick / "docs")


@pytest.mark.slow
def test_a_relative_folder_counts_from_where_the_command_runs(own_book, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert build_site(top=own_book, out="site") == tmp_path / "site"
    assert (tmp_path / "site" / "book" / "notation.html").read_bytes() == _pages(own_book)["notation.html"]
    assert [file.name for file in tmp_path.iterdir()] == ["site"]


@pytest.fixture(scope="module")
def own_book(tmp_path_factory):
    """A built book that a test may change."""
    top = sample.write(tmp_path_factory.mktemp("own"))
    build_site(top=top)
    return top


def _pages(top):
    return {file.name: file.read_bytes() for file in (top / "_build" / "html").rglob("*.html")}


@pytest.mark.slow
def test_nothing_changed_nothing_done(own_book, monkeypatch):
    monkeypatch.setattr(build, "_make", lambda *args: pytest.fail("built again"))
    build_site(top=own_book)


@pytest.mark.slow
def test_one_page_changed_no_chapter_written(own_book):
    before, page = _pages(own_book), own_book / "book" / "notation.md"
    page.write_text(page.read_text() + "\nA new sentence with $a^{77}$.\n")
    build_site(top=own_book)
    after = _pages(own_book)
    chapters = ("02-variational-autoencoders.html", "03-next.html")
    assert b"A new sentence" in after["notation.html"] and all(after[name] == before[name] for name in chapters)


@pytest.mark.slow
def test_all_mistakes_are_told_at_once_and_the_old_site_stays(own_book):
    before, page = _pages(own_book), own_book / "book" / "notation.md"
    good = page.read_text()
    chapter = "../chapters/02-variational-autoencoders.ipynb"
    bad = rf"""
$\undefinedmacro$, [(9.9)]({chapter}#eq-9.9), {sample.number_link().replace("[", "[1")}, [5.0](record:nothing/here), [W](https://arxiv.org/abs/0000.00000)

$$ a \tag{{1.1}} $$

$$ b \tag{{1.1}} $$
"""
    page.write_text(good + bad)
    with pytest.raises(VbookError) as caught:
        build_site(top=own_book)
    page.write_text(good)
    told = str(caught.value)
    for part in (
        "Undefined control sequence",
        "eq-9.9, an equation that isn't there",
        "the text says 1",
        "no record 'nothing'",
        "abs/0000.00000 is a work",
    ):
        assert f"book/notation: {part}" in told or part in told
    assert "equation (1.1) stands twice" in told
    assert _pages(own_book) == before


@pytest.mark.slow
def test_what_fails_at_the_end_is_told_in_its_own_words_alone(own_book, monkeypatch):
    def fail(outdir):
        raise VbookError("book/weights/x.safetensors is damaged")

    monkeypatch.setattr("vbook.site.widgets.publish", fail)
    page = own_book / "book" / "notation.md"
    page.write_text(page.read_text() + "\nOne more.\n")
    with pytest.raises(VbookError, match=r"stays in place\.\nbook/weights/x\.safetensors is damaged$"):
        build_site(top=own_book)


@pytest.mark.slow
def test_a_link_to_nowhere_fails_and_an_interrupted_build_starts_afresh(own_book):
    page = own_book / "book" / "notation.md"
    good = page.read_text()
    page.write_text(good + "\n[nowhere](nowhere.md)\n")
    with pytest.raises(VbookError, match=r"nowhere\.md"):
        build_site(top=own_book)
    page.write_text(good + "\nMended.\n")
    half = own_book / "_build" / "sphinx" / "html" / "chapters" / "03-next.html"
    half.write_text("<!DOCTYPE html><p>half a pa")  # newer than its source, so Sphinx alone would keep it
    build_site(top=own_book)
    assert b"vbook-eqref" in _pages(own_book)["03-next.html"]
    page.write_text(good)


@pytest.mark.parametrize("name", ["ledger", "errata", "targets", "records"])
def test_a_broken_list_is_told_in_its_own_words_before_anything_is_built(book, monkeypatch, name):
    def broken():
        raise VbookError(f"{name}: this is wrong with it")

    monkeypatch.setattr(build, "_make", lambda *args: pytest.fail("built"))
    monkeypatch.setattr(build.vendor, "modules", lambda: None)
    monkeypatch.setattr(build, "stage", lambda *args: [])
    monkeypatch.setattr(build, "_inputs", lambda *args: "inputs")
    monkeypatch.setattr(build, name, broken)
    with pytest.raises(VbookError, match=f"^{name}: this is wrong with it$"):
        build_site(top=book)


@pytest.mark.parametrize("broken", ["copy2", "rename"])
def test_a_full_disk_leaves_the_old_site(tmp_path, monkeypatch, broken):
    made, out = tmp_path / "made", tmp_path / "html"
    for folder, text in ((made, "new"), (out, "old")):
        folder.mkdir()
        (folder / "index.html").write_text(text)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    if broken == "copy2":
        monkeypatch.setattr(build.shutil, "copy2", full)
    else:
        rename = type(out).rename
        monkeypatch.setattr(type(out), "rename", lambda self, to: full() if self.name == ".html.vbook-new" else rename(self, to))
    with pytest.raises(OSError, match="No space left"):
        build._put(made, out, "inputs", {})
    assert (out / "index.html").read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["html", "made"]


def test_a_full_disk_is_told_in_one_sentence(book, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "stage", full)
    with pytest.raises(VbookError, match=r"could not be written \(.*No space left.*stays as it was"):
        build_site(top=book)


def _article(file):
    text = file.read_text(encoding="utf-8")
    return text[text.index("<article") : text.index("</article>")]


@pytest.mark.slow
def test_plain_jupyter_book_gives_the_same_pages(sample_book, sample_site, tmp_path):
    code = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", str(sample_book), "--path-output", str(tmp_path), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for page in ("chapters/02-variational-autoencoders.html", "book/index.html", "book/notation.html"):
        plain = tmp_path / "_build" / "html" / page
        assert _article(plain) == _article(sample_site / page)
        assert "Content-Security-Policy" in plain.read_text(encoding="utf-8")


def test_no_sources_and_no_solutions_to_download(sample_site):
    names = [file.name for file in sample_site.rglob("*") if file.is_file()]
    assert not (sample_site / "_sources").exists()
    assert not [name for name in names if name.endswith((".ipynb", ".md"))]
