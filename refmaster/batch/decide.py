"""Which tasks are still to do, and why: missing, inputs, settings or version changed, failed last time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from refmaster.batch import storage
from refmaster.batch.identity import exists, unchanged
from refmaster.batch.task import Task
from refmaster.version import __version__


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a task is to run, and why; `amended` is a journal line with fresher times of the inputs."""

    run: bool
    why: str
    amended: dict[str, Any] | None = None


def decide(task: Task, line: dict[str, Any] | None, *, force: bool) -> Decision:
    """Decide about a task by its latest line in the journal (None: it has none)."""
    if line is None:
        return Decision(run=True, why="new")
    if force:
        return Decision(run=True, why="forced")
    if line["event"] == "begun":
        return Decision(run=True, why="was interrupted")
    if line["event"] == "failed":
        return Decision(run=True, why=f"failed last time: {line['outcome']['message']}")
    outcome = line["outcome"]
    if outcome["version"] != __version__:
        return Decision(run=True, why=f"was made by version {outcome['version']}")
    changed = _changed_options(line["options"], json.loads(json.dumps(task.options)))
    if line["kind"] != task.kind:
        changed = [f"kind {line['kind']} -> {task.kind}"]
    if changed:
        return Decision(run=True, why="settings changed: " + ", ".join(changed))
    return _by_files(task, line)


def _by_files(task: Task, line: dict[str, Any]) -> Decision:
    outcome = line["outcome"]
    # By position, not by name: a project that moved as a whole is still the same.
    if len(outcome["inputs"]) != len(task.inputs):
        return Decision(run=True, why="other inputs")
    moved = False
    fresh_inputs = []
    for location, noted in zip(task.inputs, outcome["inputs"], strict=True):
        same, fresh = unchanged(location, noted)
        if not same:
            return Decision(run=True, why=f"input changed: {storage.base_name(location)}")
        moved = moved or fresh is not None
        fresh_inputs.append({"location": location, **fresh} if fresh else noted)
    for output in task.outputs:
        if not exists(output):
            return Decision(run=True, why=f"output is missing: {storage.base_name(output)}")
    amended = {**line, "outcome": {**outcome, "inputs": fresh_inputs}} if moved else None
    note = _output_note(task, outcome)
    return Decision(run=False, why="nothing changed" + note, amended=amended)


def _output_note(task: Task, outcome: dict[str, Any]) -> str:
    """Say so where somebody changed an output: it is theirs now, and left alone."""
    for location, noted in zip(task.outputs, outcome["outputs"], strict=False):
        if not storage.is_url(location) and "mtime_ns" in noted and not unchanged(location, noted)[0]:
            return f"; {storage.base_name(location)} was changed since and is left as it is"
    return ""


def _changed_options(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    changed = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            inner = "" if name == "settings" else f"{prefix}{name}."
            changed += _changed_options(old, new, inner)
        else:
            changed.append(f"{prefix}{name} {_short(old)} -> {_short(new)}")
    return changed


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
