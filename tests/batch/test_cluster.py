"""A real Dask scheduler, real workers and a real S3 API on loopback; slow, since all of it has to start."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refmaster.batch.runner import RunOptions
from refmaster.batch.session import run_batch
from refmaster.errors import InputError

from .cluster_parts import ClusterParts, journal_lines, running_cluster, wait_for
from .conftest import Ears, Project, write_song

SONGS = 8
JOBS = """\
version: 1
output: {output}
references: {{house: {reference}}}
defaults: {{reference: house, settings: {{target_lufs: -20}}}}
jobs: [{{mix: {mixes}}}]
"""


def fill_bucket(cluster: ClusterParts, project: Project) -> None:
    store = cluster.s3()
    store.mkdir("songs")
    for number in range(SONGS):
        song = write_song(project.folder / "mixes" / f"s{number}.wav", seconds=4.0, seed=number)
        store.put_file(str(song), f"songs/mixes/{song.name}")
    store.put_file(str(project.folder / "reference.wav"), "songs/reference.wav")


@pytest.mark.slow
def test_a_lost_worker_costs_nothing_and_the_bytes_are_those_of_a_local_run(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for path in (project.folder / "mixes").iterdir():
        path.unlink()
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        fill_bucket(cluster, project)
        project.write(
            JOBS.format(
                output="s3://songs/masters",
                reference="s3://songs/reference.wav",
                mixes="s3://songs/mixes/*.wav",
            )
        )
        batch = subprocess.Popen(
            [sys.executable, "-m", "refmaster", "batch", "jobs.yaml", "--scheduler", cluster.scheduler],
            cwd=project.folder,
            env=cluster.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        journal = project.folder / "jobs.refmaster" / "refmaster" / "journal.jsonl"

        def done() -> list[str]:
            return [line["key"] for line in journal_lines(journal) if line["event"] == "done"]

        wait_for(lambda: len(done()) >= 3)
        cluster.kill_worker(0)
        out, errors = batch.communicate(timeout=300)
        assert batch.returncode == 0, out + errors
        names = [f"s{number}.wav" for number in range(SONGS)]
        assert sorted(done()) == ["refmaster/references/house.yaml", *names]
        store = cluster.s3()
        there = {Path(name).name for name in store.ls("songs/masters", detail=False)}
        assert there == {*names, "refmaster", "results.json", "results.csv", "results.html"}
        again = cluster.refmaster("batch", "jobs.yaml", "--scheduler", cluster.scheduler, cwd=project.folder)
        assert f"{SONGS + 1} kept" in again.stdout, again.stdout + again.stderr

        project.write(JOBS.format(output="masters", reference="reference.wav", mixes="mixes"))
        assert project.run().exit_code == 0
        for name in names:
            assert store.cat_file(f"songs/masters/{name}") == (project.masters / name).read_bytes()

        # A changed object is mastered again, and only that.
        store.put_file(str(project.folder / "reference.wav"), "songs/mixes/s3.wav")
        project.write(
            JOBS.format(
                output="s3://songs/masters",
                reference="s3://songs/reference.wav",
                mixes="s3://songs/mixes/*.wav",
            )
        )
        local = cluster.refmaster(
            "batch", "jobs.yaml", cwd=project.folder
        )  # the same file, without a cluster
        assert "again   s3.wav: input changed: s3.wav" in local.stdout, local.stdout + local.stderr
        assert f"{SONGS} kept" in local.stdout


@pytest.mark.slow
def test_ctrl_c_twice_leaves_the_cluster(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    project.song("a.wav", seconds=60.0, seed=5)
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=1) as cluster:
        batch = subprocess.Popen(
            [sys.executable, "-m", "refmaster", "batch", "jobs.yaml", "--scheduler", cluster.scheduler],
            cwd=project.folder,
            env=cluster.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: any(line["key"] == "a.wav" for line in journal_lines(project.journal)))
        batch.send_signal(signal.SIGINT)
        time.sleep(0.1)
        batch.send_signal(signal.SIGINT)
        _, errors = batch.communicate(timeout=60)
        assert batch.returncode == 130, errors
        assert "fault" not in errors


@pytest.mark.slow
def test_no_scheduler_is_bad_input(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from refmaster.batch import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with pytest.raises(InputError, match="no Dask scheduler answers here"):
        run_batch(project.jobs_file, RunOptions(scheduler="tcp://127.0.0.1:9"), Ears())


def test_a_worker_of_another_version_refuses(project: Project) -> None:
    from refmaster.batch.cluster import run_on_worker

    found = run_on_worker({}, "0.0.1", 0)
    assert found["code"] == 3
    assert "install the same" in found["message"]


def test_objects_in_memory_are_listed_and_noticed() -> None:
    import fsspec

    from refmaster.batch import storage

    store = fsspec.filesystem("memory")
    store.pipe({"/box/b.wav": b"12", "/box/a.wav": b"1"})
    assert [name.rsplit("/", 1)[-1] for name in storage.find_objects("memory://box/*.wav")] == [
        "a.wav",
        "b.wav",
    ]
    facts = storage.object_facts("memory://box/b.wav")
    assert facts is not None
    assert facts["size"] == 2
    assert storage.object_facts("memory://box/none.wav") is None
