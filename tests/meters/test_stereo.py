"""Stereo image, DC and crest: known signals, edges, cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmaster.meters.stereo import StereoMeter


def measured(samples, cuts=()):
    meter = StereoMeter(samples.shape[1])
    start = 0
    for stop in (*cuts, len(samples)):
        meter.update(samples[start:stop])
        start = stop
    return meter.result()


def noise(frames, channels=2, seed=6):
    return (0.1 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


def test_independent_channels():
    found = measured(noise(200000))
    assert found.correlation == pytest.approx(0.0, abs=0.01)
    assert found.side_to_mid_db == pytest.approx(0.0, abs=0.1)
    assert found.balance_db == pytest.approx(0.0, abs=0.05)
    assert found.dc == pytest.approx((0.0, 0.0), abs=1e-3)


@pytest.mark.parametrize(("sign", "correlation"), [(1, 1.0), (-1, -1.0)])
def test_identical_and_opposite_channels(sign, correlation):
    line = noise(50000, 1)
    found = measured(np.hstack([line, sign * line]))
    assert found.correlation == pytest.approx(correlation)
    assert found.side_to_mid_db is None


def test_correlation_and_width_of_a_known_blend():
    """L = a + b/2, R = a - b/2: the side is 6 dB below the mid."""
    a, b = noise(300000).T
    found = measured(np.column_stack([a + b / 2, a - b / 2]))
    assert found.side_to_mid_db == pytest.approx(-6.02, abs=0.05)
    assert found.correlation == pytest.approx((1 - 0.25) / (1 + 0.25), abs=0.01)


def test_balance_is_left_over_right_and_swaps_its_sign():
    line = noise(50000, 1)
    found = measured(np.hstack([line, line * np.float32(0.5)]))
    swapped = measured(np.hstack([line * np.float32(0.5), line]))
    assert found.balance_db == pytest.approx(6.02, abs=0.01)
    assert swapped.balance_db == pytest.approx(-found.balance_db)
    assert swapped.correlation == pytest.approx(found.correlation)


def test_dc_per_channel_in_float64():
    found = measured(noise(500000) + np.array([0.25, -0.125], np.float32))
    assert found.dc == pytest.approx((0.25, -0.125), abs=5e-4)


def test_peak_and_crest_of_a_sine():
    sine = np.sin(2 * np.pi * np.arange(48000) / 48)[:, np.newaxis]
    found = measured(sine)
    assert found.sample_peak_dbfs == pytest.approx(0.0, abs=1e-9)
    assert found.crest_factor_db == pytest.approx(3.01, abs=0.01)
    assert found.correlation is None
    assert found.balance_db is None


def test_flat_tops_are_counted_once_each():
    line = 0.5 * np.sin(2 * np.pi * np.arange(20000) / 200)
    assert measured(line[:, np.newaxis]).clipped_runs == 0
    clipped = np.clip(2.0 * line, -0.7, 0.7)[:, np.newaxis]
    assert measured(clipped).clipped_runs == 200


@pytest.mark.parametrize("frames", [0, 1, 5000])
def test_silence(frames):
    found = measured(np.zeros((frames, 2), np.float32))
    assert found.correlation is None
    assert found.balance_db is None
    assert found.crest_factor_db is None
    assert found.sample_peak_dbfs == -np.inf
    assert found.dc == (0.0, 0.0)
    assert found.clipped_runs == 0


def test_one_silent_channel_has_no_correlation():
    samples = noise(5000)
    samples[:, 1] = 0.0
    found = measured(samples)
    assert found.correlation is None
    assert found.crest_factor_db is not None


@settings(max_examples=25)
@given(data=st.data(), frames=st.sampled_from([0, 1, 16383, 16384, 16385]) | st.integers(0, 60000))
def test_cuts_change_nothing(data, frames):
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=5)))
    samples = np.clip(noise(frames), -0.15, 0.15)
    assert measured(samples, cuts) == measured(samples)
