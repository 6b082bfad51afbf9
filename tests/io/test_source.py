"""Reading: every format, every kind of bad input, and nothing that depends on the block size."""

from __future__ import annotations

import gc
import os
import shutil
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf

from refmaster.errors import AudioError
from refmaster.io import ffmpeg
from refmaster.io.open import open_audio
from refmaster.io.source import ArraySource, AudioFormat, AudioSource

needs_ffmpeg = pytest.mark.skipif(not ffmpeg.available(), reason="ffmpeg and ffprobe are not on the PATH")

FRAMES = 40_001
RATE_HZ = 48_000

LOSSLESS = [
    ("a.wav", "WAV", "PCM_U8", 2**-7), ("a.wav", "WAV", "PCM_16", 2**-15),
    ("a.wav", "WAV", "PCM_24", 2**-23), ("a.wav", "WAV", "PCM_32", 2**-31), ("a.wav", "WAV", "FLOAT", 0.0),
    ("a.wav", "WAV", "DOUBLE", 0.0), ("a.wav", "WAVEX", "PCM_24", 2**-23),
    ("a.rf64", "RF64", "PCM_24", 2**-23), ("a.w64", "W64", "PCM_16", 2**-15),
    ("a.aiff", "AIFF", "PCM_24", 2**-23), ("a.aiff", "AIFF", "FLOAT", 0.0),
    ("a.flac", "FLAC", "PCM_16", 2**-15), ("a.flac", "FLAC", "PCM_24", 2**-23),
    ("a.caf", "CAF", "PCM_24", 2**-23), ("a.caf", "CAF", "ALAC_16", 2**-15),
    ("a.caf", "CAF", "ALAC_24", 2**-23),
]  # fmt: skip
LOSSY = [("a.mp3", "MP3", "MPEG_LAYER_III"), ("a.ogg", "OGG", "VORBIS"), ("a.opus", "OGG", "OPUS")]

Signal = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def signal() -> Signal:
    time_s = np.arange(FRAMES) / RATE_HZ
    left, right = 0.5 * np.sin(2 * np.pi * 440 * time_s), 0.4 * np.sin(2 * np.pi * 1000 * time_s)
    return np.column_stack([left, right])


def joined(source: AudioSource, block_frames: int = 65536) -> npt.NDArray[np.floating]:
    return np.concatenate(list(source.blocks(block_frames)))


def ffmpeg_encode(samples: Signal, path: Path, *options: str) -> None:
    raw = samples.astype("<f4").tobytes()
    command = ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", str(samples.shape[1])]
    subprocess.run([*command, "-i", "-", *options, str(path)], input=raw, check=True)


def open_descriptors() -> int:
    """Count this process's open files, where the system tells."""
    directory = Path("/proc/self/fd")
    return len(list(directory.iterdir())) if directory.is_dir() else 0


@pytest.mark.parametrize(("name", "container", "subtype", "step"), LOSSLESS)
def test_lossless_formats(
    tmp_path: Path, signal: Signal, name: str, container: str, subtype: str, step: float
) -> None:
    path = tmp_path / name
    sf.write(path, signal, RATE_HZ, format=container, subtype=subtype)
    source = open_audio(path)
    assert source.format.frames == FRAMES
    assert (source.format.container, source.format.subtype) == (container, subtype)
    assert (source.format.sample_rate_hz, source.format.channels) == (RATE_HZ, 2)
    assert not source.format.lossy
    dtype = np.float64 if subtype in ("PCM_32", "DOUBLE") else np.float32
    whole = joined(source)
    assert whole.dtype == dtype
    # libsndfile is the independent reader
    np.testing.assert_array_equal(whole, sf.read(path, dtype=np.dtype(dtype).name, always_2d=True)[0])
    np.testing.assert_allclose(whole, signal, atol=max(step, 1e-7))
    for block_frames in (1, 4095, FRAMES - 1, FRAMES, FRAMES + 1):
        if block_frames == 1:
            first = next(source.blocks(1))
            np.testing.assert_array_equal(first, whole[:1])
            continue
        blocks = list(source.blocks(block_frames))
        assert all(len(block) == block_frames for block in blocks[:-1])
        np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize(("name", "container", "subtype"), LOSSY)
def test_lossy_formats(tmp_path: Path, signal: Signal, name: str, container: str, subtype: str) -> None:
    path = tmp_path / name
    sf.write(path, signal, RATE_HZ, format=container, subtype=subtype)
    source = open_audio(path)
    assert source.format.frames == FRAMES
    assert source.format.lossy
    assert source.format.bits is None
    decoded = joined(source)
    assert decoded.shape == signal.shape
    assert np.corrcoef(decoded[:, 0], signal[:, 0])[0, 1] > 0.99  # no lag


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_channel_counts(tmp_path: Path, rng: np.random.Generator, channels: int, subtype: str) -> None:
    samples = rng.uniform(-1, 1, (1001, channels))
    sf.write(tmp_path / "a.wav", samples, 44_100, subtype=subtype)
    blocks = joined(open_audio(tmp_path / "a.wav"), 100)
    np.testing.assert_array_equal(blocks, sf.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0])


