"""The command, as a terminal has it."""

import json

import pytest

from vbook import cli


@pytest.fixture
def vbook_bench(capsys):
    """A function that runs ``vbook bench`` with the arguments to its end and gives back what it prints, read with ``--json``."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(["bench", *arguments])
        assert end.value.code == 0
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in arguments else out

    return run
