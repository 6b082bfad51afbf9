"""Values per stretch of a stream: the largest of every 100 ms, sums of squares of given steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array

HOPS_PER_SECOND = 10


class HopMaxima:
    """Collect a value per group of frames into the maximum of each hop of 100 ms.

    A group belongs to the hop that its first frame lies in, so hops do not drift at any sample rate.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    group_frames : int
        Frames per group, at most a hop.
    """

    def __init__(self, sample_rate_hz: int, group_frames: int) -> None:
        self._rate = sample_rate_hz
        self._step = group_frames * HOPS_PER_SECOND  # per group, where a hop is `_rate` long
        self._groups = 0
        self._maxima: list[float] = []

    def add(self, values: NDArray[np.floating]) -> None:
        """Take the next groups, any number of them."""
        if not len(values):
            return
        first = self._groups * self._step // self._rate
        last = (self._groups + len(values) - 1) * self._step // self._rate
        later = -(-np.arange(first + 1, last + 1) * self._rate // self._step) - self._groups
        maxima = np.maximum.reduceat(values, np.concatenate([[0], later]).astype(np.intp)).tolist()
        if first < len(self._maxima):
            maxima[0] = max(maxima[0], self._maxima.pop())
        self._maxima += maxima
        self._groups += len(values)

    def series(self) -> Array:
        """Return the maximum of each hop so far."""
        return np.array(self._maxima)


def step_ends(sample_rate_hz: int, steps_per_second: int) -> NDArray[np.intp]:
    """Return the frame of a second at which each of its steps ends: whole frames, nearest to equal steps."""
    ends = np.arange(1, steps_per_second + 1) * (sample_rate_hz / steps_per_second)
    return np.round(ends).astype(np.intp)


def sums_of_squares(samples: NDArray[np.floating], ends: NDArray[np.intp]) -> NDArray[np.floating]:
    """Return the sum of squares of each step of samples.

    Parameters
    ----------
    samples : ndarray, shape (channels, frames)
        Whole steps.
    ends : ndarray, shape (steps,)
        The frame at which each step ends; the last is the number of frames.

    Returns
    -------
    ndarray, shape (channels, steps), of the samples' dtype
    """
    frames = np.diff(ends, prepend=0)
    if (frames == frames[0]).all():
        steps = samples.reshape(len(samples), len(ends), -1)
        return np.asarray(np.vecdot(steps, steps))
    return np.asarray(np.add.reduceat(np.square(samples), ends - frames, axis=1))
