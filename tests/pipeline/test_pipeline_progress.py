"""Progress is one line a chapter on a terminal, and a few plain lines in a log."""

import io

from vbook.pipeline.progress import Progress

HEADINGS = {"02-x": ["A"] * 4 + ["B"] * 4}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_quarters_and_the_end():
    log = io.StringIO()
    progress = Progress(HEADINGS, log)
    for cell in (None, 0, 1, 1, 2, 3, 4, 7, 7):
        progress.at("02-x", cell)
    progress.done("02-x", "ran in 3 s")
    assert log.getvalue() == "02-x: 25 %\n02-x: 50 %\n02-x: 75 %\n02-x: ran in 3 s\n"


def test_a_terminal_gets_the_section_and_is_left_clean():
    terminal = Terminal()
    progress = Progress(HEADINGS, terminal)
    progress.at("02-x", None)
    progress.at("02-x", 5)
    assert "5/8 cells" in terminal.getvalue() and terminal.getvalue().rstrip().endswith("B")
    progress.done("02-x", "ran in 3 s")
    progress.close()
    assert terminal.getvalue().splitlines()[-1] == "02-x: ran in 3 s"


def test_two_chapters_have_a_line_each():
    terminal = Terminal()
    progress = Progress({"02-x": ["A"], "03-y": ["B"]}, terminal)
    progress.at("02-x", 0)
    progress.at("03-y", 0)
    assert sorted(-bar.pos for bar in progress.bars.values()) == [0, 1]
    progress.close()
    assert not progress.bars
