"""Long-lived worker processes of this machine, watched for time and memory.

A worker that crashes, hangs past its time, needs too much memory or is killed takes only its own task with
it. Each has one BLAS/FFT thread, so that as many workers as cores do not get in each other's way.

Workers are plain subprocesses, not those of `multiprocessing`: these may not be started from the daemonic
processes that Dask's workers are, and import the caller's main module again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from refmaster import threads
from refmaster.batch.task import Event, Task, TaskResult
from refmaster.errors import ExitCode

ONE_THREAD = (
    threads.VARIABLE, "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip
STARTING = "starting"  # the first stage of a task
TRIES = 2  # for a task whose worker died
_LOOK_EVERY_S = 0.1
_LAST_WORDS_BYTES = 4000


class WorkerProcess:
    """One worker process, and the task that it has."""

    def __init__(self, memory_mb: int) -> None:
        self.task: Task | None = None
        self.verdict: TaskResult | None = None
        self._memory_mb = memory_mb
        self._deadline_s: float | None = None
        self._lock = threading.Lock()  # a verdict is on the task in hand, never on the next one
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "refmaster.batch.worker_main", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
            start_new_session=True,  # Ctrl-C on the terminal does not reach it; its own children die with it
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def work(self, task: Task, report: Callable[[Event], None]) -> TaskResult | None:
        """Have a task done and return its result; None where the process died of it."""
        given, told = self._process.stdin, self._process.stdout
        if given is None or told is None:
            return None
        with self._lock:
            self.task = task
            self._deadline_s = None if task.timeout_s is None else time.monotonic() + task.timeout_s
        result = None
        with contextlib.suppress(Exception):  # whatever ends the conversation: it died, or talks nonsense
            pickle.dump(task, given)
            given.flush()
            while result is None:
                event: Event = pickle.load(told)
                result = event.result
                if result is None:
                    report(event)
        with self._lock:
            self.task = None
        return result or self.verdict

    def watch(self) -> None:
        """End the process where its task takes too long or too much memory."""
        with self._lock:
            if self.task is None or self.verdict is not None:
                return
            if self._deadline_s is not None and time.monotonic() > self._deadline_s:
                message = f"took longer than {self.task.timeout_s:g} s and was ended"
                self.verdict = TaskResult(code=ExitCode.TIMEOUT, message=message)
            elif self._memory_mb and resident_mb(self) > self._memory_mb:
                message = f"needed more than {self._memory_mb} MB and was ended; see --memory"
                self.verdict = TaskResult(code=ExitCode.OUT_OF_MEMORY, message=message)
            if self.verdict is not None:
                self.kill()

    def kill(self) -> None:
        """End the process now, with the processes that it started."""
        with contextlib.suppress(AttributeError, ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # no such function on Windows
        self._process.kill()

    def end(self) -> tuple[int, str]:
        """Reap the process; return its exit code and its last words on standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that is dying by itself keeps its own code
            self._process.wait(timeout=0.5)
        self.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
        words = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        return code, words


class LocalPool:
    """Runs tasks in `workers` processes of this machine.

    Parameters
    ----------
    workers : int
        Processes, started when they are first needed.
    memory_mb : int
        Memory of each process in MB; 0 for no bound.
    """

    def __init__(self, workers: int, *, memory_mb: int = 0) -> None:
        self._size = workers
        self._memory_mb = memory_mb
        self._workers: list[WorkerProcess] = []
        self._idle: deque[WorkerProcess] = deque()
        self._threads: set[threading.Thread] = set()  # one for each task in hand, that talks to its worker
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._closed = False

    def capacity(self) -> int:
        """Return how many tasks it wants to hold at once."""
        return self._size

    def expect(self, tasks: int) -> None:
        """Start the workers that so many tasks keep busy: while one measures a reference, others start."""
        while len(self._workers) < min(self._size, tasks):
            self._idle.append(self._start())

    def awaited(self) -> str:
        """Return nothing: its processes can always run."""
        return ""

    def submit(self, task: Task) -> None:
        """Take a task; one more than the pool's capacity would get a worker of its own."""
        thread = threading.Thread(target=self._run, args=(task,), daemon=True)
        self._threads.add(thread)
        thread.start()

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event, None where there is none in time; the workers are watched meanwhile."""
        until = time.monotonic() + timeout_s
        while True:
            for worker in list(self._workers):
                worker.watch()
            left = until - time.monotonic()
            try:
                return self._events.get(timeout=max(0.0, min(left, _LOOK_EVERY_S)))
            except queue.Empty:
                if left <= 0.0:
                    return None

    def close(self) -> None:
        """End all workers, whatever they do."""
        self._closed = True
        for worker in list(self._workers):
            worker.kill()
        for thread in list(self._threads):
            thread.join()
        for worker in list(self._workers):
            self._discard(worker)

    def _run(self, task: Task) -> None:
        """See one task to its end, in a thread of its own."""
        self._events.put(Event(key=task.key, stage=STARTING))
        try:
            result = self._result(task)
        except Exception as error:  # noqa: BLE001 - no worker could be started: told, not lost with its thread
            result = TaskResult(code=ExitCode.FAULT, message=f"{type(error).__name__}: {error}")
        self._events.put(Event(key=task.key, result=result))
        self._threads.discard(threading.current_thread())

    def _result(self, task: Task) -> TaskResult:
        tries = 0
        while True:
            worker = self._free_worker()
            result = worker.work(task, self._events.put)
            tries += 1
            if result is None:
                code, words = self._discard(worker)
                if tries == TRIES or self._closed:
                    return _crashed(code, words, tries)
                self._events.put(Event(key=task.key, stage="again: its worker died"))
                continue
            if worker.verdict is None and result.code != ExitCode.OUT_OF_MEMORY:
                self._idle.append(worker)
            else:  # it was ended, or its memory may be in pieces
                worker.kill()
                self._discard(worker)
            return result

    def _free_worker(self) -> WorkerProcess:
        try:
            return self._idle.pop()
        except IndexError:
            return self._start()

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._memory_mb)
        self._workers.append(worker)
        if self._closed:  # meanwhile, in another thread
            worker.kill()
        return worker

    def _discard(self, worker: WorkerProcess) -> tuple[int, str]:
        self._workers.remove(worker)
        return worker.end()


def resident_mb(worker: WorkerProcess) -> float:
    """Return the memory that a worker holds, MB; 0 where the system does not tell, as only Linux does."""
    try:
        pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _crashed(code: int, words: str, tries: int) -> TaskResult:
    """Return what is known of a task whose workers died."""
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    allocation = "MemoryError" in words
    hint = "; out of memory? see --memory" if allocation or code == -signal.SIGKILL else ""
    return TaskResult(
        code=ExitCode.OUT_OF_MEMORY if allocation else ExitCode.CRASHED,
        message=f"the worker died of {name}, {tries} times{hint}",
        detail=words,
    )
