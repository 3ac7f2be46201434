"""``vbook run``: plan which chapters are stale, run those, keep what they produced, commit it if asked to."""

import contextlib
import json
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from vbook import paths
from vbook.errors import VbookError
from vbook.pipeline import chapters, commit, cost, notebook, parameters, stale
from vbook.pipeline.failures import Failure, fail, failed_copy, set_aside
from vbook.pipeline.normalise import normalise
from vbook.pipeline.progress import Progress
from vbook.profiles import check_profile
from vbook.results import save_record


@dataclass(frozen=True)
class Plan:
    """A chapter to bring up to date: its notebook, its checked parameters, what it depends on, and where its copy goes.

    ``why`` names what changed since the last run, most telling first; empty when the executed copy is up to date.
    """

    stem: str
    source: Path
    nb: dict
    defaults: dict
    values: dict
    dependencies: dict[str, str]
    copy: Path
    why: list[str]


def run_chapters(
    words=(),
    profile="smoke",
    *,
    seed=None,
    device=None,
    data_root=None,
    extra=(),
    jobs=None,
    do_commit=False,
    force=False,
    out=None,
) -> list[Failure]:
    """Bring the executed copies of the chapters ``words`` (numbers or stems; none: all) at ``profile`` up to date.

    ``out`` is the folder of the copies, by default ``_build/executed/<profile>``. Raises VbookError for anything unknown or
    malformed before a chapter runs; returns the chapters that failed while running.
    """
    top = chapters.checkout()
    check_profile(profile)
    if jobs is not None and jobs < 1:
        raise VbookError(f"--jobs is 1 or more, not {jobs}")
    folder = Path(out) if out else paths.build("executed", profile)
    selected = chapters.select(words, chapters.all_chapters(top))
    wishes = dict(seed=seed, device=device, data_root=data_root, extra=extra)
    plans = [_plan(stem, path, profile, wishes, folder, top, force) for stem, path in selected.items()]
    if do_commit:
        for plan in plans:
            _check_committable(plan, profile)
    for place in (folder, paths.build("records")):  # now, not after an hour of running
        paths.try_to_write(place)
    failures = _execute([plan for plan in plans if plan.why], plans, profile, jobs)
    failed = {failure.stem for failure in failures}
    if do_commit:
        _commit([plan for plan in plans if plan.stem not in failed], profile, top)
    return failures


def _plan(stem: str, path: Path, profile: str, wishes: dict, folder: Path, top: Path, force: bool) -> Plan:
    nb = notebook.read(path)
    try:
        defaults = parameters.declared(parameters.cell_of(nb)["source"])
        values = parameters.asked(defaults, profile, **wishes)
    except VbookError as error:
        raise VbookError(f"{stem}: {error}") from None
    dependencies = stale.dependencies(nb, stem, values, top / "book")
    copy = folder / f"{stem}.ipynb"
    why = ["--force"] if force else _why(copy, dependencies, nb)
    return Plan(stem, path, nb, defaults, values, dependencies, copy, why)


def _why(copy: Path, dependencies: dict, nb: dict) -> list[str]:
    try:
        before = json.loads(_beside(copy).read_text(encoding="utf-8"))["dependencies"]
        notebook.with_outputs(nb, notebook.read(copy))
    except (OSError, ValueError, KeyError):  # VbookError included: a copy that can't be read or doesn't fit is no copy
        return ["no executed copy yet"]
    return stale.changes(dependencies, before)


def _check_committable(plan: Plan, profile: str) -> None:
    free = {"profile", "data_root"} | ({"device"} if profile != "smoke" else set())
    for name, value in plan.values.items():
        if name not in free and value != plan.defaults[name]:
            raise VbookError(f"--commit takes the committed parameters; leave out {name}={value!r}")
    wrong = {name for name, value in parameters.COMMITTED.items() if plan.defaults.get(name, "") != value}
    if wrong:
        raise VbookError(
            f"{plan.stem}: its parameters cell must say {parameters.COMMITTED}, which {', '.join(sorted(wrong))} does not"
        )


