"""Loudness: edges, invariances, and agreement with scipy, pyloudnorm and libebur128."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.errors import AudioError
from refmaster.meters.kweighting import (
    STEPS_PER_SECOND,
    KWeightedPower,
    k_weighting_power_gain,
)
from refmaster.meters.loudness import (
    LoudnessMeter,
    integrated_lufs_from_block_powers,
    loudness_range_from_short_term,
)
from refmaster.units import lufs_to_power
from tests.oracles.kweighting import k_weighted

MUSIC = ["music/strings.flac", "music/country.flac", "example/mix.flac"]


def measured(samples, sample_rate_hz, cuts=(), **kwargs):
    meter = LoudnessMeter(sample_rate_hz, samples.shape[1], **kwargs)
    start = 0
    for stop in (*cuts, len(samples)):
        meter.update(samples[start:stop])
        start = stop
    return meter.result()


def rumbling(frames, channels=2, seed=3):
    """Noise on a slow random walk: what float32 filter states get wrong."""
    steps = np.random.default_rng(seed).standard_normal((frames, channels))
    return (0.02 * steps + 0.001 * np.cumsum(steps, axis=0)).astype(np.float32)


@pytest.mark.parametrize("rate", [137, 8000, 11025, 22050, 44100, 44101, 48000, 96000, 192000])
def test_powers_are_those_of_the_plain_recursion(rate):
    samples = rumbling(3 * rate).astype(np.float64)
    kernel = KWeightedPower(rate, 2)
    found = np.concatenate([kernel.second(samples[i * rate : (i + 1) * rate]) for i in range(3)])
    squares = k_weighted(samples, rate) ** 2
    ends = np.concatenate([kernel.step_ends + i * rate for i in range(3)])
    expected = np.add.reduceat(squares, np.concatenate([[0], ends[:-1]]), axis=0)
    # Beside such a rumble a single step may be 0.004 dB off, a second 0.0001 dB.
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    seconds = (3, STEPS_PER_SECOND, 2)
    sums = found.reshape(seconds).sum(axis=1), expected.reshape(seconds).sum(axis=1)
    np.testing.assert_allclose(*sums, rtol=2.3e-5)
    assert kernel.step_frames.sum() == rate


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 88200, 96000, 176400, 192000])
def test_weighting_hardly_depends_on_the_rate(rate):
    """Against 48 kHz, where both rates are well below half the sampling rate."""
    frequencies = np.geomspace(20.0, min(0.08 * rate, 3000.0), 60)
    at_rate = 10 * np.log10(k_weighting_power_gain(frequencies, rate))
    at_48k = 10 * np.log10(k_weighting_power_gain(frequencies, 48000))
    assert np.abs(at_rate - at_48k).max() < (0.008 if rate >= 44100 else 0.1)


@settings(max_examples=15)
@given(data=st.data(), rate=st.sampled_from([8000, 11025, 16000]))
def test_cuts_change_nothing(data, rate):
    frames = data.draw(st.sampled_from([0, 1, rate - 1, rate, rate + 1]) | st.integers(0, 5 * rate))
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=6)))
    samples = rumbling(frames)
    whole, cut = measured(samples, rate), measured(samples, rate, cuts)
    np.testing.assert_array_equal(whole.momentary_lufs, cut.momentary_lufs)
    np.testing.assert_array_equal(whole.short_term_lufs, cut.short_term_lufs)
    assert whole.max_momentary_lufs == cut.max_momentary_lufs
    assert whole.loudness_range_lu == cut.loudness_range_lu


def test_a_result_midway_disturbs_nothing():
    samples = rumbling(100000)
    meter = LoudnessMeter(16000, 2)
    for start in range(0, len(samples), 7777):
        meter.update(samples[start : start + 7777])
        meter.result()
    whole = measured(samples, 16000)
    np.testing.assert_array_equal(meter.result().momentary_lufs, whole.momentary_lufs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_is_minus_infinity(dtype):
    found = measured(np.zeros((5 * 8000, 2), dtype), 8000)
    assert found.integrated_lufs == -np.inf
    assert found.max_momentary_lufs == -np.inf
    assert found.max_short_term_lufs == -np.inf
    assert found.loudness_range_lu is None
    assert found.gated_share == 0.0


def test_silence_after_sound_becomes_silent():
    samples = np.zeros((12 * 48000, 1), np.float32)
    samples[:48000] = rumbling(48000, 1)
    assert measured(samples, 48000).momentary_lufs[-1] == -np.inf


@pytest.mark.parametrize(
    ("frames", "blocks", "windows"),
    [(0, 0, 0), (1, 0, 0), (19199, 0, 0), (19200, 1, 0), (143999, 26, 0), (144000, 27, 1), (148800, 28, 2)],
)
def test_only_whole_windows_count(frames, blocks, windows):
    found = measured(rumbling(frames), 48000)
    assert len(found.momentary_lufs) == blocks
    assert len(found.short_term_lufs) == windows
    assert (found.integrated_lufs is None) == (found.max_momentary_lufs is None) == (blocks == 0)
    assert (found.max_short_term_lufs is None) == (found.loudness_range_lu is None) == (windows == 0)


def test_level_and_channels():
    samples = rumbling(6 * 48000)
    whole = measured(samples, 48000)
    quieter = measured(samples * np.float32(0.5), 48000)
    assert whole.integrated_lufs - quieter.integrated_lufs == pytest.approx(20 * np.log10(2), abs=1e-4)
    swapped = measured(np.ascontiguousarray(samples[:, ::-1]), 48000)
    np.testing.assert_allclose(swapped.momentary_lufs, whole.momentary_lufs, rtol=1e-12)
    mono = measured(samples[:, :1], 48000)
    doubled = measured(np.repeat(samples[:, :1], 2, axis=1), 48000)
    assert doubled.integrated_lufs - mono.integrated_lufs == pytest.approx(10 * np.log10(2), abs=1e-6)


def test_unknown_layouts_are_refused_unless_weighted():
    samples = rumbling(48000, 4)
    with pytest.raises(AudioError, match="found 4"):
        LoudnessMeter(48000, 4)
    found = measured(samples, 48000, channel_weights=(1.0, 1.0, 0.0, 0.0))
    assert found.integrated_lufs == measured(samples[:, :2], 48000).integrated_lufs
    with pytest.raises(ValueError, match="channel_weights"):
        LoudnessMeter(48000, 2, channel_weights=(1.0,))


def test_pooled_loudness_is_that_of_one_long_programme():
    """Two songs of very different level: an average of LUFS would be 10 LU too low."""
    loud, quiet = rumbling(8 * 48000, seed=1), rumbling(8 * 48000, seed=2) * np.float32(0.1)
    a, b = measured(loud, 48000), measured(quiet, 48000)
    blocks = lufs_to_power(np.concatenate([a.momentary_lufs, b.momentary_lufs]))
    pooled = integrated_lufs_from_block_powers(blocks)
    joined = measured(np.concatenate([loud, quiet]), 48000)
    assert pooled == pytest.approx(joined.integrated_lufs, abs=0.2)
    assert integrated_lufs_from_block_powers(np.empty(0)) is None


def test_range_of_known_values():
    assert loudness_range_from_short_term(np.full(50, -23.0)) == 0.0
    assert loudness_range_from_short_term(np.linspace(-30.0, -20.0, 101)) == pytest.approx(8.5, abs=0.01)
    assert loudness_range_from_short_term(np.array([-np.inf, -80.0])) is None


@pytest.mark.parametrize("name", MUSIC)
def test_agrees_with_pyloudnorm(fixture_path, name):
    """To 0.005 LU: pyloudnorm does not scale the second stage at 44.1 kHz."""
    import pyloudnorm

    samples, rate = soundfile.read(fixture_path(name), dtype="float64")
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples)
    assert measured(samples, rate).integrated_lufs == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("name", MUSIC)
def test_agrees_with_libebur128(fixture_path, name):
    ebur128 = pytest.importorskip("pyebur128").pyebur128
    samples, rate = soundfile.read(fixture_path(name), dtype="float64")
    mode = ebur128.MeasurementMode
    state = ebur128.R128State(2, rate, mode.MODE_I | mode.MODE_LRA | mode.MODE_S)
    largest = {"momentary": -np.inf, "shortterm": -np.inf}
    hop = rate // 100
    for start in range(0, len(samples) - hop + 1, hop):
        state.add_frames(samples[start : start + hop].ravel(), hop)
        if start + hop >= 0.4 * rate:
            largest["momentary"] = max(largest["momentary"], ebur128.get_loudness_momentary(state))
        if start + hop >= 3 * rate:
            largest["shortterm"] = max(largest["shortterm"], ebur128.get_loudness_shortterm(state))
    found = measured(samples, rate)
    assert found.integrated_lufs == pytest.approx(ebur128.get_loudness_global(state), abs=0.005)
    assert found.max_momentary_lufs == pytest.approx(largest["momentary"], abs=0.005)
    assert found.max_short_term_lufs == pytest.approx(largest["shortterm"], abs=0.005)
    # libebur128 takes a short-term value every second for the range: so do we, here.
    theirs = ebur128.get_loudness_range(state)
    assert loudness_range_from_short_term(found.short_term_lufs[::10]) == pytest.approx(theirs, abs=0.01)
