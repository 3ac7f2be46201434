"""Measured and published numbers in prose: held against their record, and shown with their provenance."""

import html
from urllib.parse import unquote

from docutils import nodes

from vbook import paths
from vbook.errors import VbookError
from vbook.results import format_like, record_path, resolve
from vbook.site.page import current


class vbook_number(nodes.Inline, nodes.TextElement):
    """A number whose provenance shows on hover and focus; attributes ``tip``, ``tip_id`` and ``reference``, for print."""


def collect(app, doctree) -> None:
    """Turn links to ``record:`` and ``target:`` into numbers; a text that differs from the record is a problem."""
    for node in list(doctree.findall(nodes.reference)):
        reference = unquote(node.get("refuri", ""))
        if not reference.startswith(("record:", "target:")):
            continue
        _depend(app.env, reference)
        try:
            node.replace_self(_number(app.env, reference, node))
        except VbookError as error:
            current(app.env).problems.append(str(error))


def _number(env, reference: str, node: nodes.reference) -> vbook_number:
    quantity, text = resolve(reference), node.astext()
    right = format_like(quantity.value, text)
    if text != right:
        raise VbookError(f"the text says {text}, {reference} says {right}; `vbook run` rewrites it from the record")
    kind = "Measured" if reference.startswith("record:") else "Reported"
    tip = f"{kind}, {quantity.unit}. {quantity.provenance}"
    name = f"tip-{env.new_serialno('vbook-tip') + 1}"
    return vbook_number("", "", *node.children, tip=tip, tip_id=name, reference=reference)


def _depend(env, reference: str) -> None:
    """Read the page again when the file behind the number changes."""
    kind, _, name = reference.partition(":")
    file = record_path(name.rpartition("/")[0]) if kind == "record" else paths.book("targets.yml")
    env.note_dependency(str(file))


def visit(translator, node) -> None:
    """Write the number, reachable by keyboard."""
    reference = html.escape(node["reference"])
    translator.body.append(
        f'<span class="vbook-number" tabindex="0" role="note" aria-describedby="{node["tip_id"]}" data-from="{reference}">'
    )


def depart(translator, node) -> None:
    """Write the provenance beside it."""
    tip = html.escape(node["tip"])
    translator.body.append(f'</span><span class="vbook-tip" role="tooltip" id="{node["tip_id"]}">{tip}</span>')
