"""The interface of a kind of job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from refmaster._types import Progress
from refmaster.batch.planner import JobPlanner, JobT
from refmaster.batch.schema import Job
from refmaster.batch.task import Task
from refmaster.check.findings import Finding

if TYPE_CHECKING:
    from refmaster.plan import MasteringPlan


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A task's files on this machine: inputs to read, outputs to write (replacing is fine)."""

    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    with_origins: Callable[[MasteringPlan], MasteringPlan]  # puts URLs for the names of their local copies


@dataclass(frozen=True, kw_only=True)
class Produced:
    """The numbers that a task asked and achieved, and its findings."""

    asked: dict[str, Any] = field(default_factory=dict)
    achieved: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Kind(ABC, Generic[JobT]):
    """A kind of job: the model of its keys, how a job becomes tasks, and how one task is done.

    `plan` runs in the parent, which may hold a hundred thousand tasks and imports nothing heavy; `run`
    runs in a worker, on local files, and raises `RefmasterError` for bad input.
    """

    name: ClassVar[str]
    model: ClassVar[type[Job]]

    @abstractmethod
    def plan(self, planner: JobPlanner[JobT]) -> Iterable[Task]:
        """Return the job's tasks; what is wrong is noted with the planner."""

    @abstractmethod
    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Do one task: write every output, report what was achieved."""
