"""Run commands and take their wall time, CPU time and peak memory from the kernel."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process cost."""

    wall_s: float
    cpu_s: float
    peak_mb: float


# A process that starts another one passes its own peak memory on to it (Linux counts what was held before the
# program was replaced). So a small process stands between the benchmark, which holds audio, and the command.
LAUNCHER = """
import json, os, sys, time
started = time.monotonic()
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
wall_s = time.monotonic() - started
code = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:
    json.dump([wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, code], file)
"""


def run(arguments: Sequence[str], *, accepted: tuple[int, ...] = (0,)) -> Cost:
    """Run a command to its end; RuntimeError with its output where the exit code is not accepted."""
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage.json"
        command = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(usage), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        wall_s, cpu_s, peak_kb, code = json.loads(usage.read_text())
    if code not in accepted:
        raise RuntimeError(f"{arguments}: exit {code}\n{done.stdout.decode(errors='replace')}")
    return Cost(wall_s=wall_s, cpu_s=cpu_s, peak_mb=peak_kb / 1024)


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
