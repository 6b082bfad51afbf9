"""Run a batch: decide, hand out, note, report. Where the tasks run is the executor's business."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from refmaster.batch import storage
from refmaster.batch.decide import Decision, decide
from refmaster.batch.journal import Journal
from refmaster.batch.names import DATE
from refmaster.batch.task import STATES, Event, Task, TaskResult
from refmaster.errors import ExitCode, SettingsError

_POLL_S = 0.2
SAY_AFTER_S = 5.0  # of waiting for something to run on


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a run."""

    jobs: int | None = None  # processes; None: one for each core
    timeout_s: float | None = None  # most seconds for a job that has no timeout of its own
    memory_mb: int | None = None  # of each process; None: its share of 80 % of this machine's, at most 4096
    force: bool = False  # run what is done already
    overwrite: bool = False  # replace files that are no work of this batch
    wait: bool = False  # for another batch on the same folder to end
    scheduler: str | None = None  # address of a Dask scheduler, to run there
    wait_workers_s: float | None = None  # most seconds without a worker that lives; None: go on waiting


class Executor(Protocol):
    """Runs tasks and reports events; see `refmaster.batch.pool` and `refmaster.batch.cluster`."""

    def capacity(self) -> int:
        """Return how many tasks it wants to hold at once."""

    def expect(self, tasks: int, /) -> None:
        """Get ready for so many tasks."""

    def awaited(self) -> str:
        """Return what has to come before anything can run, empty where something can."""

    def submit(self, task: Task, /) -> None:
        """Take a task; its events carry its key."""

    def next_event(self, timeout_s: float, /) -> Event | None:
        """Return the next event, or None when there was none within `timeout_s`."""

    def close(self) -> None:
        """End what runs and release everything; an abandoned task leaves nothing behind."""


class Listener(Protocol):
    """Is told how a batch goes."""

    def decided(self, decisions: Sequence[tuple[Task, Decision]], /) -> None:
        """Hear which tasks are to run and which are kept; those that make references come first."""

    def told(self, text: str, /) -> None:
        """Hear why nothing goes on, and that it does again."""

    def went_on(self, task: Task, event: Event, /) -> None:
        """Hear that a task started or went on."""

    def ended(self, task: Task, result: TaskResult, /) -> None:
        """Hear that a task ended."""


@dataclass(kw_only=True)
class Row:
    """One task's line of the results."""

    task: Task
    result: TaskResult
    kept: bool
    changed: str = ""  # name of an output of a kept task that is not as it was written

    @property
    def state(self) -> str:
        """The task's end in words."""
        return "changed since" if self.changed else STATES[self.result.code]

    @property
    def message(self) -> str:
        """Reason for the state; empty where the task is plainly done."""
        if self.changed:
            return f"{self.changed} is not as it was written; delete it, and the next run makes it again"
        return self.result.message