def _execute(stale_plans: list[Plan], plans: list[Plan], profile: str, jobs: int | None) -> list[Failure]:
    progress = Progress({plan.stem: notebook.sections(plan.nb) for plan in plans})
    by_stem = {plan.stem: plan for plan in plans}
    failures: list[Failure] = []

    def done(result):
        plan = by_stem[result.name]
        if result.error:
            failures.append(fail(plan, result))
            progress.done(plan.stem, f"failed after {result.seconds:.0f} s")
        else:
            try:
                _keep(plan, result)
            except OSError as error:
                raise VbookError(f"{plan.stem} ran, but {set_aside(result, error)}") from error
            progress.done(plan.stem, f"ran in {result.seconds:.0f} s")

    try:
        for plan in plans:
            if plan.why:
                more = f" and {len(plan.why) - 3} more" if len(plan.why) > 3 else ""
                progress.say(f"{plan.stem}: to run at {profile} ({', '.join(plan.why[:3])}{more})")
            else:
                _refresh(plan)
                progress.say(f"{plan.stem}: up to date at {profile}")
        if stale_plans:
            _run(stale_plans, profile, jobs, progress.at, done)
    finally:
        progress.close()
    return failures


def _run(plans: list[Plan], profile: str, jobs: int | None, at, done) -> None:
    from vbook.pipeline import pool

    try:
        import ipykernel  # noqa: F401
        import papermill  # noqa: F401
    except ImportError as error:
        raise VbookError(f"running chapters needs {error.name}; install it with `pip install 'vbook[book]'`") from None
    on_cpu = all(plan.values.get("device", "cpu") == "cpu" for plan in plans)
    workers = min(len(plans), jobs or (pool.cores() if on_cpu else 1))
    # At smoke one thread each: bytes must not depend on how many chapters run beside this one, nor on the machine's size.
    threads = 1 if profile == "smoke" else max(1, pool.cores() // workers)
    tasks = []
    for plan in plans:
        given = {name: value for name, value in plan.values.items() if value != plan.defaults[name]}
        tasks.append(pool.Task(plan.stem, plan.nb, given, threads, failed_copy(plan)))
    with _termination_as_exception():
        pool.run_tasks(tasks, workers, at, done)


@contextlib.contextmanager
def _termination_as_exception():
    """A polite kill ends the run like Ctrl-C does: kernels first, nothing half written."""

    def end(number, frame):
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep(plan: Plan, result) -> None:
    """Put the executed copy and its records in place; the digest comes last, so that a run cut short here counts as stale."""
    ran = notebook.read(result.scratch / "output.ipynb")
    ran["cells"] = [cell for cell in ran["cells"] if "injected-parameters" not in notebook.tags(cell)]
    names = commit.take_records(result.scratch / "records", paths.build("records"))
    used = json.loads((result.scratch / "cost.json").read_text())
    save_record(cost.cost_record(plan.stem, plan.values, result.seconds, **used), paths.build("records"))
    _beside(plan.copy).unlink(missing_ok=True)
    _write_copy(plan, ran)
    with paths.atomic_write(_beside(plan.copy), "w") as file:
        kept = {"dependencies": plan.dependencies, "records": names, "seconds": round(result.seconds, 1)}
        json.dump(kept, file, indent=1, sort_keys=True)
    failed_copy(plan).unlink(missing_ok=True)


def _refresh(plan: Plan) -> None:
    """Bring edited prose into an executed copy whose code is up to date."""
    _write_copy(plan, notebook.read(plan.copy))


def _write_copy(plan: Plan, executed: dict) -> None:
    nb = parameters.shown(notebook.with_outputs(plan.nb, executed), plan.values)
    notebook.write(normalise(nb), plan.copy)


def _commit(plans: list[Plan], profile: str, top: Path) -> None:
    for plan in plans:
        if profile != "smoke":
            names = json.loads(_beside(plan.copy).read_text(encoding="utf-8"))["records"]
            commit.commit_records(paths.build("records"), top / "book", names)
            print(f"{plan.stem}: committed {len(names)} files of records at {profile}")
            print(f"{plan.stem}: its tables quote these records; commit them too with `vbook run {plan.stem[:2]} --commit`")
        if cost.commit_cost(cost.record_id(plan.stem, profile), paths.build("records"), top / "book" / "results"):
            print(f"{plan.stem}: committed what it costs at {profile}")
    pages = [*sorted((top / "chapters").glob("*.ipynb")), *sorted((top / "book").glob("*.md"))]
    for complaint in commit.rewrite_numbers(pages):
        print(f"note: {complaint}")
    for plan in plans:
        if plan.copy.is_file():
            _refresh(replace(plan, nb=notebook.read(plan.source)))  # a build right after this shows the new numbers
        if profile == "smoke":
            code = [cell["source"] for cell in notebook.code_cells(plan.nb)]
            changed = commit.commit_notebook(plan.source, plan.copy, code)
            print(f"{plan.stem}: " + ("committed" if changed else "nothing new to commit"))


def _beside(copy: Path) -> Path:
    return copy.with_name(f"{copy.stem}.digest.json")
