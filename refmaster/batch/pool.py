"""Long-lived worker processes with a watchdog: one task each, ended and replaced one by one.

A worker that crashes, hangs past its time, needs too much memory or is killed takes only its own task with
it. Each has one BLAS/FFT thread, so that as many workers as cores do not get in each other's way.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

from refmaster.batch.task import CODE_CRASHED, CODE_OUT_OF_MEMORY, CODE_TIMEOUT, Event, Outcome, Task
from refmaster.version import __version__

ONE_THREAD = (
    "REFMASTER_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_LAST_WORDS = 4000


class Worker:
    """One worker process, and the task it has."""

    def __init__(
        self, number: int, reports: queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]], memory_mb: int
    ) -> None:
        self.number = number
        self.task: Task | None = None
        self.deadline_s: float | None = None
        self.timed_out = False
        self.over_memory = False
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "refmaster.batch.worker", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C on the terminal does not reach it; its own children die with it
        )
        threading.Thread(target=self._listen, args=(reports,), daemon=True).start()

    def _listen(self, reports: queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]]) -> None:
        stream = self._process.stdout
        if stream is not None:
            with contextlib.suppress(ValueError, OSError):
                for line in stream:
                    reports.put((self, json.loads(line)))  # a torn last line is a ValueError
        reports.put((self, None))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def give(self, task: Task, timeout_s: float | None) -> None:
        """Hand over a task; the clock of its timeout starts."""
        self.task = task
        self.deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # a dead worker is seen by its listener
                self._process.stdin.write(json.dumps(task.as_json()).encode() + b"\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """End it now, with the processes it started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def end(self) -> tuple[int, str]:
        """Reap it; return its exit code and its last words on standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that died by itself keeps its own code
            self._process.wait(timeout=0.5 if self.task is not None else 0.0)
        self.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - _LAST_WORDS))
        words = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        return code, words


class LocalPool:
    """Runs tasks in `workers` processes of this machine.

    Parameters
    ----------
    workers : int
        Processes, started when they are first needed.
    timeout_s : float, optional
        Most seconds for a task that has no timeout of its own.
    memory_mb : int
        Memory of each process in MB; 0 for no bound.
    retries : int
        How often a task is given to another worker when its worker crashed.
    """

    def __init__(
        self, workers: int, *, timeout_s: float | None = None, memory_mb: int = 0, retries: int = 1
    ) -> None:
        self._size = workers
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._retries = retries
        self._reports: queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._waiting: deque[Task] = deque()
        self._crashes: dict[str, int] = {}
        self._events: deque[Event] = deque()

    def capacity(self) -> int:
        """Return how many tasks it wants at once: one each, and one to go on with."""
        return self._size

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def expect(self, tasks: int) -> None:
        """Start the workers that so many tasks keep busy: while one measures a reference, others start."""
        while len(self._workers) < min(self._size, tasks):
            self._workers.append(Worker(len(self._workers), self._reports, self._memory_mb))

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._waiting.append(task)
        self._hand_out()

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event; timeouts are watched meanwhile."""
        until = time.monotonic() + timeout_s
        while not self._events:
            self._guard()
            left = until - time.monotonic()
            try:
                worker, report = self._reports.get(timeout=max(0.0, min(left, 0.1)))
            except queue.Empty:
                if left <= 0.0:
                    return None
                continue
            self._take(worker, report)
        return self._events.popleft()

    def abandon(self) -> None:
        """Kill all workers."""
        self._waiting.clear()
        self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _hand_out(self) -> None:
        while self._waiting:
            free = next((w for w in self._workers if w.task is None), None)
            if free is None:
                if len(self._workers) >= self._size:
                    return
                free = Worker(len(self._workers), self._reports, self._memory_mb)
                self._workers.append(free)
            task = self._waiting.popleft()
            free.give(task, task.timeout_s or self._timeout_s)
            self._events.append(Event(key=task.key, stage="starting"))

    def _take(self, worker: Worker, report: dict[str, Any] | None) -> None:
        if worker not in self._workers:
            return  # of a worker that was replaced already
        if report is None:
            self._replace(worker)
        elif worker.task is None or "ready" in report:
            return
        elif "outcome" in report:
            task, worker.task = worker.task, None
            worker.deadline_s = None
            outcome = Outcome.from_json(report["outcome"])
            if outcome.code == CODE_OUT_OF_MEMORY:  # its memory may be in pieces
                self._workers.remove(worker)
                worker.end()
            self._events.append(Event(key=task.key, outcome=outcome))
        else:
            self._events.append(Event(key=worker.task.key, stage=report["stage"], share=report["share"]))
        self._hand_out()

    def _guard(self) -> None:
        """Kill the workers whose task takes too long or too much memory; their listeners report the end."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.task is None:
                continue
            if worker.deadline_s is not None and now > worker.deadline_s:
                worker.timed_out = True
                worker.deadline_s = None
                worker.kill()
            elif self._memory_mb and resident_mb(worker) > self._memory_mb:
                worker.over_memory = True
                worker.kill()

    def _replace(self, worker: Worker) -> None:
        self._workers.remove(worker)
        code, words = worker.end()
        task = worker.task
        if task is None:
            return
        if worker.timed_out:
            limit = task.timeout_s or self._timeout_s
            message = f"took longer than {limit:g} s and was ended"
            outcome = Outcome(code=CODE_TIMEOUT, message=message, version=__version__)
            self._events.append(Event(key=task.key, outcome=outcome))
            return
        if worker.over_memory:
            message = f"needed more than {self._memory_mb} MB and was ended; see --memory"
            outcome = Outcome(code=CODE_OUT_OF_MEMORY, message=message, version=__version__)
            self._events.append(Event(key=task.key, outcome=outcome))
            return
        crashes = self._crashes.get(task.key, 0) + 1
        self._crashes[task.key] = crashes
        if crashes <= self._retries:
            self._waiting.appendleft(task)
            self._events.append(Event(key=task.key, stage="again: its worker died"))
            return
        self._events.append(Event(key=task.key, outcome=_crashed(code, words, crashes)))


def resident_mb(worker: Worker) -> float:
    """Return the memory that a worker holds, MB; 0 where the system does not tell (it is Linux that does)."""
    try:
        pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _crashed(code: int, words: str, times: int) -> Outcome:
    """Return what is known of a task whose worker died."""
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    memory = "MemoryError" in words or code == -signal.SIGKILL
    hint = "; out of memory? see --memory" if memory else ""
    return Outcome(
        code=CODE_OUT_OF_MEMORY if "MemoryError" in words else CODE_CRASHED,
        message=f"the worker died of {name}, {times} times{hint}",
        detail=words,
        version=__version__,
    )
