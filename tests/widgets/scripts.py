"""Runs the widgets' JavaScript in Node, for tests that hold it against Python."""

import json
import subprocess
from pathlib import Path

import vbook.widgets
from vbook.site.vendor import node
from vbook.widgets.kept import network

STATIC = Path(vbook.widgets.__file__).with_name("static")


def run(modules: str, body: str, networks: tuple[str, ...] = (), **given):
    """What ``body`` returns; it sees the exports of ``modules`` (paths in static), ``given``, and ``nets`` by name."""
    addresses = [(STATIC / module).as_uri() for module in ("runtime.js", *modules.split())]
    carried = {name: [network(name).spec, network(name).text()] for name in networks}
    request = {"addresses": addresses, "networks": carried, "given": given, "body": body}
    command = [node(), Path(__file__).with_name("scripts.mjs")]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
