"""Run commands and take their wall time, CPU time and peak memory from the kernel."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process cost."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(arguments: Sequence[str], *, accepted: tuple[int, ...] = (0,)) -> Cost:
    """Run a command to its end; RuntimeError with its output where the exit code is not accepted."""
    started = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        raise RuntimeError(f"{arguments}: exit {process.returncode}\n{output.decode(errors='replace')}")
    return Cost(
        wall_s=time.monotonic() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )


def alternate(jobs: Sequence[Callable[[], Cost]], rounds: int) -> list[Cost]:
    """Run the jobs in turn, `rounds` times, and return each job's medians."""
    costs: list[list[Cost]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, found in zip(jobs, costs, strict=True):
            found.append(job())
    return [
        Cost(
            wall_s=statistics.median(c.wall_s for c in found),
            cpu_s=statistics.median(c.cpu_s for c in found),
            peak_mb=max(c.peak_mb for c in found),
        )
        for found in costs
    ]


def python(code: str, *arguments: str) -> list[str]:
    """Return the command that runs `code` in this interpreter."""
    return [sys.executable, "-c", code, *arguments]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
