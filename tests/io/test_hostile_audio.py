"""Files that lie, or hold what cannot be measured, are refused with their name, and where it stands."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io import ffmpeg
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource
from refmaster.mastering import master_file
from refmaster.profile.measure import measure

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")

RATE_HZ = 24_000


@pytest.fixture
def noise(rng: np.random.Generator) -> np.ndarray:
    return 0.1 * rng.standard_normal((RATE_HZ, 2))


def written(path: Path, samples: np.ndarray, subtype: str = "PCM_16", rate_hz: int = RATE_HZ) -> Path:
    sf.write(path, samples, rate_hz, subtype=subtype)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.aifc", "a.caf", "a.au"])
@pytest.mark.parametrize(
    ("subtype", "value"),
    [("FLOAT", 3e18), ("FLOAT", -3e38), ("DOUBLE", 1e100), ("DOUBLE", -1e300), ("FLOAT", 1e4)],
)
def test_a_sample_too_loud_to_be_measured_is_refused_with_its_frame(tmp_path, noise, name, subtype, value):
    noise[12_345, 1] = value
    container = "AIFF" if name == "a.aifc" else None
    sf.write(tmp_path / name, noise, RATE_HZ, subtype=subtype, format=container)
    with pytest.raises(AudioError, match=r"12,?345"):
        measure(open_audio(tmp_path / name))


def test_an_array_that_is_too_loud_is_refused_with_its_frame(noise):
    noise[12_345, 1] = 1e100
    with pytest.raises(AudioError, match=r"12,?345"):
        measure(ArraySource(noise, RATE_HZ))


def test_a_mix_far_above_full_scale_is_refused_and_a_loud_one_is_mastered(tmp_path, noise, example_reference):
    loud = written(tmp_path / "loud.wav", noise / np.abs(noise).max() * 10 ** (50 / 20), "FLOAT")
    louder = written(tmp_path / "louder.wav", noise / np.abs(noise).max() * 10 ** (90 / 20), "FLOAT")
    assert master_file(loud, example_reference, tmp_path / "m.wav").output is not None
    with pytest.raises(AudioError, match=r"louder\.wav"):
        master_file(louder, example_reference, tmp_path / "n.wav")


@pytest.mark.parametrize(
    "rate_hz", [1, 2, 50, 100, 3300, 3363, 3999, 768_001, 5_600_000, 11_000_000, 2**31 - 1]
)
def test_a_rate_that_no_meter_is_made_for_is_refused_when_the_file_is_opened(tmp_path, noise, rate_hz):
    path = written(tmp_path / "a.wav", noise)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 24, rate_hz)
    path.write_bytes(data)
    with pytest.raises(AudioError, match="sample rate"):
        open_audio(path)


@pytest.mark.parametrize("rate_hz", [1, 100, 3363, 2**31 - 1])
def test_an_array_of_such_a_rate_is_refused(noise, rate_hz):
    with pytest.raises(AudioError, match="sample rate"):
        measure(ArraySource(noise, rate_hz))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("missing", [1, 1000, 40_000])
def test_a_truncated_au_file_is_refused(tmp_path, noise, subtype, missing):
    path = written(tmp_path / "a.au", noise, subtype)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(AudioError, match="truncated"):
        measure(open_audio(path))


def mp3(path: Path, samples: np.ndarray, *options: str) -> bytes:
    sf.write(path.with_suffix(".wav"), samples, RATE_HZ)
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(path.with_suffix(".wav")), *options, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


@needs_ffmpeg
@pytest.mark.parametrize("order", ["mono first", "stereo first"])
def test_an_mp3_that_changes_its_channels_is_refused(tmp_path, noise, order):
    options = ["-write_xing", "0", "-id3v2_version", "0"]
    parts = [
        mp3(tmp_path / "mono.mp3", noise[:, :1], *options),
        mp3(tmp_path / "stereo.mp3", noise, *options),
    ]
    path = tmp_path / "joined.mp3"
    path.write_bytes(b"".join(parts if order == "mono first" else parts[::-1]))
    with pytest.raises(AudioError, match=r"joined\.mp3"):
        measure(open_audio(path))


@needs_ffmpeg
@pytest.mark.parametrize("options", [[], ["-write_xing", "0"], ["-id3v2_version", "0"]])
def test_of_two_mp3s_joined_none_is_lost_in_silence(tmp_path, noise, options):
    single = mp3(tmp_path / "single.mp3", noise, *options)
    path = tmp_path / "joined.mp3"
    path.write_bytes(single + single)
    try:
        frames = sum(len(block) for block in open_audio(path).blocks())
    except AudioError:
        return
    assert frames >= 2 * len(noise)
