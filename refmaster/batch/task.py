"""A task, what came of it, and what an executor reports meanwhile: plain data that travels as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

# Codes of an outcome. 0 to 3 are those of the command line; the rest say how a job ended without one.
CODE_DONE = 0
CODE_PROMISE_NOT_MET = 1
CODE_BAD_INPUT = 2
CODE_FAULT = 3
CODE_TIMEOUT = 124
CODE_CRASHED = 134
CODE_OUT_OF_MEMORY = 137
CODE_NOT_RUN = 125


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
        Absolute paths or URLs; the first input is the mix, the first output the one the task is named by.
    options : dict
        Everything else that decides the outputs' bytes.
    timeout_s : float or None
        Most seconds it may take.
    after : tuple of str
        Keys of the tasks that make some of its inputs.
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

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """Return the task that `as_json` was called on."""
        names = ("inputs", "outputs", "after")
        return cls(**{**data, **{name: tuple(data[name]) for name in names}})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a task.

    Attributes
    ----------
    code : int
        0 done, 1 done but a promise was not met, 2 bad input, 3 a fault of refmaster, 124 timed out,
        125 not run, 134 crashed, 137 out of memory.
    message : str
        Why, where the code is not 0.
    asked, achieved : dict
        Numbers by name.
    findings : tuple of dict
        As `refmaster.check.findings.Finding`.
    inputs, outputs : tuple of dict
        ``location`` and what identifies the content: size, hash, times of a file; ETag of an object.
    seconds : float
        Wall time.
    version : str
        Of the refmaster that did it.
    detail : str
        A traceback or the last words of a crashed worker.
    """

    code: int
    message: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    achieved: dict[str, Any] = field(default_factory=dict)
    findings: tuple[dict[str, Any], ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    version: str = ""
    detail: str = ""

    @property
    def finished(self) -> bool:
        """True where there is an output, though a promise may not be met."""
        return self.code in (CODE_DONE, CODE_PROMISE_NOT_MET)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """Return the outcome that `as_json` was called on; unknown names are left out."""
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        lists = ("findings", "inputs", "outputs")
        return cls(**{**known, **{name: tuple(known.get(name, ())) for name in lists}})


@dataclass(frozen=True, kw_only=True)
class Event:
    """What an executor reports: a task started, went on (`stage`, `share` 0..1), or ended (`outcome`)."""

    key: str
    stage: str = ""
    share: float | None = None
    outcome: Outcome | None = None
