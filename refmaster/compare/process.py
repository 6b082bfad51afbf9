"""One engine's render in a process of its own, so that its time and memory are its own.

Run as ``python -m refmaster.engines.worker JOB``: the job is a JSON file, and the outcome is written to
the file that it names.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Literal

from refmaster.check.findings import Finding
from refmaster.errors import InputError
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model


class Job(Model):
    """What to render."""

    engine: Literal["shell", "matchering"]
    mix: str
    reference: str
    output: str
    outcome: str
    settings: MatchSettings


class Outcome(Model):
    """What came of it."""

    error: str | None
    findings: tuple[Finding, ...]
    cpu_s: float
    peak_mb: float | None


def main(path: str) -> None:
    """Run the job in a file and write its outcome."""
    job = Job.model_validate_json(Path(path).read_text(encoding="utf-8"))
    error: str | None = None
    findings: tuple[Finding, ...] = ()
    try:
        findings = _run(job)
    except InputError as refused:
        error = str(refused)
    outcome = Outcome(
        error=error, findings=findings, cpu_s=round(time.process_time(), 2), peak_mb=peak_memory_mb()
    )
    Path(job.outcome).write_text(json.dumps(outcome.model_dump(mode="json")), encoding="utf-8")


def _run(job: Job) -> tuple[Finding, ...]:
    if job.engine == "matchering":
        from refmaster.engines.peer import match_with_peer

        match_with_peer(Path(job.mix), Path(job.reference), Path(job.output), limiter=True)
        return ()
    from refmaster.mastering import master_file

    return master_file(job.mix, job.reference, job.output, job.settings, bit_depth="24").findings


def peak_memory_mb() -> float | None:
    """Return the most memory that this process held, in MB of 2**20 bytes; None where nothing tells."""
    # getrusage also counts what the parent held when it started this process; VmHWM does not.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return round(int(kilobytes) / 1024, 1)
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 1024), 1)


if __name__ == "__main__":
    main(sys.argv[1])
