"""Watching: only what is complete is mastered, once, with the journal of a batch."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from refmaster.batch import watch as watching
from refmaster.batch.runner import RunOptions, Summary
from refmaster.batch.storage import glance
from refmaster.batch.watch import Settled, Watch, is_in_use, why_incomplete
from refmaster.errors import SettingsError

from .conftest import JOBS, Ears, Project, write_song


def until(condition: Callable[[], bool], seconds: float = 60.0) -> Callable[[], bool]:
    """Return a stop for a watch: when the condition holds; a test that waits for ever fails."""
    end = time.monotonic() + seconds

    def stop() -> bool:
        assert time.monotonic() < end, "it did not happen in time"
        return condition()

    return stop


def watch(project: Project, ears: Ears, said: list[str], stop: Callable[[], bool]) -> Summary:
    made = Watch(project.jobs_file, RunOptions(jobs=1), ears, said.append, settle_s=0.2, every_s=0.05)
    return made.run(stop)


def test_what_is_dropped_is_mastered_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 10_000)  # half a file is given all the time it needs
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
    assert all(text.startswith("waiting new.wav: ") and "truncated" in text for text in said)
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


@pytest.mark.parametrize("patient", [False, True], ids=["when the watch ends", "after a while"])
def test_files_that_never_open_fail_with_their_reason(project: Project, patient: bool) -> None:
    mixes = project.folder / "mixes"
    whole = (mixes / "one.wav").read_bytes()
    (mixes / "one.wav").write_bytes(whole[: len(whole) // 2])
    (mixes / "two.wav").write_bytes(b"this is no audio")
    ears, said = Ears(), []

    def stop() -> bool:
        return len(ears.results) >= 3 if patient else len(said) >= 2

    summary = watch(project, ears, said, until(stop))
    assert sorted(text.split(":")[0] for text in said) == ["waiting one.wav", "waiting two.wav"]
    failed = {row.task.key: row.result for row in summary.rows if row.result.code}
    assert {key: result.code for key, result in failed.items()} == {"one.wav": 2, "two.wav": 2}
    assert "truncated: its header promises audio" in failed["one.wav"].message
    assert "not an audio file" in failed["two.wav"].message
    assert summary.exit_code == 1
    assert "not an audio file" in (project.masters / "results.html").read_text()


def test_the_end_of_a_watch_begins_no_work(project: Project) -> None:
    ears = Ears()
    looks = iter(range(10**9))
    summary = watch(project, ears, [], lambda: next(looks) > 0)
    assert summary.rows == []


def test_a_song_whose_reference_was_bad_is_tried_again_with_the_next_one(project: Project) -> None:
    reference = project.folder / "reference.wav"
    whole = reference.read_bytes()
    write_song(reference, level=0.0)  # opens as audio, cannot be a reference
    ears = Ears()

    def stop() -> bool:
        if {"one.wav", "two.wav"} <= {*ears.results} and reference.read_bytes() != whole:
            reference.write_bytes(whole)
        return all(key in ears.results and ears.results[key].code == 0 for key in ("one.wav", "two.wav"))

    assert watch(project, ears, [], until(stop)).exit_code == 0


def test_a_file_counts_when_it_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    settled = Settled()

    def still_s() -> float:
        return settled.still_s(str(path), glance(str(path)))

    assert still_s() == 0.0
    time.sleep(0.15)
    assert still_s() == 0.0  # there is no such file
    path.write_bytes(b"1")
    assert still_s() == 0.0
    time.sleep(0.15)
    assert still_s() > 0.1
    path.write_bytes(b"12")
    assert still_s() == 0.0


def test_open_locked_cut_and_foreign_files_are_not_complete(tmp_path: Path) -> None:
    path = write_song(tmp_path / "a.wav")
    assert not is_in_use(str(path))
    assert why_incomplete(str(path)) == ""
    with path.open("r+b") as writer:
        assert is_in_use(str(path))
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert is_in_use(str(path))
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        assert is_in_use(str(path))
    assert not is_in_use(str(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "truncated" in why_incomplete(str(path))
    path.write_bytes(b"no audio")
    assert "not an audio file" in why_incomplete(str(path))
    assert "no such file" in why_incomplete(str(tmp_path / "none.wav"))


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
