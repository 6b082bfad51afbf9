"""The filter that true peaks are read with: eight points a frame, in two stages.

The first stage makes the point half way between two samples; its filter decides the accuracy, because only
there is no room between the wanted band and its image. The second stage fills in the eighths of a signal that
is already twofold oversampled, for which a short filter is exact.

======== ======================================== =====================================================
stage    filter                                   figures
======== ======================================== =====================================================
1, x2    256 taps, Kaiser window, beta 4          flat to 0.014 dB up to 0.45 of the sample rate, to
                                                  0.032 dB up to 0.48; highest +0.10, -1 dB at 0.496
2, x4    12 taps per phase, Kaiser, beta 8        ripple and images below -80 dB
======== ======================================== =====================================================

Against Fourier interpolation (16 points a sample) of 10 s from ten pieces of music, the largest peak reads
0.002 dB low to 0.002 high; clipped by 6 dB, 0.018 low to 0.003 high; clipped by 12 dB, 0.040 low to 0.006
high. Eightfold points miss the top of a sine at half the sample rate by 0.17 dB at the very worst.

Frame ``n`` owns the points from ``n - 1/2`` to ``n + 1/2``, both included.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32

HALF_TAPS = 256
FINE_TAPS = 12
LONG_FILTER_NAME = f"{HALF_TAPS}-tap Kaiser sinc x2, {FINE_TAPS}-tap x4 (8x)"
EIGHTHS = (-3, -2, -1, 1, 2, 3)
"""The points of a frame that only the second stage makes."""

_HALF_BETA = 4.0
_FINE_BETA = 8.0


def kaiser_sinc(offsets: NDArray[np.floating], half_width: float, beta: float) -> Array:
    """Return a Kaiser-windowed sinc at ``offsets`` (in samples), zero beyond ``half_width``."""
    inside = np.maximum(0.0, 1.0 - (offsets / half_width) ** 2)
    window = np.where(inside > 0.0, np.i0(beta * np.sqrt(inside)) / np.i0(beta), 0.0)
    return np.asarray(np.sinc(offsets) * window, dtype=np.float64)


def half_way_taps() -> Array:
    """Return the first stage: what the ``HALF_TAPS`` samples about a half-way point weigh."""
    offsets = np.arange(HALF_TAPS, dtype=np.float64) - (HALF_TAPS - 1) / 2
    taps = kaiser_sinc(offsets, HALF_TAPS / 2, _HALF_BETA)
    return np.asarray(taps / taps.sum())


def fine_taps(half_frames: NDArray[np.floating]) -> Array:
    """Return the second stage: what points so many half frames away weigh; the last axis sums up to 1."""
    taps = kaiser_sinc(half_frames, FINE_TAPS / 2, _FINE_BETA)
    return np.asarray(taps / taps.sum(axis=-1, keepdims=True))


class RowInterpolator:
    """Both stages for rows of ``frames`` frames, as matrix products in float32.

    Attributes
    ----------
    reach_frames : int
        Frames on either side of a row whose samples and half-way points the second stage needs.
    before_frames : int
        Frames on either side of a row that the first stage needs for those.
    window_frames : int
        Length of a row with all of them.
    """

    reach_frames = FINE_TAPS // 4
    before_frames = reach_frames + HALF_TAPS // 2

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.window_frames = frames + 2 * self.before_frames
        samples = frames + 2 * self.reach_frames
        half, taps = np.zeros((self.window_frames, samples + 1)), half_way_taps()
        for point in range(samples + 1):
            half[point : point + HALF_TAPS, point] = taps
        at = np.arange(samples) - self.reach_frames
        at = np.concatenate([at, np.arange(samples + 1) - self.reach_frames - 0.5])
        points = (np.array(EIGHTHS)[:, np.newaxis] / 8 + np.arange(frames)).reshape(-1, 1)
        self._half = half.astype(np.float32)
        self._fine = fine_taps(2.0 * (at - points)).astype(np.float32)

    def doubled(self, windows: Array32) -> tuple[Array32, Array32]:
        """Return the samples of rows and ``reach_frames`` about them, and the half-way points among those.

        Parameters
        ----------
        windows : ndarray of float32, shape (rows, window_frames)
            Each row with ``before_frames`` on either side.

        Returns
        -------
        samples : ndarray, shape (n, rows)
        half_way : ndarray, shape (n + 1, rows)
            Half a frame before each sample, and one more after the last.
        """
        around = self.before_frames - self.reach_frames
        samples = windows[:, around : self.window_frames - around]
        return np.ascontiguousarray(samples.T), np.ascontiguousarray((windows @ self._half).T)

    def highest_between(self, samples: Array32, half_way: Array32) -> Array32:
        """Return the largest ``|x|`` at the eighths of each row, from what `doubled` returns."""
        return np.asarray(np.abs(self._fine @ np.concatenate([samples, half_way])).max(axis=0))


@lru_cache(maxsize=4)
def row_interpolator(frames: int) -> RowInterpolator:
    """Return the interpolator for rows of so many frames. It has no state and is made once."""
    return RowInterpolator(frames)
