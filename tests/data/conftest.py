"""A tiny set of the Frey Face layout, served by a web server on this machine that can be told to misbehave."""

import dataclasses
import hashlib
import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scipy.io import savemat

from vbook.data import catalogue, data_root, files


@pytest.fixture
def real_root():
    """The data root of tests marked ``data``, which run only where ``$VBOOK_DATA`` names one."""
    return data_root()


@pytest.fixture(autouse=True)
def nothing_verified_yet(monkeypatch):
    """Each test starts with no file known to be right."""
    monkeypatch.setattr(files, "_VERIFIED", set())


class Server:
    """Serves ``content`` under every path; ``fault`` is truncate, missing, other, longer or slow; counts requests by path."""

    def __init__(self, content: bytes):
        self.content, self.fault, self.requests = content, None, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                fault = None if self.path.startswith("/good") else server.fault
                if fault == "missing":
                    return self.send_error(404)
                body = {"other": b"x" * len(server.content), "longer": server.content + b"x"}.get(fault, server.content)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body[: len(body) // 2])
                    if fault == "slow":
                        time.sleep(1)
                    if fault != "truncate":
                        self.wfile.write(body[len(body) // 2 :])
                except ConnectionError:
                    pass  # the client has gone, as it should

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def served(monkeypatch, tmp_path):
    """``(server, file)``: the set frey-face is one small file, whose first address misbehaves on demand; the root is empty."""
    buffer = io.BytesIO()
    savemat(buffer, {"ff": np.random.default_rng(0).integers(8, 239, (560, 1965), dtype=np.uint8)})
    server = Server(buffer.getvalue())
    file = dataclasses.replace(
        catalogue.FREY_FACE.forms[0][0],
        sha256=hashlib.sha256(server.content).hexdigest(),
        size=len(server.content),
        sources=(f"{server.address}/first/frey.mat",),
    )
    use(monkeypatch, file)
    monkeypatch.setenv("VBOOK_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("no_proxy", "*")
    yield server, file
    server.close()


@pytest.fixture
def file_of(served, monkeypatch):
    """A function that changes fields of the one file of frey-face."""
    return lambda **fields: use(monkeypatch, dataclasses.replace(served[1], **fields))


def use(monkeypatch, file):
    """Let frey-face consist of ``file``."""
    others = tuple(card for card in catalogue.CARDS if card.name != "frey-face")
    monkeypatch.setattr(catalogue, "CARDS", (*others, dataclasses.replace(catalogue.FREY_FACE, forms=((file,),))))
