"""What a verb of a batch is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from refmaster._types import Progress
from refmaster.batch.schema import Job
from refmaster.batch.task import Task

if TYPE_CHECKING:
    from refmaster.batch.expand import Planner
    from refmaster.batch.loading import LoadedJob


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A task's files on this machine: inputs to read, outputs to write (replacing is fine)."""

    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Produced:
    """What a verb reports: the numbers asked and achieved, and findings as plain data."""

    asked: dict[str, Any] = field(default_factory=dict)
    achieved: dict[str, Any] = field(default_factory=dict)
    findings: tuple[dict[str, Any], ...] = ()

    @property
    def kept_promises(self) -> bool:
        """True where no finding is a broken promise."""
        return all(finding["severity"] != "broken_promise" for finding in self.findings)


class Kind(ABC):
    """A verb: the model of its jobs, how they become tasks, and what one task does.

    `plan` runs in the parent, which may hold a hundred thousand tasks and imports nothing heavy; `run`
    runs in a worker, on local files, and raises `RefmasterError` for bad input.
    """

    name: ClassVar[str]
    model: ClassVar[type[Job]]

    @abstractmethod
    def plan(self, loaded_job: LoadedJob, planner: Planner) -> Iterable[Task]:
        """Return the job's tasks; what is wrong goes to ``planner.problems``."""

    @abstractmethod
    def run(self, task: Task, staged: Staged, progress: Progress) -> Produced:
        """Do one task: write every output, report what was achieved."""
