"""From a cell's placeholder to the page's form, and the files that the forms ask for."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

import vbook.site
from vbook import widgets
from vbook.errors import VbookError
from vbook.site.widgets import page_output, publish
from vbook.widgets import bundle
from vbook.widgets.base import FOLDER, MIME, SCRIPT
from vbook.widgets.kept import KEPT, script


@pytest.fixture(scope="module")
def output():
    data, metadata = widgets.elbo_gap()._repr_mimebundle_()
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def with_placeholder(output, **changes):
    return output | {"data": output["data"] | {MIME: output["data"][MIME] | changes}}


def form(output, docname="chapters/x", seen=None):
    made = page_output(output, docname, Counter() if seen is None else seen)
    assert set(made["data"]) == {"text/html"}
    return made["data"]["text/html"]


def test_the_form_reaches_the_script_from_its_folder(output):
    for docname, up in (("index", ""), ("chapters/x", "../"), ("a/b/c", "../../")):
        assert f'<script defer src="{up}{FOLDER}/{SCRIPT}"></script>' in form(output, docname)


def test_the_second_of_a_kind_has_an_id_of_its_own(output):
    seen = Counter()
    assert [f'<div class="vw" id="{id}"' in form(output, seen=seen) for id in ("elbo-gap", "elbo-gap-2")] == [True, True]


@pytest.mark.parametrize("name", ["no-such-widget", "train-live", "base"])
def test_an_unknown_widget_is_refused(output, name):
    with pytest.raises(VbookError, match=f"chapters/x: there is no widget {name}"):
        form(with_placeholder(output, name=name))


def test_other_weights_than_the_books_are_refused(output):
    with pytest.raises(VbookError, match="run with other weights"):
        form(with_placeholder(output, digest="0" * 16))


def page_that_asks(top, *names):
    files = "".join(f'"{name}": "{KEPT[name].file()}", ' for name in names)
    (top / "chapters").mkdir(exist_ok=True)
    (top / "chapters/x.html").write_text(f'<div data-vbook-widget="w"><script type="application/json">{{{files}}}</script></div>')


def published(top):
    return {file.name: file.read_text(encoding="utf-8") for file in (top / FOLDER).iterdir()}


def test_the_files_that_pages_ask_for_and_no_others(tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "ch02-vae-2.laptop.decoder.int8.of-long-ago.js").write_text("old")
    page_that_asks(tmp_path, "digit-encoder", "faces")
    publish(tmp_path)
    expected = {KEPT[name].file(): script(name) for name in ("digit-encoder", "faces")}
    assert published(tmp_path) == expected | {SCRIPT: bundle.for_page()}
    page_that_asks(tmp_path, "faces")
    publish(tmp_path)
    assert published(tmp_path) == {KEPT["faces"].file(): script("faces"), SCRIPT: bundle.for_page()}


def test_the_script_is_renewed_and_a_network_with_the_same_name_is_not(tmp_path):
    page_that_asks(tmp_path, "faces")
    publish(tmp_path)
    for file in (tmp_path / FOLDER).iterdir():
        file.write_text("touched")
    publish(tmp_path)
    assert published(tmp_path) == {KEPT["faces"].file(): "touched", SCRIPT: bundle.for_page()}


def test_without_widgets_nothing_is_published_and_old_files_go(tmp_path):
    (tmp_path / "a.html").write_text('<p>"ch02-vae-2.js"</p>')
    publish(tmp_path)
    assert not (tmp_path / FOLDER).exists()
    page_that_asks(tmp_path, "faces")
    publish(tmp_path)
    (tmp_path / "chapters/x.html").unlink()
    publish(tmp_path)
    assert set(published(tmp_path)) <= {SCRIPT}


@pytest.mark.parametrize("name", ["site/finish.py", "site/mathjax.mjs", "widgets/static/ui.js", "widgets/shapes.py"])
def test_a_change_of_any_script_is_a_reason_to_build_anew(name, tmp_path, monkeypatch):
    source = Path(vbook.site.__file__).parents[1]
    for folder in ("site", "widgets"):
        shutil.copytree(source / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(vbook.site, "__file__", str(tmp_path / "site" / "__init__.py"))
    before = vbook.site.digest()
    assert before == vbook.site.digest()
    with (tmp_path / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert vbook.site.digest() != before
