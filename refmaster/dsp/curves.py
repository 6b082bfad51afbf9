"""Gain curves as points: their sum, and the bells and shelves that stand on them.

Points are (Hz, dB), rising; a curve is linear in dB over log frequency and flat outside its points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from refmaster._types import Array
from refmaster.settings.curves import MAX_GAIN_DB, CurvePoint
from refmaster.settings.moves import ToneMove

Points = tuple[CurvePoint, ...]

# The side's cut is that of a Butterworth high-pass: 3 dB at its frequency, 48 dB an octave lower.
_MONO_ORDER = 8
_MONO_FLOOR_DB = -100.0
# Where a move is sampled: from where every one of them is level, and finer than the narrowest of them.
_MOVES_FROM_HZ = 1.0
_MOVES_PER_OCTAVE = 96


class HasCurves(Protocol):
    """A part of a plan with curves of the mid and of the width."""

    @property
    def mid(self) -> Points:
        """The gain of mid and side alike."""

    @property
    def width(self) -> Points:
        """The gain of the side against the mid."""

    @property
    def whole_side(self) -> Points | None:
        """The gain of the side, where that is what was written."""


P = TypeVar("P", bound=HasCurves)


def combined_points(one: Points, other: Points, *, sign: float = 1.0) -> Points:
    """Return a curve plus another (less it, with a sign of -1), on the points of both.

    Gains are rounded to 1e-6 dB, so that a sum of written numbers is a written number.
    """
    if not other:
        return one
    hz = np.array(sorted({f for f, _ in (*one, *other)}))
    gains = curve_at(one, hz) + sign * curve_at(other, hz)
    return tuple((float(f), round(float(g), 6) + 0.0) for f, g in zip(hz, gains, strict=True))


def curve_at(points: Points, frequencies_hz: Array) -> Array:
    """Return a curve's gain in dB at `frequencies_hz`; no points are a curve of 0 dB."""
    if not points:
        return np.zeros(len(frequencies_hz))
    hz, gain = np.array(points).T
    return np.asarray(np.interp(np.log2(frequencies_hz), np.log2(hz), gain))


def with_width(part: P) -> P:
    """Complete the validation of curves: a whole gain of the side becomes the width that it means."""
    if part.whole_side is not None:
        if part.width:
            raise ValueError("width and side say the same thing twice; keep width")
        width = combined_points(part.whole_side, part.mid, sign=-1.0)
        part.__dict__.update(width=width, whole_side=None)
    for hz, gain in combined_points(part.mid, part.width):
        if abs(gain) > MAX_GAIN_DB:
            raise ValueError(
                f"mid and width: the side's gain is their sum, at most {MAX_GAIN_DB:g} dB; found "
                f"{gain:+g} dB at {hz:g} Hz"
            )
    return part


def mono_gain_db(mono_below_hz: float, frequencies_hz: Array) -> Array:
    """Return the gain in dB of the side where it is removed below a frequency, at most 0 and at least -100.

    It is the magnitude of a Butterworth high-pass of order 8.
    """
    cut = -10.0 * np.log10(1.0 + (mono_below_hz / frequencies_hz) ** (2 * _MONO_ORDER))
    return np.maximum(cut, _MONO_FLOOR_DB)


def with_mono_below(points: Points, mono_below_hz: float | None, highest_hz: float) -> Points:
    """Return the side's curve up to `highest_hz`, the side removed below a frequency; None: as it is."""
    if mono_below_hz is None:
        return points
    hz = np.union1d(_fine_grid(highest_hz), [f for f, _ in points])
    gains = curve_at(points, hz) + mono_gain_db(mono_below_hz, hz)
    return tuple(zip(hz.tolist(), gains.tolist(), strict=True))


def with_moves(points: Points, moves: Sequence[ToneMove], highest_hz: float) -> Points:
    """Return a curve with moves on it, sampled up to `highest_hz`; the curve itself where there are none."""
    moves = [move for move in moves if move.db != 0.0]
    if not moves:
        return points
    hz = np.union1d(_fine_grid(highest_hz), [f for f, _ in points])
    gains = curve_at(points, hz) + sum(move_gain_db(move, hz) for move in moves)
    return tuple(zip(hz.tolist(), gains.tolist(), strict=True))


def _fine_grid(highest_hz: float) -> Array:
    octaves = np.log2(highest_hz / _MOVES_FROM_HZ)
    return np.geomspace(_MOVES_FROM_HZ, highest_hz, round(octaves * _MOVES_PER_OCTAVE) + 1)


def move_gain_db(move: ToneMove, frequencies_hz: Array) -> Array:
    """Return the gain in dB of a bell or a shelf.

    It is that of the analogue prototype, which the cookbook's biquads follow up to their warping near half
    the sample rate; so it is the same at every sample rate.

    References
    ----------
    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients": H(s), normalised to the
    centre frequency, with A = 10^(dB/40).
    """
    ratio = frequencies_hz / move.hz
    if move.kind == "high_shelf":  # a low shelf seen from above: s and 1/s change places
        ratio = 1.0 / np.maximum(ratio, 1e-9)
    s, root = 1j * ratio, 10.0 ** (move.db / 80.0)
    a = root * root
    if move.kind == "bell":
        above, below = s * s + s * a / move.q + 1.0, s * s + s / (a * move.q) + 1.0
    else:
        above, below = a * (s * s + s * root / move.q + a), a * s * s + s * root / move.q + 1.0
    return np.asarray(20.0 * np.log10(np.abs(above) / np.abs(below)))
