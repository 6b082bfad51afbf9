"""Rows of interpolated points are those of plain interpolation, and their filter reads sines right."""

from __future__ import annotations

import numpy as np
import pytest

from refmaster.dsp.interpolation import RowInterpolator
from tests.oracles.true_peak import eightfold_peaks


def clipped_noise(frames, seed=5):
    """Noise with flat tops and a quiet middle."""
    samples = np.clip(0.3 * np.random.default_rng(seed).standard_normal(frames), -0.5, 0.5)
    samples[frames // 3 : frames // 2] *= 0.05
    return samples.astype(np.float32)


def row_peaks(line, frames):
    """Return the largest point of each row of the signal, a whole number of rows."""
    rows = RowInterpolator(frames)
    padded = np.pad(line.astype(np.float32), rows.before_frames)
    windows = np.lib.stride_tricks.sliding_window_view(padded, rows.window_frames)[::frames]
    samples, half_way = rows.doubled(windows)
    own = slice(rows.reach_frames, -rows.reach_frames)
    known = np.maximum(np.abs(samples[own]).max(axis=0), np.abs(half_way[own]).max(axis=0))
    return np.maximum(known, rows.highest_between(samples, half_way))


@pytest.mark.parametrize("frames", [1, 2, 8, 16, 32])
def test_rows_hold_the_plain_maximum(frames):
    line = clipped_noise(9600)
    plain = eightfold_peaks(line[:, np.newaxis])[:, 0].reshape(-1, frames).max(axis=1)
    found = row_peaks(line, frames)
    assert found.dtype == np.float32
    assert found == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize(
    ("frequency", "tolerance"), [(0.01, 4e-4), (0.25, 8e-4), (0.4, 0.0013), (0.48, 0.004)]
)
def test_sines_are_read_at_their_amplitude(frequency, tolerance):
    """Filter ripple only: frequencies are chosen off the grid, so that points come close to the tops."""
    time = np.arange(19200)
    found = row_peaks(np.sin(2 * np.pi * (frequency + 1e-4 / np.pi) * time + 0.3), 32)
    assert found[30:-30].max() == pytest.approx(1.0, abs=tolerance)
