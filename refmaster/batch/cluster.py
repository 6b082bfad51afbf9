"""Run tasks on a Dask cluster: an executor behind the same door as the local pool.

Each Dask worker keeps a pool of one process of its own, so that a task on a cluster is isolated, bounded in
time and memory, and rendered by the very same code as on one machine: the bytes are the same. Workers need
refmaster with the extra ``cluster``, nothing else: with inputs and outputs by URL no disk is shared. When a
worker dies, Dask gives its tasks to another; an output that was written already is replaced by its equal.
"""

from __future__ import annotations

import atexit
import dataclasses
import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from typing import Any

from refmaster.batch.pool import LocalPool
from refmaster.batch.task import Event, Task, TaskResult
from refmaster.errors import ExitCode, InputError
from refmaster.version import __version__

RETRIES = 3
CONNECT_S = 20.0
_RECOUNT_S = 5.0
_TOPIC = "refmaster"
_held = threading.local()


class Cluster:
    """Runs tasks on the workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        ``tcp://host:port`` of the scheduler.
    memory_mb : int
        Memory of each worker's process in MB; 0 for no bound beside Dask's own.

    Raises
    ------
    InputError
        The extra is not installed, or there is no scheduler at the address.
    """

    def __init__(self, address: str, *, memory_mb: int = 0) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise InputError(
                "--scheduler needs the cluster extra; install it with: pip install 'refmaster[cluster]'"
            ) from None
        try:
            self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{address}: no Dask scheduler answers here within {CONNECT_S:g} s ({error}); start one "
                "with: dask scheduler"
            ) from error
        self._executor: Any = self._client.get_executor(pure=False, retries=RETRIES)
        self._memory_mb = memory_mb
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._threads = 0
        self._recount_s = 0.0
        self._client.subscribe_topic(_TOPIC, self._hear)

    def capacity(self) -> int:
        """Return how many tasks it wants: two for each thread of its workers, which may come and go."""
        now = time.monotonic()
        if now >= self._recount_s:
            self._threads = sum(self._client.nthreads().values())
            self._recount_s = now + _RECOUNT_S
        return max(2, 2 * self._threads)

    def expect(self, _tasks: int) -> None:
        """Do nothing: the cluster's workers are there already."""

    def submit(self, task: Task) -> None:
        """Hand a task to the scheduler."""
        future: Future[dict[str, Any]] = self._executor.submit(
            run_on_worker, dataclasses.asdict(task), __version__, self._memory_mb
        )
        future.add_done_callback(lambda done: self._events.put(Event(key=task.key, result=_result(done))))
        self._events.put(Event(key=task.key, stage="waiting for a worker"))

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event, None where there is none in time."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Leave the cluster; tasks that wait are cancelled, tasks that run come to their end unheard."""
        self._executor.shutdown(wait=False)
        self._client.close()

    def _hear(self, event: tuple[float, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and "key" in message:
            self._events.put(Event(key=message["key"], stage=message["stage"], share=message["share"]))


def _result(done: Future[dict[str, Any]]) -> TaskResult:
    """Return a task's result, or why the cluster has none."""
    try:
        return TaskResult.from_json(done.result())
    except CancelledError:
        return TaskResult(code=ExitCode.CRASHED, message="cancelled by the cluster")
    except Exception as error:  # noqa: BLE001 - whatever the cluster says of this task
        if type(error).__name__ == "KilledWorker":
            return TaskResult(code=ExitCode.CRASHED, message=f"the workers that had it died: {error}")
        return TaskResult(code=ExitCode.FAULT, message=f"{type(error).__name__}: {error}")


def run_on_worker(data: dict[str, Any], version: str, memory_mb: int) -> dict[str, Any]:
    """Run a task in a process of this Dask worker's own; called by Dask, in one of its threads."""
    if version != __version__:
        message = f"this worker has refmaster {__version__}, the batch has {version}; install the same"
        return TaskResult(code=ExitCode.FAULT, message=message).as_json()
    pool = _pool(memory_mb)
    pool.submit(Task(**data))
    next_s = 0.0
    while True:
        event = pool.next_event(1.0)
        if event is None:
            continue
        if event.result is not None:
            return event.result.as_json()
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + 1.0
            _tell({"key": event.key, "stage": event.stage, "share": event.share})


def _pool(memory_mb: int) -> LocalPool:
    """Return this thread's pool; it outlives the task, so that the next one finds a warm process."""
    if getattr(_held, "memory_mb", None) != memory_mb:
        if hasattr(_held, "pool"):
            _held.pool.close()
        _held.pool, _held.memory_mb = LocalPool(1, memory_mb=memory_mb), memory_mb
        atexit.register(_held.pool.close)
    pool: LocalPool = _held.pool
    return pool


def _tell(message: dict[str, Any]) -> None:
    from distributed import get_worker

    try:
        get_worker().log_event(_TOPIC, message)
    except ValueError:  # not on a worker
        return
