"""Long-term spectrum: scaling, gates, bands, edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.meters.spectrum import SpectrumMeter, band_power, frame_length

RATES = [8000, 22050, 44100, 48000, 96000, 192000]


def edges_hz(sample_rate_hz):
    return np.geomspace(20.0, 0.49 * sample_rate_hz, 25)


def measured(samples, sample_rate_hz, cuts=()):
    meter = SpectrumMeter(sample_rate_hz, samples.shape[1], edges_hz(sample_rate_hz))
    start = 0
    for stop in (*cuts, len(samples)):
        meter.update(samples[start:stop])
        start = stop
    return meter.result()


def noise(frames, channels=2, level=0.1, seed=4):
    return (level * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


def sine(frequency_hz, sample_rate_hz, seconds=4.0):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz)


@pytest.mark.parametrize(
    ("rate", "frames"),
    [(22050, 8192), (24000, 8192), (44100, 16384), (48000, 16384), (88200, 32768), (96000, 32768)],
)
def test_frames_last_about_as_long_at_every_rate(rate, frames):
    assert frame_length(rate) == frames


@pytest.mark.parametrize("rate", RATES)
def test_full_scale_sine_adds_up_to_a_half_at_its_frequency(rate):
    tone = sine(1000.0, rate)
    found = measured(np.column_stack([tone, tone]).astype(np.float32), rate)
    assert found.mid_power.sum() == pytest.approx(0.5, rel=1e-3)
    assert found.side_power.sum() < 1e-9
    assert found.frequencies_hz[found.mid_power.argmax()] == pytest.approx(1000.0, abs=3.0)
    assert found.frequencies_hz[-1] == rate / 2
    assert found.frames_passed_share == 1.0


def test_mid_and_side_are_kept_apart():
    left, right = sine(500.0, 48000), sine(3000.0, 48000)
    found = measured(np.column_stack([left, right]).astype(np.float32), 48000)
    assert found.mid_power.sum() == pytest.approx(0.25, rel=1e-3)
    np.testing.assert_allclose(found.side_power, found.mid_power, rtol=1e-3, atol=1e-9)
    opposite = measured(np.column_stack([left, -left]).astype(np.float32), 48000)
    assert opposite.mid_power.sum() < 1e-9
    assert opposite.side_power.sum() == pytest.approx(0.5, rel=1e-3)


def test_noise_is_flat_and_adds_up_to_its_mean_square():
    found = measured(noise(30 * 48000, 1), 48000)
    assert found.mid_power.sum() == pytest.approx(0.01, rel=0.01)
    octaves = 100.0 * 2.0 ** np.arange(8)
    expected = 0.01 * np.diff(octaves) / 24000
    assert band_power(found.frequencies_hz, found.mid_power, octaves) == pytest.approx(expected, rel=0.1)
    assert found.side_power is None
    assert found.segment_side_power is None


def test_mean_over_the_channels_of_surround():
    samples = np.zeros((2 * 48000, 6), np.float32)
    samples[:, 0] = sine(1000.0, 48000, 2.0)
    found = measured(samples, 48000)
    assert found.mid_power.sum() == pytest.approx(0.5 / 6, rel=1e-3)
    assert found.side_power is None


def test_quiet_passages_do_not_count():
    """30 LU below is gated away, 15 LU below counts."""
    loud, quiet = noise(12 * 48000, level=0.1), noise(12 * 48000, level=0.1, seed=8)
    alone = measured(loud, 48000).mid_power.sum()
    gated = measured(np.concatenate([loud, quiet * np.float32(0.03)]), 48000)
    assert gated.mid_power.sum() == pytest.approx(alone, rel=0.02)
    assert gated.frames_passed_share == pytest.approx(0.5, abs=0.03)
    kept = measured(np.concatenate([loud, quiet * np.float32(0.18)]), 48000)
    assert kept.frames_passed_share == 1.0
    assert kept.mid_power.sum() == pytest.approx(alone * (1 + 0.18**2) / 2, rel=0.02)


@pytest.mark.parametrize("frames", [0, 1, 20000, 100000])
def test_silence_and_shortness(frames):
    for samples in (np.zeros((frames, 2), np.float32), noise(frames)):
        found = measured(samples, 48000)
        assert found.mid_power.shape == found.side_power.shape == found.frequencies_hz.shape
        assert np.all(np.isfinite(found.mid_power))
        if not samples.any():
            assert not found.mid_power.any()
            assert found.frames_passed_share == 0.0
            assert len(found.segment_mid_power) == 0


@settings(max_examples=10)
@given(data=st.data(), channels=st.sampled_from([1, 2]))
def test_cuts_change_nothing(data, channels):
    frames = data.draw(st.sampled_from([0, 1, 2047, 2048, 4096, 4097]) | st.integers(0, 60000))
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=5)))
    samples = noise(frames, channels)
    whole, cut = measured(samples, 8000), measured(samples, 8000, cuts)
    np.testing.assert_array_equal(whole.mid_power, cut.mid_power)
    np.testing.assert_array_equal(whole.segment_mid_power, cut.segment_mid_power)
    assert whole.frames_passed_share == cut.frames_passed_share


def test_segments_follow_the_signal_in_time():
    low, high = sine(250.0, 48000, 20.0), sine(4000.0, 48000, 20.0)
    tone = np.concatenate([low, high])[:, np.newaxis].astype(np.float32)
    found = measured(tone, 48000)
    bands = [int(np.searchsorted(edges_hz(48000), f)) - 1 for f in (250.0, 4000.0)]
    assert 55 <= len(found.segment_mid_power) <= 60
    assert found.segment_mid_power[1, bands[0]] == pytest.approx(0.5, rel=0.01)
    assert found.segment_mid_power[-2, bands[1]] == pytest.approx(0.5, rel=0.01)
    assert found.segment_mid_power[1, bands[1]] < 1e-6


def test_bands_split_the_bins_on_their_edges():
    frequencies = np.arange(11) * 10.0
    power = np.arange(11.0)
    edges = np.array([15.0, 20.0, 40.0, 45.0])
    assert band_power(frequencies, power, edges) == pytest.approx([1.0, 1.0 + 3.0 + 2.0, 2.0])
    whole = np.array([-5.0, 105.0])
    assert band_power(frequencies, power, whole).sum() == pytest.approx(power.sum())


def test_a_long_recording_keeps_an_even_choice_of_its_segments(monkeypatch):
    tones = [np.full(6144, k + 40.0) for k in range(40)]  # a segment at 8 kHz lasts 6144 frames
    samples = (np.concatenate(tones) * sine(1000.0, 8000, 40 * 0.768) / 80).astype(np.float32)[:, None]
    everything = measured(samples, 8000).segment_mid_power
    monkeypatch.setattr("refmaster.meters.spectrum.MAX_SEGMENTS", 16)
    kept = measured(samples, 8000, cuts=(5, 70000)).segment_mid_power
    np.testing.assert_array_equal(kept, everything[::4])
    assert 8 <= len(kept) <= 16


def test_quiet_segments_do_not_count():
    loud, quiet = noise(12 * 48000), noise(12 * 48000, level=0.001)
    found = measured(np.concatenate([loud, quiet]), 48000)
    assert len(found.segment_mid_power) == pytest.approx(12 / found.segment_s, abs=2)
