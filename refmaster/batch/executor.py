"""What runs tasks: the processes of this machine (`pool`) or a cluster (`cluster`)."""

from __future__ import annotations

from typing import Protocol

from refmaster.batch.task import Event, Task


class Executor(Protocol):
    """Runs tasks and reports events; see `refmaster.batch.pool` and `refmaster.batch.cluster`."""

    def capacity(self) -> int:
        """Return how many tasks it wants to hold at once."""
        ...

    def expect(self, tasks: int, /) -> None:
        """Get ready for so many tasks."""
        ...

    def submit(self, task: Task, /) -> None:
        """Take a task; its events carry its key."""
        ...

    def next_event(self, timeout_s: float, /) -> Event | None:
        """Return the next event, or None when there was none within `timeout_s`."""
        ...

    def abandon(self) -> None:
        """End everything at once; what was running leaves nothing behind."""
        ...

    def close(self) -> None:
        """Release what it holds, when nothing is running."""
        ...
