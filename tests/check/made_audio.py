"""Audio that the tests of findings are made of, and its profiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmaster.check.findings import Finding
from refmaster.check.preflight import inspect_mix
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure
from refmaster.profile.model import Profile

Samples = NDArray[np.float64]
RATE_HZ = 44100


def shaped(seconds: float, gain_db: NDArray[np.float64], *, side_db: float = -8.0, seed: int = 5) -> Samples:
    """Noise with a gain per octave (25 Hz to 12.8 kHz) over pink, its side `side_db` over its mid."""
    frames = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((frames, 2)), axis=0)
    hz = np.maximum(np.fft.rfftfreq(frames, 1 / RATE_HZ), 1.0)
    level_db = np.interp(np.log2(hz / 25.0), np.arange(len(gain_db)), gain_db) - 10.0 * np.log10(hz)
    spectrum *= np.where(hz > 20.0, 10.0 ** (level_db / 20.0), 0.0)[:, None]
    mid, side = np.fft.irfft(spectrum, frames, axis=0).T
    side *= 10 ** (side_db / 20) * mid.std() / side.std()
    return np.column_stack([mid + side, mid - side]) / mid.std()


def song(seconds: float = 8.0) -> Samples:
    """Noise as finished songs are balanced, beating twice a second, faded at its ends; peak -8 dBFS."""
    samples = shaped(seconds, np.array([-6.0, 4.0, 6.0, 1.0, 0.0, 0.0, 0.0, -1.0, -3.0, -6.0]))
    time_s = np.arange(len(samples)) / RATE_HZ
    samples *= (0.2 + np.abs(np.sin(2 * np.pi * time_s)) ** 3)[:, None]
    ramp = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.3)[:, None]
    return at_peak(samples * ramp**2, -8.0)


def at_peak(samples: Samples, dbfs: float) -> Samples:
    """Samples at a peak level."""
    return samples * (10 ** (dbfs / 20) / np.abs(samples).max())


def profile(samples: Samples, name: str = "made.wav") -> Profile:
    """Measure samples, faults and all."""
    return measure(ArraySource(samples, RATE_HZ, name=name), faults=True)


def mix(samples: Samples) -> list[Finding]:
    """Judge samples as a mix."""
    return inspect_mix(profile(samples))


def only(findings: list[Finding], code: str) -> Finding:
    """Return the finding of a code, which must be there once."""
    (found,) = [finding for finding in findings if finding.code == code]
    return found
