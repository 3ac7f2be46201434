"""What one page adds to the site: formulas to typeset, equations to link to, links to check, and problems found."""

from dataclasses import dataclass, field

from docutils import nodes


@dataclass
class Page:
    """Collected while a page is read, kept with Sphinx's environment, checked when all pages are read."""

    formulas: list[tuple[str, bool]] = field(default_factory=list)  # (TeX, displayed)
    equations: dict[str, str] = field(default_factory=dict)  # id such as "eq-2.10" -> TeX
    links: list[tuple[str, str]] = field(default_factory=list)  # (page, equation id) of each equation link
    problems: list[str] = field(default_factory=list)


def pages(env) -> dict[str, Page]:
    """All pages' collections, by page name."""
    if not hasattr(env, "vbook_pages"):
        env.vbook_pages = {}
    return env.vbook_pages


def current(env) -> Page:
    """The collection of the page that is being read."""
    return pages(env).setdefault(env.docname, Page())


def purge(app, env, docname: str) -> None:
    """Forget a page that is about to be read again or is gone."""
    pages(env).pop(docname, None)


def merge(app, env, docnames, other) -> None:
    """Take over what a parallel reader has collected."""
    pages(env).update({name: page for name, page in pages(other).items() if name in docnames})


def lift_out_of_paragraph(node: nodes.Element) -> None:
    """Lift a block out of the paragraph that holds it, which HTML doesn't allow; the paragraph is split around it."""
    paragraph = node.parent
    if not isinstance(paragraph, nodes.paragraph):
        return
    at = paragraph.index(node)
    before, after = paragraph[:at], paragraph[at + 1 :]
    parts = [nodes.paragraph("", "", *before) if any(part.astext().strip() for part in before) else None, node]
    parts.append(nodes.paragraph("", "", *after) if any(part.astext().strip() for part in after) else None)
    paragraph.clear()
    paragraph.replace_self([part for part in parts if part is not None])
