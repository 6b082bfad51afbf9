"""Watch folders: master what is dropped into them, once it is complete.

A file counts as complete when its size and time stand still for a while, nobody has it open for writing (as
far as the system tells), it is not locked, and it opens as audio of the length that its header states. One
that stands still and does not open is given more time, in which a slow copy may go on; then, or when the
watch ends, its job runs all the same, and fails with the reason. The journal is that of a batch, so what was
done before the watch, or by a batch, is not done again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from refmaster.batch import storage
from refmaster.batch.jobs_file import load_jobs
from refmaster.batch.journal import Journal
from refmaster.batch.problems import Problems
from refmaster.batch.runner import Batch, Executor, Listener, Row, RunOptions, Summary
from refmaster.batch.session import expand, open_executor, open_journal, publish_results
from refmaster.batch.task import Task
from refmaster.errors import InputError, RefmasterError, SettingsError
from refmaster.io.suffixes import is_url, is_yaml

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAP_S = 0.1
PATIENCE = 10  # times the time to settle, for a file that does not open

State = dict[str, storage.Facts | None]  # of a task's inputs


class Settled:
    """Knows for how long files have stood still."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[storage.Facts | None, float]] = {}

    def still_s(self, location: str, found: storage.Facts | None) -> float:
        """Return for how long a file has been as it is now, in s; the first look starts the clock."""
        now = time.monotonic()
        before, since_s = self._seen.get(location, (None, now))
        if before != found or found is None:
            since_s = now
        self._seen[location] = (found, since_s)
        return now - since_s


def why_incomplete(location: str) -> str:
    """Return why a file that stands still does not open as audio; empty where it does."""
    if is_url(location) or is_yaml(location):
        return ""  # an object appears complete or not at all
    from refmaster.io.open import open_audio

    try:
        open_audio(location)
    except RefmasterError as error:
        return str(error)
    return ""


def is_in_use(location: str) -> bool:
    """Return whether another process locks a file or has it open for writing."""
    return not is_url(location) and _in_use(Path(location))


def _in_use(path: Path) -> bool:
    if fcntl is None:
        with contextlib.suppress(OSError), path.open("r+b"):  # a writer denies it there
            return False
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:
        return True
    else:
        return _has_writer(descriptor)
    finally:
        os.close(descriptor)


def _has_writer(descriptor: int) -> bool:
    """Return whether anybody has the file open for writing; known on Linux, for one's own files."""
    lease = getattr(fcntl, "F_SETLEASE", None)
    if lease is None:
        return False
    try:
        fcntl.fcntl(descriptor, lease, fcntl.F_RDLCK)  # refused while there is a writer
    except BlockingIOError:
        return True
    except OSError:
        return False  # not one's own, or a file system without leases: standing still has to do
    fcntl.fcntl(descriptor, lease, fcntl.F_UNLCK)
    return False


@dataclass
class Watch:
    """One watch over a jobs file, which is read once."""

    path: str | Path
    options: RunOptions
    listener: Listener
    say: Callable[[str], None]  # takes a line about what cannot be planned
    _: KW_ONLY
    settle_s: float = 3.0  # how long a file must stand still
    every_s: float = 1.0  # how often to look

    def __post_init__(self) -> None:
        problems = Problems()
        self._loaded = load_jobs(self.path, problems)
        expand(self._loaded, problems, watching=True)
        problems.check()
        self._settled = Settled()
        self._said: set[str] = set()
        self._done: dict[str, Row] = {}
        self._tried: dict[str, State] = {}
        self._unopened: dict[str, tuple[State, float]] = {}  # and since when

    def run(self, stop: Callable[[], bool]) -> Summary:
        """Watch until `stop` says True; return what was done meanwhile.

        Raises
        ------
        OutputError
            The journal cannot be written, or another batch is at work.
        """
        with (
            open_journal(self._loaded, wait=self.options.wait) as journal,
            open_executor(self.options) as executor,
        ):
            while not stop():
                self._look(journal, executor, stop)
                until = time.monotonic() + self.every_s
                while time.monotonic() < until and not stop():
                    time.sleep(min(_NAP_S, self.every_s))
            self._look(journal, executor, lambda: False, last=True)
        return self._summary()

    def _summary(self) -> Summary:
        return Summary(rows=list(self._done.values()))

    def _look(
        self, journal: Journal, executor: Executor, stop: Callable[[], bool], *, last: bool = False
    ) -> None:
        """Run what is ready; the `last` look fails what did not open until now."""
        problems = Problems()
        try:
            tasks = expand(self._loaded, problems, watching=True)
            ready = [] if problems else self._ready(tasks, last=last)
        except InputError as error:  # a storage does not answer at present
            self._say_once(str(error))
            return
        for text in problems.rows():
            self._say_once(text)
        if not ready:
            return
        try:
            summary = Batch(journal, executor, self.listener, self.options, stop).run(ready)
        except (SettingsError, storage.StorageError) as error:
            self.say(str(error))
            return
        self._done.update({row.task.key: row for row in summary.rows})
        publish_results(self._summary(), self._loaded)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def _ready(self, tasks: list[Task], *, last: bool) -> list[Task]:
        """Return the tasks whose inputs are complete and not yet tried as they are, and their references.

        Those whose inputs will not become complete are among them, to fail with the reason.
        """
        chosen: dict[str, Task] = {}
        by_key = {task.key: task for task in tasks}
        for task in tasks:
            sources = {task.key: task, **{key: by_key[key] for key in task.after}}.values()
            made = {output for source in sources for output in source.outputs}
            inputs = (at for source in sources for at in source.inputs)
            state = {at: storage.glance(at) for at in inputs if at not in made}
            still_s = min(self._settled.still_s(at, found) for at, found in state.items())
            if None in state.values() or still_s < self.settle_s or self._tried.get(task.key) == state:
                continue
            if any(map(is_in_use, state)):
                continue
            why = next(filter(None, map(why_incomplete, state)), "")
            if (last and not why) or (why and not last and self._may_still_open(task, state, why)):
                continue
            self._tried[task.key] = state
            chosen[task.key] = task
        needed = {key: by_key[key] for task in chosen.values() for key in task.after}
        return list({**needed, **chosen}.values())

    def _may_still_open(self, task: Task, state: State, why: str) -> bool:
        """Return whether inputs that do not open are to be given more time, and say so."""
        known, since_s = self._unopened.get(task.key, ({}, 0.0))
        if known != state:
            since_s = time.monotonic()
            self._unopened[task.key] = (state, since_s)
            self._say_once(f"waiting {task.key}: {why}")
        return time.monotonic() - since_s < PATIENCE * self.settle_s
