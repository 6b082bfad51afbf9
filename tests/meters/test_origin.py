"""Codec frames, bandwidth and word length: made signals, real codecs, edges, cuts."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
import soundfile as sf
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.check.origin import FRAMES_PROMINENT_FROM
from refmaster.dsp.lapped import hybrid_basis, kaiser_bessel_slope, mdct_basis, sine_slope, vorbis_slope
from refmaster.meters.framing import EXCERPT_FRAMES
from refmaster.meters.origin import OriginMeter, OriginResult

RATE_HZ = 44100


def measured(samples, rate_hz=RATE_HZ, cuts=()) -> OriginResult:
    meter = OriginMeter(rate_hz)
    start = 0
    for stop in (*cuts, len(samples)):
        meter.update(np.asfortranarray(samples[start:stop]))
        start = stop
    return meter.result()


@cache
def music(seconds=2.0, channels=2, rate_hz=RATE_HZ, seed=3):
    """Chords with many partials over pink noise, up to the top of the band."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    hz = np.fft.rfftfreq(len(t), 1 / rate_hz)
    out = np.empty((len(t), channels))
    for channel in range(channels):
        pink = np.fft.rfft(rng.standard_normal(len(t))) / np.sqrt(1.0 + (hz / 200.0) ** 2)
        chord = sum(
            np.sin(2 * np.pi * f * k * t + rng.uniform(0, 6)) / k
            for f in (220.0, 277.2, 329.6)
            for k in range(1, 20)
        )
        out[:, channel] = np.fft.irfft(pink, len(t)) + 0.2 * chord
    samples = 0.5 * out / np.abs(out).max()
    samples.flags.writeable = False
    return samples


def rounded(samples, bits=16):
    return np.round(samples * 2.0 ** (bits - 1)) / 2.0 ** (bits - 1)


