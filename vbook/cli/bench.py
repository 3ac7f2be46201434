"""``vbook bench``: how fast training, widgets and pages are here."""

import json
import sys
from typing import Annotated

import typer

bench_app = typer.Typer(help="Speed of training, widgets and pages.", no_args_is_help=True, rich_markup_mode=None)


@bench_app.command("train")
def bench_training(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    repetitions: Annotated[int, typer.Option(help="Rounds of which the median is taken.")] = 9,
):
    """Measure training against the machine's limit and against others (pip install "vbook[bench]"), side by side.

    \b
    Example: vbook bench train --json
    """
    from vbook.bench import bench_train
    from vbook.cli.tables import bench_as_text

    found = bench_train(device, repetitions, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps(found, indent=1) if as_json else bench_as_text(found))


@bench_app.command("widgets")
def bench_in_browser(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")] = False,
    repetitions: Annotated[int, typer.Option(help="Rounds, each in a fresh page.")] = 9,
):
    """Measure how fast a page's widgets answer, in a headless browser (pip install "vbook[bench]", and a Chromium).

    \b
    Example: vbook bench widgets --json
    """
    from vbook.bench import bench_widgets
    from vbook.cli.tables import widgets_as_text

    found = bench_widgets(repetitions, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps(found, indent=1) if as_json else widgets_as_text(found))


@bench_app.command("site")
def bench_pages(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")] = False,
    repetitions: Annotated[int, typer.Option(help="How often each page is opened, with empty caches.")] = 5,
):
    """Measure how long the built pages keep a reader waiting, in a headless browser four times slowed.

    \b
    Example: vbook build && vbook bench site
    """
    from vbook.bench import bench_site
    from vbook.cli.tables import site_as_text

    found = bench_site(repetitions, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps(found, indent=1) if as_json else site_as_text(found))
