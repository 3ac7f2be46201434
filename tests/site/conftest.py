"""The sites that are looked at, and a server to look over."""

import functools
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def sample_book(tmp_path_factory):
    """The sample book, built once; the folder with ``_toc.yml`` in it and the site in ``_build/html``."""
    import sample

    from vbook.site.build import build_site

    top = sample.write(tmp_path_factory.mktemp("book"))
    build_site(top=top)
    return top


@pytest.fixture(scope="session")
def sample_site(sample_book):
    """The sample book's site."""
    return sample_book / "_build" / "html"


@pytest.fixture(scope="session")
def built_site():
    """The real site, built if it isn't there."""
    from vbook import paths
    from vbook.site.build import build_site, chapter_files

    site = paths.build("html")
    if not site.is_dir():
        missing = [name for name in chapter_files(paths.root()) if not (paths.root() / name).is_file()]
        if missing:
            pytest.skip(f"the real book can't be built yet, there is no {', '.join(missing)}")
        build_site()
    return site


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """A page with every widget, its networks beside it, under the site's content policy."""
    from vbook import widgets
    from vbook.site.finish import policy
    from vbook.site.theme import STATIC
    from vbook.site.widgets import publish
    from vbook.widgets.base import page_form

    top = tmp_path_factory.mktemp("widgets")
    forms = []
    for name in widgets.__all__:
        data, metadata = getattr(widgets, name)()._repr_mimebundle_()
        widget = getattr(widgets, name)()
        forms.append(page_form(widget, data["image/png"], metadata["image/png"], widget.name, 0))
    style = (STATIC / "vbook.css").read_text(encoding="utf-8").split("/* Text */")
    fonts = style[0].split("@font-face")[0]  # the test's page has no fonts of its own
    head = f"""<!DOCTYPE html>
<html lang="en" data-theme="THEME">
<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy("")}">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>Widgets</title>
<style>{fonts} body {{ background: var(--paper); color: var(--ink); }}</style></head>"""
    page = f"{head}<body><main><h1>Widgets</h1>{''.join(forms)}<p>The end</p></main></body></html>"
    for theme in ("light", "dark"):
        (top / f"{theme}.html").write_text(page.replace("THEME", theme), encoding="utf-8")
    publish(top)
    return top


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder over http on this machine and returns its address, the same each time."""
    from vbook.bench.browsers import served

    with ExitStack() as servers:
        yield functools.cache(lambda folder: servers.enter_context(served(folder)))
