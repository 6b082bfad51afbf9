"""Files that appear complete or not at all, and destinations that are refused."""

from __future__ import annotations

import os
import signal as signals
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from refmaster.errors import OutputError
from refmaster.io.atomic import atomic_destination, check_destinations, write_text


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_commit_puts_the_file_in_place(tmp_path: Path, each_way: str) -> None:
    path = tmp_path / "out.wav"
    for text in ("first", "second"):
        with atomic_destination(path, overwrite=text == "second") as making:
            making.path.write_text("longer than the last try")
            making.path.write_text(text)  # a try can be repeated
            assert making.path.read_text() == text
            assert path.exists() == (text == "second")
            making.commit()
        assert path.read_text() == text
        assert names(tmp_path) == ["out.wav"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_exit_without_commit_leaves_everything_as_it_was(
    tmp_path: Path, each_way: str, error: type[BaseException]
) -> None:
    path = tmp_path / "out.wav"
    path.write_text("old")
    with pytest.raises(error), atomic_destination(path, overwrite=True) as making:  # noqa: PT012
        making.path.write_text("new")
        raise error
    with atomic_destination(path, overwrite=True) as making:
        making.path.write_text("new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.wav"]


KILLED = """
import os, sys, time
from refmaster.io.atomic import atomic_destination
if sys.argv[2] == "named" and hasattr(os, "O_TMPFILE"):
    del os.O_TMPFILE
with atomic_destination(sys.argv[1], overwrite=True) as making:
    making.path.write_text("new")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_killed_in_the_middle(tmp_path: Path, each_way: str) -> None:
    path = tmp_path / "out [1].wav"
    path.write_text("old")
    command = [sys.executable, "-c", KILLED, str(path), each_way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with atomic_destination(path, overwrite=True):
            pass  # a second run leaves the temporary file of a living one alone
        living = names(tmp_path)
        process.send_signal(signals.SIGKILL)
    assert path.read_text() == "old"
    assert len(living) == (2 if each_way == "named" else 1)
    assert names(tmp_path) == living
    with atomic_destination(path, overwrite=True):
        assert len(names(tmp_path)) == len(living)  # the leftover is gone, the new file is there
    assert names(tmp_path) == [path.name]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, each_way: str) -> None:
    path = tmp_path / "out.wav"
    with atomic_destination(path, overwrite=False) as making:
        making.path.write_text("mine")
        path.write_text("theirs")
        with pytest.raises(OutputError, match="overwrite=True"):
            making.commit()
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["out.wav"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_file_systems_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each_way: str, overwrite: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_destination(tmp_path / "out.wav", overwrite=overwrite) as making:
        making.path.write_text("new")
        making.commit()
    assert (tmp_path / "out.wav").read_text() == "new"
    assert names(tmp_path) == ["out.wav"]


def test_links_stay_links(tmp_path: Path, each_way: str) -> None:
    (tmp_path / "real.wav").write_text("old")
    (tmp_path / "link.wav").symlink_to("real.wav")
    with atomic_destination(tmp_path / "link.wav", overwrite=True) as making:
        making.path.write_text("new")
        making.commit()
    assert (tmp_path / "link.wav").is_symlink()
    assert (tmp_path / "real.wav").read_text() == "new"


def refused(path: Path | str, words: str, **options: Any) -> None:
    options = {"overwrite": False} | options
    with pytest.raises(OutputError, match=words), atomic_destination(path, **options):
        pytest.fail("the destination was accepted")


@pytest.mark.parametrize("overwrite", [True, False])
def test_no_output_is_another_output(tmp_path: Path, *, overwrite: bool) -> None:
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.wav").symlink_to("new.wav")
    new, accented = tmp_path / "new.wav", tmp_path / "caf\u00e9.wav"
    check_destinations([new, tmp_path / "other.wav", accented], overwrite=overwrite)
    for name in ("new.wav", "./new.wav", "folder/new.wav", "dangling.wav", "New.WAV"):
        with pytest.raises(OutputError, match="is the output .* as well"):
            check_destinations([new, tmp_path / name], overwrite=overwrite)
    with pytest.raises(OutputError, match="as well"):
        check_destinations([accented, tmp_path / "cafe\u0301.wav"], overwrite=overwrite)


def test_two_links_of_one_file_are_one_output(tmp_path: Path) -> None:
    (tmp_path / "old.wav").write_text("old")
    os.link(tmp_path / "old.wav", tmp_path / "hard.wav")
    (tmp_path / "soft.wav").symlink_to("old.wav")
    for name in ("hard.wav", "soft.wav"):
        with pytest.raises(OutputError, match="as well"):
            check_destinations([tmp_path / "old.wav", tmp_path / name], overwrite=True)


def test_destinations_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.wav").write_text("old")
    (tmp_path / "soft.wav").symlink_to("there.wav")
    os.link(tmp_path / "there.wav", tmp_path / "hard.wav")
    refused(tmp_path / "there.wav", "overwrite=True")
    for name in ("there.wav", "soft.wav", "hard.wav", "../" + tmp_path.name + "/there.wav"):
        refused(tmp_path / name, "is the input", overwrite=True, inputs=[tmp_path / "there.wav"])
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    refused(tmp_path / "folder/hard.wav", "is the input", overwrite=True, inputs=[tmp_path / "there.wav"])
    refused(tmp_path, "is a directory", overwrite=True)
    refused(tmp_path / "none" / "a.wav", "does not exist")
    refused(tmp_path / "there.wav" / "a.wav", "is not a directory")
    refused("/dev/null", "not a regular file", overwrite=True)
    refused(tmp_path / ("x" * 300 + ".wav"), "cannot be")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    refused(tmp_path / "new.wav", "permission denied")


def test_long_names(tmp_path: Path, each_way: str) -> None:
    name = "ü" * 125 + ".wav"
    with atomic_destination(tmp_path / name, overwrite=True) as making:
        making.path.write_text("new")
        making.commit()
    assert names(tmp_path) == [name]


def test_write_text(tmp_path: Path, each_way: str) -> None:
    write_text(tmp_path / "a.yaml", "größe: 1\n", overwrite=False)
    assert (tmp_path / "a.yaml").read_bytes() == "größe: 1\n".encode()
    with pytest.raises(OutputError, match="overwrite=True"):
        write_text(tmp_path / "a.yaml", "b", overwrite=False)
