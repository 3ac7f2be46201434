"""A displayed picture and its caption, which Jupyter keeps as two outputs, made one figure."""

import html

from docutils import nodes


class vbook_figure(nodes.General, nodes.Element):
    """A picture with its caption; attribute ``tone`` ("lines" or "image")."""


class vbook_picture(nodes.image):
    """The picture of a figure; an image to Sphinx, which copies the file."""


class vbook_caption(nodes.Part, nodes.TextElement):
    """The caption, with formulas typeset."""


def collect(app, doctree) -> None:
    """Pair the outputs of each code cell as ``vbook.site.transform`` noted them in the cell's metadata."""
    for cell in list(doctree.findall(nodes.container)):
        roles = cell.get("cell_metadata", {}).get("vbook_outputs") if cell.get("nb_element") == "cell_code" else None
        if roles:
            bundles = [node for node in cell.findall(nodes.container) if node.get("nb_element") == "mime_bundle"]
            _pair(list(zip(bundles, roles, strict=True)))


def _pair(outputs) -> None:
    last = None
    for bundle, role in outputs:
        if role and role["role"] == "figure":
            last = _figure(bundle, role)
            bundle.replace_self(last)
        elif role and last is not None:
            caption = vbook_caption()
            for paragraph in bundle.findall(nodes.paragraph):
                caption += paragraph.children
            last += caption
            bundle.parent.remove(bundle)


def _figure(bundle: nodes.Element, role: dict) -> vbook_figure:
    image = next(iter(bundle.findall(nodes.image)))
    # Sphinx has collected the image by now, so what it noted goes along; it would wrap one with a width in a link.
    noted = {name: value for name, value in image.attributes.items() if name not in ("width", "height")}
    shown = vbook_picture("", **noted | {"alt": role["alt"], "size": (role.get("width"), role.get("height"))})
    return vbook_figure("", shown, tone=role.get("tone", "lines"))


def visit_figure(translator, node) -> None:
    """Open the figure."""
    translator.body.append(f'<figure class="vbook-figure tone-{html.escape(node["tone"])}">')


def depart_figure(translator, node) -> None:
    """Close the figure."""
    translator.body.append("</figure>\n")


def visit_picture(translator, node) -> None:
    """Write the picture, with its size so that the page doesn't jump, and a link to its full size."""
    builder = translator.builder
    source = html.escape(f"{builder.imgpath}/{builder.images[node['uri']]}" if node["uri"] in builder.images else node["uri"])
    width, height = node["size"]
    size = f' width="{int(width)}" height="{int(height)}"' if width and height else ""
    alt = html.escape(node["alt"])
    translator.body.append(
        f'<a class="vbook-zoom" href="{source}"><img src="{source}" alt="{alt}"{size} loading="lazy" decoding="async"></a>'
    )
    raise nodes.SkipNode


def visit_caption(translator, node) -> None:
    """Open the caption."""
    translator.body.append("<figcaption>")


def depart_caption(translator, node) -> None:
    """Close the caption."""
    translator.body.append("</figcaption>")
