"""Findings: what a person should know of a recording, a plan or a master, with advice where there is any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict, Unpack

from pydantic import Field

from refmaster.settings.model import Model

Severity = Literal["info", "warning", "broken_promise"]


class Where(TypedDict, total=False):
    """Place and measure of a finding: the fields of `Finding` of the same names."""

    times_s: tuple[float, ...]
    band_hz: tuple[float, float] | None
    channel: str | None
    value: float | None
    limit: float | None
    unit: str


class Finding(Model):
    """One thing that a person should know.

    A ``broken_promise`` makes the command line exit with 1, a ``warning`` is worth acting on, an ``info``
    explains.
    """

    severity: Severity
    code: str = Field(description="stable identifier, such as reference_clipped")
    message: str
    advice: str = Field(default="", description="what to do about it")
    times_s: tuple[float, ...] = Field(default=(), description="s, where it begins each time, rising")
    band_hz: tuple[float, float] | None = Field(default=None, description="Hz, lowest and highest")
    channel: str | None = Field(default=None, description="left, right, mid or side; null: the whole")
    value: float | None = Field(default=None, description="what was measured")
    limit: float | None = Field(default=None, description="what it was held against")
    unit: str = Field(default="", description="of value and limit")

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


def info(code: str, message: str, advice: str = "", **where: Unpack[Where]) -> Finding:
    """Return a finding that explains."""
    return Finding(severity="info", code=code, message=message, advice=advice, **where)


def warning(code: str, message: str, advice: str = "", **where: Unpack[Where]) -> Finding:
    """Return a finding worth acting on."""
    return Finding(severity="warning", code=code, message=message, advice=advice, **where)


def broken(code: str, message: str, advice: str = "", **where: Unpack[Where]) -> Finding:
    """Return a finding for a promise that was not met."""
    return Finding(severity="broken_promise", code=code, message=message, advice=advice, **where)


def kept_promises(findings: Iterable[Finding]) -> bool:
    """Return whether no finding is a broken promise."""
    return all(finding.severity != "broken_promise" for finding in findings)
