"""The ceiling on white noise, whose energy reaches up to half the sample rate, by Fourier interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.dsp.limiter import Limiter
from refmaster.settings.limiter import LimiterSettings

CEILING_DBTP = -1.0
OVERSAMPLING = 16


def limited_noise(seed: int, edge: float) -> np.ndarray:
    """Return limited full-scale noise without energy above `edge` times the sample rate."""
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, (1 << 16, 1))
    spectrum = np.fft.rfft(noise, axis=0)
    spectrum[round(edge * 2 * (len(spectrum) - 1)) + 1 :] = 0.0
    noise = np.fft.irfft(spectrum, axis=0).astype(np.float32)
    limiter = Limiter(44100, 1, LimiterSettings(ceiling_dbtp=CEILING_DBTP), gain_db=6.0)
    return np.concatenate([limiter.push(noise), limiter.flush()])


def fourier_peak_db(samples: np.ndarray) -> float:
    """Return the highest of `OVERSAMPLING` points a sample, the signal taken as periodic."""
    spectrum = np.fft.rfft(samples.astype(np.float64), axis=0)
    fine = np.fft.irfft(spectrum, len(samples) * OVERSAMPLING, axis=0) * OVERSAMPLING
    return float(20.0 * np.log10(np.abs(fine).max()))


@pytest.mark.parametrize("seed", range(3))
def test_noise_that_ends_below_half_the_sample_rate_is_held(seed: int) -> None:
    assert fourier_peak_db(limited_noise(seed, 0.48)) - CEILING_DBTP < 0.15


@pytest.mark.parametrize("seed", range(3))
def test_noise_up_to_half_the_sample_rate_passes_by_what_the_documentation_says(seed: int) -> None:
    assert fourier_peak_db(limited_noise(seed, 0.5)) - CEILING_DBTP < 0.6
