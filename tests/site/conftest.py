"""The sites that are looked at, and a server to look over."""

import functools
import http.server
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def sample_book(tmp_path_factory):
    """The sample book, built once; the folder with ``_toc.yml`` in it and the site in ``_build/html``."""
    import sample

    from vbook.site.build import build_site

    top = sample.write(tmp_path_factory.mktemp("book"))
    build_site(top=top)
    return top


@pytest.fixture(scope="session")
def sample_site(sample_book):
    """The sample book's site."""
    return sample_book / "_build" / "html"


@pytest.fixture(scope="session")
def built_site():
    """The real site, built if it isn't there."""
    from vbook import paths
    from vbook.site.build import build_site, chapter_files

    site = paths.build("html")
    if not site.is_dir():
        missing = [name for name in chapter_files(paths.root()) if not (paths.root() / name).is_file()]
        if missing:
            pytest.skip(f"the real book can't be built yet, there is no {', '.join(missing)}")
        build_site()
    return site


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder over http on this machine and returns its address."""
    servers = []

    def start(folder: Path) -> str:
        handler = functools.partial(_Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
