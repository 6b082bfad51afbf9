"""Writing: bit-exact copies, the same bytes twice, formats after the destination."""

from __future__ import annotations

import hashlib
import resource
import signal as signals
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from refmaster.dsp.dither import Quantiser
from refmaster.errors import AudioError, OutputError
from refmaster.io import wave
from refmaster.io.atomic import atomic_destination
from refmaster.io.digest import sha256_of
from refmaster.io.formats import OutputFormat, output_format_for
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink
from refmaster.io.source import ArraySource, AudioFormat

RATE_HZ = 48_000
FRAMES = 20_001
COPIES = [
    ("wav", "WAV", "PCM_U8"), ("wav", "WAV", "PCM_16"), ("wav", "WAV", "PCM_24"), ("wav", "WAV", "PCM_32"),
    ("wav", "WAV", "FLOAT"), ("wav", "WAV", "DOUBLE"), ("wav", "WAVEX", "PCM_24"),
    ("rf64", "RF64", "PCM_16"), ("rf64", "RF64", "FLOAT"), ("w64", "W64", "PCM_24"),
    ("w64", "W64", "DOUBLE"), ("aiff", "AIFF", "PCM_S8"), ("aiff", "AIFF", "PCM_24"),
    ("aiff", "AIFF", "FLOAT"), ("caf", "CAF", "PCM_32"), ("caf", "CAF", "ALAC_16"),
    ("caf", "CAF", "ALAC_24"), ("caf", "CAF", "ALAC_32"), ("flac", "FLAC", "PCM_S8"),
    ("flac", "FLAC", "PCM_16"), ("flac", "FLAC", "PCM_24"),
]  # fmt: skip
ALL_EXTENSIONS = ["wav", "rf64", "w64", "aiff", "caf", "flac", "mp3", "ogg", "opus", "m4a"]

Signal = npt.NDArray[np.float64]


def source_format(**changes: Any) -> AudioFormat:
    base: dict[str, Any] = {"sample_rate_hz": RATE_HZ, "channels": 2, "frames": FRAMES}
    return AudioFormat(**(base | {"container": "WAV", "subtype": "PCM_24"} | changes))


def tone(channels: int = 2, frames: int = FRAMES) -> Signal:
    time_s = np.arange(frames)[:, None] / RATE_HZ
    return 0.8 * np.sin(2 * np.pi * (440 + 100 * np.arange(channels)) * time_s)


def write(
    path: Path,
    samples: npt.NDArray[np.floating],
    output_format: OutputFormat,
    cut: int = 65536,
    **options: Any,
) -> AudioSink:
    with AudioSink(path, output_format, **options) as sink:
        for start in range(0, len(samples), cut):
            sink.write(samples[start : start + cut])
    return sink


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# Sinks


@pytest.mark.parametrize(("extension", "container", "subtype"), COPIES)
def test_a_copy_without_dither_is_bit_exact(
    tmp_path: Path, rng: np.random.Generator, extension: str, container: str, subtype: str
) -> None:
    words = rng.integers(-(2**31), 2**31, (FRAMES, 2), dtype=np.int32)
    words[:2] = [[-(2**31), 2**31 - 1], [0, -1]]
    mix = tmp_path / f"mix.{extension}"
    data = words / 2**31 if subtype in ("FLOAT", "DOUBLE") else words
    sf.write(mix, data, RATE_HZ, format=container, subtype=subtype)
    source = open_audio(mix)
    chosen = output_format_for(tmp_path / f"out.{extension}", source.format)
    assert (chosen.container, chosen.subtype) == (container, subtype)
    output = replace(chosen, dither=False)
    sink = write(tmp_path / "out", np.concatenate(list(source.blocks())), output, cut=1777, frames=FRAMES)
    assert sink.clipped_samples == 0
    kind = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    written, before = (sf.read(path, dtype=kind)[0] for path in (tmp_path / "out", mix))
    np.testing.assert_array_equal(written, before)
    held = sf.info(tmp_path / "out")
    assert (held.format, held.subtype, held.frames) == (container, subtype, FRAMES)


