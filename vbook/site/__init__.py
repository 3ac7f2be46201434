"""The Sphinx extension of the book: portable notebooks in, a self-contained site out."""

import hashlib
import json
import re
import shutil
from pathlib import Path

FONTS = (
    "@mathjax/mathjax-newcm-font/chtml/woff2",
    "@fontsource-variable/source-serif-4/files",
    "@fontsource-variable/source-sans-3/files",
)


def setup(app) -> dict:
    """Connect the parts; named in ``_config.yml``, called by Sphinx."""
    from docutils import nodes

    from vbook.site import citations, directive, equations, figures, glossary, heights, numbers, page, search, theme
    from vbook.site.pages import setup_pages

    app.add_config_value("vbook_digest", digest(), "env")
    app.add_config_value("comments_config", {}, "")  # Jupyter Book sets it, though nothing here has comments
    app.add_html_math_renderer("vbook", (equations.visit_inline, None), (equations.visit_block, None))
    app.add_directive("vbook-details", directive.Details)
    app.add_directive("vbook-aside", directive.Aside)
    app.add_node(directive.vbook_aside, html=(directive.visit_aside, directive.depart_aside))
    app.add_node(directive.vbook_details, html=(directive.visit_details, directive.depart_details))
    app.add_node(directive.vbook_summary, html=(directive.visit_summary, directive.depart_summary))
    app.add_node(figures.vbook_figure, html=(figures.visit_figure, figures.depart_figure))
    app.add_node(figures.vbook_picture, html=(figures.visit_picture, None))
    app.add_node(figures.vbook_caption, html=(figures.visit_caption, figures.depart_caption))
    app.add_node(numbers.vbook_number, html=(numbers.visit, numbers.depart))
    for node in (equations.equation_link, citations.cited_work, citations.cited_in):  # gone before a page is written
        app.add_node(node)
    app.add_node(glossary.preview, html=(glossary.visit_preview, glossary.depart_preview))
    app.add_node(nodes.section, override=True, html=(heights.visit_section, heights.depart_section))
    app.add_css_file("vbook-maths.css")
    app.add_css_file("vbook.css", priority=900)
    app.add_js_file("vbook.js", loading_method="defer")
    app.connect("config-inited", theme.configure)
    app.connect("builder-inited", _start)
    app.connect("source-read", read_source)
    for collect in (directive.collect, figures.collect, equations.collect, numbers.collect, citations.collect):
        app.connect("doctree-read", collect)
    app.connect("env-before-read-docs", _note_read)
    app.connect("env-purge-doc", page.purge)
    app.connect("env-merge-info", page.merge)
    app.connect("env-updated", _check)
    app.connect("doctree-resolved", equations.resolve)
    app.connect("doctree-resolved", citations.resolve)
    app.connect("doctree-resolved", glossary.resolve)
    app.connect("html-collect-pages", lambda app: [("search", {}, "search.html")])
    app.connect("build-finished", _finish, priority=900)
    setup_pages(app)
    app.connect("doctree-read", search.collect, priority=700)  # after the places have their ids
    app.connect("html-page-context", search.describe)
    return {"version": digest()[:12], "parallel_read_safe": True, "parallel_write_safe": True}


def digest() -> str:
    """The digest of this extension's own files and of the widgets': when it changes, every page is read again."""
    folders = (Path(__file__).parent, Path(__file__).parent.with_name("widgets"))
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in (".py", ".js", ".mjs", ".html"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read_source(app, docname: str, source: list[str]) -> None:
    """Transform a page's source before it is parsed: notebooks as JSON, prose as Markdown."""
    from sphinx.errors import SphinxError

    from vbook.errors import VbookError
    from vbook.site.details import fold
    from vbook.site.transform import transform

    if app.env.doc2path(docname).endswith(".ipynb"):
        try:
            source[0] = json.dumps(transform(json.loads(source[0]), docname))
        except VbookError as error:
            raise SphinxError(f"the book has mistakes:\n  {error}") from error
    else:
        source[0] = fold(source[0])


def _start(app) -> None:
    from vbook.site.maths import Typesetter

    app.vbook_typesetter = Typesetter(Path(app.doctreedir).parent / "maths.json")
    app.builder.search = False  # Sphinx's own, which finds pages but no places in them


def _check(app, env) -> list[str]:
    """Stop the build, with every problem in one list, before anything is written."""
    from sphinx.errors import SphinxError

    from vbook.site import equations, glossary, page

    problems = equations.check(env, app.vbook_typesetter)
    if problems:
        raise SphinxError("the book has mistakes:\n" + "\n".join(f"  {problem}" for problem in problems))
    _write_style(app, env)
    # A preview shows another page's equation or term, so pages with links are written along with the pages they point to.
    return [
        name for name, content in page.pages(env).items() if any(target in app.vbook_read for target, _ in content.links)
    ] + glossary.stale(env, app.vbook_read)


def _note_read(app, env, docnames: list[str]) -> None:
    app.vbook_read = set(docnames)


def _write_style(app, env) -> None:
    from vbook import paths
    from vbook.site import page, theme, vendor

    wanted = [formula for content in page.pages(env).values() for formula in content.formulas]
    style = app.vbook_typesetter.stylesheet(wanted)
    static = Path(app.outdir, "_static")
    paths.write_text(static / "vbook-maths.css", style)
    style += (theme.STATIC / "vbook.css").read_text(encoding="utf-8")
    (static / "fonts").mkdir(exist_ok=True)
    files = {file.name: file for folder in FONTS for file in (vendor.modules() / folder).glob("*.woff2")}
    for name in sorted(set(re.findall(r"fonts/([\w.-]+\.woff2)", style))):
        shutil.copy(files[name], static / "fonts" / name)


def _finish(app, exception) -> None:
    from vbook.site import search
    from vbook.site.finish import finish
    from vbook.site.pictures import shrink
    from vbook.site.widgets import publish

    if exception is None and app.builder.format == "html":
        search.write(app, Path(app.outdir, "_static"))
        publish(Path(app.outdir))
        shrink(Path(app.outdir))
        finish(Path(app.outdir), app.config.root_doc)
