"""A real Dask scheduler, real workers and a real S3 API on loopback; slow, since all of it has to start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refmaster.batch.runner import RunOptions
from refmaster.batch.session import run_batch
from refmaster.errors import InputError

from .cluster_parts import ClusterParts, free_port, journal_lines, running_cluster, wait_for
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
@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"tcp://127.0.0.1:{free_port()}", "no Dask scheduler answers here"),
        ("tcp://nohost.invalid:8786", "no Dask scheduler answers here"),
        ("localhost", "missing port number"),
        ("foo://localhost:1", "unknown address scheme"),
    ],
    ids=["nobody", "unknown host", "no port", "no such scheme"],
)
def test_no_scheduler_is_bad_input_soon_and_in_one_line(project: Project, address: str, said: str) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "refmaster", "batch", "jobs.yaml", "--scheduler", address],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - started < 20.0  # starting up included, on a busy machine
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"refmaster: {address}: no Dask scheduler answers here")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_is_no_scheduler_is_not_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refmaster.batch import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 1.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="no Dask scheduler answers here"):
            run_batch(project.jobs_file, RunOptions(scheduler=address), Ears())


def test_workers_live_while_their_signs_of_life_move_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from refmaster.batch.cluster import SILENT_S, Workers

    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def at(*last_seen: float) -> dict[str, dict[str, float]]:
        return {f"w{n}": {"last_seen": seen, "nthreads": 2} for n, seen in enumerate(last_seen)}

    none = Workers().seen({})
    assert (none.threads, "no worker is connected" in none.missing) == (0, True)
    workers = none.seen(at(5.0, 6.0))
    assert (workers.threads, workers.missing) == (4, "")
    now[0] += SILENT_S
    workers = workers.seen(at(5.0, 7.0))
    assert (workers.threads, workers.missing) == (2, "")
    now[0] += SILENT_S
    workers = workers.seen(at(5.0, 7.0))
    assert workers.threads == 0
    assert "none of 2 workers has given a sign of life" in workers.missing
    assert workers.seen(at(5.0, 7.5)).missing == ""


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


@pytest.mark.slow
def test_one_song_from_and_to_a_bucket(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=0) as cluster:
        fill_bucket(cluster, project)
        store = cluster.s3()
        match = ("-r", "s3://songs/reference.wav:2", "--lufs", "-20")

        def run(*arguments: str, code: int = 0) -> str:
            done = cluster.refmaster(*arguments, cwd=project.folder)
            assert done.returncode == code, done.stdout + done.stderr
            assert "Traceback" not in done.stderr
            return done.stdout + done.stderr

        mix = "s3://songs/mixes/s0.wav"
        stored = ("-o", "s3://songs/m.wav", "--save-plan", "plan.yaml")
        assert "written s3://songs/m.wav (WAV" in run("master", mix, *match, *stored)
        run("master", "mixes/s0.wav", "-r", "reference.wav", "--lufs", "-20", "-o", "local.wav")
        master = store.cat_file("songs/m.wav")
        assert master == (project.folder / "local.wav").read_bytes()
        assert "s3://songs/m.wav: exists already; use --overwrite" in run(
            "master", mix, *match, *stored[:2], code=2
        )
        run("master", mix, *match, *stored[:2], "--overwrite")

        plan = (project.folder / "plan.yaml").read_text()
        assert mix in plan
        assert "s3://songs/reference.wav" in plan
        run("render", "plan.yaml", "-o", "again.wav")
        assert (project.folder / "again.wav").read_bytes() == master
        run("plan", mix, *match, "-o", "sub.yaml")
        assert mix in (project.folder / "sub.yaml").read_text()
        store.put_file(str(project.folder / "reference.wav"), "songs/mixes/s0.wav")
        assert "expected the mix that the plan was made for" in run(
            "render", "plan.yaml", "-o", "x.wav", code=2
        )

        assert "s1.wav" in run("measure", "s3://songs/mixes/s1.wav")
        assert "no such object" in run("measure", "s3://songs/mixes/none.wav", code=2)
        out = run("master", "s3://songs/mixes/s[12].wav", "mixes/s3.wav", *match, "-o", "s3://songs/out/")
        assert "3 jobs: 3 done" in out
        assert {name.rsplit("/", 1)[-1] for name in store.ls("songs/out", detail=False)} >= {
            "s1.wav", "s2.wav", "s3.wav", "results.html"
        }  # fmt: skip
        assert "3 jobs: 3 kept" in run(
            "master", "s3://songs/mixes/s[12].wav", "mixes/s3.wav", *match, "-o", "s3://songs/out/"
        )
        store.put_file(str(project.folder / "reference.wav"), "songs/out/s2.wav")
        out = run("master", "s3://songs/mixes/s[12].wav", "mixes/s3.wav", *match, "-o", "s3://songs/out/")
        assert "1 changed since" in out


@pytest.mark.slow
def test_a_worker_without_credentials_says_so_in_a_line(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=0) as cluster:
        fill_bucket(cluster, project)
        nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
        cluster.start_worker(**nothing)
        project.write(
            JOBS.format(output="masters", reference="reference.wav", mixes="s3://songs/mixes/s0.wav")
        )
        done = cluster.refmaster("batch", "jobs.yaml", "--scheduler", cluster.scheduler, cwd=project.folder)
        assert done.returncode == 1
        assert (
            "bad input: s0.wav: s3://songs/mixes/s0.wav: the storage cannot be asked: Unable" in done.stderr
        )
        assert done.stderr.count("\n") == 1
