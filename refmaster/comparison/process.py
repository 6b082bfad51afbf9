"""One render in a process of its own, so that its time and memory are its own.

`render_in_own_process` starts ``python -m refmaster.comparison.process``, which reads a `RenderJob` as JSON
from standard input and writes a `RenderReport` as JSON beside the master.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from pydantic import Field

from refmaster.check.findings import Finding
from refmaster.errors import InputError
from refmaster.settings.match import MatchSettings
from refmaster.settings.model import Model


class RenderJob(Model):
    """A mix, its references, a master to write."""

    mix: str
    references: tuple[tuple[str, float], ...] = Field(description="with their weights; matchering takes one")
    output: str
    settings: MatchSettings | None = Field(
        description="of a master by refmaster; null: matchering as its users run it"
    )


class RenderReport(Model):
    """A render's outcome and cost."""

    error: str | None = Field(description="why it was refused; null: it was rendered")
    findings: tuple[Finding, ...]
    cpu_s: float = Field(description="of the whole process")
    peak_mb: float | None = Field(description="most memory that the process held; null: not known")


def render_in_own_process(job: RenderJob) -> RenderReport:
    """Render and return the report; RuntimeError where the process failed."""
    report = _report_path(job)
    report.unlink(missing_ok=True)
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "refmaster.comparison.process"],
        input=job.model_dump_json().encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    if done.returncode != 0:
        raise RuntimeError(f"the render of {job.output} failed:\n{done.stderr.decode(errors='replace')}")
    return RenderReport.model_validate_json(report.read_text(encoding="utf-8"))


def _report_path(job: RenderJob) -> Path:
    return Path(job.output).with_suffix(".json")


def main() -> None:
    """Run the job on standard input and write its report."""
    job = RenderJob.model_validate_json(sys.stdin.buffer.read())
    error: str | None = None
    findings: tuple[Finding, ...] = ()
    try:
        findings = _render(job)
    except InputError as refused:
        error = str(refused)
    report = RenderReport(
        error=error, findings=findings, cpu_s=round(time.process_time(), 2), peak_mb=peak_memory_mb()
    )
    _report_path(job).write_text(report.model_dump_json(), encoding="utf-8")


def _render(job: RenderJob) -> tuple[Finding, ...]:
    if job.settings is None:
        from refmaster.engines.peer import match_with_peer

        ((reference, _),) = job.references
        match_with_peer(Path(job.mix), Path(reference), Path(job.output), limiter=True)
        return ()
    from refmaster.mastering import master_file

    return master_file(job.mix, job.references, job.output, job.settings, bit_depth="24").findings


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
    main()
