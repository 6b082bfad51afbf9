"""The FIR designs meet their curves, and the kernel filters without latency or block-size effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.dsp.fir import FirEqualizer, default_taps, design_linear_phase, design_minimum_phase
from refmaster.errors import SettingsError

THIRD_OCTAVES_HZ = 1000.0 * 2.0 ** (np.arange(-17, 13) / 3)


def gain_db_at(taps, frequencies_hz, sample_rate_hz):
    size = 1 << 18
    gain = np.abs(np.fft.rfft(taps, size))
    return 20 * np.log10(np.interp(frequencies_hz, np.arange(len(gain)) * sample_rate_hz / size, gain))


def smooth_curve(seed):
    rough = np.random.default_rng(seed).standard_normal(len(THIRD_OCTAVES_HZ) + 2) * 4
    return np.convolve(rough, [0.25, 0.5, 0.25], "valid")


def run(equalizer, signal, cuts):
    pieces, start = [], 0
    for stop in [*cuts, len(signal)]:
        pieces.append(equalizer.push(signal[start:stop]))
        start = stop
    pieces.append(equalizer.flush())
    return np.concatenate(pieces)


def direct(signal, taps, delay_frames):
    size = 1 << (len(signal) + len(taps)).bit_length()
    full = np.fft.irfft(np.fft.rfft(signal, size, axis=0) * np.fft.rfft(taps, size)[:, None], size, axis=0)
    return full[delay_frames : delay_frames + len(signal)]


@pytest.mark.parametrize(
    ("rate", "taps"),
    [(8000, 4097), (12000, 4097), (44100, 16385), (48000, 16385), (88200, 32769), (96000, 32769)],
)
def test_default_length_keeps_the_time_span(rate, taps):
    assert default_taps(rate) == taps


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("seed", range(4))
def test_third_octave_curve_is_met_from_20_hz(rate, seed):
    curve = smooth_curve(seed)
    taps = design_linear_phase(THIRD_OCTAVES_HZ, curve, rate)
    frequencies = np.geomspace(20, 16000, 2000)
    wanted = np.interp(np.log(frequencies), np.log(THIRD_OCTAVES_HZ), curve)
    error = np.abs(gain_db_at(taps, frequencies, rate) - wanted)
    assert error.max() < 0.35
    assert error[frequencies > 40].max() < 0.17
    assert np.sqrt(np.mean(error[frequencies < 80] ** 2)) < 0.1


def test_the_curve_is_flat_beyond_its_ends():
    taps = design_linear_phase([200, 2000], [3.0, -2.0], 48000)
    frequencies = np.array([0.0, 30.0, 5000.0, 24000.0])
    assert gain_db_at(taps, frequencies, 48000) == pytest.approx([3, 3, -2, -2], abs=0.01)


def test_linear_phase_is_exactly_symmetric_and_minimum_phase_has_its_magnitude():
    linear = design_linear_phase(THIRD_OCTAVES_HZ, smooth_curve(3), 44100)
    assert np.array_equal(linear, linear[::-1])
    minimum = design_minimum_phase(THIRD_OCTAVES_HZ, smooth_curve(3), 44100)
    frequencies = np.geomspace(20, 20000, 500)
    difference = gain_db_at(linear, frequencies, 44100) - gain_db_at(minimum, frequencies, 44100)
    assert np.abs(difference).max() < 0.05
    energy = np.cumsum(minimum**2)
    assert energy[200] > 0.97 * energy[-1]


def test_a_flat_curve_is_a_unit_impulse_and_leaves_the_very_bits():
    taps = design_linear_phase([20, 20000], [0.0, 0.0], 44100)
    assert np.count_nonzero(taps) == 1
    assert taps[8192] == 1.0
    signal = np.random.default_rng(0).standard_normal((5000, 2)).astype(np.float32)
    assert np.array_equal(run(FirEqualizer(2, taps, taps), signal, [17]), signal)
    least = design_minimum_phase([20, 20000], [0.0, 0.0], 44100)
    assert np.array_equal(run(FirEqualizer(2, least, delay_frames=0), signal, [17]), signal)


@pytest.mark.parametrize("frames", [0, 1, 100, 1024, 30000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_length_is_kept_and_output_frame_n_belongs_to_input_frame_n(frames, channels):
    rng = np.random.default_rng(frames)
    taps = rng.standard_normal(257)
    signal = rng.standard_normal((frames, channels))
    result = run(FirEqualizer(channels, taps), signal, [frames // 3])
    assert result.shape == signal.shape
    assert np.abs(result - direct(signal, taps, 128)).max(initial=0.0) < 1e-11


def test_mid_and_side_have_their_own_filters():
    rng = np.random.default_rng(5)
    curves = smooth_curve(1), smooth_curve(2)
    mid_taps, side_taps = (design_linear_phase(THIRD_OCTAVES_HZ, c, 44100, taps=1025) for c in curves)
    signal = rng.standard_normal((20000, 2))
    result = run(FirEqualizer(2, mid_taps, side_taps), signal, [])
    mid, side = signal.sum(axis=1) / 2, (signal[:, 0] - signal[:, 1]) / 2
    wanted_mid = direct(mid[:, None], mid_taps, 512)[:, 0]
    wanted_side = direct(side[:, None], side_taps, 512)[:, 0]
    assert np.abs(result[:, 0] - wanted_mid - wanted_side).max() < 1e-11
    assert np.abs(result[:, 1] - wanted_mid + wanted_side).max() < 1e-11
    swapped = run(FirEqualizer(2, mid_taps, side_taps), signal[:, ::-1].copy(), [])
    assert np.array_equal(swapped[:, ::-1], result)


def test_float32_is_kept_and_accurate():
    rng = np.random.default_rng(6)
    taps = design_linear_phase(THIRD_OCTAVES_HZ, smooth_curve(6), 44100, taps=1025)
    signal = rng.standard_normal((20000, 2)).astype(np.float32)
    result = run(FirEqualizer(2, taps), signal, [1000])
    assert result.dtype == np.float32
    error = result - direct(signal.astype(np.float64), taps, 512)
    assert 20 * np.log10(error.std() / result.std()) < -125


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(0, 30000),
    cuts=st.lists(st.sampled_from([0, 1, 7167, 7168, 7169, 14335, 14336, 14337]) | st.integers(0, 30000)),
    side=st.booleans(),
)
def test_chunked_equals_one_shot_to_the_bit(frames, cuts, side):
    rng = np.random.default_rng(frames)
    signal = rng.standard_normal((frames, 2)).astype(np.float32)
    mid_taps, side_taps = rng.standard_normal((2, 513))
    cuts = sorted(min(cut, frames) for cut in cuts)
    second = side_taps if side else None
    once = run(FirEqualizer(2, mid_taps, second), signal, [])
    assert np.array_equal(run(FirEqualizer(2, mid_taps, second), signal, cuts), once)


@pytest.mark.parametrize(
    ("frequencies", "gains", "taps", "message"),
    [
        ([100.0, 50.0], [0.0, 0.0], None, "rising"),
        ([0.0, 50.0], [0.0, 0.0], None, "above 0 Hz"),
        ([100.0], [0.0, 0.0], None, "as many gains"),
        ([100.0, 200.0], [0.0, np.nan], None, "finite"),
        ([100.0, 200.0], [0.0, 1.0], 1024, "odd"),
    ],
)
def test_malformed_curves_are_refused(frequencies, gains, taps, message):
    with pytest.raises(SettingsError, match=message):
        design_linear_phase(frequencies, gains, 44100, taps=taps)


def test_malformed_use_is_refused():
    with pytest.raises(ValueError, match="stereo"):
        FirEqualizer(1, np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="shape"):
        FirEqualizer(2, np.ones(3)).push(np.zeros((4, 1)))
