"""What the tasks of a batch wait for is said, and has an end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from refmaster.batch import runner
from refmaster.batch.runner import Batch, RunOptions, Summary
from refmaster.batch.session import open_journal, plan_batch
from refmaster.batch.task import Event, Task, TaskResult
from refmaster.errors import ExitCode

from .conftest import Ears, Project


class Stuck:
    """An executor that has nothing to run on, until it is told."""

    def __init__(self) -> None:
        self.missing = "a worker"
        self.tasks: list[Task] = []

    def capacity(self) -> int:
        return 1

    def expect(self, _tasks: int) -> None:
        pass

    def awaited(self) -> str:
        return self.missing

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def next_event(self, _timeout_s: float) -> Event | None:
        if self.missing or not self.tasks:
            return None
        return Event(key=self.tasks.pop().key, result=TaskResult(code=ExitCode.DONE))

    def close(self) -> None:
        pass


def run_stuck(
    project: Project, stuck: Stuck, ears: Ears, stop: Callable[[], bool], limit_s: float | None = None
) -> Summary:
    loaded, tasks = plan_batch(project.jobs_file)
    with open_journal(loaded) as journal:
        return Batch(journal, stuck, ears, RunOptions(wait_workers_s=limit_s), stop).run(tasks)


def test_what_is_awaited_is_said_and_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SAY_AFTER_S", 0.2)
    stuck, ears = Stuck(), Ears()

    def stop() -> bool:
        if ears.said:
            stuck.missing = ""
        return False

    summary = run_stuck(project, stuck, ears, stop)
    assert ears.said == ["waiting: a worker; Ctrl-C ends the batch", "going on"]
    assert summary.exit_code == 0


def test_nobody_is_told_of_a_short_wait(project: Project) -> None:
    stuck, ears = Stuck(), Ears()
    looks = iter(range(100))

    def stop() -> bool:
        stuck.missing = "a worker" if next(looks) < 3 else ""
        return False

    assert run_stuck(project, stuck, ears, stop).exit_code == 0
    assert ears.said == []


def test_waiting_for_workers_has_the_end_that_was_asked_for(project: Project) -> None:
    ears = Ears()
    summary = run_stuck(project, Stuck(), ears, lambda: False, limit_s=0.2)
    assert summary.exit_code == 1
    assert {result.message for result in ears.results.values()} == {"abandoned: a worker"}
    assert {result.code for result in ears.results.values()} == {ExitCode.NOT_RUN}


def test_the_first_ctrl_c_ends_a_batch_that_nothing_can_run(project: Project) -> None:
    summary = run_stuck(project, Stuck(), Ears(), lambda: True)
    assert summary.exit_code == 130
    assert not summary.rows[0].kept