def through(samples, rate_hz, container, subtype, **options):
    """Samples through a codec of libsndfile."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", rate_hz, samples.shape[1], subtype, format=container, **options) as out:
        for start in range(0, len(samples), 4096):
            out.write(samples[start : start + 4096])
    file.seek(0)
    return sf.read(file, dtype="float64", always_2d=True)[0]


CODED = {
    "mp3": (RATE_HZ, "MP3", "MPEG_LAYER_III", {"bitrate_mode": "CONSTANT", "compression_level": 0.45}),
    "vorbis": (RATE_HZ, "OGG", "VORBIS", {"compression_level": 0.4}),
    "opus": (48000, "OGG", "OPUS", {"compression_level": 0.8}),
}


@pytest.mark.parametrize("codec", CODED)
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_of_a_codec_are_found_after_a_trim_a_gain_and_rounding(codec, channels):
    rate_hz, container, subtype, options = CODED[codec]
    lossless = music(rate_hz=rate_hz, channels=channels)
    decoded = through(lossless, rate_hz, container, subtype, **options)
    found = measured(rounded(decoded[1237:] * 0.83).astype(np.float32), rate_hz).framing
    assert found is not None
    assert found.codec == codec
    assert found.prominence > FRAMES_PROMINENT_FROM
    plain = measured(rounded(lossless).astype(np.float32), rate_hz).framing
    assert plain is not None
    assert plain.prominence < FRAMES_PROMINENT_FROM


def test_the_beginning_of_the_frames_moves_with_a_trim():
    decoded = through(
        music(), RATE_HZ, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.45
    )
    whole, trimmed = measured(decoded).framing, measured(decoded[100:]).framing
    assert whole is not None
    assert trimmed is not None
    assert (whole.offset - trimmed.offset) % 576 == 100


@pytest.mark.parametrize("cut_off_hz", [15000.0, 16000.0, 18000.0, 20000.0])
def test_a_cut_off_is_no_codec(cut_off_hz):
    samples = music()
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    cut = np.fft.irfft(np.fft.rfft(samples, axis=0) * (hz < cut_off_hz)[:, np.newaxis], len(samples), axis=0)
    found = measured(rounded(cut).astype(np.float32))
    assert found.bandwidth_hz == pytest.approx(cut_off_hz, abs=100.0)
    assert found.framing is not None
    assert found.framing.prominence < FRAMES_PROMINENT_FROM


@pytest.mark.parametrize(("low_hz", "high_hz"), [(16000, 48000), (32000, 48000), (44100, 96000)])
def test_a_converted_file_ends_where_its_first_rate_ends(low_hz, high_hz):
    samples = soxr.resample(music(rate_hz=low_hz), low_hz, high_hz, quality="VHQ")
    found = measured(rounded(samples, 24), high_hz)
    assert found.bandwidth_hz is not None
    assert 0.9 * low_hz / 2 < found.bandwidth_hz < 1.01 * low_hz / 2
    assert found.drop_db is not None
    assert found.drop_db > 30.0
    assert measured(rounded(music(rate_hz=high_hz)), high_hz).bandwidth_hz is None


def test_a_gentle_fall_is_no_end():
    samples = music()
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    gain = 1.0 / (1.0 + (hz / 3000.0) ** 4)
    dark = np.fft.irfft(np.fft.rfft(samples, axis=0) * gain[:, np.newaxis], len(samples), axis=0)
    assert measured(rounded(dark)).bandwidth_hz is None


@pytest.mark.parametrize("bits", [8, 16, 20, 24])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_word_length_is_exact(bits, dtype):
    samples = rounded(music(1.0), bits).astype(dtype)
    assert measured(samples).used_bits == bits
    samples[-1, 1] += 2.0**-bits  # half a step, in a single sample
    assert measured(samples).used_bits == {8: 16, 16: 20, 20: 24, 24: 32}[bits]


def test_word_length_of_what_has_none():
    assert measured(np.zeros((50000, 2), np.float32)).used_bits is None
    assert measured(music(1.0)).used_bits is None
    assert measured(rounded(music(1.0), 32)).used_bits == 32
    loud = 900.0 * rounded(music(0.5))
    assert measured(loud.astype(np.float32)).used_bits == 16


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 3 * EXCERPT_FRAMES), max_size=6))
def test_cuts_change_nothing(cuts):
    samples = rounded(music(1.2, channels=1)).astype(np.float32)
    whole = measured(samples)
    assert measured(samples, cuts=sorted(cut for cut in cuts if cut <= len(samples))) == whole


def test_swapped_channels_measure_the_same():
    decoded = through(music(), RATE_HZ, "OGG", "VORBIS", compression_level=0.4).astype(np.float32)
    assert measured(decoded[:, ::-1]) == measured(decoded)


@pytest.mark.parametrize("frames", [0, 1, EXCERPT_FRAMES - 1])
def test_too_short_to_tell(frames):
    found = measured(rounded(music(0.4))[:frames])
    assert (found.framing, found.bandwidth_hz) == (None, None)


def test_one_excerpt_is_enough():
    found = measured(rounded(music(0.5))[:EXCERPT_FRAMES])
    assert found.framing is not None


@pytest.mark.parametrize("rate_hz", [1000, 8000, 22050, 192000])
def test_any_rate(rate_hz):
    found = measured(rounded(music(20000 / rate_hz, rate_hz=rate_hz)), rate_hz)
    assert (found.framing is None) == (rate_hz > 48000)


def test_hostile_signals_are_no_codec():
    """Silences, clicks, square waves and constants have zeros of their own."""
    rng = np.random.default_rng(4)
    frames = 6 * EXCERPT_FRAMES
    t = np.arange(frames)
    noise = 0.1 * rng.standard_normal(frames)
    signals = {
        "silence": np.zeros(frames),
        "constant": np.full(frames, 0.3),
        "a click": (t == 30000) * 0.9,
        "clicks": (t % 1024 == 17) * 0.5,
        "square": np.sign(np.sin(2 * np.pi * 441.0 * t / RATE_HZ)) * 0.5,
        "gated noise": noise * (t // 5000 % 2),
        "a sine": 0.5 * np.sin(2 * np.pi * 1000.0 * t / RATE_HZ),
        "least bit": np.round(rng.uniform(0, 1, frames)) / 32768,
        "very loud": 1000.0 * np.clip(noise, -1, 1),
        "noise that grows": noise * np.exp(t / frames * 8 - 8),
    }
    for name, signal in signals.items():
        found = measured(signal[:, np.newaxis])
        assert found.framing is None or found.framing.prominence < FRAMES_PROMINENT_FROM, name


def test_memory_does_not_grow():
    meter = OriginMeter(RATE_HZ)
    block = np.asfortranarray(rounded(music(65536 / RATE_HZ)).astype(np.float32))
    for _ in range(100):
        meter.update(block)
    assert sum(samples.nbytes for _, samples in meter._kept) <= 16 * EXCERPT_FRAMES * 2 * 4


class TestTransforms:
    """The transforms are those of the codecs: orthogonal, with perfect reconstruction."""

    @pytest.mark.parametrize(
        ("slope", "hop"),
        [(sine_slope(64), 64), (vorbis_slope(64), 64), (kaiser_bessel_slope(64), 64), (vorbis_slope(16), 64)],
    )
    def test_lapped_transform_reconstructs(self, slope, hop):
        basis = mdct_basis(slope, hop, np.arange(hop))
        signal = np.random.default_rng(1).standard_normal(8 * hop)
        back = np.zeros_like(signal)
        for start in range(0, len(signal) - hop, hop):
            piece = signal[start : start + 2 * hop]
            back[start : start + 2 * hop] += (basis @ piece) @ basis * (2 / hop)
        assert back[hop:-hop] == pytest.approx(signal[hop:-hop], abs=1e-9)

    def test_hybrid_filter_bank_is_nearly_orthogonal(self):
        """Lines of one frame and of the next do not see each other: what MP3 leaves out stays left out."""
        lines = np.arange(36, 90)
        basis = hybrid_basis(lines)
        basis /= np.linalg.norm(basis, axis=1, keepdims=True)
        same = basis @ basis.T - np.eye(len(lines))
        later = basis[:, 576:] @ basis[:, :-576].T
        assert np.abs(same[2:-2, 2:-2]).max() < 0.02
        assert np.abs(later).max() < 0.02
        shifted = basis[:, 575:] @ basis[:, :-575].T  # one sample off, they do
        assert np.abs(shifted).max() > 0.1
