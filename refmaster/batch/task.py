"""A task, its result, and the events reported meanwhile: plain data that passes between processes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from refmaster.errors import ExitCode
from refmaster.version import __version__

STATES = {
    ExitCode.DONE: "done",
    ExitCode.PROMISE_NOT_MET: "promise not met",
    ExitCode.BAD_INPUT: "bad input",
    ExitCode.FAULT: "fault",
    ExitCode.TIMEOUT: "timed out",
    ExitCode.NOT_RUN: "not run",
    ExitCode.CRASHED: "crashed",
    ExitCode.OUT_OF_MEMORY: "out of memory",
}
"""Every way in which a task ends, in words."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One unit of work with its own output; places of files are absolute paths or URLs."""

    kind: str  # a name of `refmaster.batch.kinds.KINDS`
    key: str  # identity in the journal: the first output's name below the output folder, {date} left open
    title: str  # for people
    place: str  # where it was asked for: jobs.yaml:14:5: jobs[2]
    inputs: tuple[str, ...]  # the first is the mix
    outputs: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)  # all else that decides the outputs' bytes
    timeout_s: float | None = None
    after: tuple[str, ...] = ()  # keys of the tasks that make some of its inputs
    date: str = ""  # the day that stands for {date} in its outputs


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The result of a task."""

    code: ExitCode  # as the command line would have ended on it, or how it ended without its own doing
    message: str = ""  # why, where the code is not 0
    asked: dict[str, Any] = field(default_factory=dict)  # numbers by name
    achieved: dict[str, Any] = field(default_factory=dict)
    findings: tuple[dict[str, Any], ...] = ()  # fields of `refmaster.check.findings.Finding`
    inputs: tuple[dict[str, Any], ...] = ()  # `location` and the facts of its content
    outputs: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0  # wall time
    version: str = __version__  # of the refmaster that did it
    detail: str = ""  # a traceback, or the last words of a crashed worker

    @property
    def finished(self) -> bool:
        """Whether there is an output, though a promise may not be met."""
        return self.code in (ExitCode.DONE, ExitCode.PROMISE_NOT_MET)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TaskResult:
        """Return the result that `as_json` was called on; unknown names are left out."""
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        known |= {name: tuple(known.get(name, ())) for name in ("findings", "inputs", "outputs")}
        return cls(**{**known, "code": ExitCode(data["code"])})


@dataclass(frozen=True, kw_only=True)
class Event:
    """A report on a task: it started, went on (`stage`, `share` from 0 to 1), or ended (`result`)."""

    key: str
    stage: str = ""
    share: float | None = None
    result: TaskResult | None = None