def test_a_source_can_be_read_again_and_left_in_the_middle(tmp_path: Path, signal: Signal) -> None:
    sf.write(tmp_path / "a.flac", signal, RATE_HZ)
    source = open_audio(tmp_path / "a.flac")
    descriptors = open_descriptors()
    stream = source.blocks(1000)
    first = next(stream)
    del stream
    gc.collect()
    assert open_descriptors() == descriptors
    np.testing.assert_array_equal(next(source.blocks(1000)), first)


def test_the_extension_is_not_believed(tmp_path: Path, signal: Signal) -> None:
    sf.write(tmp_path / "a.flac", signal, RATE_HZ)
    for wrong in ("a.wav", "a.mp3", "a.raw", "a.au", "a.txt", "a"):
        shutil.copy(tmp_path / "a.flac", tmp_path / wrong)
        assert open_audio(tmp_path / wrong).format.container == "FLAC"


def test_extensible_headers_keep_their_speakers(tmp_path: Path, signal: Signal) -> None:
    sf.write(tmp_path / "a.wav", signal, RATE_HZ, format="WAVEX", subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", data, 12 + 8 + 20, 0x600)  # side left and right
    (tmp_path / "a.wav").write_bytes(data)
    assert open_audio(tmp_path / "a.wav").format.channel_mask == 0x600


# Bad input


def expect(path: Path, *words: str) -> AudioError:
    with pytest.raises(AudioError) as caught:
        joined(open_audio(path))
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message
    return caught.value


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    expect(tmp_path / "missing.wav", "no such file")
    expect(tmp_path, "is a directory")
    (tmp_path / "empty.wav").touch()
    expect(tmp_path / "empty.wav", "empty (0 bytes)")
    os.mkfifo(tmp_path / "fifo.wav")
    expect(tmp_path / "fifo.wav", "not a regular file")
    with pytest.raises(AudioError, match="no such file"):
        open_audio("nul\0.wav")


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.zeros((10, 1)), 44_100)

    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")  # root may read everything, so the test cannot chmod

    monkeypatch.setattr(Path, "open", refuse)
    expect(path, "permission denied")


@pytest.mark.parametrize("with_ffmpeg", [True, False])
@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "noise.mp3", "text"])
def test_what_is_not_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, name: str, with_ffmpeg: bool
) -> None:
    if with_ffmpeg and not ffmpeg.available():
        pytest.skip("ffmpeg and ffprobe are not on the PATH")
    if not with_ffmpeg:
        monkeypatch.setattr(ffmpeg, "available", lambda: False)
    path = tmp_path / name
    path.write_bytes(rng.bytes(20_000) if name.startswith("noise") else b"This is no music.\n" * 500)
    message = str(expect(path, "not an audio file"))
    assert ("ffmpeg is needed" in message) == (not with_ffmpeg)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "W64", "RF64", "CAF"])
def test_no_frames(tmp_path: Path, container: str) -> None:
    sf.write(tmp_path / "a", np.zeros((0, 2)), 44_100, format=container, subtype="PCM_16")
    expect(tmp_path / "a", "0 frames")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [(container, subtype) for _, container, subtype, _ in LOSSLESS] + [entry[1:] for entry in LOSSY],
)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated(tmp_path: Path, signal: Signal, container: str, subtype: str, share: float) -> None:
    path = tmp_path / "a"
    sf.write(path, signal, RATE_HZ, format=container, subtype=subtype)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    expect(path, "truncated")


