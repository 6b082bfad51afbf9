"""Curves as a plan holds them: points of frequency in Hz and gain in dB."""

from __future__ import annotations

import numpy as np

from refmaster._types import Array
from refmaster.dsp.curves import combined_points
from refmaster.dsp.curves import curve_at as curve_at
from refmaster.profile.bands import BANDS_PER_OCTAVE
from refmaster.settings.curves import CurvePoint

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


def width_points(frequencies_hz: Array, mid_db: Array, side_db: Array) -> tuple[CurvePoint, ...]:
    """Return the side against the mid as plan points: what brings the mid's points to the side's."""
    mid, side = (tone_points(frequencies_hz, gain) for gain in (mid_db, side_db))
    width = combined_points(side, mid, sign=-1.0)
    return width if any(gain for _, gain in width) else ()
