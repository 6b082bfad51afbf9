"""Short clipped tops in a stream, restored beyond the level that they were clipped at.

The clipped samples are those that make the smallest error of an autoregressive model of their surroundings
(Janssen, Veldhuis, Vries, "Adaptive interpolation of discrete-time signals that can be modeled as
autoregressive processes", IEEE Trans. ASSP 34, 1986), here under the condition that none falls below the
level again, since that is what clipping tells. Model and samples are found in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.dsp.blocks import BlockKernel
from refmaster.dsp.prediction import error_filter

ORDER = 32
CONTEXT_FRAMES = 512
ROUNDS = 3
# Tops that begin within so many frames are found together.
TOGETHER_FRAMES = 256
# No top is raised to more than twice its level, 6 dB.
MAX_RAISE = 2.0
_BLOCK_FRAMES = 8192
# Samples that break a bound are held in at most so many steps.
_BOUND_ROUNDS = 8


class Declipper(BlockKernel):
    """Restore runs of clipped samples; every other sample passes unchanged, and the length stays.

    Parameters
    ----------
    channels : int
        Channels of the stream.
    levels : sequence of (channel, level)
        Samples at a level above 0 or higher, or at one below 0 or lower, count as clipped.
    longest_frames : int
        Longer runs stay as they are.
    """

    def __init__(self, channels: int, levels: Sequence[tuple[int, float]], longest_frames: int) -> None:
        self._margin = CONTEXT_FRAMES + longest_frames
        super().__init__(channels, _BLOCK_FRAMES, self._margin)
        self._levels = tuple(levels)
        self._longest = longest_frames
        held = 2 * self._margin + _BLOCK_FRAMES
        self._taken: NDArray[Any] = np.zeros((held, channels))  # the stream as it came
        self._given = self._taken.copy()  # the same, restored as far as it is

    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        margin, frames = self._margin, len(block)
        for held in (self._taken, self._given):
            held[:-frames] = held[frames:]
            held[-frames:] = block
        for channel in {channel for channel, _ in self._levels}:
            self._restore(channel, margin, margin + frames)
        return self._given[margin : margin + frames].astype(block.dtype)

    def _restore(self, channel: int, first: int, last: int) -> None:
        """Restore the runs of a channel that begin from frame `first` of what is held to before `last`."""
        taken = self._taken[:, channel]
        clipped = np.zeros(len(taken), bool)
        for its, level in self._levels:
            if its == channel:
                clipped |= taken >= level if level > 0.0 else taken <= level
        if not clipped[first:last].any():
            return
        edges = np.flatnonzero(np.diff(clipped, prepend=False, append=False))
        runs = edges.reshape(-1, 2)
        runs = runs[runs[:, 1] - runs[:, 0] <= self._longest]
        unknown = np.zeros(len(taken), bool)
        for start, end in runs:
            unknown[start:end] = True
        begun = runs[(runs[:, 0] >= first) & (runs[:, 0] < last)]
        while len(begun):
            together = begun[begun[:, 0] < begun[0, 0] + TOGETHER_FRAMES]
            begun = begun[len(together) :]
            low, high = int(together[0, 0]), int(together[-1, 1])
            window = slice(max(0, low - CONTEXT_FRAMES), high + CONTEXT_FRAMES)
            found = restored(taken[window].astype(np.float64), unknown[window])
            for start, end in together - window.start:
                self._given[window][start:end, channel] = found[start:end]


def restored(samples: Array, clipped: NDArray[np.bool_]) -> Array:
    """Return samples, shape (frames,), with the clipped ones where a model of all of them expects them.

    They keep their signs, and none becomes smaller, or larger than `MAX_RAISE` times what it was.
    """
    places = np.flatnonzero(clipped)
    found = samples
    for _ in range(ROUNDS):
        found = _most_likely(samples, places, error_filter([found], ORDER))
    return found


def _most_likely(samples: Array, places: NDArray[np.intp], coefficients: Array) -> Array:
    """Return the samples with those at `places` that make the error smallest, within their bounds.

    The normal equations are those of least squares; samples that break a bound are held at it, and the others
    found again.
    """
    signs, least = np.sign(samples[places]), np.abs(samples[places])
    found = samples.copy()
    found[places] = 0.0
    # The squared error's gradient is the signal filtered by the products of the filter's taps.
    products = np.correlate(coefficients, coefficients, "full")
    pull = -np.convolve(found, products, "same")[places]
    by_lag = np.concatenate([products[ORDER:], [0.0]])
    matrix = by_lag[np.minimum(np.abs(places[:, None] - places), ORDER + 1)]
    values, free = signs * least, np.ones(len(places), bool)
    for _ in range(_BOUND_ROUNDS):
        held = pull[free] - matrix[np.ix_(free, ~free)] @ values[~free]
        values[free] = np.linalg.solve(matrix[np.ix_(free, free)], held)
        bounded = signs * np.clip(signs * values, least, MAX_RAISE * least)
        outside = bounded != values
        values, free = bounded, free & ~outside
        if not outside.any() or not free.any():
            break
    found[places] = values
    return found
