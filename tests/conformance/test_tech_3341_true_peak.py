"""EBU Tech 3341, table 1, cases 15-23: true peak, tolerance +0.2 / -0.4 dB.

The meter, and as a check of the oracle the filter that BS.1770 prints.
"""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.meters.true_peak import TruePeakMeter
from tests.oracles.true_peak import bs1770_peaks, highest_db

TONES = {
    15: (4, 0.0, 0.50, -6.0),
    16: (4, 45.0, 0.50, -6.0),
    17: (6, 60.0, 0.50, -6.0),
    18: (8, 67.5, 0.50, -6.0),
    19: (4, 45.0, 1.41, 3.0),
}


def true_peak_dbtp(mono, sample_rate_hz, name):
    stereo = np.column_stack([mono, mono]).astype(np.float32)
    if name == "bs1770":
        return highest_db(bs1770_peaks(stereo))
    meter = TruePeakMeter(sample_rate_hz, 2)
    meter.update(stereo)
    return meter.result().true_peak_dbtp


def assert_within_tolerance(found, expected):
    assert expected - 0.4 <= found <= expected + 0.2


@pytest.mark.parametrize("name", ["long", "bs1770"])
@pytest.mark.parametrize("case", TONES)
def test_faded_tones(sample_rate_hz, case, name):
    divisor, phase_deg, amplitude, expected = TONES[case]
    frames = sample_rate_hz // 2
    tone = amplitude * np.sin(2 * np.pi * np.arange(frames) / divisor + np.deg2rad(phase_deg))
    fade = np.minimum(1.0, np.arange(frames) / (0.02 * sample_rate_hz))
    fade = np.sin(0.5 * np.pi * np.minimum(fade, fade[::-1])) ** 2
    assert_within_tolerance(true_peak_dbtp(tone * fade, sample_rate_hz, name), expected)


def burst(offset):
    """Return cases 20-23: made at four times the rate, low-passed, every fourth sample from ``offset``."""
    about = 24 * 400
    low = 0.5 * np.sin(2 * np.pi * np.arange(about) / 24)  # fs/6, whole periods: the next begins at phase 0
    high = np.sin(2 * np.pi * np.arange(16) / 16)  # one period of fs/4
    made = np.concatenate([low, high, low])
    fade = np.minimum(1.0, np.arange(len(made)) / 2000)
    made *= np.minimum(fade, fade[::-1])
    at = np.arange(-256, 257)
    low_pass = np.sinc(at / 4) * np.kaiser(len(at), 10) / 4
    return np.convolve(made, low_pass / low_pass.sum(), mode="same")[offset::4]


@pytest.mark.parametrize("name", ["long", "bs1770"])
@pytest.mark.parametrize("case", [20, 21, 22, 23])
def test_burst_between_samples(sample_rate_hz, case, name):
    assert_within_tolerance(true_peak_dbtp(burst(case - 20), sample_rate_hz, name), 0.0)