@pytest.mark.parametrize("extension", ALL_EXTENSIONS)
def test_same_input_same_bytes_whatever_the_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    depths = (None,) if extension in ("mp3", "ogg", "opus", "m4a") else ("24",)
    depths += ("32f",) if extension in ("aiff", "wav", "w64", "caf", "rf64") else ()
    samples = tone().astype(np.float32)
    for depth in depths:
        output = output_format_for(f"a.{extension}", source_format(), bit_depth=depth)
        write(tmp_path / "one", samples, output)
        if extension == "ogg" or (extension, depth) == ("aiff", "32f"):
            time.sleep(1.01 - time.time() % 1.0)  # libsndfile's serials and PEAK stamps follow the second
        write(tmp_path / "two", samples, output, cut=777)
        assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")
        assert len(np.concatenate(list(open_audio(tmp_path / "two").blocks()))) == FRAMES


def test_ogg_pages_are_valid_after_their_serial_was_set(tmp_path: Path) -> None:
    output = output_format_for("a.ogg", source_format())
    write(tmp_path / "a.ogg", tone(), output)
    from mutagen.ogg import OggPage

    with (tmp_path / "a.ogg").open("rb") as file:
        size = (tmp_path / "a.ogg").stat().st_size
        while file.tell() < size:
            at = file.tell()
            page = OggPage(file)
            assert page.serial == 1
            after = file.tell()
            file.seek(at)
            assert page.write() == file.read(after - at)  # the checksum is mutagen's own
    decoded = sf.read(tmp_path / "a.ogg")[0]
    assert np.corrcoef(decoded[:, 0], tone()[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("container", ["WAV", "AIFF", "FLAC"])
def test_integers_are_dithered_alike_in_every_container(tmp_path: Path, container: str, subtype: str) -> None:
    output = OutputFormat(
        container=container, subtype=subtype, sample_rate_hz=RATE_HZ, channels=2, dither=True, dither_seed=9
    )
    samples = tone().astype(np.float32)
    write(tmp_path / "a", samples, output, cut=5000)
    bits = int(subtype[4:])
    expected = Quantiser(bits, seed=9).quantise(samples)
    np.testing.assert_array_equal(sf.read(tmp_path / "a", dtype="int32")[0] >> (32 - bits), expected)


def test_clipped_samples_are_counted(tmp_path: Path) -> None:
    samples = np.array([[0.5, 1.5], [-1.0, -1.1], [1.0, 0.0]])
    output = replace(output_format_for("a.wav", source_format()), dither=False)
    assert write(tmp_path / "a", samples, output).clipped_samples == 3
    assert write(tmp_path / "a", samples, replace(output, subtype="FLOAT")).clipped_samples == 0
    np.testing.assert_allclose(sf.read(tmp_path / "a")[0], samples, atol=1e-7)


def test_a_sink_checks_what_it_is_given(tmp_path: Path) -> None:
    output = output_format_for("a.wav", source_format())
    with pytest.raises(ValueError, match="2 channels"):
        write(tmp_path / "a", tone(1), output)
    with pytest.raises(ValueError, match="announced"):
        write(tmp_path / "a", tone(), output, frames=FRAMES + 1)
    for changed in (output, replace(output, subtype="FLOAT")):
        with pytest.raises(ValueError, match="finite"):
            write(tmp_path / "a", np.full((10, 2), np.nan), changed)


# WAVE


@given(count=st.integers(0, 9), seed=st.integers(0, 5))
def test_pack_24(count: int, seed: int) -> None:
    words = np.random.default_rng(seed).integers(-(2**23), 2**23, count, dtype=np.int32)
    packed = wave.pack_24(words).tobytes()
    assert packed == b"".join(int(word).to_bytes(3, "little", signed=True) for word in words)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_files_have_no_spare_bytes(tmp_path: Path, frames: int) -> None:
    output = output_format_for("a.wav", source_format(channels=1))
    write(tmp_path / "a", tone(1, frames), output, frames=frames)
    data = (tmp_path / "a").read_bytes()
    assert len(data) == 44 + 3 * frames + frames % 2  # an odd chunk is padded
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    assert struct.unpack_from("<I", data, 40)[0] == 3 * frames


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
def test_rf64_from_the_size_on_where_wav_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, known: bool
) -> None:
    output = OutputFormat(
        container=container, subtype="PCM_24", sample_rate_hz=RATE_HZ, channels=2, dither=False, dither_seed=0
    )
    monkeypatch.setattr(wave, "MAX_RIFF_BYTES", 6000)
    for frames, large in ((1000, False), (1001, True)):
        words = np.arange(2 * frames).reshape(-1, 2)
        options = {"frames": frames} if known else {}
        write(tmp_path / "a", words / 2**23, output, cut=100, **options)
        held = sf.info(tmp_path / "a")
        expected = "RF64" if large or container == "RF64" else container
        assert (held.format, held.frames) == (expected, frames)
        data = (tmp_path / "a").read_bytes()
        assert data[:4] == (b"RF64" if expected == "RF64" else b"RIFF")
        if expected == "RF64":
            assert data[12:16] == b"ds64"
            total, data_bytes, count = struct.unpack_from("<QQQ", data, 20)
            assert (total, data_bytes, count) == (len(data) - 8, 6 * frames, frames)
        np.testing.assert_array_equal(sf.read(tmp_path / "a", dtype="int32")[0] >> 8, words)


def test_speakers_are_kept(tmp_path: Path) -> None:
    output = output_format_for("a.wav", source_format(container="WAVEX", channel_mask=0x600))
    write(tmp_path / "a", tone(), output)
    assert open_audio(tmp_path / "a").format.channel_mask == 0x600


# Formats


@pytest.mark.parametrize(
    ("name", "container", "subtype", "expected"),
    [
        ("a.wav", "WAV", "PCM_16", ("WAV", "PCM_16")),
        ("a.WAV", "RF64", "PCM_24", ("RF64", "PCM_24")),
        ("a.wav", "FLAC", "PCM_16", ("WAV", "PCM_16")),
        ("a.wav", "AIFF", "PCM_S8", ("WAV", "PCM_U8")),
        ("a.aif", "WAV", "PCM_U8", ("AIFF", "PCM_S8")),
        ("a.flac", "WAV", "PCM_U8", ("FLAC", "PCM_S8")),
        ("a.flac", "WAV", "FLOAT", ("FLAC", "PCM_24")),
        ("a.flac", "WAV", "PCM_32", ("FLAC", "PCM_24")),
        ("a.wav", "MP3", "MPEG_LAYER_III", ("WAV", "PCM_24")),
        ("a.flac", "OGG", "VORBIS", ("FLAC", "PCM_24")),
        ("a.wav", "WAV", "IMA_ADPCM", ("WAV", "PCM_24")),
        ("a.wav", "CAF", "ALAC_16", ("WAV", "PCM_16")),
        ("a.wav", "CAF", "ALAC_32", ("WAV", "PCM_32")),
        ("a.caf", "CAF", "ALAC_20", ("CAF", "ALAC_24")),
        ("a.wav", "ARRAY", "FLOAT", ("WAV", "FLOAT")),
        ("a.wav", "ARRAY", "DOUBLE", ("WAV", "DOUBLE")),
        ("a.wav", "FFMPEG", "aac", ("WAV", "PCM_24")),
        ("a.mp3", "WAV", "PCM_24", ("MP3", "MPEG_LAYER_III")),
        ("a.ogg", "WAV", "PCM_24", ("OGG", "VORBIS")),
        ("a.ogg", "OGG", "OPUS", ("OGG", "OPUS")),
        ("a.opus", "WAV", "PCM_24", ("OGG", "OPUS")),
    ],
)
def test_the_master_follows_destination_and_mix(
    name: str, container: str, subtype: str, expected: tuple[str, str]
) -> None:
    chosen = output_format_for(name, source_format(container=container, subtype=subtype))
    assert (chosen.container, chosen.subtype) == expected
    assert chosen.dither == (subtype != "DOUBLE" and chosen.integer_bits not in (None, 32))


@pytest.mark.parametrize(
    ("codec", "bits", "expected"),
    [("alac", 16, "PCM_16"), ("alac", 24, "PCM_24"), ("pcm_f32le", 32, "FLOAT"), ("pcm_f64le", 64, "DOUBLE")],
)
def test_what_ffmpeg_decoded_keeps_its_word_length(codec: str, bits: int, expected: str) -> None:
    mix = source_format(container="FFMPEG", subtype=codec, decoder_bits=bits)
    assert output_format_for("a.wav", mix).subtype == expected


def test_depth_and_rate_can_be_chosen() -> None:
    mix = source_format()
    assert output_format_for("a.wav", mix, bit_depth="16").subtype == "PCM_16"
    assert output_format_for("a.aiff", mix, bit_depth="64f").subtype == "DOUBLE"
    assert output_format_for("a.caf", source_format(container="CAF", subtype="ALAC_16"),
                             bit_depth="24").subtype == "ALAC_24"  # fmt: skip
    assert output_format_for("a.wav", mix, sample_rate_hz=96_000).sample_rate_hz == 96_000


@pytest.mark.parametrize(
    ("name", "changes", "options", "words"),
    [
        ("a.wma", {}, {}, r"read but not written.*\.flac"),
        ("a.xyz", {}, {}, r"\.xyz is not a supported.*\.wav.*\.opus"),
        ("a", {}, {}, "no extension"),
        ("a.flac", {}, {"bit_depth": "32f"}, "cannot hold 32f"),
        ("a.mp3", {}, {"bit_depth": "16"}, "no bit depth"),
        ("a.mp3", {"channels": 6}, {}, "at most 2 channels"),
        ("a.flac", {"channels": 9}, {}, "at most 8 channels"),
        ("a.mp3", {"sample_rate_hz": 96_000}, {}, "sample_rate_hz=48000"),
        ("a.opus", {"sample_rate_hz": 44_100}, {}, "sample_rate_hz=48000"),
        ("a.opus", {}, {"sample_rate_hz": 44_100}, "not at 44100 Hz"),
    ],
)
def test_what_a_format_cannot_hold(
    name: str, changes: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(OutputError, match=words):
        output_format_for(name, source_format(**changes), **options)


@pytest.mark.parametrize("rate_hz", [8000, 192_000])
@pytest.mark.parametrize("extension", ["wav", "rf64", "w64", "aiff", "caf", "flac", "ogg"])
def test_unusual_rates(tmp_path: Path, extension: str, rate_hz: int) -> None:
    output = output_format_for(f"a.{extension}", source_format(sample_rate_hz=rate_hz, channels=1))
    write(tmp_path / "a", tone(1), output, frames=FRAMES)
    assert (sf.info(tmp_path / "a").samplerate, sf.info(tmp_path / "a").frames) == (rate_hz, FRAMES)


# Full disks


@pytest.fixture
def small_disk() -> Any:
    """Let no file grow beyond 60 kB: writing then fails as on a full disk, if with another reason."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signals.signal(signals.SIGXFSZ, signals.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signals.signal(signals.SIGXFSZ, handler)


@pytest.mark.parametrize("extension", ALL_EXTENSIONS)
def test_a_full_disk_is_an_error_in_every_format(
    tmp_path: Path, small_disk: None, each_way: str, extension: str
) -> None:
    path = tmp_path / f"out.{extension}"
    path.write_text("old")
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (200_000, 2)).astype(np.float32)
    output = output_format_for(path, source_format())
    with (
        pytest.raises(OutputError, match=f"out.{extension}"),
        atomic_destination(path, overwrite=True) as making,
    ):
        write(making.path, noise, output, name=str(path))
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


def test_a_disk_that_is_too_full_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    output = output_format_for("a.wav", source_format())
    with pytest.raises(OutputError, match="7 MB are needed, 1 MB are free"):
        AudioSink(tmp_path / "a", output, frames=1_000_000)


def test_a_short_file_is_found_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wave.WaveWriter, "write", lambda *_: None)  # as libsndfile's Ogg writers do, silently
    with pytest.raises(OutputError, match="disk full"):
        write(tmp_path / "a", tone(), output_format_for("a.wav", source_format()))


# Small things


def test_sha256_of(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 1_000_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
    with pytest.raises(AudioError, match="cannot be read"):
        sha256_of(tmp_path / "missing")


def test_whole_way_through(tmp_path: Path, each_way: str) -> None:
    """The example of the module's docstring."""
    source = ArraySource(tone().astype(np.float32), RATE_HZ)
    path = tmp_path / "master.flac"
    with atomic_destination(path, overwrite=False) as making:
        output = output_format_for(path, source.format)
        with AudioSink(making.path, output, frames=source.format.frames, name=str(path)) as sink:
            for block in source.blocks(1000):
                sink.write(block)
        assert open_audio(making.path, name=str(path)).format.frames == FRAMES
        making.commit()
    assert sf.info(path).frames == FRAMES
