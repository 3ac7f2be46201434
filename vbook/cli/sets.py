"""``vbook data``: what data sets there are, fetch them, check them."""

from pathlib import Path
from typing import Annotated

import typer

DataRoot = Annotated[Path | None, typer.Option(help="Folder of the real data; by default $VBOOK_DATA, else the cache.")]

data_app = typer.Typer(help="Data sets: what there is, fetch it, check it.", no_args_is_help=True, rich_markup_mode=None)


@data_app.command("list")
def list_sets(data_root: DataRoot = None):
    """List the data sets and whether each is at hand.

    \b
    Example: vbook data list
    """
    from vbook import data

    print(f"data root: {data.data_root(data_root)}")
    for name, card in data.cards().items():
        state = "embedded" if card.embedded else "here" if data.available(name, data_root) else "not here"
        print(f"{state:<10} {card}")


@data_app.command("get")
def get_sets(names: Annotated[list[str], typer.Argument(help="Names from `vbook data list`.")], data_root: DataRoot = None):
    """Fetch data sets into the data root; what is there and whole is left alone.

    \b
    Example: vbook data get mnist binarized-mnist
    """
    from vbook import data

    for card in [data.card(name) for name in names]:
        for row in data.get(card.name, data_root):
            print(f"{row.status:<8} {row.file}")


@data_app.command("verify")
def verify_sets(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `vbook data list`; none means those at hand.")] = None,
    data_root: DataRoot = None,
):
    """Compare the files of data sets with their digests; exit code 1 when one is missing or damaged.

    \b
    Example: vbook data verify mnist
    """
    from vbook import data

    chosen = names or [name for name in data.names() if data.available(name, data_root)]
    rows = [row for card in [data.card(name) for name in chosen] for row in data.verify(card.name, data_root)]
    for row in rows:
        digests = f"  expected {row.expected}, found {row.found}" if row.status == "damaged" else ""
        print(f"{row.status:<8} {row.file}{digests}")
    if any(row.status != "ok" for row in rows):
        raise typer.Exit(1)
