"""Equations of the sources: each with its number at the right, an id to link to, and links that resolve across pages."""

import html
import re

from docutils import nodes
from sphinx import addnodes

from vbook.errors import VbookError, nearest
from vbook.site.maths import Typesetter, split_tag
from vbook.site.page import Page, current, lift_out_of_paragraph, pages

LINK = re.compile(r"^eq-(.+)$")


class equation_link(nodes.Inline, nodes.TextElement):
    """A link to an equation that may stand on a page not yet read; attributes ``page`` and ``target``."""


def collect(app, doctree) -> None:
    """Take a page's formulas, numbered equations and equation links into its collection."""
    page = current(app.env)
    for node in list(doctree.findall(nodes.math_block)):
        _collect_block(page, node)
    for node in doctree.findall(nodes.math):
        node["tex"] = node.astext().strip()
        node.clear()  # TeX source is not text: it stays out of the search index
        page.formulas.append((node["tex"], False))
    for title in app.env.titles.get(app.env.docname, nodes.title()).findall(nodes.math):
        page.formulas.append((title.astext().strip(), False))
    for node in list(doctree.findall(addnodes.pending_xref)):
        _collect_link(page, node, app.env.docname)


def _collect_block(page: Page, node: nodes.math_block) -> None:
    try:
        node["tex"], tag = split_tag(node.astext())
    except VbookError as error:
        page.problems.append(str(error))
        node["tex"], tag = node.astext(), None
    node.clear()
    page.formulas.append((node["tex"], True))
    if tag:
        name = f"eq-{tag}"
        if name in page.equations:
            page.problems.append(f"equation ({tag}) stands twice on this page")
        page.equations[name] = node["tex"]
        node["tag"], node["ids"] = tag, [name]
    lift_out_of_paragraph(node)


def _collect_link(page: Page, node: addnodes.pending_xref, docname: str) -> None:
    if node.get("reftype") != "myst":
        return
    on_page = node.get("refdomain") == "doc"
    target = node.get("reftargetid") if on_page else node.get("reftarget")
    if not LINK.match(target or ""):
        return
    link = equation_link("", "", *node[0].children, page=node["reftarget"] if on_page else docname, target=target)
    page.links.append((link["page"], target))
    node.replace_self(link)


def check(env, typesetter: Typesetter) -> list[str]:
    """Typeset all formulas in one batch; every problem of every page, as ``page: what is wrong``."""
    known = pages(env)
    errors = typesetter.only(formula for page in known.values() for formula in page.formulas)
    found = []
    for name, page in known.items():
        found += [f"{name}: {problem}" for problem in page.problems]
        found += [f"{name}: MathJax: {errors[formula]}: {formula[0]}" for formula in page.formulas if formula in errors]
        for target_page, target in page.links:
            equations = known[target_page].equations if target_page in known else {}
            if target not in equations:
                hint = nearest(target, equations) if equations else ""
                found.append(f"{name}: link to {target_page}#{target}, an equation that isn't there{hint}")
    return found


def resolve(app, doctree, docname: str) -> None:
    """Turn equation links into references, and leave a preview of those that stand on other pages."""
    previews = {}
    for node in list(doctree.findall(equation_link)):
        local = node["page"] == docname
        uri = "" if local else app.builder.get_relative_uri(docname, node["page"])
        attributes = {"refid": node["target"]} if local else {"refuri": f"{uri}#{node['target']}"}
        link = nodes.reference("", "", *node.children, internal=True, classes=["vbook-eqref"], **attributes)
        node.replace_self(link)
        if not local:
            previews[f"{uri}#{node['target']}"] = pages(app.env)[node["page"]].equations[node["target"]]
    for uri, tex in previews.items():
        inside = app.vbook_typesetter.html(tex, True)
        doctree += nodes.raw("", f'<template data-preview="{html.escape(uri)}">{inside}</template>', format="html")


def visit_inline(translator, node) -> None:
    """Write a formula in a line of text."""
    tex = node["tex"] if "tex" in node else node.astext().strip()
    translator.body.append(translator.builder.app.vbook_typesetter.html(tex, False))
    raise nodes.SkipNode


def visit_block(translator, node) -> None:
    """Write a displayed formula, with its number where it has one."""
    tex = node["tex"] if "tex" in node else node.astext().strip()
    inside = f'<div class="vbook-eq-math">{translator.builder.app.vbook_typesetter.html(tex, True)}</div>'
    if "tag" not in node:
        translator.body.append(f'<div class="vbook-eq">{inside}</div>\n')
    else:
        tag, name = html.escape(node["tag"]), html.escape(node["ids"][0])
        number = f'<a class="vbook-eq-number" href="#{name}" aria-label="Link to equation ({tag})">({tag})</a>'
        translator.body.append(f'<div class="vbook-eq" id="{name}">{inside}{number}</div>\n')
    raise nodes.SkipNode
