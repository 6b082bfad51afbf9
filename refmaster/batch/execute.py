"""Do one task, wherever it runs: fetch what is remote, run the verb, publish, and return the result.

Nothing that a task does reaches another: whatever goes wrong becomes the task's result.
"""

from __future__ import annotations

import dataclasses
import socket
import time
import traceback
from pathlib import Path

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.kinds import KINDS, Staged
from refmaster.batch.staging import Staging
from refmaster.batch.task import Task, TaskResult
from refmaster.check.findings import kept_promises
from refmaster.errors import AudioError, ExitCode, OutputError, RefmasterError
from refmaster.io.suffixes import is_url


def execute_task(task: Task, progress: Progress) -> TaskResult:
    """Run a task and return its result; raises only what ends the process."""
    started = time.monotonic()
    try:
        result = _execute(task, progress)
    except RefmasterError as error:
        result = TaskResult(code=ExitCode.BAD_INPUT, message=str(error))
    except MemoryError:
        message = "the memory budget was exceeded; raise --memory"
        result = TaskResult(code=ExitCode.OUT_OF_MEMORY, message=message)
    except Exception as error:  # noqa: BLE001 - the last door of a job: one fault must not end the batch
        message = f"a fault of refmaster: {type(error).__name__}: {error}"
        result = TaskResult(code=ExitCode.FAULT, message=message, detail=traceback.format_exc())
    return dataclasses.replace(result, seconds=round(time.monotonic() - started, 3))


def _execute(task: Task, progress: Progress) -> TaskResult:
    before = {location: _noted(location) for location in task.inputs}
    with Staging(progress) as staging:
        places = tuple(map(staging.place, task.outputs))
        staged = Staged(
            inputs=tuple(map(staging.fetched, task.inputs)), outputs=places, with_origins=staging.with_origins
        )
        for path in places:
            _make_folder(path.parent)
        produced = KINDS[task.kind].run(task, staged, progress)
        changed = next((at for at in task.inputs if _changed(at, before[at])), None)
        if changed is not None:
            for path in places:  # it mixes two states of its input
                path.unlink(missing_ok=True)
            raise AudioError(f"{changed}: changed or vanished while it was read; run the batch again")
        outputs = []
        for path, location in zip(places, task.outputs, strict=True):
            found = storage.identify(str(path)) or {}
            if is_url(location):
                staging.store(path)
                found = {"sha256": found.get("sha256"), **_noted(location)}
            outputs.append({"location": location, **found})
    kept = kept_promises(produced.findings)
    broken = [f.message for f in produced.findings if f.severity == "broken_promise"]
    return TaskResult(
        code=ExitCode.DONE if kept else ExitCode.PROMISE_NOT_MET,
        message="; ".join(broken),
        asked=produced.asked,
        achieved={**produced.achieved, "host": socket.gethostname()},
        findings=tuple(finding.model_dump(mode="json") for finding in produced.findings),
        inputs=tuple({"location": at, **before[at]} for at in task.inputs),
        outputs=tuple(outputs),
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created: {error.strerror or error}") from error


def _noted(location: str) -> storage.Facts:
    found = storage.identify(location)
    if found is None:
        raise AudioError(f"{location}: no such file")
    return found


def _changed(location: str, before: storage.Facts) -> bool:
    """Return whether the content changed; a file's change time also moves with a link or its mode."""
    if is_url(location):
        return storage.identify(location) != before
    after = storage.file_facts(Path(location))
    return after is None or any(after[name] != before[name] for name in ("size", "mtime_ns", "inode"))
