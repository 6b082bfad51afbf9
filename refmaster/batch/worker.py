"""The worker process: ``python -m refmaster.batch.worker``, tasks in and reports out, one JSON a line.

It runs one task at a time and ends when its parent does: the parent's end of the pipe closes with it,
however it died. Whatever a library prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

REPORT_EVERY_S = 0.25
SPARE_MB = 512


class _Reports:
    """Writes one line for each report; progress only now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_s = 0.0
        self._stage = ""

    def send(self, report: dict[str, Any]) -> None:
        self._stream.write(json.dumps(report) + "\n")
        self._stream.flush()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage == self._stage and now < self._next_s:
            return
        self._stage, self._next_s = stage, now + REPORT_EVERY_S
        self.send({"stage": stage, "share": round(done / total, 3) if total else None})


def limit_memory(budget_mb: int) -> None:
    """Bound what this process can allocate at all, and offer it to the kernel before other processes.

    The parent ends a worker that holds more than its budget. This bound is the second fence, for growth
    between two looks; it lies well above, since libraries reserve more than they use and some wait for
    ever where an allocation fails.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    soft = (2 * budget_mb + SPARE_MB) * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def main() -> None:
    """Serve until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    tasks_in = os.fdopen(os.dup(0), "r", encoding="utf-8")
    reports_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if len(sys.argv) > 1 and int(sys.argv[1]) > 0:
        limit_memory(int(sys.argv[1]))
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in tasks_in:
            lines.put(line)
        os._exit(0)  # at once, in the middle of a task as well: nobody waits for it any more

    threading.Thread(target=listen, daemon=True).start()
    serve(lines, _Reports(reports_out))


def serve(lines: queue.SimpleQueue[str], reports: _Reports) -> None:
    """Run tasks as they come."""
    import refmaster.mastering  # noqa: F401 - while the first task is on its way
    from refmaster.batch.task import Task
    from refmaster.batch.work import run_task

    reports.send({"ready": os.getpid()})
    while True:
        task = Task.from_json(json.loads(lines.get()))
        outcome = run_task(task, reports.progress)
        reports.send({"outcome": outcome.as_json()})


if __name__ == "__main__":
    main()
