"""A batch from its file to its results: what the command line and programs call."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from refmaster.batch import storage
from refmaster.batch.decide import Decision
from refmaster.batch.executor import Executor
from refmaster.batch.expand import STATE_FOLDER, expand
from refmaster.batch.journal import Journal
from refmaster.batch.loading import LoadedJobs, Problems, load_jobs
from refmaster.batch.pool import LocalPool
from refmaster.batch.results import write_results
from refmaster.batch.runner import Batch, Listener, Summary
from refmaster.batch.task import Task
from refmaster.errors import OutputError, SettingsError

_SHARE_OF_MEMORY = 0.8
MOST_DEFAULT_MB = 4096


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run a batch.

    Attributes
    ----------
    jobs : int or None
        Processes; None for one each core.
    timeout_s : float or None
        Most seconds for a job that has no timeout of its own.
    memory_mb : int or None
        Memory of each process; None for an equal share of 80 % of this machine's, at most 4096.
    force, overwrite, wait : bool
        Run what is done already; replace files that are no work of this batch; wait for another batch.
    scheduler : str or None
        Address of a Dask scheduler, to run there.
    """

    jobs: int | None = None
    timeout_s: float | None = None
    memory_mb: int | None = None
    force: bool = False
    overwrite: bool = False
    wait: bool = False
    scheduler: str | None = None


def plan_batch(path: str | Path) -> tuple[LoadedJobs, list[Task]]:
    """Read a jobs file and return its tasks.

    Raises
    ------
    SettingsError
        Everything that is wrong, one line each.
    """
    problems = Problems()
    loaded = load_jobs(path, problems)
    tasks = expand(loaded, problems)
    rows = _output_problems(loaded)
    if rows:
        problems.take_error(SettingsError("\n".join(rows)))
    problems.check()
    return loaded, tasks


def _output_problems(loaded: LoadedJobs) -> list[str]:
    """Say where a folder cannot be written, before anything is measured."""
    rows = []
    for folder in dict.fromkeys((loaded.output, loaded.state)):
        if storage.is_url(folder):
            continue
        existing = Path(folder)
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            rows.append(f"{loaded.path}: output: {existing} is no folder")
        elif not os.access(existing, os.W_OK | os.X_OK):
            rows.append(f"{loaded.path}: output: {existing} may not be written to (permission denied)")
    return rows


def state_folder(loaded: LoadedJobs) -> Path:
    """Return where the journal lies."""
    return Path(loaded.state) / STATE_FOLDER


def make_executor(options: RunOptions) -> Executor:
    """Return what runs the tasks."""
    if options.scheduler is not None:
        from refmaster.batch.cluster import Cluster

        return Cluster(options.scheduler, timeout_s=options.timeout_s, memory_mb=options.memory_mb or 0)
    workers = options.jobs or core_count()
    memory_mb = default_memory_mb(workers) if options.memory_mb is None else options.memory_mb
    return LocalPool(workers, timeout_s=options.timeout_s, memory_mb=memory_mb)


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    stop: Callable[[], bool] | None = None,
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
    with Journal(state_folder(loaded), wait=options.wait) as journal:
        executor = make_executor(options)
        try:
            batch = Batch(
                journal, executor, listener, force=options.force, overwrite=options.overwrite, stop=stop
            )
            summary = batch.run(tasks)
        except BaseException:
            executor.abandon()
            raise
        executor.close()
        publish_results(summary, loaded)
    return summary


def publish_results(summary: Summary, loaded: LoadedJobs) -> None:
    """Write the results beside the journal's folder, and below a remote output as well."""
    paths = write_results(summary, Path(loaded.state))
    if storage.is_url(loaded.output):
        for path in paths:
            storage.copy_text(path, storage.join(loaded.output, path.name))


def decide_batch(path: str | Path, *, force: bool) -> list[tuple[Task, Decision]]:
    """Return what a run would do, and why; nothing is changed."""
    loaded, tasks = plan_batch(path)
    folder = state_folder(loaded)
    if not folder.is_dir():
        return [(task, Decision(run=True, why="new")) for task in tasks]
    with Journal(folder) as journal:
        return Batch(journal, _Nowhere(), _Silent(), force=force).decisions(tasks)


class _Nowhere:
    """An executor for decisions only."""

    def capacity(self) -> int:
        return 0

    def expect(self, _tasks: int, /) -> None:
        pass

    def submit(self, _task: Task, /) -> None:
        raise OutputError("nothing runs here")

    def next_event(self, _timeout_s: float, /) -> None:
        return None

    def abandon(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Silent:
    """A listener that hears nothing."""

    def decided(self, *_: object) -> None:
        pass

    def went_on(self, *_: object) -> None:
        pass

    def ended(self, *_: object) -> None:
        pass
