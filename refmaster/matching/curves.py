"""Curves as a plan holds them: points of frequency in Hz and gain in dB."""

from __future__ import annotations

import numpy as np

from refmaster._types import Array
from refmaster.plan import CurvePoint
from refmaster.profile.bands import BANDS_PER_OCTAVE

POINTS_PER_OCTAVE = 6
NEGLIGIBLE_DB = 0.01


def tone_points(frequencies_hz: Array, gain_db: Array) -> tuple[CurvePoint, ...]:
    """Return a curve as plan points at sixths of an octave, or nothing where it is flat at 0 dB.

    1 kHz is one of the points, and so are the centres of the third octaves.
    """
    if np.max(np.abs(gain_db), initial=0.0) < NEGLIGIBLE_DB:
        return ()
    step = BANDS_PER_OCTAVE // POINTS_PER_OCTAVE
    start = int(np.argmin(np.abs(frequencies_hz - 1000.0))) % step
    return tuple(
        (round(float(f), 1), round(float(g), 2) + 0.0)
        for f, g in zip(frequencies_hz[start::step], gain_db[start::step], strict=True)
    )


def curve_at(points: tuple[CurvePoint, ...], frequencies_hz: Array) -> Array:
    """Return a plan curve in dB at `frequencies_hz`: linear in dB over log frequency, flat outside."""
    if not points:
        return np.zeros(len(frequencies_hz))
    hz, gain = np.array(points).T
    return np.asarray(np.interp(np.log2(frequencies_hz), np.log2(hz), gain))
