"""Benchmarks of batches: ``python benchmarks/batch.py [throughput] [planning] [cluster]``.

throughput  40 jobs one after another in one process (the bare master), then in batches of 1 and 2 workers.
planning    100, 300 and 1,000 tiny jobs that nobody renders: planning, journal, the parent's memory.
cluster     a Dask scheduler, two workers and an S3 API on loopback; 40 jobs, one worker killed half-way.

Run it on an otherwise idle machine; songs are made from the fixtures.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "batch"))

SONGS = 40
BARE = """
import sys, time
from pathlib import Path
from refmaster.profile.cache import cached_profile
from refmaster.mastering import master_file
folder = Path(sys.argv[1])
started = time.perf_counter()
for number, mix in enumerate(sorted((folder / "mixes").iterdir())):
    reference = cached_profile(folder / "reference.flac", folder=folder / "bare-cache")
    master_file(mix, reference, folder / f"bare{number}.wav")
print(time.perf_counter() - started)
"""


def make_songs(folder: Path, count: int, seconds: float) -> None:
    """Write `count` different songs and a reference."""
    samples, rate = sf.read(ROOT / "fixtures" / "example" / "mix.flac", dtype="float32")
    (folder / "mixes").mkdir(parents=True)
    frames = round(seconds * rate)
    looped = np.tile(samples, (int(np.ceil(2 * frames / len(samples))) + 1, 1))
    for number in range(count):
        start = number * 9973 % len(samples)
        sf.write(
            folder / "mixes" / f"s{number:04d}.wav", looped[start : start + frames], rate, subtype="PCM_24"
        )
    reference = (ROOT / "fixtures" / "example" / "reference.flac").read_bytes()
    (folder / "reference.flac").write_bytes(reference)
    (folder / "jobs.yaml").write_text(
        "version: 1\nreferences: {house: reference.flac}\n"
        "defaults: {reference: house}\njobs: [{mix: mixes}]\n"
    )


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with one thread a process and a cache of its own."""
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "REFMASTER_THREADS"), "1")
    return {**os.environ, **one, "REFMASTER_CACHE": str(folder / "cache")}


def run_refmaster(folder: Path, *arguments: str) -> float:
    """Run the command line and return its wall time in s."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "refmaster", *arguments],
        cwd=folder,
        env=environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def throughput(song_s: float) -> None:
    """One process against a batch of one and of two workers."""
    times: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_songs(folder, SONGS, song_s)
        command = [sys.executable, "-c", BARE, str(folder)]
        started = time.perf_counter()
        subprocess.run(command, env=environment(folder), check=True, stdout=subprocess.DEVNULL)
        times["bare masters, one process"] = time.perf_counter() - started
        for workers in (1, 2):
            for made in ("masters", "cache"):
                shutil.rmtree(folder / made, ignore_errors=True)
            times[f"batch --jobs {workers}"] = run_refmaster(folder, "batch", "--jobs", str(workers))
        times["batch again: all kept"] = run_refmaster(folder, "batch", "--jobs", "2")
    bare = times["bare masters, one process"]
    print(f"{SONGS} jobs of {song_s:g} s, 48 kHz, 24 bit; {os.cpu_count()} cores")
    print(f"{'':<28}{'wall s':>8}{'s a job':>9}{'songs/h':>9}{'times bare':>12}")
    for what, seconds in times.items():
        row = f"{what:<28}{seconds:>8.1f}{seconds / SONGS:>9.3f}{3600 * SONGS / seconds:>9.0f}"
        print(row + f"{bare / seconds:>12.2f}")
    one, two = times["batch --jobs 1"], times["batch --jobs 2"]
    print(f"two workers against one: {one / two:.2f} times the throughput (asked: 1.8)")
    print(f"overhead a job over the bare master: {(one - bare) / SONGS:.3f} s (asked: under 0.15)")


def planning(_song_s: float) -> None:
    """Planning and journal of many tiny jobs, each size in a process of its own."""
    print(f"{'jobs':>6}{'plan s':>9}{'journal s':>11}{'resume s':>10}{'parent MB':>11}")
    for count in (100, 300, 1000):
        with tempfile.TemporaryDirectory() as name:
            make_songs(Path(name), count, 0.5)
            subprocess.run([sys.executable, __file__, "--plan-only", name], check=True)


def plan_only(folder: Path) -> None:
    """Plan, note and decide, with an executor that does nothing."""
    from refmaster.batch.runner import Batch, RunOptions
    from refmaster.batch.session import open_journal, plan_batch, publish_results
    from refmaster.batch.storage import identify
    from refmaster.batch.task import Event, Task, TaskResult
    from refmaster.errors import ExitCode

    class Instant:
        def __init__(self) -> None:
            self.events: deque[Event] = deque()

        def capacity(self) -> int:
            return 2

        def expect(self, _tasks: int) -> None:
            pass

        def awaited(self) -> str:
            return ""

        def submit(self, task: Task) -> None:
            inputs = tuple({"location": at, **(identify(at) or {})} for at in task.inputs)
            for output in task.outputs:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).touch()
            result = TaskResult(code=ExitCode.DONE, inputs=inputs)
            self.events.append(Event(key=task.key, result=result))

        def next_event(self, _timeout_s: float) -> Event | None:
            return self.events.popleft() if self.events else None

        def close(self) -> None:
            pass

    class Silent:
        def decided(self, *_: object) -> None:
            pass

        went_on = ended = told = decided

    marks = [time.perf_counter()]
    loaded, tasks = plan_batch(folder / "jobs.yaml")
    marks.append(time.perf_counter())
    for _ in range(2):
        with open_journal(loaded) as journal:
            publish_results(Batch(journal, Instant(), Silent(), RunOptions()).run(tasks), loaded)
        marks.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plan_s, journal_s, resume_s = (after - before for before, after in itertools.pairwise(marks))
    print(f"{len(tasks) - 1:>6}{plan_s:>9.2f}{journal_s:>11.2f}{resume_s:>10.2f}{peak:>11.0f}", flush=True)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what something took."""
    started = time.perf_counter()
    yield
    print(f"{what:<52}{time.perf_counter() - started:>8.1f} s")


