"""Small notebooks and a small checkout to run the pipeline on."""

from vbook.pipeline import notebook

PARAMETERS = 'profile = "smoke"\nseed = 0\ndevice = "cpu"\ndata_root = None'


def markdown(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def code(source, *tags, outputs=(), count=None):
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": list(outputs), "execution_count": count}


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def display(metadata=None, **data):
    data = {mime.replace("_", "/"): value for mime, value in data.items()}
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def nb(*cells):
    return {
        "cells": [cell | {"id": f"{k:08x}"} for k, cell in enumerate(cells)],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def chapter(*cells):
    """A chapter with a title, parameters and a setup cell before ``cells``."""
    return nb(markdown("# Title"), code(PARAMETERS, "parameters"), code("import os"), *cells)


def checkout(top, **chapters):
    """A checkout of the book under ``top`` with the notebooks ``chapters`` (stem with ``_`` for ``-``); returns ``top``."""
    (top / "chapters").mkdir(parents=True)
    (top / "book" / "results").mkdir(parents=True)
    (top / "book" / "targets.yml").write_text("[]\n")
    stems = {stem.removeprefix("c").replace("_", "-"): made for stem, made in chapters.items()}
    (top / "_toc.yml").write_text(f"root: book/index\nchapters: [{', '.join(f'{{file: chapters/{stem}}}' for stem in stems)}]\n")
    for stem, made in stems.items():
        notebook.write(made, top / "chapters" / f"{stem}.ipynb")
    return top
