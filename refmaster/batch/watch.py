"""Watch folders: master what is dropped into them, once it is complete.

A file counts as complete when its size and time stand still for a while, nobody has it open for writing (as
far as the system tells), it is not locked, and it opens as audio of the length that its header states. The
journal is that of a batch, so what was done before the watch, or by a batch, is not done again.
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
from refmaster.errors import RefmasterError, SettingsError
from refmaster.io.suffixes import is_yaml

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAP_S = 0.1


class Settled:
    """Knows whether files have stood still for `settle_s` seconds."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._seen: dict[str, tuple[storage.Facts | None, float]] = {}

    def stands_still(self, location: str, found: storage.Facts | None) -> bool:
        """Return whether a file has been as it is now for long enough; the first look starts the clock."""
        now = time.monotonic()
        before, since_s = self._seen.get(location, (None, now))
        if before != found:
            since_s = now
        self._seen[location] = (found, since_s)
        return found is not None and now - since_s >= self._settle_s


def is_complete(location: str) -> bool:
    """Return whether a file that stands still is free to read and opens as audio (or a saved profile)."""
    if storage.is_url(location):
        return True  # an object appears complete or not at all
    path = Path(location)
    if _in_use(path):
        return False
    if is_yaml(path):
        return True
    from refmaster.io.open import open_audio

    try:
        source = open_audio(path)
    except RefmasterError:
        return False
    return source.format.frames is None or source.format.frames > 0


def _in_use(path: Path) -> bool:
    """Return whether another process locks the file or has it open for writing."""
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
        self._settled = Settled(self.settle_s)
        self._said: set[str] = set()
        self._done: dict[str, Row] = {}
        self._tried: dict[str, dict[str, storage.Facts | None]] = {}

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
        return self._summary()

    def _summary(self) -> Summary:
        return Summary(rows=list(self._done.values()))

    def _look(self, journal: Journal, executor: Executor, stop: Callable[[], bool]) -> None:
        problems = Problems()
        tasks = expand(self._loaded, problems, watching=True)
        for text in problems.rows():
            if text not in self._said:
                self._said.add(text)
                self.say(text)
        ready = [] if problems else self._ready(tasks)
        if not ready:
            return
        try:
            summary = Batch(journal, executor, self.listener, self.options, stop).run(ready)
        except SettingsError as error:
            self.say(str(error))
            return
        self._done.update({row.task.key: row for row in summary.rows})
        publish_results(self._summary(), self._loaded)

    def _ready(self, tasks: list[Task]) -> list[Task]:
        """Return the tasks whose inputs are complete and not yet tried as they are, and their references."""
        chosen: dict[str, Task] = {}
        by_key = {task.key: task for task in tasks}
        for task in tasks:
            made = {output for key in task.after for output in by_key[key].outputs}
            state = {at: storage.glance(at) for at in task.inputs if at not in made}
            still = [self._settled.stands_still(at, found) for at, found in state.items()]
            if self._tried.get(task.key) == state or not all(still) or not all(map(is_complete, state)):
                continue
            self._tried[task.key] = state
            chosen[task.key] = task
        needed = {key: by_key[key] for task in chosen.values() for key in task.after}
        return list({**needed, **chosen}.values())
