"""The one error that a user of the book is meant to read."""


class VbookError(ValueError):
    """Something the user can mend; the message says what is wrong and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


class Diverged(VbookError):
    """A training whose objective is no longer finite: the one failure after which another learning rate is worth a try.

    ``step`` is the step at which that was seen, where it is known.
    """

    def __init__(self, message: str, step: int | None = None):
        super().__init__(message)
        self.step = step


class Interrupted(VbookError):
    """Ctrl-C in a command that says itself what it leaves behind; the exit code is 130."""


def nearest(word: str, known) -> str:
    """A hint ``; did you mean 'mnist'?`` when ``word`` resembles one of ``known``, else the list of ``known``.

    >>> nearest("mnits", ["mnist", "digits"])
    "; did you mean 'mnist'?"
    """
    import difflib

    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
