"""Series of maxima: the largest value of a stream within every 100 ms."""

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
