"""Assignments: hand out, grade, check. How to write one, A2 say:

**The master**, ``chapters/assignments/A2.ipynb``: plain Markdown and code that also run in Colab, with nbgrader's metadata
(schema 3; JupyterLab's nbgrader menu writes it). Cells, with what stands in ``metadata.nbgrader``:

======================  ===========================================================================================
a task                  code, ``solution``, ``grade_id`` = the task's name = the function it asks for; the answer between
                        ``### BEGIN SOLUTION`` and ``### END SOLUTION``, which give way to an error that names the task
its public check        code behind it, ``grade``, ``locked``, ``points``, ``grade_id`` = ``check-<task>``; it calls ``expect``
                        with words for the known mistakes, or asserts with a message
a question              Markdown, ``grade`` and ``solution`` and ``points``; holds the model answer and the marks, all of which
                        give way to "write your answer here"; the question itself stands in the cell before
given code              ``locked``; with the tag ``experiment`` where it loads data, trains or draws
======================  ===========================================================================================

A task's text says ``**Task `name`, 5 points.**``, a question's begins with ``**Question, 3 points.**`` (or ``1 point``). Parts
have headings ``## Part 1: title (27 points)`` and rows ``| 1 | title | 18 | 9 | time |``, by machine and by hand, in the
introduction's table. All is 100 points together. ``test_assign_release.py`` compares each of these with the metadata.

A function gets all its randomness as arguments, noise or a seed, so that it has one right answer, and other functions (a
decoder, a loss) as arguments too, so that tasks can be graded one by one.

**The hidden checks**, ``chapters/assignments/A2.py``, never in the package: ``checks = Checks(allowed=...)`` with the modules
of the book that answers may import besides ``sandbox.COMMON``, then functions ``(ask, cases)`` under ``@checks.check(task,
says, points)``. A task's checks are worth the points of its public check; several small ones make partial credit. ``cases``
is a NumPy generator that depends on the teacher's seed; ``ask`` is a ``session.Session``::

    @checks.check("kl", "The divergence of each Gaussian", 4)       # students read this line
    def _(ask, cases):
        mu, log_var = float32(cases.normal(size=(2, 5, 3)))
        right = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(-1)   # closed form or package, never the master
        require(ask("kl", mu, log_var), right, "the divergence", {"the sign is turned round": -right})

``ask(name, *args, grad=(0,))`` gives gradients too, ``ask.make("Encoder", 12, 16, 3)`` keeps an object whose ``Handle`` can
be called or passed on, ``ask.parameters`` and ``ask.refill`` read and set its parameters, ``ask.value`` reads a name;
``session.Affine`` is a network as an argument; arguments may be lists of them. What comes back are numbers, arrays and lists of
them. Words of a check never hold what came back, for it may be made of the case: ``asking.shaped`` says what may be said of a
shape. ``asking`` has what checks share; with ``own_or_right`` a value that follows from the student's own earlier answers counts.

**Grading.** Each submission runs in a worker (``worker``) behind walls (``sandbox``, ``syscalls``): a read-only system, an
empty folder, no network, no second process, limits on time and memory, none of the book's answers. It is asked over a pipe
(``channel``, ``process``, ``session``) for what functions return; this side alone knows and compares (``grading``, ``report``,
``table``). The worker may say what it likes: its words are numbers, and only right numbers earn points. Public checks and
experiments aren't run; what they define counts. A file that can't be read, or is of another assignment (``opening``), leaves
the grade open. Texts for the teacher are found by ``answers`` and marked in sheets (``marks``). ``vbook assign check`` runs
public checks in the student's own environment (``public``).

**Proof**, beside ``tests/assignments/test_a1_mistakes.py``: a table of mistakes, two or more for each task, each a change of the
master in one place, with the points it loses; right but unusual answers that lose none.
"""

from vbook.assign.compare import expect

__all__ = ["expect"]
