"""A whole cluster on loopback for tests and benchmarks: Dask scheduler, workers, and a real S3 API (moto)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_S = 60.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ClusterParts:
    """Running processes, ended with the context that made them."""

    folder: Path
    scheduler: str
    s3_endpoint: str
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    start_process: Callable[..., subprocess.Popen[bytes]] | None = None
    scheduler_process: subprocess.Popen[bytes] | None = None

    def start_worker(self, **variables: str) -> None:
        """Start a worker of one thread, with a cache of its own, as machines have."""
        assert self.start_process is not None
        number = len(self.workers)
        command = ("-m", "distributed.cli.dask_worker", self.scheduler, "--nthreads", "1", "--no-dashboard")
        cache = {"REFMASTER_CACHE": str(self.folder / f"cache{number}")}
        self.workers.append(self.start_process(f"worker{number}", *command, **cache, **variables))

    def signal_scheduler(self, number: int) -> None:
        """Send the scheduler a signal."""
        assert self.scheduler_process is not None
        self.scheduler_process.send_signal(number)

    def freeze_worker(self, number: int) -> None:
        """Stop a worker with everything it started, as a machine does that hangs."""
        os.killpg(self.workers[number].pid, signal.SIGSTOP)

    def kill_worker(self, number: int) -> None:
        """Kill a worker with everything it started, as a lost machine would."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait()

    def s3(self) -> Any:
        """Return a client of the S3 API."""
        import s3fs

        return s3fs.S3FileSystem(
            endpoint_url=self.s3_endpoint, key="test", secret="test", skip_instance_cache=True
        )

    def refmaster(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "refmaster", *arguments],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@contextlib.contextmanager
def running_cluster(folder: Path, *, workers: int = 2) -> Iterator[ClusterParts]:
    """Start an S3 API, a scheduler and workers of one thread each, all on loopback; end them after."""
    s3_port, scheduler_port = free_port(), free_port()
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
    }
    parts = ClusterParts(
        folder=folder,
        scheduler=f"tcp://127.0.0.1:{scheduler_port}",
        s3_endpoint=environment["AWS_ENDPOINT_URL"],
        environment=environment,
    )
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str, *command: str, **more: str) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, **more},
                cwd=folder,
                start_new_session=True,
            )
        running.append(process)
        return process

    try:
        start("s3", "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(s3_port))
        parts.scheduler_process = start(
            "scheduler",
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(scheduler_port),
            "--no-dashboard",
        )
        wait_for_port(s3_port)
        wait_for_port(scheduler_port)
        parts.start_process = start
        for _ in range(workers):
            parts.start_worker()
        yield parts
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder / "dask-scratch-space", ignore_errors=True)


def wait_for_port(port: int) -> None:
    """Return when somebody listens on a port of loopback."""
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return when a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def journal_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal; a line that is being written is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]
