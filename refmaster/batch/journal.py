"""The journal beside the outputs: tasks as they are begun and as they end, one JSON a line.

Lines are only ever appended and written through to the disk; a line that a crash tore is cut off when the
journal is next opened. The latest line of a task counts: order decides, never a clock. While a batch runs it
holds a lock, so that two batches never write to one folder at once; a killed batch holds none.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from refmaster.batch.task import Task, TaskResult
from refmaster.errors import OutputError
from refmaster.io.atomic import output_error

JOURNAL_NAME = "journal.jsonl"
LOCK_NAME = "lock"
COMPACT_FROM_BYTES = 4_000_000


class Journal:
    """Remembers the tasks of a folder. Use it as a context: it is locked meanwhile.

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
        self._lock = FileLock(self.path.with_name(LOCK_NAME), timeout=-1 if wait else 0)
        self._places: dict[str, tuple[int, int]] = {}  # of each task's latest line: where, and how long
        self._file: BinaryIO

    def __enter__(self) -> Journal:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._open()
        except OSError as error:
            self._lock.release()
            raise output_error(self.path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()

    def latest(self, key: str) -> dict[str, Any] | None:
        """Return the latest line of a task."""
        if key not in self._places:
            return None
        line: dict[str, Any] = json.loads(self._line(key))
        return line

    def knows(self, key: str) -> bool:
        """Return whether a task was ever begun here: then its outputs are ours to replace."""
        return key in self._places

    def begin(self, task: Task) -> None:
        """Note that a task is begun; until its end is noted, its outputs are not to be trusted."""
        self.append({"event": "begun", "key": task.key, "date": task.date, "outputs": task.outputs})

    def finish(self, task: Task, result: TaskResult) -> None:
        """Note how a task ended."""
        line = {"event": "done" if result.finished else "failed", "key": task.key, "date": task.date}
        self.append({**line, "kind": task.kind, "options": task.options, "outcome": result.as_json()})

    def append(self, line: dict[str, Any]) -> None:
        """Write a task's line, with the time, through to the disk."""
        stamped = {**line, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        data = json.dumps(stamped, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        at = self._file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(at)
            raise output_error(self.path, error) from error
        self._places[line["key"]] = (at, len(data))

    def _line(self, key: str) -> bytes:
        at, length = self._places[key]
        self._file.seek(at)
        return self._file.read(length)

    def _open(self) -> None:
        """Find the latest lines, cut off a torn one, and shrink the file where it is mostly old ones."""
        self._file = self.path.open("a+b", buffering=0)
        self._places = {}
        end = 0
        with self.path.open("rb") as lines:
            for data in lines:
                if not data.endswith(b"\n"):
                    break
                with contextlib.suppress(
                    ValueError, KeyError, TypeError
                ):  # a damaged line counts for nothing
                    self._places[json.loads(data)["key"]] = (end, len(data))
                end += len(data)
        self._file.truncate(end)
        if end > COMPACT_FROM_BYTES and sum(length for _, length in self._places.values()) < end // 2:
            self._compact()

    def _compact(self) -> None:
        """Keep only the latest line of each task."""
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            for key in sorted(self._places, key=self._places.__getitem__):
                file.write(self._line(key))
            file.flush()
            os.fsync(file.fileno())
        self._file.close()
        fresh.replace(self.path)
        self._open()

    def _take_lock(self) -> None:
        holder = Path(self._lock.lock_file)
        try:
            self._lock.acquire()
        except Timeout:
            known = ""
            with contextlib.suppress(OSError):
                known = holder.read_text(errors="replace").strip()
            raise OutputError(
                f"{self.path.parent}: another batch is at work here ({known or 'another process'}); wait for "
                "it with --wait, or write to another folder"
            ) from None
        with contextlib.suppress(OSError):  # for its message only; Windows refuses
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
