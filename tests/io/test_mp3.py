"""MP3 files without a stated length, joined ones, and such as change on the way."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io.open import open_audio
from refmaster.io.source import AudioSource

FRAMES = 40_001
RATE_HZ = 48_000


@pytest.fixture(scope="module")
def signal() -> npt.NDArray[np.float64]:
    time_s = np.arange(FRAMES) / RATE_HZ
    left, right = 0.5 * np.sin(2 * np.pi * 440 * time_s), 0.4 * np.sin(2 * np.pi * 1000 * time_s)
    return np.column_stack([left, right])


Signal = npt.NDArray[np.float64]


def joined(source: AudioSource, block_frames: int = 65536) -> npt.NDArray[np.floating]:
    return np.concatenate(list(source.blocks(block_frames)))


def encoded(path: Path, samples: Signal, rate_hz: int = RATE_HZ) -> bytes:
    sf.write(path, samples, rate_hz, format="MP3")
    return path.read_bytes()


def refused(path: Path, data: bytes, words: str) -> None:
    path.write_bytes(data)
    with pytest.raises(AudioError, match=words):
        joined(open_audio(path))


def without_xing(path: Path) -> bytes:
    """Return an MP3 file's bytes without its first frame, the Xing or Info header."""
    data = path.read_bytes()
    first = data.index(b"\xff\xfb")
    return data[data.index(b"\xff\xfb", first + 4) :]


@pytest.mark.parametrize(
    "dress",
    [
        lambda data: data,
        lambda data: b"ID3\x04\0\0\0\0\x02\0" + bytes(256) + data,
        lambda data: data + b"TAG" + bytes(125),
        lambda data: data + bytes(500),
    ],
    ids=["bare", "ID3v2", "ID3v1", "padded"],
)
def test_mp3_without_a_length_is_read_to_its_end(
    tmp_path: Path, signal: Signal, dress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a.mp3"
    sf.write(path, signal, RATE_HZ, bitrate_mode="VARIABLE", compression_level=0.3)
    bare = without_xing(path)
    path.write_bytes(dress(bare))
    source = open_audio(path)
    assert source.format.frames is None
    decoded = joined(source)
    assert len(decoded) % 1152 == 0
    assert FRAMES <= len(decoded) < FRAMES + 4 * 1152
    np.testing.assert_array_equal(joined(source, 1000), decoded)
    threads = threading.active_count()
    next(source.blocks(100))
    gc.collect()
    assert threading.active_count() <= threads


def test_mp3_with_a_cut_frame(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.mp3"
    sf.write(path, signal, RATE_HZ)
    path.write_bytes(without_xing(path)[:-20])
    with pytest.raises(AudioError, match="truncated"):
        open_audio(path)


def test_joined_mp3s_are_refused_where_only_the_first_would_be_read(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.mp3"
    one, other = encoded(path, signal), encoded(path, signal[:20_000])
    for tags in (b"", b"TAG" + bytes(125)):
        refused(path, one + tags + other, "joined")
    path.write_bytes(one)
    path.write_bytes(without_xing(path) + other)
    assert len(joined(open_audio(path))) > FRAMES  # nothing states a length: the whole is read


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "unstated"])
def test_mp3s_that_change_channels_or_rate_are_refused(
    tmp_path: Path, signal: Signal, *, stated: bool
) -> None:
    path = tmp_path / "a.mp3"

    def part(samples: Signal, rate_hz: int = RATE_HZ) -> bytes:
        whole = encoded(path, samples, rate_hz)
        return whole if stated else without_xing(path)

    stereo, mono, slow = part(signal), part(signal[:, :1]), part(signal, 44_100)
    refused(path, stereo + mono, "from stereo to mono")
    refused(path, mono + stereo, "from mono to stereo")
    refused(path, stereo + slow, "sample rate")


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "unstated"])
def test_a_first_frame_that_lies_about_its_channels(tmp_path: Path, signal: Signal, *, stated: bool) -> None:
    path = tmp_path / "a.mp3"
    data = bytearray(encoded(path, signal))
    data = data if stated else bytearray(without_xing(path))
    data[data.index(b"\xff\xfb") + 3] |= 0xC0
    refused(path, bytes(data), "from mono to stereo at frame 2")


def test_frames_behind_a_damage_are_missed(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.mp3"
    encoded(path, signal)
    bare = bytearray(without_xing(path))
    middle = bare.index(b"\xff\xfb", len(bare) // 2)
    bare[middle : middle + 2] = b"\0\0"
    refused(path, bytes(bare), "break off at byte")


def test_junk_and_pictures_around_an_mp3_do_not_matter(
    tmp_path: Path, signal: Signal, rng: np.random.Generator
) -> None:
    path = tmp_path / "a.mp3"
    data = encoded(path, signal)
    whole = joined(open_audio(path))
    noise = rng.integers(0, 256, 300_000, dtype=np.uint8).tobytes()
    path.write_bytes(data + b"APETAGEX" + noise)
    np.testing.assert_array_equal(joined(open_audio(path)), whole)
    path.write_bytes(data + b"\xff\xfb\x90\x00" * 100_000)  # headers, and no frames
    assert len(joined(open_audio(path))) == FRAMES
