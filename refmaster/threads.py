"""Work on several threads, where NumPy lets go of the interpreter lock.

Results are the same to the bit with and without: every stage sees the same blocks in the same order, and only
when it sees them changes. ``REFMASTER_THREADS=1`` in the environment switches it off, for those who already
keep every core busy with processes. Queues are short, so that memory does not grow.

No thread outlives the iterator that started it: an error, a closed generator and Ctrl-C all stop it and wait
for it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

VARIABLE = "REFMASTER_THREADS"
_DEPTH = 4
_POLL_S = 0.02
_END: Any = object()
_here = threading.local()


def enabled() -> bool:
    """Tell whether this thread may start others."""
    return os.environ.get(VARIABLE, "") != "1" and cores() // getattr(_here, "sharers", 1) > 1


@contextmanager
def cores_shared(sharers: int) -> Iterator[None]:
    """Let this thread use only its share of the cores, as one of so many at work."""
    _here.sharers = sharers
    try:
        yield
    finally:
        _here.sharers = 1


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prefetched(items: Iterable[T]) -> Iterator[T]:
    """Yield what `items` yields, which is worked out ahead on a thread of its own.

    Errors of `items` are raised here, where its item would have come.
    """
    if not enabled():
        yield from items
        return
    ready: queue.Queue[Any] = queue.Queue(_DEPTH)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def produce() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                ready.put(item)
                if stopped.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - carried over to the consumer's thread
            failure.append(error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
            ready.put(_END)

    thread = threading.Thread(target=produce, name="refmaster-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        while thread.is_alive():
            with suppress(queue.Empty):  # it may be waiting for room
                ready.get(timeout=_POLL_S)