def cluster(song_s: float) -> None:
    """40 jobs from and to S3 on two Dask workers, whole; then again with one of them killed half-way."""
    from cluster_parts import journal_lines, running_cluster, wait_for

    jobs = (
        "version: 1\noutput: s3://songs/{name}\nstate: {name}\nreferences: {{house: s3://songs/reference.flac}}\n"
        "defaults: {{reference: house}}\njobs: [{{mix: s3://songs/mixes/*.wav}}]\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_songs(folder, SONGS, song_s)
        with running_cluster(folder) as parts:
            store = parts.s3()
            store.mkdir("songs")
            with timed(f"filling the bucket with {SONGS} songs of {song_s:g} s"):
                for song in sorted((folder / "mixes").iterdir()):
                    store.put_file(str(song), f"songs/mixes/{song.name}")
                store.put_file(str(folder / "reference.flac"), "songs/reference.flac")
            runs = (("whole", False, "two workers"), ("wounded", True, "one of two workers killed half-way"))
            for run, kill, what in runs:
                (folder / f"{run}.yaml").write_text(jobs.format(name=run))
                journal = folder / run / "refmaster" / "journal.jsonl"
                command = ["batch", f"{run}.yaml", "--scheduler", parts.scheduler]
                with timed(f"{SONGS} jobs, {what}"):
                    batch = subprocess.Popen(
                        [sys.executable, "-m", "refmaster", *command],
                        cwd=folder,
                        env=parts.environment,
                        stdout=subprocess.DEVNULL,
                    )
                    if kill:
                        wait_for(lambda at=journal: len(_done(journal_lines(at))) >= SONGS // 2, 600)
                        parts.kill_worker(0)
                    code = batch.wait(timeout=1200)
                done = _done(journal_lines(journal))
                most = max(Counter(done).values())
                print(f"  exit code {code}; {len(done)} jobs done, none more than {most} time")
            names = [song.name for song in sorted((folder / "mixes").iterdir())]
            whole = {n: store.cat_file(f"songs/whole/{n}") for n in names}
            same = sum(whole[n] == store.cat_file(f"songs/wounded/{n}") for n in names)
            print(f"  {same} of {len(names)} masters are the same bytes in both runs")
            with timed("the same jobs on this machine, from files"):
                run_refmaster(folder, "batch", "jobs.yaml", "--jobs", "2")
            same = sum(whole[n] == (folder / "masters" / n).read_bytes() for n in names)
            print(f"  {same} of {len(names)} masters are the same bytes as on the cluster")


def _done(lines: list[dict[str, str]]) -> list[str]:
    return [line["key"] for line in lines if line["event"] == "done" and "references/" not in line["key"]]


def main() -> None:
    """Run the parts that are named, or all."""
    parts = {"throughput": throughput, "planning": planning, "cluster": cluster}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--plan-only", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--song-s", type=float, default=60.0, help="length of the songs, s")
    arguments = parser.parse_args()
    if arguments.plan_only is not None:
        plan_only(arguments.plan_only)
        return
    for name in arguments.parts or parts:
        print(f"== {name}")
        parts[name](arguments.song_s)
        print()


if __name__ == "__main__":
    main()
