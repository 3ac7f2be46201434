"""``vbook bench site``: how long the pages of the built site keep a reader waiting, on a processor slowed down."""

import json
import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from vbook import paths
from vbook.bench.browsers import served, with_browser
from vbook.bench.machine import machine
from vbook.errors import VbookError

SLOWER = 4  # times: a phone of some years
LIMITS = {"text_s": 1.0, "widget_s": 2.0, "task_s": 0.2, "shift": 0.05}
PLANE = "latent-manifold"
PATIENCE = 120_000  # ms: a slow machine, four times slowed
LOADING = 120_000  # ms, for a page itself


def bench_site(
    repetitions: int = 5, site: Path | None = None, say: Callable[[str], None] = lambda line: None, browser=None
) -> dict:
    """Open each page of ``site`` (the built one by default) ``repetitions`` times over http with empty caches, four times slowed.

    By page, medians: ``text_s`` until its first text is painted; ``widget_s`` until the latent plane, where it has one, has
    painted what the network makes of its point (the page is opened at the plane); ``task_s``, the longest task while it loads;
    ``shift``, how far its content moves meanwhile (cumulative layout shift); ``bytes``, all that is fetched. ``browser`` is one
    of Playwright's, else our own is started.

    Raises VbookError where no site is built, where a plane doesn't start, and where Playwright or a browser is missing.
    """
    if repetitions < 1:
        raise VbookError(f"repetitions must be at least 1, got {repetitions}")
    site = paths.build("html") if site is None else site
    files = [file for file in sorted(site.rglob("*.html")) if "_static" not in file.parts and file.parent != site]
    if not files:
        raise VbookError(f"{site} has no pages: build the site first (vbook build)")
    names = {file.relative_to(site).as_posix(): f'id="{PLANE}"' in file.read_text(encoding="utf-8") for file in files}
    rounds = {name: [] for name in names}

    def measure(browser):
        with served(site) as address:
            for repetition in range(1, repetitions + 1):
                for name, has_plane in names.items():
                    rounds[name].append(_load(browser, f"{address}/{name}", has_plane))
                say(f"repetition {repetition} of {repetitions}")
        return browser.version

    version = with_browser(measure, browser)
    return _report(rounds) | {"slower": SLOWER, "browser": version} | machine("cpu") | {"repetitions": repetitions}


def _load(browser, address: str, has_plane: bool) -> dict[str, float | None]:
    context = browser.new_context(viewport={"width": 1280, "height": 850})
    try:
        return _seen(context, address, has_plane)
    finally:
        context.close()  # a slowed page takes a core until it is closed


def _seen(context, address: str, has_plane: bool) -> dict[str, float | None]:
    from playwright.sync_api import TimeoutError

    page, name, fetched = context.new_page(), address.rpartition("/")[2], []
    page.set_default_timeout(PATIENCE)
    devtools = context.new_cdp_session(page)
    devtools.on("Network.loadingFinished", lambda event: fetched.append(event["encodedDataLength"]))
    devtools.send("Network.enable")
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script((Path(__file__).with_name("site.js")).read_text(encoding="utf-8"))
    with traced(page) as events:
        try:
            page.goto(f"{address}#{PLANE}?view=points" if has_plane else address, timeout=LOADING)
        except TimeoutError as error:
            raise VbookError(f"{name}: hasn't loaded in {LOADING / 1000:g} s") from error
        if has_plane:
            try:
                page.wait_for_function("(id) => vbookLoad.widget || document.querySelector(`#${id} .vw-error`)", arg=PLANE)
            except TimeoutError as error:
                raise VbookError(f"{name}: the plane hasn't shown its picture in {PATIENCE / 1000:g} s") from error
            if failed := page.locator(f"#{PLANE} .vw-error").all_inner_texts():
                raise VbookError(f"{name}: the plane doesn't start: {failed[0]}")
        page.wait_for_timeout(1000)
    found = page.evaluate("() => vbookLoad")
    text = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    seconds = {
        "text_s": text / 1e3,
        "widget_s": found["widget"] and found["widget"] / 1e3,
        "task_s": longest_task(events, address),
    }
    return seconds | {"shift": found["shift"], "bytes": sum(fetched)}


@contextmanager
def traced(page):
    """Trace what the page's browser does; the list that is given has the events at the end.

    A page's own observer of long tasks misses the one that it is made in, where a page is parsed.
    """
    events: list[dict] = []
    page.context.browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    try:
        yield events
    finally:
        events += json.loads(page.context.browser.stop_tracing())["traceEvents"]


def longest_task(events: list[dict], address: str, clock: str = "dur") -> float:
    """The longest task, in seconds, of the thread that parsed the page at ``address``: ``dur``, or the processor's ``tdur``."""
    spans = [event for event in events if event["ph"] == "X"]
    parsing = (event for event in spans if event["name"] == "ParseHTML" and address in str(event["args"]))
    main = Counter((event["pid"], event["tid"]) for event in parsing).most_common(1)[0][0]
    tasks = (event for event in spans if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) == main)
    return max(event.get(clock, 0) for event in tasks) / 1e6


def _report(rounds: dict[str, list[dict]]) -> dict:
    pages = {}
    for name, found in rounds.items():
        values = {key: [one[key] for one in found if one[key] is not None] for key in found[0]}
        pages[name] = {key: statistics.median(some) if some else None for key, some in values.items()}
    worst = {key: max((one[key] for one in pages.values() if one[key] is not None), default=None) for key in LIMITS}
    within = {key: worst[key] is None or worst[key] <= limit for key, limit in LIMITS.items()}
    return {"pages": pages, "worst": worst, "limits": LIMITS, "within": within}
