"""The journal beside the outputs: what was begun, and what came of it, one JSON a line.

Lines are only ever appended and written through to the disk; a line that a crash tore is cut off when the
journal is next opened. The latest line of a task counts: order decides, never a clock. While a batch runs it
holds a lock, so that two batches never write to one folder at once; a killed batch holds none.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from refmaster.batch.task import Outcome, Task
from refmaster.errors import OutputError
from refmaster.io.atomic import output_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

JOURNAL_NAME = "journal.jsonl"
LOCK_NAME = "lock"
COMPACT_FROM_BYTES = 4_000_000


class Journal:
    """What is known of the tasks of a folder. Use it as a context: it is locked meanwhile.

    Parameters
    ----------
    folder : str or Path
        Is created where it is missing.
    wait : bool
        Wait for another batch on this folder to end, instead of refusing.

    Raises
    ------
    OutputError
        The folder cannot be written, or another batch holds it.
    """

    def __init__(self, folder: str | Path, *, wait: bool = False) -> None:
        self.path = Path(folder) / JOURNAL_NAME
        self._wait = wait
        self._places: dict[str, tuple[int, int]] = {}  # of each task's latest line: where, and how long
        self._descriptor = -1
        self._lock = -1

    def __enter__(self) -> Journal:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._open()
        except OSError as error:
            self.close()
            raise output_error(self.path, error) from error
        except OutputError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the journal and its lock free."""
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1

    def latest(self, key: str) -> dict[str, Any] | None:
        """Return the latest line of a task."""
        place = self._places.get(key)
        if place is None:
            return None
        line: dict[str, Any] = json.loads(os.pread(self._descriptor, place[1], place[0]))
        return line

    def knows(self, key: str) -> bool:
        """Tell whether a task was ever begun here: then its outputs are ours to replace."""
        return key in self._places

    def begin(self, task: Task, *, date: str) -> None:
        """Note that a task is begun; until its end is noted, its outputs are not to be trusted."""
        self._append({"event": "begun", "key": task.key, "date": date, "outputs": list(task.outputs)})

    def finish(self, task: Task, outcome: Outcome, *, date: str) -> None:
        """Note what came of a task."""
        line = {"event": "done" if outcome.finished else "failed", "key": task.key, "date": date}
        self._append({**line, "kind": task.kind, "options": task.options, "outcome": outcome.as_json()})

    def amend(self, line: dict[str, Any]) -> None:
        """Note a task's line again, with fresher times of its files."""
        self._append({k: v for k, v in line.items() if k != "at"})

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the latest line of each task."""
        for key in self._places:
            line = self.latest(key)
            if line is not None:
                yield line

    def _append(self, line: dict[str, Any]) -> None:
        stamped = {**line, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        data = json.dumps(stamped, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        at = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, at)
            raise output_error(self.path, error) from error
        self._places[line["key"]] = (at, len(data))

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._read()
        size = os.fstat(self._descriptor).st_size
        kept = sum(length for _, length in self._places.values())
        if size > COMPACT_FROM_BYTES and kept < size // 2:
            self._compact()

    def _read(self) -> None:
        self._places = {}
        at = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for data in file:
                if not data.endswith(b"\n"):
                    break
                with contextlib.suppress(
                    ValueError, KeyError, TypeError
                ):  # a damaged line counts for nothing
                    self._places[json.loads(data)["key"]] = (at, len(data))
                at += len(data)
        os.ftruncate(self._descriptor, at)

    def _compact(self) -> None:
        """Keep only the latest line of each task."""
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            for at, length in sorted(self._places.values()):
                file.write(os.pread(self._descriptor, length, at))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        os.close(self._descriptor)
        self._descriptor = os.open(self.path, os.O_RDWR)
        self._read()

    def _take_lock(self) -> None:
        path = self.path.with_name(LOCK_NAME)
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        while not _locked(self._lock):
            if not self._wait:
                holder = os.pread(self._lock, 200, 0).decode(errors="replace").strip() or "another process"
                raise OutputError(
                    f"{self.path.parent}: another batch is at work here ({holder}); wait for it with --wait, "
                    "or write to another folder"
                )
            time.sleep(0.2)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)


def _locked(descriptor: int) -> bool:
    if fcntl is None:
        import msvcrt

        lock, how = getattr(msvcrt, "locking"), getattr(msvcrt, "LK_NBLCK")  # noqa: B009 - not on this platform
        try:
            lock(descriptor, how, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
