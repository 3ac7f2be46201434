"""A browser to measure in, and a server for what it opens."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vbook.errors import VbookError


def with_browser(measure: Callable, browser=None):
    """What ``measure(browser)`` answers, with the given browser of Playwright's, or with one that is started for it.

    Raises VbookError where Playwright or a browser is missing.
    """
    if browser is not None:
        return measure(browser)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise VbookError('pages are measured in a browser: pip install "vbook[bench]"') from error
    from vbook.site.browser import launch

    with sync_playwright() as playwright:
        started = launch(playwright)
        try:
            return measure(started)
        finally:
            started.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which ``folder`` is served over http, on this machine alone."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
