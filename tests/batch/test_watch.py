"""Watching: only what is complete is mastered, once, with the journal of a batch."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from refmaster.batch.runner import RunOptions
from refmaster.batch.storage import glance
from refmaster.batch.watch import Settled, Watch, is_complete
from refmaster.errors import SettingsError

from .conftest import JOBS, Ears, Project, write_song


def until(condition: Callable[[], bool], seconds: float = 60.0) -> Callable[[], bool]:
    """Return a stop for a watch: when the condition holds; a test that waits for ever fails."""
    end = time.monotonic() + seconds

    def stop() -> bool:
        assert time.monotonic() < end, "it did not happen in time"
        return condition()

    return stop


def watch(project: Project, ears: Ears, said: list[str], stop: Callable[[], bool]) -> None:
    made = Watch(project.jobs_file, RunOptions(jobs=1), ears, said.append, settle_s=0.2, every_s=0.05)
    made.run(stop)


def test_what_is_dropped_is_mastered_once(project: Project) -> None:
    for name in ("one.wav", "two.wav"):
        (project.folder / "mixes" / name).unlink()
    ears, said = Ears(), []
    song = write_song(project.folder / "made.wav", seed=3).read_bytes()
    steps = iter(range(10**9))

    def drop() -> bool:
        step = next(steps)
        target = project.folder / "mixes" / "new.wav"
        if step == 0:
            target.write_bytes(song[: len(song) // 2])
        if step == 30:
            assert "new.wav" not in ears.results  # half a file is left alone
            target.write_bytes(song)
        return "new.wav" in ears.results

    watch(project, ears, said, until(drop))
    assert ears.results["new.wav"].code == 0
    assert said == []
    assert (project.masters / "results.html").exists()
    # A batch afterwards finds it done.
    again = Ears()
    project.run(again)
    assert not again.results


def test_a_bad_file_is_tried_once_and_again_when_it_changes(project: Project) -> None:
    ears = Ears()
    song = (project.folder / "mixes" / "one.wav").read_bytes()
    # Silence opens as audio, and is refused by the job.
    write_song(project.folder / "mixes" / "two.wav", level=0.0)
    tried: list[int] = []

    def stop() -> bool:
        result = ears.results.get("two.wav")
        if result is not None and result.code and not tried:
            tried.append(1)
            (project.folder / "mixes" / "two.wav").write_bytes(song)
        return result is not None and result.code == 0

    watch(project, ears, [], until(stop))
    assert tried


def test_a_file_counts_when_it_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    settled = Settled(0.1)

    def stands_still() -> bool:
        return settled.stands_still(str(path), glance(str(path)))

    assert not stands_still()
    path.write_bytes(b"1")
    assert not stands_still()
    time.sleep(0.15)
    assert stands_still()
    path.write_bytes(b"12")
    assert not stands_still()


def test_open_locked_cut_and_foreign_files_are_not_complete(tmp_path: Path) -> None:
    path = write_song(tmp_path / "a.wav")
    assert is_complete(str(path))
    with path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert not is_complete(str(path))
        fcntl.flock(writer, fcntl.LOCK_UN)
    assert is_complete(str(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert not is_complete(str(path))
    path.write_bytes(b"no audio")
    assert not is_complete(str(path))
    assert not is_complete(str(tmp_path / "none.wav"))


def test_a_problem_that_comes_up_is_said_once(project: Project) -> None:
    ears, said = Ears(), []
    looks = iter(range(10**9))

    def stop() -> bool:
        if next(looks) == 0:
            write_song(project.folder / "mixes" / "ONE.wav", seed=8)
        return bool(said) and next(looks) > 50

    project.write(JOBS)
    watch(project, ears, said, until(stop))
    assert len(said) == 1
    assert "differ in case" in said[0]


def test_a_wrong_file_is_refused_at_once(project: Project) -> None:
    project.write("version: 1\njobs: [{mix: mixes, refrence: x}]\n")
    with pytest.raises(SettingsError, match="did you mean"):
        watch(project, Ears(), [], lambda: True)
