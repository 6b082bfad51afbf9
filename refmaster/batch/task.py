"""A task, its result, and the events reported meanwhile: plain data that passes between processes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from refmaster.errors import ExitCode
from refmaster.version import __version__


@dataclass(frozen=True, kw_only=True)
class Task:
    """One unit of work with its own output.

    Attributes
    ----------
    kind : str
        Which verb: a name of `refmaster.batch.kinds.KINDS`.
    key : str
        Identity in the journal: the output's name below the output folder, with ``{date}`` left open.
    title : str
        For people.
    place : str
        Where it was asked for: ``jobs.yaml:14:5: jobs[2]``.
    inputs, outputs : tuple of str
        Absolute paths or URLs; the first input is the mix, the task is named by its first output.
    options : dict
        Everything else that decides the outputs' bytes.
    timeout_s : float or None
        Most seconds it may take.
    after : tuple of str
        Keys of the tasks that make some of its inputs.
    date : str
        The day that stands for ``{date}`` in its outputs; empty where it is left open, or not used.
    """

    kind: str
    key: str
    title: str
    place: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    after: tuple[str, ...] = ()
    date: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """How a task ended.

    Attributes
    ----------
    code : ExitCode
        As the command line would have ended on it, or how the job ended without its own doing.
    message : str
        Why, where the code is not 0.
    asked, achieved : dict
        Numbers by name.
    findings : tuple of dict
        Fields of `refmaster.check.findings.Finding`.
    inputs, outputs : tuple of dict
        ``location`` and what identifies the content: size, hash, times of a file; ETag of an object.
    seconds : float
        Wall time.
    version : str
        The version of refmaster that did it.
    detail : str
        A traceback, or the last words of a crashed worker.
    """

    code: ExitCode
    message: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    achieved: dict[str, Any] = field(default_factory=dict)
    findings: tuple[dict[str, Any], ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    version: str = __version__
    detail: str = ""

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
