"""Storages that do not answer, refuse or are not there: bad input in one line, asked once."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from refmaster.batch import storage
from refmaster.batch.execute import execute_task
from refmaster.batch.task import Task
from refmaster.errors import AudioError

from .cluster_parts import free_port
from .conftest import JOBS, Project

NO_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "none",
    "AWS_SHARED_CREDENTIALS_FILE": "none",
    "AWS_MAX_ATTEMPTS": "1",
}
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
NOBODY = f"http://127.0.0.1:{free_port()}"


def refmaster(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "refmaster", *arguments],
        cwd=folder,
        env={**environment, **NO_AWS, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("mix", "variables", "said"),
    [
        ("s3://songs/*.wav", {}, "Unable to locate credentials; credentials and endpoint are those of"),
        ("s3://songs/a.wav", {**KEYS, "AWS_ENDPOINT_URL": NOBODY}, "Could not connect to the endpoint URL"),
        ("s3://songs/a.wav", {**KEYS, "AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense"),
        ("http://nohost.invalid/a.wav", {}, "Cannot connect to host nohost.invalid:80"),
        (f"{NOBODY}/a.wav", {}, "Cannot connect to host 127.0.0.1"),
    ],
    ids=["no credentials", "wrong endpoint", "no endpoint", "unknown host", "nobody there"],
)
def test_a_storage_that_cannot_be_asked_is_bad_input_in_one_line(
    project: Project, mix: str, variables: dict[str, str], said: str
) -> None:
    project.write(JOBS.replace("mix: mixes", f"mix: '{mix}'"))
    code, out, errors = refmaster(project.folder, "batch", "jobs.yaml", **variables)
    assert (code, out) == (2, "")
    assert errors.startswith(f"refmaster: jobs.yaml:5:10: jobs[0].mix: {mix}: the storage cannot be asked: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_an_output_without_credentials_is_refused_before_any_work(project: Project) -> None:
    project.write(JOBS + "output: s3://songs/masters\n")
    code, out, errors = refmaster(project.folder, "batch", "jobs.yaml")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "Unable to locate credentials" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("master", "s3://songs/a.wav", "-r", "reference.wav", "-o", "m.wav"),
        ("master", "mixes/one.wav", "-r", "s3://songs/r.wav:2", "-o", "m.wav"),
        ("master", "mixes/one.wav", "-r", "reference.wav", "-o", "s3://songs/m.wav"),
        ("master", "s3://songs/*.wav", "-r", "reference.wav", "-o", "out"),
        ("plan", "s3://songs/a.wav", "-r", "reference.wav", "-o", "p.yaml"),
        ("measure", "s3://songs/a.wav"),
        ("compare", "s3://songs/a.wav", "-r", "reference.wav"),
    ],
    ids=lambda arguments: " ".join(arguments[:4]),
)
def test_the_other_verbs_take_urls_and_say_the_same(project: Project, arguments: tuple[str, ...]) -> None:
    code, out, errors = refmaster(project.folder, *arguments)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "refmaster: s3://songs/" in errors
    assert "Unable to locate credentials" in errors


class Broken(MemoryFileSystem):
    """A storage with a fault of its own kind, that counts how often it is asked."""

    protocol = "broken"
    asked: ClassVar[list[str]] = []

    def _fail(self, path: str, *_: Any, **__: Any) -> Any:
        self.asked.append(path)
        raise RuntimeError("no route\nto the broken storage")

    info = ls = glob = get_file = put_file = _fail


@pytest.fixture
def broken() -> Iterator[type[Broken]]:
    fsspec.register_implementation("broken", Broken, clobber=True)
    storage.forget_listings()
    Broken.asked.clear()
    yield Broken
    storage.forget_listings()


def test_whatever_a_storage_raises_is_one_line_and_it_is_asked_once(broken: type[Broken]) -> None:
    for name in ("a", "b"):
        with pytest.raises(
            storage.StorageError, match=f"^broken://box/{name}.wav: the storage cannot be asked: no route to"
        ):
            storage.object_facts(f"broken://box/{name}.wav")
    assert len(broken.asked) == 1
    storage.forget_listings()
    with pytest.raises(storage.StorageError):
        storage.find_objects("broken://box/")
    assert len(broken.asked) == 2


def test_a_worker_says_it_without_a_traceback(broken: type[Broken], tmp_path: Path) -> None:
    task = Task(
        kind="measure",
        key="a.profile.yaml",
        title="a",
        place="jobs.yaml:1:1",
        inputs=("broken://box/a.wav",),
        outputs=(str(tmp_path / "a.profile.yaml"),),
    )
    result = execute_task(task, lambda *_: None)
    assert (result.code, result.detail) == (2, "")
    assert "cannot be asked: no route to the broken storage" in result.message


def test_a_transfer_is_tried_again_but_not_without_permission(
    broken: type[Broken], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _s: None)
    with pytest.raises(AudioError, match=r"could not be read in 3 tries: no route"):
        storage.download("broken://box/a.wav", tmp_path / "a.wav")
    assert len(broken.asked) == storage.TRANSFER_TRIES

    def refuse(*_: object, **__: object) -> None:
        broken.asked.append("refused")
        raise PermissionError("Access Denied")

    monkeypatch.setattr(broken, "get_file", refuse)
    with pytest.raises(AudioError, match=r"could not be read: Access Denied"):
        storage.download("broken://box/a.wav", tmp_path / "a.wav")
    assert broken.asked.count("refused") == 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server with one file, one that it refuses, and no listings."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            status = {"/there.wav": 200, "/private.wav": 403}.get(self.path.partition("?")[0], 404)
            self.send_response(status)
            body = b"12345" if status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"one"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_server_answers_for_each_file(site: str, tmp_path: Path) -> None:
    storage.forget_listings()
    assert storage.object_facts(f"{site}/there.wav") == {"size": 5, "etag": '"one"'}
    assert storage.object_facts(f"{site}/none.wav") is None
    with pytest.raises(storage.StorageError, match="the storage refuses: 403"):
        storage.object_facts(f"{site}/private.wav")
    signed = f"{site}/there.wav?key=a"  # one file's refusal says nothing of another
    assert storage.exists(signed)
    assert not storage.is_pattern(signed)
    assert storage.base_name(signed) == "there.wav"
    storage.download(signed, tmp_path / "there.wav")
    assert (tmp_path / "there.wav").read_bytes() == b"12345"
