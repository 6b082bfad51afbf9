"""Lossy codecs there and back: in time, of one length, streamed; AAC by PyAV, by ffmpeg, by neither."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from refmaster.errors import AudioError, OutputError
from refmaster.io import ffmpeg, pyav
from refmaster.io.codecs import codec_rate_hz, decoded, require_codecs
from refmaster.io.digest import sha256_of
from refmaster.io.formats import codec_format
from refmaster.io.open import open_audio
from refmaster.io.sink import AudioSink
from refmaster.io.source import ArraySource
from refmaster.settings.codecs import Codec

ALL = ["mp3:64", "mp3:128", "mp3:320", "vorbis:q0", "vorbis:q5", "opus:64", "opus:96", "aac:128", "aac:256"]
WAYS = ["pyav", "ffmpeg"]

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def country(fixture_path) -> tuple[Samples, int]:
    """Return 4 s of finished music, of a length that fits no codec's frames."""
    source = open_audio(fixture_path("music/country.flac"))
    rate = source.format.sample_rate_hz
    samples = np.concatenate(list(source.blocks()))[: 4 * rate + 137]
    return samples.astype(np.float32), rate


def use(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Leave one of the two ways to AAC."""
    monkeypatch.setattr(pyav, "available", lambda: way == "pyav")
    if way != "ffmpeg":
        monkeypatch.setenv("PATH", "/nowhere")


def heard(samples: Samples, rate: int, codec: str, folder: Path) -> Samples:
    source = decoded(ArraySource(samples, rate), Codec.parse(codec), folder)
    return np.concatenate(list(source.blocks()))


def delay_frames(before: Samples, after: Samples) -> int:
    """Return by how much the second signal is late, from their cross-correlation."""
    size = 1 << 19
    product = np.fft.rfft(after[:, 0], size) * np.fft.rfft(before[:, 0], size).conj()
    found = int(np.fft.irfft(product, size).argmax())
    return found if found < size // 2 else found - size


@pytest.mark.parametrize("codec", ALL)
def test_what_comes_back_is_in_time_and_of_the_same_length(country, tmp_path, codec):
    samples, rate = country
    own = codec_rate_hz(Codec.parse(codec), rate)
    back = heard(samples, rate, codec, tmp_path)
    if own == rate:
        assert back.shape == samples.shape
        assert delay_frames(samples, back) == 0
        error = back - samples
        assert 10 * np.log10(np.mean(error**2) / np.mean(samples**2)) < -8.0
    else:
        assert len(back) == round(len(samples) * own / rate)
    assert not np.array_equal(back, samples[: len(back)])


def test_opus_is_in_time_at_its_own_rate(country, tmp_path):
    samples, _ = country
    back = heard(samples, 48000, "opus:96", tmp_path)  # played a little faster
    assert back.shape == samples.shape
    assert delay_frames(samples, back) == 0


@pytest.mark.parametrize("codec", ["mp3:128", "vorbis:q5", "opus:96", "aac:128"])
@pytest.mark.parametrize("frames", [1, 1023, 1025, 30000])
def test_short_and_mono(rng, tmp_path, codec, frames):
    samples = (0.1 * rng.standard_normal((frames, 1))).astype(np.float32)
    assert heard(samples, 48000, codec, tmp_path).shape == (frames, 1)


@pytest.mark.parametrize("codec", ["mp3:128", "vorbis:q5", "opus:96", "aac:128"])
def test_how_the_audio_is_cut_does_not_matter(country, tmp_path, codec):
    samples, rate = country

    class Cut(ArraySource):
        def blocks(self, block_frames: int = 777) -> Iterator[Samples]:
            return super().blocks(777)

    (tmp_path / "cut").mkdir()
    one = decoded(ArraySource(samples, rate), Codec.parse(codec), tmp_path)
    other = decoded(Cut(samples, rate), Codec.parse(codec), tmp_path / "cut")
    assert sha256_of(one.path) == sha256_of(other.path)
    pieces = list(other.blocks(1000))
    assert {len(piece) for piece in pieces[:-1]} == {1000}
    np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate(list(one.blocks())))


@pytest.mark.parametrize("frames", [192149, 131082, 117230, 100001])
def test_the_end_of_opus_is_the_recordings(country, tmp_path, frames):
    samples = np.tile(country[0], (2, 1))[:frames]
    back = heard(samples, 48000, "opus:96", tmp_path)
    error = np.sqrt(np.mean((back - samples)[-200:] ** 2))
    assert error < 0.1 * np.sqrt(np.mean(samples**2)) + 0.02


@pytest.mark.parametrize(
    ("codec", "rate", "own"),
    [
        ("mp3:128", 44100, 44100), ("mp3:128", 88200, 44100), ("mp3:128", 96000, 48000),
        ("mp3:128", 22050, 44100), ("mp3:128", 192000, 48000), ("vorbis:q5", 176400, 44100),
        ("aac:256", 32000, 32000), ("aac:256", 50000, 48000), ("opus:96", 44100, 48000),
    ],
)  # fmt: skip
def test_other_rates_are_converted(codec, rate, own):
    assert codec_rate_hz(Codec.parse(codec), rate) == own


@pytest.mark.parametrize("way", WAYS)
def test_aac_by_either_way_is_in_time(country, tmp_path, monkeypatch, way):
    use(monkeypatch, way)
    samples, rate = country
    source = decoded(ArraySource(samples, rate), Codec.parse("aac:256"), tmp_path)
    assert isinstance(open_audio(source.path), pyav.PyavSource if way == "pyav" else ffmpeg.FfmpegSource)
    back = np.concatenate(list(source.blocks(5000)))
    assert back.shape == samples.shape
    assert delay_frames(samples, back) == 0
    assert source.format.lossy


def test_either_reader_reads_what_either_writer_wrote(country, tmp_path, monkeypatch):
    samples, rate = country
    for way in WAYS:
        (tmp_path / way).mkdir()
        with monkeypatch.context() as patched:
            use(patched, way)
            decoded(ArraySource(samples, rate), Codec.parse("aac:128"), tmp_path / way)
    for way in WAYS:
        read = []
        for reader in WAYS:
            with monkeypatch.context() as patched:
                use(patched, reader)
                read.append(np.concatenate(list(open_audio(tmp_path / way / "decoded.aac-128").blocks())))
        assert read[0].shape == read[1].shape == samples.shape
        np.testing.assert_allclose(read[0], read[1], atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_bytes_in_another_second(country, tmp_path, monkeypatch, way):
    use(monkeypatch, way)
    samples, rate = country
    held = codec_format(Codec.parse("aac:128"), rate, samples.shape[1])
    for name in ("one", "two"):
        with AudioSink(tmp_path / name, held) as sink:
            sink.write(samples)
        time.sleep(1.01)
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")


def test_without_pyav_and_ffmpeg_it_is_said_how_to_get_them(country, tmp_path, monkeypatch):
    use(monkeypatch, "pyav")
    monkeypatch.setattr(pyav, "available", lambda: False)
    with pytest.raises(
        OutputError, match=r"aac:256: .*neither was found; install PyAV .*refmaster\[aac\].*or ffmpeg"
    ):
        require_codecs([Codec.parse("mp3:128"), Codec.parse("aac:256")])
    with pytest.raises(OutputError, match="neither was found"):
        heard(*country, "aac:256", tmp_path)
    require_codecs(map(Codec.parse, ("mp3:128", "vorbis:q5", "opus:96")))
    assert len(heard(*country, "mp3:128", tmp_path))


def test_without_ffmpeg_only_aac_is_read_by_pyav(tmp_path, monkeypatch):
    use(monkeypatch, "pyav")
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    with pytest.raises(AudioError, match="ffmpeg is needed"):
        open_audio(tmp_path / "a.m4a")


@pytest.mark.parametrize("way", WAYS)
def test_a_truncated_file_is_refused(country, tmp_path, monkeypatch, way):
    use(monkeypatch, way)
    samples, rate = country
    path = decoded(ArraySource(samples, rate), Codec.parse("aac:128"), tmp_path).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match="damaged"):
        list(open_audio(path).blocks())


@pytest.mark.parametrize("way", WAYS)
def test_a_place_that_cannot_be_written_is_an_error(country, tmp_path, monkeypatch, way):
    use(monkeypatch, way)
    samples, rate = country
    held = codec_format(Codec.parse("aac:128"), rate, samples.shape[1])

    def write() -> None:
        with AudioSink(tmp_path / "no" / "a.m4a", held) as sink:
            for _ in range(20):
                sink.write(samples)

    with pytest.raises(OutputError, match=r"a\.m4a: cannot be written"):
        write()


def test_the_length_of_an_m4a_is_what_its_edit_list_says():
    exact = pyav.stated_aac_frames
    assert exact(48000, 48000, 480137, 470) == 480137
    assert exact(44100, 48000, 480137, 470) is None  # another unit of time
    assert exact(48000, 48000, None, 470) is None
    assert exact(48000, 48000, 480137, 0) is None
    assert exact(48000, 48000, 470 * 1024 + 1, 470) is None  # more than there is
    assert exact(48000, 48000, 100_000, 470) is None  # a cut-out: not only priming and padding
