"""A batch from its file to its results: the functions that the command line and programs call."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from refmaster import threads
from refmaster.batch import storage
from refmaster.batch.decide import Decision
from refmaster.batch.jobs_file import load_jobs
from refmaster.batch.journal import Journal
from refmaster.batch.kinds import KINDS
from refmaster.batch.planner import STATE_FOLDER, JobPlanner, LoadedJobs, Planner
from refmaster.batch.pool import LocalPool
from refmaster.batch.problems import Problems
from refmaster.batch.results import write_results
from refmaster.batch.runner import Batch, Executor, Listener, RunOptions, Summary, decisions
from refmaster.batch.task import Task
from refmaster.io.atomic import file_keys
from refmaster.io.suffixes import is_url

_SHARE_OF_MEMORY = 0.8
MOST_DEFAULT_MB = 4096


def plan_batch(path: str | Path) -> tuple[LoadedJobs, list[Task]]:
    """Read a jobs file and return its tasks.

    Raises
    ------
    SettingsError
        Everything that is wrong, one line each.
    """
    problems = Problems()
    loaded = load_jobs(path, problems)
    return loaded, expand_checked(loaded, problems)


def expand_checked(loaded: LoadedJobs, problems: Problems) -> list[Task]:
    """Return all tasks.

    Raises
    ------
    SettingsError
        Everything that is wrong, with what `problems` has already.
    """
    tasks = expand(loaded, problems)
    _check_folders(loaded, problems)
    problems.check()
    return tasks


def _check_folders(loaded: LoadedJobs, problems: Problems) -> None:
    """Note the folders that cannot be written, before anything is measured."""
    for folder in dict.fromkeys((loaded.output, loaded.state)):
        if is_url(folder):
            continue
        existing = Path(folder)
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            problems.add_row(f"{loaded.path}: output: {existing} is no folder")
        elif not os.access(existing, os.W_OK | os.X_OK):
            problems.add_row(f"{loaded.path}: output: {existing} may not be written to (permission denied)")


def expand(loaded: LoadedJobs, problems: Problems, *, watching: bool = False) -> list[Task]:
    """Return all tasks, those that make references first; what is wrong goes to `problems`."""
    storage.forget_listings()
    for location, place in loaded.references.values():
        with problems.noting(place, ()):
            if location and not storage.exists(location):
                problems.add(place, (), f"no such file: {location}")
    planner = Planner(loaded, problems, watching)
    tasks: list[Task] = []
    for job, place in loaded.jobs:
        tasks.extend(KINDS[job.kind].plan(JobPlanner(planner, job, place)))
    tasks = [*planner.reference_tasks.values(), *tasks]
    for row in clashes(tasks):
        problems.add_row(row)
    return tasks


def clashes(tasks: Sequence[Task]) -> list[str]:
    """Return what is wrong where two tasks write the same file, or one writes what another reads."""
    rows = []
    writers: dict[tuple[object, ...], Task] = {}
    folders: dict[str, tuple[object, ...]] = {}
    locations = dict.fromkeys(at for task in tasks for at in (*task.inputs, *task.outputs))
    keys = {at: _keys(at, folders) for at in locations}
    making = {key for task in tasks for key in task.after}
    made = {key for task in tasks if task.key in making for at in task.outputs for key in keys[at]}
    inputs = {key for task in tasks for at in task.inputs for key in keys[at]} - made
    for task in tasks:
        for output in task.outputs:
            other = next((writers[key] for key in keys[output] if key in writers), None)
            if other is not None:
                same = (
                    " (they differ in case or accents only, or one is a link)"
                    if output not in other.outputs
                    else ""
                )
                rows.append(
                    f"{task.place}: writes {output}, as {other.place} does for {other.title!r}{same}; "
                    "use {title}, {stem} or {target} in `output`"
                )
            elif not inputs.isdisjoint(keys[output]):
                rows.append(f"{task.place}: would write over an input, {output}; choose another `output`")
            for key in keys[output]:
                writers.setdefault(key, task)
    return rows


def _keys(location: str, folders: dict[str, tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Return what two names of one file or object have in common, at least on some file systems."""
    if is_url(location):
        return [(unicodedata.normalize("NFC", location).casefold(),)]
    return file_keys(location, folders)


def open_journal(loaded: LoadedJobs, *, wait: bool = False) -> Journal:
    """Return the journal of a jobs file, not yet locked."""
    return Journal(Path(loaded.state) / STATE_FOLDER, wait=wait)


def open_executor(options: RunOptions) -> contextlib.closing[Executor]:
    """Return a context with what runs the tasks; on leaving it, nothing runs any more."""
    executor: Executor
    if options.scheduler is not None:
        from refmaster.batch.cluster import Cluster

        executor = Cluster(options.scheduler, memory_mb=options.memory_mb or 0)
    else:
        workers = options.jobs or threads.cores()
        memory_mb = default_memory_mb(workers) if options.memory_mb is None else options.memory_mb
        executor = LocalPool(workers, memory_mb=memory_mb)
    return contextlib.closing(executor)


def default_memory_mb(workers: int) -> int:
    """Return a worker's share of the machine's memory in MB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, ValueError, OSError):  # not on this platform
        return MOST_DEFAULT_MB
    return int(min(MOST_DEFAULT_MB, _SHARE_OF_MEMORY * total / workers))


def run_batch(
    path: str | Path,
    options: RunOptions,
    listener: Listener,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Run a jobs file and write its results.

    Raises
    ------
    SettingsError
        Everything that is wrong with the file, before any work.
    OutputError
        The journal or the results cannot be written, or another batch is at work.
    """
    loaded, tasks = plan_batch(path)
    return run_loaded(loaded, tasks, options, listener, stop=stop)


def run_loaded(
    loaded: LoadedJobs,
    tasks: Sequence[Task],
    options: RunOptions,
    listener: Listener,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Run the tasks of loaded jobs and write the results; see `run_batch`."""
    with open_journal(loaded, wait=options.wait) as journal:
        with open_executor(options) as executor:
            summary = Batch(journal, executor, listener, options, stop).run(tasks)
        publish_results(summary, loaded)
    return summary


def publish_results(summary: Summary, loaded: LoadedJobs) -> None:
    """Write the results beside the journal's folder, and below a remote output as well."""
    for path in write_results(summary, Path(loaded.state), name=loaded.path.name):
        if path.suffix == ".html":
            summary.page = path
        if is_url(loaded.output):
            storage.upload(path, storage.join(loaded.output, path.name))


def decide_batch(path: str | Path, *, force: bool) -> list[tuple[Task, Decision]]:
    """Return what a run would do, and why; nothing is changed."""
    loaded, tasks = plan_batch(path)
    if not (Path(loaded.state) / STATE_FOLDER).is_dir():
        return [(task, Decision(run=True, why="new")) for task in tasks]
    with open_journal(loaded) as journal:
        return decisions(tasks, journal, force=force)
