"""Run tasks on a Dask cluster: an executor behind the same door as the local pool.

Each Dask worker keeps a pool of one process of its own, so that a task on a cluster is isolated, bounded in
time and memory, and rendered by the very same code as on one machine: the bytes are the same. Workers need
refmaster with the extra ``cluster``, nothing else: with inputs and outputs by URL no disk is shared. When a
worker dies, Dask gives its tasks to another; an output that was written already is replaced by its equal.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import dataclasses
import logging
import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

from refmaster.batch.pool import STARTING, LocalPool
from refmaster.batch.task import Event, Task, TaskResult
from refmaster.errors import ExitCode, InputError
from refmaster.version import __version__

RETRIES = 3
CONNECT_S = 5.0
GRACE_S = 5.0  # for a worker to end a task itself, past the task's time
SILENT_S = 10.0  # workers report every half a second (large clusters: together still more often)
_LOOK_EVERY_S = 5.0
_LOOK_AGAIN_S = 1.0  # while there is no worker
_ANSWER_S = 2.0  # for the scheduler to answer
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
        # What is to be known of a lost connection is said by this class; the rest are tracebacks.
        for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        _check_scheduler(address)
        self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
        # Its futures are fed by the client's loop; those of Dask leave threads that wait when it is closed.
        self._executor: Any = self._client.get_executor(pure=False, retries=RETRIES)
        self._address = address
        self._memory_mb = memory_mb
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._limits_s: dict[str, float] = {}  # of tasks with a time limit
        self._deadlines_s: dict[str, float] = {}  # of those among them that were begun
        self._workers = Workers()
        self._next_look_s = 0.0
        self._client.subscribe_topic(_TOPIC, self._hear)

    def capacity(self) -> int:
        """Return how many tasks it wants: two for each thread of its workers, which may come and go."""
        self._look()
        return max(2, 2 * self._workers.threads)

    def expect(self, _tasks: int) -> None:
        """Do nothing: the cluster's workers are there already."""

    def awaited(self) -> str:
        """Return what has to come before anything can run, empty where something can."""
        self._look()
        return self._workers.missing.format(self._address)

    def submit(self, task: Task) -> None:
        """Hand a task to the scheduler."""
        if self._client.status != "running":
            self._events.put(Event(key=task.key, result=self._lost()))
            return
        if task.timeout_s is not None:
            self._limits_s[task.key] = task.timeout_s
        data = dataclasses.asdict(task)
        future = self._executor.submit(run_on_worker, data, __version__, self._memory_mb)
        future.add_done_callback(lambda done: self._events.put(self._ended(task.key, done)))
        self._events.put(Event(key=task.key, stage="waiting for a worker"))

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event, None where there is none in time."""
        self._end_overdue()
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if self._workers.missing:  # as it was when last looked at; since then somebody may have come
            self._next_look_s = 0.0
        if event.result is not None:
            self._limits_s.pop(event.key, None)
            self._deadlines_s.pop(event.key, None)
        return event

    def close(self) -> None:
        """Leave the cluster; tasks that wait are cancelled, tasks that run come to their end unheard."""
        with contextlib.suppress(Exception):  # whatever state the connection is in, it is left
            self._client.close(timeout=_ANSWER_S)  # the scheduler forgets what nobody asks for

    def _look(self) -> None:
        """Look at the workers, now and then."""
        if time.monotonic() < self._next_look_s:
            return
        try:
            # Of all workers, in every version; and waiting only so long for a scheduler that hangs.
            scheduler: Any = self._client.scheduler
            found = self._client.sync(scheduler.identity, callback_timeout=_ANSWER_S)
            self._workers = self._workers.seen(found["workers"])
        except Exception:  # noqa: BLE001 - there are many ways in which a connection fails
            self._workers = Workers(missing="the scheduler {} does not answer")
        self._next_look_s = time.monotonic() + (_LOOK_AGAIN_S if self._workers.missing else _LOOK_EVERY_S)

    def _hear(self, event: tuple[float, Any]) -> None:
        _, message = event
        if not isinstance(message, dict) or "key" not in message:
            return
        key, stage = message["key"], message["stage"]
        if stage == STARTING and key in self._limits_s:
            self._deadlines_s[key] = time.monotonic() + self._limits_s[key] + GRACE_S
        self._events.put(Event(key=key, stage=stage, share=message["share"]))

    def _end_overdue(self) -> None:
        """End the tasks whose worker should have ended them: it is frozen, or cut off."""
        now = time.monotonic()
        for key, deadline_s in list(self._deadlines_s.items()):
            if now > deadline_s:
                del self._deadlines_s[key]
                message = f"took longer than {self._limits_s[key]:g} s, and its worker gave no answer"
                self._events.put(Event(key=key, result=TaskResult(code=ExitCode.TIMEOUT, message=message)))

    def _ended(self, key: str, done: Future[dict[str, Any]]) -> Event:
        """Return the event of a task that Dask has done with."""
        try:
            result = TaskResult.from_json(done.result())
        except CancelledError:
            result = self._lost()
        except Exception as error:  # noqa: BLE001 - whatever the cluster says of this task
            result = TaskResult(code=ExitCode.FAULT, message=f"{type(error).__name__}: {error}")
            if type(error).__name__ == "KilledWorker":
                result = TaskResult(code=ExitCode.CRASHED, message=f"the workers that had it died: {error}")
        return Event(key=key, result=result)

    def _lost(self) -> TaskResult:
        message = f"the connection to {self._address} was lost; run the batch again"
        return TaskResult(code=ExitCode.NOT_RUN, message=message)


@dataclass(frozen=True, kw_only=True)
class Workers:
    """A cluster's workers: how many threads can run something, and what is missing where none can."""

    threads: int = 0
    missing: str = ""  # may name the scheduler's address as {}
    heard: dict[str, tuple[float, float]] = field(default_factory=dict)  # last sign of life: theirs, and ours

    def seen(self, workers: dict[str, dict[str, Any]]) -> Workers:
        """Return the workers as the scheduler has them now.

        A worker lives while its last sign of life moves on; the scheduler's clock need not be this machine's.
        """
        now = time.monotonic()
        heard = {}
        for address, worker in workers.items():
            sign, at_s = self.heard.get(address, (None, now))
            heard[address] = (worker["last_seen"], now if worker["last_seen"] != sign else at_s)
        living = [address for address, (_, at_s) in heard.items() if now - at_s < SILENT_S]
        missing = ""
        if not workers:
            missing = "no worker is connected (start one with: dask worker {})"
        elif not living:
            missing = f"none of {len(workers)} workers has given a sign of life for {SILENT_S:g} s"
            if len(workers) == 1:
                missing = f"the only worker has given no sign of life for {SILENT_S:g} s"
        return Workers(threads=sum(workers[a]["nthreads"] for a in living), missing=missing, heard=heard)


def _check_scheduler(address: str) -> None:
    """Raise InputError where no scheduler is.

    Dask's client retries for a multiple of its time limit, waits for ever for a server that is none of
    Dask's, and fails once more when it is collected.
    """
    from distributed.core import rpc

    async def identity() -> Any:
        async with rpc(address, timeout=CONNECT_S - 1.0) as server:  # it knows why it failed
            return await server.identity()

    try:
        found = asyncio.run(asyncio.wait_for(identity(), CONNECT_S))
    except Exception as error:
        why: BaseException = error
        while why.__cause__ is not None:
            why = why.__cause__
        reason = f" ({why})" if str(why) else f" within {CONNECT_S:g} s"
        raise InputError(
            f"{address}: no Dask scheduler answers here{reason}; start one with: dask scheduler"
        ) from error
    if found["type"] != "Scheduler":
        raise InputError(f"{address}: expected a Dask scheduler, found a {found['type'].lower()}")


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
