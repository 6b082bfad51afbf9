"""The worker process: ``python -m refmaster.batch.worker_main [MEMORY_MB]``.

It reads pickled tasks from standard input and writes pickled events to standard output, one task at a time.
It ends when its parent does: the parent's end of the pipe closes with it, however it died. Whatever a
library prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from refmaster.batch.execute import execute_task
from refmaster.batch.task import Event, Task

REPORT_EVERY_S = 0.25
SPARE_MB = 512


def limit_memory(memory_mb: int) -> None:
    """Bound what this process can allocate at all, and offer it to the kernel before other processes.

    The parent ends a worker that holds more than `memory_mb`. This bound is the second fence, for growth
    between two looks; it lies well above, since libraries reserve more than they use and some wait for
    ever where an allocation fails.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    soft = (2 * memory_mb + SPARE_MB) * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def work(task: Task, events: BinaryIO) -> None:
    """Do one task; report how it goes on now and then, and how it ended."""
    next_s, last_stage = 0.0, ""

    def report(event: Event) -> None:
        pickle.dump(event, events)
        events.flush()

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal next_s, last_stage
        now = time.monotonic()
        if stage != last_stage or now >= next_s:
            next_s, last_stage = now + REPORT_EVERY_S, stage
            report(Event(key=task.key, stage=stage, share=round(done / total, 3) if total else None))

    report(Event(key=task.key, result=execute_task(task, progress)))


def main() -> None:
    """Serve until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    asked = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if memory_mb := int(sys.argv[1]):
        limit_memory(memory_mb)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                tasks.put(pickle.load(asked))
        os._exit(0)  # at once, in the middle of a task as well: nobody waits for it any more

    threading.Thread(target=listen, daemon=True).start()
    import refmaster.mastering  # noqa: F401 - while the first task is on its way

    while True:
        work(tasks.get(), events)


if __name__ == "__main__":
    main()