def test_header_written_to_a_pipe_is_no_truncation(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, signal, RATE_HZ, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    whole = joined(open_audio(path))
    for size in (0xFFFFFFFF, 0x7FFFF000):
        struct.pack_into("<I", data, 4, 0xFFFFFFFF)
        struct.pack_into("<I", data, 40, size)
        path.write_bytes(data)
        np.testing.assert_array_equal(joined(open_audio(path)), whole)


def test_sizes_past_4_gib(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, signal, RATE_HZ, format="RF64", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    start = data.index(b"data") + 8
    frames = 1_300_000_000
    struct.pack_into("<QQQ", data, 20, start - 8 + frames * 4, frames * 4, frames)
    path.write_bytes(data)
    expect(path, "truncated")
    os.truncate(path, start + frames * 4)  # sparse: takes no space
    source = open_audio(path)
    assert source.format.frames == frames
    np.testing.assert_allclose(next(source.blocks(100)), signal[:100], atol=2**-15)
    sf.write(path, signal, RATE_HZ, format="WAV", subtype="PCM_16")
    os.truncate(path, 2**32 + 100)
    expect(path, "4 GiB", "RF64")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_not_finite(tmp_path: Path, signal: Signal, bad: float, subtype: str) -> None:
    samples = signal.copy()
    samples[30_000, 1] = bad
    samples[30_001, 0] = bad
    path = tmp_path / "a.wav"
    sf.write(path, samples, RATE_HZ, subtype=subtype)
    source = open_audio(path)
    for block_frames in (7_000, 65536):
        with pytest.raises(AudioError, match=rf"frame 30000 \(0\.625 s\), channel 2 of 2, is {bad}"):
            joined(source, block_frames)


@pytest.mark.parametrize(("subtype", "bad"), [("FLOAT", 1001.0), ("FLOAT", -3e18), ("DOUBLE", 1e100)])
def test_a_sample_beyond_measuring_is_named(tmp_path: Path, signal: Signal, subtype: str, bad: float) -> None:
    samples = signal.copy()
    samples[30_000, 1] = bad
    path = tmp_path / "a.wav"
    sf.write(path, samples, RATE_HZ, subtype=subtype)
    expect(path, "frame 30000 (0.625 s), channel 2 of 2", f"is {bad:g}", "dBFS", "+60 dBFS")
    with pytest.raises(AudioError, match=r"frame 30000 .*\+60 dBFS"):
        ArraySource(samples, RATE_HZ)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_up_to_60_dbfs_are_read(tmp_path: Path, subtype: str) -> None:
    samples = np.tile([[1000.0, -1000.0]], (1000, 1))
    sf.write(tmp_path / "a.wav", samples, RATE_HZ, subtype=subtype)
    np.testing.assert_array_equal(joined(open_audio(tmp_path / "a.wav")), samples)


@pytest.mark.parametrize("rate_hz", [1, 50, 100, 3363, 3999, 768_001, 5_600_000, 2**31 - 1])
def test_sample_rates_that_the_meters_are_not_made_for(tmp_path: Path, signal: Signal, rate_hz: int) -> None:
    sf.write(tmp_path / "a.wav", signal, RATE_HZ, subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", data, 24, rate_hz)
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError, match=f"expected a sample rate from 4000 to 768000 Hz, found {rate_hz}"):
        open_audio(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=f"expected a sample rate from 4000 to 768000 Hz, found {rate_hz}"):
        ArraySource(signal, rate_hz)


def test_the_ends_of_the_sample_rates_are_read(tmp_path: Path, signal: Signal) -> None:
    for rate_hz in (4000, 768_000):
        sf.write(tmp_path / "a.wav", signal, rate_hz)
        assert open_audio(tmp_path / "a.wav").format.sample_rate_hz == rate_hz


@pytest.mark.parametrize("rate_hz", [np.nan, np.inf, 44_100.5])
def test_sample_rates_of_arrays_are_whole(signal: Signal, rate_hz: Any) -> None:
    with pytest.raises(AudioError, match="whole number"):
        ArraySource(signal, rate_hz)


# ffmpeg


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options", "codec", "bits"),
    [
        ("a.m4a", ("-c:a", "aac"), "aac", None),
        ("a.m4a", ("-c:a", "alac", "-sample_fmt", "s16p"), "alac", 16),
        ("a.mka", ("-c:a", "pcm_f64le"), "pcm_f64le", 64),
    ],
)
def test_what_only_ffmpeg_reads(
    tmp_path: Path, signal: Signal, name: str, options: tuple[str, ...], codec: str, bits: int | None
) -> None:
    ffmpeg_encode(signal, tmp_path / name, *options)
    source = open_audio(tmp_path / name)
    held = source.format
    assert (held.container, held.subtype, held.bits) == ("FFMPEG", codec, bits)
    assert (held.sample_rate_hz, held.channels, held.frames) == (RATE_HZ, 2, None)
    assert held.lossy == (codec == "aac")
    whole = joined(source)
    assert whole.dtype == (np.float64 if codec == "pcm_f64le" else np.float32)
    np.testing.assert_array_equal(next(source.blocks(999)), whole[:999])
    assert len(whole) >= FRAMES
    if codec == "aac":
        assert np.corrcoef(whole[:FRAMES, 0], signal[:, 0])[0, 1] > 0.99  # no lag
    else:
        np.testing.assert_allclose(whole, signal, atol=2**-15)


@needs_ffmpeg
@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 22_050), (6, 96_000)])
def test_ffmpeg_neither_resamples_nor_mixes(tmp_path: Path, channels: int, rate_hz: int) -> None:
    samples = np.linspace(-0.5, 0.5, 5000 * channels).reshape(-1, channels)
    command = ["ffmpeg", "-v", "error", "-f", "f64le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "-"]
    path = tmp_path / "a.wv"
    subprocess.run([*command, "-c:a", "wavpack", str(path)], input=samples.tobytes(), check=True)
    source = open_audio(path)
    assert (source.format.sample_rate_hz, source.format.channels) == (rate_hz, channels)
    np.testing.assert_allclose(joined(source), samples, atol=1e-6)


@needs_ffmpeg
def test_a_decoder_left_in_the_middle_is_gone(tmp_path: Path, signal: Signal) -> None:
    ffmpeg_encode(np.tile(signal, (4, 1)), tmp_path / "a.m4a", "-c:a", "aac")
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    stream = open_audio(tmp_path / "a.m4a").blocks(100)
    next(stream)
    if children.exists():
        assert children.read_text().split()
    del stream
    gc.collect()
    if children.exists():
        assert not children.read_text().split()


@needs_ffmpeg
def test_truncated_for_ffmpeg(tmp_path: Path, signal: Signal) -> None:
    path = tmp_path / "a.m4a"
    ffmpeg_encode(np.tile(signal, (3, 1)), path, "-c:a", "aac", "-movflags", "+faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    expect(path, "truncated")


@needs_ffmpeg
def test_a_guessed_length_is_no_promise(tmp_path: Path, signal: Signal, rng: np.random.Generator) -> None:
    path = tmp_path / "a.aac"  # a bare stream: quiet first, loud later, so that the bit rate says too much
    loud = rng.uniform(-0.9, 0.9, (5 * RATE_HZ, 2))
    ffmpeg_encode(np.concatenate([signal * 1e-4] * 4 + [loud]), path, "-c:a", "aac")
    assert len(joined(open_audio(path))) >= 4 * FRAMES + len(loud)


@needs_ffmpeg
def test_odd_names_are_names(tmp_path: Path, signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ffmpeg_encode(signal, Path("b.m4a"), "-c:a", "aac")
    for name in ("-i %03d.m4a", "http:ü.m4a"):
        shutil.copy("b.m4a", name)
        assert len(joined(open_audio(name))) >= FRAMES


def test_without_ffmpeg_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    expect(path, "ffmpeg is needed for this format", "install ffmpeg")


# Arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_array_source(signal: Signal, dtype: type) -> None:
    source = ArraySource(signal.astype(dtype), RATE_HZ)
    assert source.format.frames == FRAMES
    assert source.format.container == "ARRAY"
    assert source.format.duration_s == pytest.approx(FRAMES / RATE_HZ)
    blocks = list(source.blocks(1000))
    assert blocks[0].dtype == dtype
    np.testing.assert_array_equal(np.concatenate(blocks), signal.astype(dtype))
    with pytest.raises(ValueError, match="read-only"):
        blocks[0][0] = 1.0
    assert ArraySource(signal[:, 0], RATE_HZ).format.channels == 1


@pytest.mark.parametrize(
    ("samples", "rate_hz", "words"),
    [
        (np.zeros((10, 2), dtype=np.int16), 48_000, "float32 or float64"),
        (np.zeros((0, 2)), 48_000, "0 frames"),
        (np.zeros((2, 10_000)), 48_000, r"\.T"),
        (np.zeros((10, 0)), 48_000, "shape"),
        (np.zeros((10, 2, 1)), 48_000, "shape"),
        (np.zeros((10, 2)), 0, "sample rate"),
        (np.zeros((10, 2)), 44_100.5, "sample rate"),
        (np.array([[0.0, 0.0], [0.0, np.nan]]), 48_000, "frame 1 .* channel 2"),
    ],
)
def test_arrays_that_are_no_audio(samples: npt.NDArray[np.generic], rate_hz: int, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        ArraySource(samples, rate_hz)


def test_block_lengths_are_checked(tmp_path: Path, signal: Signal) -> None:
    sf.write(tmp_path / "a.wav", signal, RATE_HZ)
    for source in (ArraySource(signal, RATE_HZ), open_audio(tmp_path / "a.wav")):
        with pytest.raises(ValueError, match="at least 1"):
            next(source.blocks(0))


def test_what_is_lossy() -> None:
    def made(container: str, subtype: str) -> AudioFormat:
        return AudioFormat(sample_rate_hz=1, channels=1, frames=None, container=container, subtype=subtype)

    assert made("FFMPEG", "aac").lossy
    assert made("FFMPEG", "pcm_alaw").lossy
    assert not made("FFMPEG", "alac").lossy
    assert not made("FFMPEG", "pcm_s24le").lossy
    assert made("WAV", "IMA_ADPCM").lossy
    assert not made("CAF", "ALAC_24").lossy
