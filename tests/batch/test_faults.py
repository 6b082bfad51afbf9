"""Whatever happens to one job, a worker, the parent or the disk: nothing else is harmed, nothing is torn."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile as sf

from refmaster.batch import pool
from refmaster.batch.planner import STATE_FOLDER
from refmaster.batch.session import plan_batch
from refmaster.batch.task import Task

from .cluster_parts import journal_lines, wait_for
from .conftest import JOBS, Ears, Project

LONG_S = 12.0


def start(project: Project, *options: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "refmaster", "batch", "jobs.yaml", "--jobs", "1", *options],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )


def begun(project: Project, key: str) -> bool:
    return any(line["event"] == "begun" and line["key"] == key for line in journal_lines(project.journal))


def codes(project: Project, ears: Ears) -> dict[str, int]:
    return {key: result.code for key, result in ears.results.items() if STATE_FOLDER not in key}


def children_of(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")  # one for each thread
    return [int(child) for children in lists for child in children.read_text().split()]


def only_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_corrupt_file_a_silent_one_and_a_cut_one_fail_alone(project: Project) -> None:
    mixes = project.folder / "mixes"
    (mixes / "bad.wav").write_bytes(os.urandom(5000))
    (mixes / "empty.wav").write_bytes(b"")
    whole = (mixes / "one.wav").read_bytes()
    (mixes / "cut.wav").write_bytes(whole[: len(whole) // 2])
    sf.write(mixes / "silent.wav", [[0.0, 0.0]] * 30000, 22050)
    ears = Ears()
    summary = project.run(ears, jobs=2)
    found = codes(project, ears)
    assert {k: v for k, v in found.items() if k != "cut.wav"} == {
        "bad.wav": 2, "empty.wav": 2, "silent.wav": 2, "one.wav": 0, "two.wav": 0
    }  # fmt: skip
    assert found["cut.wav"] == 2
    assert summary.exit_code == 1
    assert not (project.masters / "bad.wav").exists()


def test_an_input_that_vanishes_and_one_that_changes_half_way(project: Project) -> None:
    project.song("long.wav", seconds=LONG_S, seed=5)
    project.song("later.wav", seconds=LONG_S, seed=6)

    def meddle(task: Task) -> None:
        if task.key == "long.wav":
            (project.folder / "mixes" / "long.wav").unlink(missing_ok=True)
        if task.key == "later.wav":
            os.utime(project.folder / "mixes" / "later.wav", ns=(5, 5))

    ears = Ears(when_started=meddle)
    project.run(ears)
    assert codes(project, ears) == {"long.wav": 2, "later.wav": 2, "one.wav": 0, "two.wav": 0}
    assert "changed or replaced" in ears.results["later.wav"].message
    assert not (project.masters / "later.wav").exists()


def test_a_folder_that_took_the_outputs_place(project: Project) -> None:
    (project.masters / "one.wav").mkdir(parents=True)
    ears = Ears()
    project.run(ears)
    assert codes(project, ears) == {"one.wav": 2, "two.wav": 0}
    assert "is a directory" in ears.results["one.wav"].message


def test_a_full_disk_fails_the_job_that_does_not_fit(project: Project) -> None:
    """The limit on the size of files stands for the disk: the long master does not fit, the others do."""
    project.song("long.wav", seconds=LONG_S, seed=5)
    limit = 400_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    process = start(project, preexec_fn=limited)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, out + errors
    assert "long.wav" in errors
    assert {"one.wav", "two.wav"} <= only_files(project.masters)
    assert "long.wav" not in only_files(project.masters)
    again = start(project)
    out, errors = again.communicate(timeout=120)
    assert again.returncode == 0, out + errors
    assert "failed last time" in out


def test_a_worker_that_is_killed_once_costs_nothing(project: Project) -> None:
    project.song("long.wav", seconds=LONG_S, seed=5)
    process = start(project)
    wait_for(lambda: begun(project, "long.wav"))
    for child in children_of(process.pid):
        os.kill(child, signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, out + errors
    assert "its worker died" in out


def test_a_job_that_crashes_every_worker_fails_alone(project: Project) -> None:
    project.song("long.wav", seconds=LONG_S, seed=5)
    _, tasks = plan_batch(project.jobs_file)
    workers = pool.LocalPool(1)
    try:
        long, short = (next(t for t in tasks if t.title == title) for title in ("long", "one"))
        reference = tasks[0]
        results = {}
        for task in (reference, long, short):
            workers.submit(task)
            while task.key not in results:
                event = workers.next_event(1.0)
                if event is not None and event.key == long.key and event.share is not None:
                    for pid in children_of(os.getpid()):
                        os.kill(pid, signal.SIGSEGV)
                if event is not None and event.result is not None:
                    results[event.key] = event.result
    finally:
        workers.close()
    assert results[long.key].code == 134
    assert "SIGSEGV, 2 times" in results[long.key].message
    assert "Segmentation fault" in results[long.key].detail
    assert results[short.key].code == 0


def test_a_job_that_hangs_is_ended_alone(project: Project) -> None:
    project.write(JOBS.replace("mix: mixes", "mix: mixes/one.wav\n    timeout_s: 3\n  - mix: mixes/two.wav"))
    process = start(project)
    wait_for(lambda: begun(project, "one.wav"))
    for child in children_of(process.pid):
        os.kill(child, signal.SIGSTOP)  # as one that waits for ever
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, out + errors
    assert "timed out: one.wav: took longer than 3 s" in errors
    assert "two.wav" in only_files(project.masters)


def test_a_job_beyond_its_memory_fails_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.song("long.wav", seconds=LONG_S, seed=5)
    measured = pool.resident_mb

    def resident_mb(worker: pool.WorkerProcess) -> float:
        greedy = worker.task is not None and worker.task.title == "long"
        return 5000.0 if greedy else measured(worker)

    monkeypatch.setattr(pool, "resident_mb", resident_mb)
    ears = Ears()
    project.run(ears, memory_mb=1000)
    assert codes(project, ears) == {"long.wav": 137, "one.wav": 0, "two.wav": 0}
    assert "needed more than 1000 MB" in ears.results["long.wav"].message


def test_the_memory_of_a_worker_is_really_watched(project: Project) -> None:
    ears = Ears()
    project.run(ears, memory_mb=20)  # less than any worker needs
    assert ears.results["refmaster/references/house.yaml"].code == 137


def test_kill_9_of_the_parent_loses_the_job_in_hand_only(project: Project) -> None:
    project.song("zlong.wav", seconds=LONG_S, seed=5)
    process = start(project)
    wait_for(lambda: begun(project, "zlong.wav"))
    workers = children_of(process.pid)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert {"one.wav", "two.wav"} <= only_files(project.masters)
    ears = Ears()
    assert project.run(ears).exit_code == 0
    assert set(ears.results) == {"zlong.wav"}
    assert ears.decisions["zlong.wav"].why == "was interrupted"
    assert only_files(project.masters) == {
        "one.wav", "two.wav", "zlong.wav", "results.json", "results.csv", "results.html"
    }  # fmt: skip


def test_two_batches_on_one_folder(project: Project) -> None:
    project.song("long.wav", seconds=LONG_S, seed=5)
    first = start(project)
    wait_for(project.journal.exists)
    first.send_signal(signal.SIGSTOP)  # it stays at work, however long the others take to begin
    try:
        refused = start(project)
        _, errors = refused.communicate(timeout=60)
        waiting = start(project, "--wait")
    finally:
        first.send_signal(signal.SIGCONT)
    assert refused.returncode == 2
    assert "another batch is at work here (process" in errors
    assert first.wait(timeout=120) == 0
    out, errors = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, errors
    assert "4 kept" in out
    first.communicate()


def test_ctrl_c_finishes_what_runs_and_the_rest_is_done_later(project: Project) -> None:
    project.song("a.wav", seconds=LONG_S, seed=5)
    process = start(project)
    wait_for(lambda: begun(project, "a.wav"))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, out + errors
    assert "a.wav" in only_files(project.masters)
    assert "two.wav" not in only_files(project.masters)
    ears = Ears()
    assert project.run(ears).exit_code == 0
    assert "a.wav" not in ears.results
    assert "two.wav" in ears.results


def test_ctrl_c_twice_abandons_and_leaves_nothing_half_written(project: Project) -> None:
    project.song("a.wav", seconds=4 * LONG_S, seed=5)
    process = start(project)
    wait_for(lambda: begun(project, "a.wav"))
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert only_files(project.masters) == set()


def test_a_reference_that_cannot_be_measured_fails_its_jobs_without_running_them(project: Project) -> None:
    (project.folder / "reference.wav").write_bytes(b"no audio")
    ears = Ears()
    project.run(ears)
    assert ears.results["refmaster/references/house.yaml"].code == 2
    assert codes(project, ears) == {"one.wav": 125, "two.wav": 125}
    assert "its reference failed" in ears.results["one.wav"].message
