"""A recording that changes while it is read: the job fails, whatever was replaced and when."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io import ffmpeg
from refmaster.io.open import open_audio

Replace = Callable[[Path], None]


def write(path: Path, seed: int, suffix: str = "wav") -> None:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((200_000, 2))
    if suffix == "wav":
        sf.write(path, samples, 48_000, format="WAV", subtype="PCM_16")
    else:
        sf.write(path, samples, 48_000, format="FLAC")


def renamed(path: Path) -> None:
    write(path.with_name("other"), 2, path.suffix[1:])
    path.with_name("other").replace(path)


def in_place(path: Path) -> None:
    write(path, 2, path.suffix[1:])


def touched(path: Path) -> None:
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("replace", [renamed, in_place, touched, removed])
def test_each_pass_checks_its_file(tmp_path: Path, replace: Replace, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    for before in ("the pass", "its end"):
        write(path, 1, suffix)
        source = open_audio(path)
        source.check_unchanged()
        assert sum(map(len, source.blocks())) == 200_000
        passing = source.blocks(50_000)
        if before == "its end":
            next(passing)
        replace(path)
        with pytest.raises(AudioError, match=r"a\..*(was changed or replaced|cannot be read|damaged)"):
            list(passing)
        with pytest.raises(AudioError, match="was changed or replaced|cannot be read"):
            source.check_unchanged()


@pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")
def test_each_pass_of_ffmpeg_checks_its_file(tmp_path: Path, fixture_path: Callable[[str], Path]) -> None:
    path = tmp_path / "a.m4a"
    mix = fixture_path("example/mix.flac")
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(mix), "-t", "3", "-vn", str(path)], check=True)
    source = open_audio(path)
    passing = source.blocks(50_000)
    next(passing)
    touched(path)
    for rest in (passing, source.blocks()):
        with pytest.raises(AudioError, match="was changed or replaced"):
            list(rest)


def test_a_link_may_move_to_the_same_file_only(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", 1)
    shutil.copy(tmp_path / "one.wav", tmp_path / "copy.wav")
    link = tmp_path / "a.wav"
    link.symlink_to("one.wav")
    source = open_audio(link)
    link.unlink()
    link.symlink_to(tmp_path / "one.wav")
    assert sum(map(len, source.blocks())) == 200_000
    link.unlink()
    link.symlink_to("copy.wav")
    with pytest.raises(AudioError, match="replaced"):
        list(source.blocks())
