"""Findings: what a person should know of a recording, a plan or a master, with advice where there is any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from refmaster.settings.model import Model

Severity = Literal["info", "warning", "broken_promise"]


class Finding(Model):
    """One thing that a person should know.

    A ``broken_promise`` makes the command line exit with 1, a ``warning`` is worth acting on, an ``info``
    explains.
    """

    severity: Severity
    code: str = Field(description="stable identifier, such as reference_clipped")
    message: str
    advice: str = Field(default="")

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


def info(code: str, message: str, advice: str = "") -> Finding:
    """Return a finding that explains."""
    return Finding(severity="info", code=code, message=message, advice=advice)


def warning(code: str, message: str, advice: str = "") -> Finding:
    """Return a finding worth acting on."""
    return Finding(severity="warning", code=code, message=message, advice=advice)


def broken(code: str, message: str, advice: str = "") -> Finding:
    """Return a finding for a promise that was not met."""
    return Finding(severity="broken_promise", code=code, message=message, advice=advice)


def kept_promises(findings: Iterable[Finding]) -> bool:
    """Return whether no finding is a broken promise."""
    return all(finding.severity != "broken_promise" for finding in findings)
