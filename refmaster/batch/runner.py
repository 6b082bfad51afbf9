"""Run a batch: decide, hand out, note, report. Where the tasks run is the executor's business."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from refmaster.batch import storage
from refmaster.batch.decide import Decision, decide
from refmaster.batch.executor import Executor
from refmaster.batch.expand import dated
from refmaster.batch.identity import exists
from refmaster.batch.journal import Journal
from refmaster.batch.task import CODE_NOT_RUN, Event, Outcome, Task
from refmaster.errors import SettingsError

_POLL_S = 0.2


class Listener(Protocol):
    """Who is told how a batch goes."""

    def decided(self, decisions: Sequence[tuple[Task, Decision]], /) -> None:
        """Hear which tasks are to run and which are kept; those that make references come first."""
        ...

    def went_on(self, task: Task, event: Event, /) -> None:
        """Hear that a task started or went on."""
        ...

    def ended(self, task: Task, outcome: Outcome, /) -> None:
        """Hear that a task ended."""
        ...


@dataclass(kw_only=True)
class Row:
    """One task's line of the results."""

    task: Task
    outcome: Outcome
    kept: bool


@dataclass(kw_only=True)
class Summary:
    """What came of a batch."""

    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 where every task is done and every promise kept; 130 after Ctrl-C; else 1."""
        if self.interrupted:
            return 130
        return 1 if any(row.outcome.code for row in self.rows) else 0


class Batch:
    """One run over a list of tasks.

    Parameters
    ----------
    journal : Journal
        Open, and so locked.
    executor : Executor
        Runs the tasks; the caller closes it.
    listener : Listener
        Is told how it goes.
    force : bool
        Run what is done already as well.
    overwrite : bool
        Replace outputs that are no work of this journal.
    stop : callable, optional
        Asked now and then; when it says True, nothing new is begun and what runs is finished.
    """

    def __init__(
        self,
        journal: Journal,
        executor: Executor,
        listener: Listener,
        *,
        force: bool = False,
        overwrite: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._journal = journal
        self._executor = executor
        self._listener = listener
        self._force = force
        self._overwrite = overwrite
        self._stop = stop or (lambda: False)
        self._today = dt.date.today().isoformat()  # noqa: DTZ011 - the day of whoever runs it
        self._outcomes: dict[str, Outcome] = {}
        self._tasks: Sequence[Task] = ()

    def run(self, tasks: Sequence[Task]) -> Summary:
        """Run what is to be done; those that make references first.

        Raises
        ------
        SettingsError
            Outputs exist that are no work of this journal.
        OutputError
            The journal cannot be written (a full disk, say); what ran is finished.
        """
        tasks = [self._dated(task) for task in tasks]
        if not self._overwrite:
            self._refuse_foreign(tasks)
        self._tasks = tasks
        making = {key for task in tasks for key in task.after}
        summary = Summary()
        first = [task for task in tasks if task.key in making]
        for stage in (first, [task for task in tasks if task.key not in making]):
            self._run_stage(stage, summary)
            if making:
                storage.forget_listings()  # what the first stage wrote
        order = {task.key: number for number, task in enumerate(tasks)}
        summary.rows.sort(key=lambda row: order[row.task.key])
        return summary

    def decisions(self, tasks: Sequence[Task]) -> list[tuple[Task, Decision]]:
        """Return what would be done, and why, without doing anything."""
        found = []
        running: set[str] = set()
        for task in map(self._dated, tasks):
            decision = decide(task, self._journal.latest(task.key), force=self._force)
            if not decision.run and running & set(task.after):
                decision = Decision(run=True, why="its reference is measured again")
            if decision.run:
                running.add(task.key)
            found.append((task, decision))
        return found

    def _dated(self, task: Task) -> Task:
        line = self._journal.latest(task.key) if "{date}" in task.key else None
        return dated(task, line["date"] if line else self._today)

    def _refuse_foreign(self, tasks: Sequence[Task]) -> None:
        rows = [
            f"{task.place}: {output} exists already and is no work of this batch; move it away, choose "
            "another `output`, or replace it with --overwrite"
            for task in tasks
            if not self._journal.knows(task.key)
            for output in task.outputs
            if exists(output)
        ]
        if rows:
            raise SettingsError("\n".join(rows))

    def _run_stage(self, tasks: Sequence[Task], summary: Summary) -> None:
        waiting: deque[Task] = deque()
        decided = []
        for task in tasks:
            decision = self._decide(task)
            decided.append((task, decision))
            if decision.run:
                waiting.append(task)
            else:
                self._keep(task, decision, summary)
        self._listener.decided(decided)
        keys = {task.key for task in waiting}
        self._executor.expect(len(waiting) + sum(bool(keys & set(task.after)) for task in self._tasks))
        running: dict[str, Task] = {}
        while waiting or running:
            stopping = self._stop()
            summary.interrupted = summary.interrupted or stopping
            while waiting and not stopping and len(running) < self._executor.capacity():
                self._begin(waiting.popleft(), running, summary)
            if stopping:
                for task in waiting:
                    self._end(task, Outcome(code=CODE_NOT_RUN, message="not begun"), summary, note=False)
                waiting.clear()
            event = self._executor.next_event(_POLL_S) if running else None
            if event is None or event.key not in running:
                continue
            if event.outcome is None:
                self._listener.went_on(running[event.key], event)
            else:
                self._end(running.pop(event.key), event.outcome, summary)

    def _decide(self, task: Task) -> Decision:
        return decide(task, self._journal.latest(task.key), force=self._force)

    def _keep(self, task: Task, decision: Decision, summary: Summary) -> None:
        if decision.amended is not None:
            self._journal.amend(decision.amended)
        line = self._journal.latest(task.key)
        outcome = Outcome.from_json(line["outcome"]) if line else Outcome(code=0)
        self._outcomes[task.key] = outcome
        summary.rows.append(Row(task=task, outcome=outcome, kept=True))

    def _begin(self, task: Task, running: dict[str, Task], summary: Summary) -> None:
        missing = [key for key in task.after if not self._outcomes[key].finished]
        if missing:
            message = f"its reference failed: {self._outcomes[missing[0]].message}"
            self._end(task, Outcome(code=CODE_NOT_RUN, message=message), summary)
            return
        self._journal.begin(task, date=self._date(task))
        running[task.key] = task
        self._executor.submit(task)

    def _end(self, task: Task, outcome: Outcome, summary: Summary, *, note: bool = True) -> None:
        if note:
            self._journal.finish(task, outcome, date=self._date(task))
        self._outcomes[task.key] = Outcome(code=outcome.code, message=outcome.message)
        summary.rows.append(Row(task=task, outcome=outcome, kept=False))
        self._listener.ended(task, outcome)

    def _date(self, task: Task) -> str:
        line = self._journal.latest(task.key) if "{date}" in task.key else None
        return str(line["date"]) if line else self._today
