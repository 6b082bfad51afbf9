"""Do one task, wherever it runs: fetch what is remote, run the verb, publish, and say what came of it.

Nothing that a task does reaches another: whatever goes wrong becomes the task's outcome.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from refmaster._types import Progress
from refmaster.batch import storage
from refmaster.batch.identity import Identity, identify, stat_identity
from refmaster.batch.kinds import KINDS, Produced, Staged
from refmaster.batch.task import (
    CODE_BAD_INPUT,
    CODE_DONE,
    CODE_FAULT,
    CODE_OUT_OF_MEMORY,
    CODE_PROMISE_NOT_MET,
    Outcome,
    Task,
)
from refmaster.errors import AudioError, OutputError, RefmasterError
from refmaster.version import __version__


def run_task(task: Task, progress: Progress) -> Outcome:
    """Run a task and return its outcome; raises only what ends the process."""
    started = time.monotonic()
    facts: dict[str, Any] = {"version": __version__}
    try:
        produced, inputs, outputs = _run(task, progress)
    except RefmasterError as error:
        facts |= {"code": CODE_BAD_INPUT, "message": str(error)}
    except MemoryError:
        facts |= {"code": CODE_OUT_OF_MEMORY, "message": "the memory budget was exceeded; raise --memory"}
    except Exception as error:  # noqa: BLE001 - the last door of a job: one fault must not end the batch
        message = f"a fault of refmaster: {type(error).__name__}: {error}"
        facts |= {"code": CODE_FAULT, "message": message, "detail": traceback.format_exc()}
    else:
        facts |= {
            "code": CODE_DONE if produced.kept_promises else CODE_PROMISE_NOT_MET,
            "message": "; ".join(
                str(f["message"]) for f in produced.findings if f["severity"] == "broken_promise"
            ),
            "asked": produced.asked,
            "achieved": {**produced.achieved, "host": socket.gethostname()},
            "findings": produced.findings,
            "inputs": inputs,
            "outputs": outputs,
        }
    return Outcome(seconds=round(time.monotonic() - started, 3), **facts)


def _run(task: Task, progress: Progress) -> tuple[Produced, tuple[Identity, ...], tuple[Identity, ...]]:
    with contextlib.ExitStack() as stack:
        before = {location: _noted(location) for location in task.inputs}
        staged = stack.enter_context(_staged(task, progress))
        produced = KINDS[task.kind].run(task, staged, progress)
        changed = [at for at in task.inputs if _moved(at, before[at])]
        if changed:
            for output in staged.outputs:  # it mixes two states of its input
                output.unlink(missing_ok=True)
            raise AudioError(f"{changed[0]}: changed or vanished while it was read; run the batch again")
        for path, location in zip(staged.outputs, task.outputs, strict=True):
            if storage.is_url(location):
                progress("uploading", 0, None)
                storage.upload(path, location)
        outputs = tuple(
            {"location": location, **_written(path, location)}
            for path, location in zip(staged.outputs, task.outputs, strict=True)
        )
    return produced, tuple({"location": at, **before[at]} for at in task.inputs), outputs


@contextlib.contextmanager
def _staged(task: Task, progress: Progress) -> Iterator[Staged]:
    """Give every remote input a local copy and every remote output a local place, under its own name."""
    with contextlib.ExitStack() as stack:
        inputs: list[Path] = []
        outputs: list[Path] = []
        for number, location in enumerate((*task.inputs, *task.outputs)):
            if storage.is_url(location):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="refmaster-"))
                path = Path(folder) / storage.base_name(location)
                if number < len(task.inputs):
                    progress("downloading", 0, None)
                    storage.download(location, path)
            else:
                path = Path(location)
                if number >= len(task.inputs):
                    _make_folder(path.parent)
            (inputs if number < len(task.inputs) else outputs).append(path)
        yield Staged(inputs=tuple(inputs), outputs=tuple(outputs))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created: {error.strerror or error}") from error


def _noted(location: str) -> Identity:
    found = identify(location)
    if found is None:
        raise AudioError(f"{location}: no such file")
    return found


def _moved(location: str, before: Identity) -> bool:
    if storage.is_url(location):
        return identify(location) != before
    after = stat_identity(Path(location))
    # The change time moves when a link is made or a mode set: that is no change of the content.
    return after is None or any(after[k] != before[k] for k in ("size", "mtime_ns", "inode"))


def _written(path: Path, location: str) -> Identity:
    """Return what identifies an output: its hash as written, and how the storage shows it."""
    found = identify(str(path)) or {}
    if not storage.is_url(location):
        return found
    return {"size": found.get("size"), "sha256": found.get("sha256")}
