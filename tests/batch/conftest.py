"""Tiny songs, a jobs file and a way to run it; every test has a cache of its own session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster.batch.decide import Decision
from refmaster.batch.runner import RunOptions, Summary
from refmaster.batch.session import run_batch
from refmaster.batch.task import Event, Task, TaskResult

RATE_HZ = 22050


def write_song(path: Path, *, seconds: float = 1.5, seed: int = 1, level: float = 0.1) -> Path:
    """Write pulsing noise, stereo, 16 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    frames = round(seconds * RATE_HZ)
    noise = generator.standard_normal((frames, 2)).cumsum(axis=0)
    noise -= np.linspace(noise[0], noise[-1], frames)
    noise = noise / np.abs(noise).max() + 0.1 * generator.standard_normal((frames, 2))
    pulse = 0.6 + 0.4 * np.sin(2 * np.pi * 2.0 * np.arange(frames) / RATE_HZ)
    sf.write(path, level * noise * pulse[:, None], RATE_HZ, subtype="PCM_16")
    return path


@dataclass
class Ears:
    """A listener that remembers."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    results: dict[str, TaskResult] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    when_started: Callable[[Task], None] | None = None

    def decided(self, decisions: Sequence[tuple[Task, Decision]]) -> None:
        self.decisions.update({task.key: decision for task, decision in decisions})

    def told(self, text: str) -> None:
        self.said.append(text)

    def went_on(self, task: Task, event: Event) -> None:
        self.events.append(event)
        if self.when_started is not None and event.share is not None:
            self.when_started(task)

    def ended(self, task: Task, result: TaskResult) -> None:
        self.results[task.key] = result


@dataclass
class Project:
    """A folder with songs and a jobs file."""

    folder: Path

    @property
    def jobs_file(self) -> Path:
        return self.folder / "jobs.yaml"

    @property
    def masters(self) -> Path:
        return self.folder / "masters"

    @property
    def journal(self) -> Path:
        return self.masters / "refmaster" / "journal.jsonl"

    def song(self, name: str, **how: float) -> Path:
        return write_song(self.folder / "mixes" / name, **how)  # type: ignore[arg-type]

    def write(self, text: str) -> Path:
        self.jobs_file.write_text(text, encoding="utf-8")
        return self.jobs_file

    def run(self, ears: Ears | None = None, **options: object) -> Summary:
        chosen = {"jobs": 1, **options}
        return run_batch(self.jobs_file, RunOptions(**chosen), ears or Ears())  # type: ignore[arg-type]


JOBS = """\
version: 1
references: {house: reference.wav}
defaults: {reference: house, settings: {target_lufs: -20}}
jobs:
  - mix: mixes
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFMASTER_CACHE", str(tmp_path_factory.getbasetemp() / "profiles"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A reference, two mixes, and a jobs file that masters both."""
    made = Project(tmp_path)
    write_song(tmp_path / "reference.wav", seconds=2.0, seed=9, level=0.5)
    made.song("one.wav", seed=1)
    made.song("two.wav", seed=2)
    made.write(JOBS)
    return made
