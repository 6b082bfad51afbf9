"""The journal: appended, torn, locked, shrunk; order decides and never a clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from refmaster.batch import journal as journal_module
from refmaster.batch.journal import Journal
from refmaster.batch.task import Task, TaskResult
from refmaster.errors import ExitCode, OutputError


def task(key: str = "a.wav") -> Task:
    return Task(kind="master", key=key, title=key, place="", inputs=("/x",), outputs=(f"/o/{key}",))


def test_the_latest_line_counts_and_survives_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.begin(task())
        journal.finish(task(), TaskResult(code=ExitCode.DONE, message="ü"))
        journal.begin(task("b.wav"))
    with Journal(tmp_path) as journal:
        latest = journal.latest("a.wav")
        assert latest is not None
        assert (latest["event"], latest["outcome"]["message"]) == ("done", "ü")
        begun = journal.latest("b.wav")
        assert begun is not None
        assert begun["event"] == "begun"
        assert journal.latest("c.wav") is None


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_line_is_cut_off_and_the_one_before_counts(tmp_path: Path, cut: int) -> None:
    with Journal(tmp_path) as journal:
        journal.finish(task(), TaskResult(code=ExitCode.DONE))
        journal.begin(task())
        path = journal.path
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(tmp_path) as journal:
        latest = journal.latest("a.wav")
        assert latest is not None
        assert latest["event"] == "done"
        journal.begin(task("b.wav"))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a.wav", "b.wav"]


def test_a_damaged_line_in_the_middle_counts_for_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.begin(task("a.wav"))
        path = journal.path
    path.write_bytes(b"\x00\xff garbage\n" + path.read_bytes() + b"[1]\n")
    with Journal(tmp_path) as journal:
        assert journal.knows("a.wav")


def test_a_second_batch_is_refused_and_a_finished_one_leaves_no_lock(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(OutputError, match=r"another batch is at work here \(process \d+"):
        Journal(tmp_path).__enter__()
    with Journal(tmp_path):
        pass


def test_it_shrinks_to_the_latest_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_FROM_BYTES", 1000)
    with Journal(tmp_path) as journal:
        for number in range(20):
            journal.finish(task(), TaskResult(code=ExitCode.DONE, message=str(number)))
        path = journal.path
    with Journal(tmp_path) as journal:
        latest = journal.latest("a.wav")
        assert latest is not None
        assert latest["outcome"]["message"] == "19"
        journal.begin(task("b.wav"))
    assert len(path.read_text().splitlines()) == 2


def test_a_full_disk_is_an_output_error_and_leaves_no_half_line(tmp_path: Path) -> None:
    import resource
    import signal

    with Journal(tmp_path) as journal:
        journal.begin(task())
        size = journal.path.stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
        try:
            with pytest.raises(OutputError):
                journal.begin(task("b.wav"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert journal.path.stat().st_size == size
        assert not journal.knows("b.wav")