@dataclass(kw_only=True)
class Summary:
    """The results of a batch."""

    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False
    page: Path | None = None  # results.html, once it is written

    @property
    def exit_code(self) -> ExitCode:
        """DONE where every task is done and every promise kept; INTERRUPTED after Ctrl-C; else 1."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.PROMISE_NOT_MET if any(row.result.code for row in self.rows) else ExitCode.DONE


@dataclass
class Batch:
    """One run over a list of tasks."""

    journal: Journal  # open, and so locked
    executor: Executor  # the caller closes it
    listener: Listener
    options: RunOptions
    stop: Callable[[], bool] = lambda: False  # asked now and then: begin nothing new, finish what runs?
    _rows: dict[str, Row] = field(default_factory=dict, init=False)  # by the task's key
    _interrupted: bool = field(default=False, init=False)
    _given_up: str = field(default="", init=False)  # what was waited for in vain
    _awaited_since_s: float | None = field(default=None, init=False)  # nothing can run since then
    _awaited_told: str = field(default="", init=False)  # what was said of it

    def run(self, tasks: Sequence[Task]) -> Summary:
        """Run what is to be done, tasks that make references first.

        Raises
        ------
        SettingsError
            Outputs exist that are no work of this journal.
        OutputError
            The journal cannot be written (a full disk, say); what ran is finished.
        """
        tasks = [dated(task, self.journal) for task in tasks]
        if not self.options.overwrite:
            self._refuse_foreign(tasks)
        making = {key for task in tasks for key in task.after}
        first = [task for task in tasks if task.key in making]
        rest = [task for task in tasks if task.key not in making]
        if first:
            self._run_stage(first, rest)
            storage.forget_listings()  # they know nothing of what was just written
        self._run_stage(rest, [])
        return Summary(rows=[self._rows[task.key] for task in tasks], interrupted=self._interrupted)

    def _refuse_foreign(self, tasks: Sequence[Task]) -> None:
        rows = [
            f"{task.place}: {output} exists already and is no work of this batch; move it away, choose "
            "another `output`, or replace it with --overwrite"
            for task in tasks
            if not self.journal.knows(task.key)
            for output in task.outputs
            if storage.exists(output)
        ]
        if rows:
            raise SettingsError("\n".join(rows))

    def _run_stage(self, tasks: Sequence[Task], later: Sequence[Task]) -> None:
        decisions = [(task, self._decide(task)) for task in tasks]
        for task, decision in decisions:
            if not decision.run:
                self._keep(task, decision)
        self.listener.decided(decisions)
        waiting = deque(task for task, decision in decisions if decision.run)
        keys = {task.key for task in waiting}
        self.executor.expect(len(waiting) + sum(bool(keys & set(task.after)) for task in later))
        running: dict[str, Task] = {}
        while waiting or running:
            if self.stop():
                self._interrupted = True
                self._leave(waiting, "not begun")
                waiting.clear()
            if running and not self._given_up:
                self._given_up = self._gives_up()
            if self._given_up:
                self._leave([*running.values(), *waiting], f"abandoned: {self._given_up}")
                return
            while waiting and len(running) < self.executor.capacity():
                self._begin(waiting.popleft(), running)
            event = self.executor.next_event(_POLL_S) if running else None
            if event is None or event.key not in running:
                continue
            if event.result is None:
                self.listener.went_on(running[event.key], event)
            else:
                task = running.pop(event.key)
                self.journal.finish(task, event.result)
                self._end(task, event.result)

    def _leave(self, tasks: Iterable[Task], why: str) -> None:
        for task in tasks:
            self._end(task, TaskResult(code=ExitCode.NOT_RUN, message=why))

    def _gives_up(self) -> str:
        """Return what nothing can run without, where waiting for it has an end; say what is awaited."""
        awaited, now = self.executor.awaited(), time.monotonic()
        if not awaited:
            if self._awaited_told:
                self.listener.told("going on")
            self._awaited_since_s, self._awaited_told = None, ""
            return ""
        if self._awaited_since_s is None:
            self._awaited_since_s = now
        lasted_s = now - self._awaited_since_s
        if lasted_s >= SAY_AFTER_S and awaited != self._awaited_told:
            self._awaited_told = awaited
            self.listener.told(f"waiting: {awaited}; Ctrl-C ends the batch")
        limit_s = self.options.wait_workers_s
        return awaited if self._interrupted or (limit_s is not None and lasted_s >= limit_s) else ""

    def _decide(self, task: Task) -> Decision:
        return decide(task, self.journal.latest(task.key), force=self.options.force)

    def _keep(self, task: Task, decision: Decision) -> None:
        if decision.amended is not None:
            self.journal.append(decision.amended)
        line = self.journal.latest(task.key)
        result = TaskResult.from_json(line["outcome"]) if line else TaskResult(code=ExitCode.DONE)
        self._rows[task.key] = Row(task=task, result=result, kept=True, changed=decision.changed)

    def _begin(self, task: Task, running: dict[str, Task]) -> None:
        failed = [self._rows[key].result for key in task.after if not self._rows[key].result.finished]
        if failed:
            message = f"its reference failed: {failed[0].message}"
            result = TaskResult(code=ExitCode.NOT_RUN, message=message)
            self.journal.finish(task, result)
            self._end(task, result)
            return
        self.journal.begin(task)
        running[task.key] = task
        self.executor.submit(replace(task, timeout_s=task.timeout_s or self.options.timeout_s))

    def _end(self, task: Task, result: TaskResult) -> None:
        self._rows[task.key] = Row(task=task, result=result, kept=False)
        self.listener.ended(task, result)


def decisions(tasks: Sequence[Task], journal: Journal, *, force: bool) -> list[tuple[Task, Decision]]:
    """Return what a run would do, and why, without doing anything."""
    found = []
    running: set[str] = set()
    for task in tasks:
        decision = decide(dated(task, journal), journal.latest(task.key), force=force)
        if not decision.run and running & set(task.after):
            decision = Decision(run=True, why="its reference is measured again")
        if decision.run:
            running.add(task.key)
        found.append((task, decision))
    return found


def dated(task: Task, journal: Journal) -> Task:
    """Return the task with ``{date}`` in its outputs filled: the day it was first begun, else today."""
    if DATE not in task.key:
        return task
    line = journal.latest(task.key)
    day = line["date"] if line else dt.date.today().isoformat()  # noqa: DTZ011 - of whoever runs it
    return replace(task, date=day, outputs=tuple(output.replace(DATE, day) for output in task.outputs))
