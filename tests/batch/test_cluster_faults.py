"""Whatever happens to a cluster: it is said, nothing waits for ever, and everything ends cleanly."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster_parts import ClusterParts, journal_lines, running_cluster, wait_for
from .conftest import Project


def start(cluster: ClusterParts, project: Project, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "refmaster", "batch", "jobs.yaml", "--scheduler", cluster.scheduler, *options],
        cwd=project.folder,
        env={**cluster.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def heard(batch: subprocess.Popen[str], text: str) -> None:
    """Return when the batch says something."""
    assert batch.stdout is not None
    for line in batch.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said: {text}")


@contextlib.contextmanager
def at_work(
    project: Project, folder: Path, *options: str
) -> Iterator[tuple[ClusterParts, subprocess.Popen[str]]]:
    """Yield a cluster of one worker, and a batch that has begun a long job there."""
    project.song("a.wav", seconds=900.0, seed=5)
    with running_cluster(folder, workers=1) as cluster:
        batch = start(cluster, project, *options)
        wait_for(lambda: any(line["key"] == "a.wav" for line in journal_lines(project.journal)))
        yield cluster, batch


@pytest.mark.slow
def test_without_workers_it_waits_aloud_and_goes_on_when_one_comes(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=0) as cluster:
        batch = start(cluster, project, "--wait-workers", "8")
        heard(batch, f"waiting: no worker is connected (start one with: dask worker {cluster.scheduler})")
        out, _ = batch.communicate(timeout=60)
        assert batch.returncode == 1, out
        assert "3 jobs: 3 not run" in out

        batch = start(cluster, project)
        heard(batch, "waiting: no worker is connected")
        cluster.start_worker()
        out, _ = batch.communicate(timeout=120)
        assert batch.returncode == 0, out
        assert "going on" in out


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_its_last_worker_it_says_so_and_ends_on_the_first_ctrl_c(
    project: Project, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    with at_work(project, tmp_path_factory.mktemp("cluster")) as (cluster, batch):
        if how == "killed":
            cluster.kill_worker(0)
            heard(batch, "waiting: no worker is connected")
        else:
            cluster.freeze_worker(0)
            heard(batch, "waiting: the only worker has given no sign of life")
        batch.send_signal(signal.SIGINT)
        out, _ = batch.communicate(timeout=30)
        assert batch.returncode == 130, out
        assert "a.wav: abandoned: " in out
        assert "Traceback" not in out


@pytest.mark.slow
def test_the_time_limit_holds_where_the_worker_is_frozen(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limits = ("--timeout", "6", "--wait-workers", "10")
    with at_work(project, tmp_path_factory.mktemp("cluster"), *limits) as (cluster, batch):
        time.sleep(2.0)  # its worker has it
        cluster.freeze_worker(0)
        out, _ = batch.communicate(timeout=90)
        assert batch.returncode == 1, out
        assert "timed out: a.wav: took longer than 6 s, and its worker gave no answer" in out
        assert "not run: one.wav: abandoned: the only worker has given no sign of life" in out


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGTERM", "scheduler killed", "scheduler frozen"])
def test_every_abandon_ends_cleanly_and_soon(
    project: Project, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    with at_work(project, tmp_path_factory.mktemp("cluster")) as (cluster, batch):
        if how == "SIGTERM":
            batch.terminate()
        elif how == "scheduler killed":
            cluster.signal_scheduler(signal.SIGKILL)
        else:
            cluster.signal_scheduler(signal.SIGSTOP)
            heard(batch, "waiting: the scheduler")
            batch.send_signal(signal.SIGINT)
        out, _ = batch.communicate(timeout=20)
        code = {"SIGTERM": 143, "scheduler killed": 1, "scheduler frozen": 130}[how]
        assert batch.returncode == code, out
        assert "Traceback" not in out
        if how == "scheduler killed":
            assert "not run: a.wav: the connection to tcp://" in out
