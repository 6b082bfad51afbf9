"""Decide which tasks are still to do: missing, inputs, settings or version changed, failed last time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from refmaster.batch import storage
from refmaster.batch.task import Task
from refmaster.io.suffixes import is_url
from refmaster.version import __version__


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a task is to run, and why."""

    run: bool
    why: str
    changed: str = ""  # name of an output of a task that is kept, where somebody changed it since
    amended: dict[str, Any] | None = None  # the journal line with fresher times of the inputs


def decide(task: Task, line: dict[str, Any] | None, *, force: bool) -> Decision:
    """Decide about a task by its latest line in the journal (None: it has none)."""
    why = "forced" if line is not None and force else _reason_to_run(task, line)
    if why or line is None:
        return Decision(run=True, why=why)
    return _by_files(task, line)


def _reason_to_run(task: Task, line: dict[str, Any] | None) -> str:
    """Return what the journal alone says for doing it (again); empty where that is nothing."""
    if line is None:
        return "new"
    if line["event"] == "begun":
        return "was interrupted"
    outcome = line["outcome"]
    if line["event"] == "failed":
        return f"failed last time: {outcome['message']}"
    if outcome["version"] != __version__:
        return f"was made by version {outcome['version']}"
    if line["kind"] != task.kind:
        return f"settings changed: kind {line['kind']} -> {task.kind}"
    changed = _changed_options(line["options"], json.loads(json.dumps(task.options)))
    return "settings changed: " + ", ".join(changed) if changed else ""


def _by_files(task: Task, line: dict[str, Any]) -> Decision:
    outcome = line["outcome"]
    # By position, not by name: a project that moved as a whole is still the same.
    if len(outcome["inputs"]) != len(task.inputs):
        return Decision(run=True, why="other inputs")
    inputs = []
    for location, noted in zip(task.inputs, outcome["inputs"], strict=True):
        fresh = storage.refreshed(location, noted)
        if fresh is None:
            return Decision(run=True, why=f"input changed: {storage.base_name(location)}")
        inputs.append(fresh)
    for output in task.outputs:
        if not storage.exists(output):
            return Decision(run=True, why=f"output is missing: {storage.base_name(output)}")
    changed = next(
        (
            storage.base_name(at)
            for at, noted in zip(task.outputs, outcome["outputs"], strict=False)
            if _was_changed(at, noted)
        ),
        "",
    )
    why = "nothing changed" + (f"; {changed} was changed since and is left as it is" if changed else "")
    amended = {**line, "outcome": {**outcome, "inputs": inputs}} if inputs != outcome["inputs"] else None
    return Decision(run=False, why=why, changed=changed, amended=amended)


def _was_changed(location: str, noted: dict[str, Any]) -> bool:
    """Return whether an output is another one than was noted."""
    mark = "etag" if is_url(location) else "mtime_ns"
    return mark in noted and storage.refreshed(location, noted) is None


def _changed_options(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    changed = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed += _changed_options(old, new, "" if name == "settings" else f"{prefix}{name}.")
        else:
            changed.append(f"{prefix}{name} {_short(old)} -> {_short(new)}")
    return changed


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
