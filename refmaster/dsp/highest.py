"""The highest true peaks of a stream, without interpolating where none can be.

The points are those of `refmaster.dsp.interpolation`, eight per frame. Most of them are ruled out by a bound
first. Between two samples the interpolated signal is the straight line between them plus the second
differences about them, filtered::

    |y| <= flat * (the larger of the two samples) + bend * (the largest second difference in reach)

with ``bend`` the absolute sum of that filter, which follows from the taps and is about 2 for the half-way
points. Music bends little where it is loud, so that of 0.7 s of it 2 to 10 % have to be looked at. Of those
the half-way points are made, and the same bound, on the signal that has twice the rate, says where the points
between are needed. This is exact for any signal; it is only slower where it rules out little (white noise).

Conventions: blocks are ``(frames, channels)``; levels are linear; the signal is zero outside its frames.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from refmaster._types import Array, Array32
from refmaster.dsp.attenuation import sliding_max
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.interpolation import (
    EIGHTHS,
    FINE_TAPS,
    HALF_TAPS,
    RowInterpolator,
    fine_taps,
    half_way_taps,
    row_interpolator,
)

PART_FRAMES = 32768
"""Each part's highest peak is exact: 0.7 s."""
ROW_FRAMES = 32
BLOCK_FRAMES = 2 * PART_FRAMES  # worked on at once; more do not stay in the cache

_MARGIN_ROWS = 5  # on either side of a block; more than the filters reach
_MARGIN = _MARGIN_ROWS * ROW_FRAMES
_ROWS_AT_ONCE = 256
_SLACK = 1.0 + 1e-5  # float32 rounding is far below


class HighestPeaks:
    """Peaks over all channels per row of 32 frames, exact where a row holds the highest peak of its part.

    Other rows read between their largest sample and their true peak.

    Parameters
    ----------
    channels : int
        Number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._rows = row_interpolator(ROW_FRAMES)
        self._bound, self._fine_bound = _bounds()
        self._blocks: Reblocker[Any] = Reblocker(BLOCK_FRAMES)
        self._line = np.zeros((channels, BLOCK_FRAMES + 2 * _MARGIN), np.float32)
        windows = sliding_window_view(self._line, self._rows.window_frames, axis=1)
        first = _MARGIN - self._rows.before_frames
        self._windows = windows[:, first : first + BLOCK_FRAMES : ROW_FRAMES]
        rows = self._line.shape[1] // ROW_FRAMES
        self._places = np.empty((channels, ROW_FRAMES, rows), np.float32)
        self._steps = np.zeros((channels, ROW_FRAMES + 1, rows), np.float32)
        self._bends = np.empty_like(self._places)
        self._frames_in = 0
        self._frames_done = -_MARGIN

    def push(self, block: NDArray[Any]) -> Array32:
        """Take ``(frames, channels)`` and return the rows now complete, ``(rows,)``."""
        self._frames_in += len(block)
        return self._joined([self._process(piece) for piece in self._blocks.push(block)])

    def flush(self) -> Array32:
        """Return the remaining rows, ``(rows,)``; the stream is then over."""
        done = []
        for block in self._blocks.filled_up(self._channels):
            if self._frames_done >= self._frames_in:
                break
            done.append(self._process(block))
        return self._joined(done)

    def _joined(self, done: list[Array32]) -> Array32:
        if len(done) == 1:
            return done[0]
        return np.concatenate(done) if done else np.empty(0, np.float32)

    def _process(self, block: NDArray[Any]) -> Array32:
        """Take ``BLOCK_FRAMES`` frames and return the rows of those whose surroundings are now known."""
        self._line[:, : 2 * _MARGIN] = self._line[:, BLOCK_FRAMES:].copy()
        self._line[:, 2 * _MARGIN :] = block.T
        samples, bounds = self._bounded()
        peaks = self._refined(samples.max(axis=0), bounds)
        first = max(0, -self._frames_done) // ROW_FRAMES
        last = -(-min(BLOCK_FRAMES, self._frames_in - self._frames_done) // ROW_FRAMES)
        self._frames_done += BLOCK_FRAMES
        return peaks[first:last]

    def _bounded(self) -> tuple[Array32, Array32]:
        """Return the largest sample of each row, and what its points cannot exceed: ``(channels, rows)``."""
        # By place within the row, (channels, ROW_FRAMES, rows): maxima over rows are then of whole lines.
        places, steps = self._places, self._steps
        np.copyto(places, self._line.reshape(self._channels, -1, ROW_FRAMES).transpose(0, 2, 1))
        samples = _magnitude(places)
        around = samples[:, 1:-1].copy()
        np.maximum(around, np.abs(places[:, -1, :-2]), out=around)
        np.maximum(around, np.abs(places[:, 0, 2:]), out=around)
        # steps[:, n] leads to place n from the one before, and the last from there to the next row
        np.subtract(places[:, 1:], places[:, :-1], out=steps[:, 1:-1])
        np.subtract(places[:, 0, 1:], places[:, -1, :-1], out=steps[:, 0, 1:])
        steps[:, -1, :-1] = steps[:, 0, 1:]
        bend = _magnitude(np.subtract(steps[:, 1:], steps[:, :-1], out=self._bends))
        # The outermost rows lack a neighbour, but no filter reaches that far.
        near = sliding_max(bend, _MARGIN_ROWS)
        inner = slice(_MARGIN_ROWS, -_MARGIN_ROWS)
        around = around[:, inner.start - 1 : inner.stop + 1]
        return samples[:, inner], around * self._bound.flat + near * self._bound.bend

    def _refined(self, peaks: Array32, bounds: Array32) -> Array32:
        """Raise the peaks ``(rows,)`` of the rows that may hold the highest one of their part."""
        channels, rows = np.nonzero(bounds > _highest_of_parts(peaks))
        while len(rows):
            some = channels[:_ROWS_AT_ONCE], rows[:_ROWS_AT_ONCE]
            self._refine(peaks, some[1], self._windows[some])
            channels, rows = channels[_ROWS_AT_ONCE:], rows[_ROWS_AT_ONCE:]
            left = bounds[channels, rows] > _highest_of_parts(peaks)[rows]
            channels, rows = channels[left], rows[left]
        return peaks

    def _refine(self, peaks: Array32, rows: NDArray[np.intp], windows: Array32) -> None:
        """Raise ``peaks[rows]`` to the true peaks of their windows, where these may be the highest."""
        samples, half_way = self._rows.doubled(windows)
        own = slice(self._rows.reach_frames, -self._rows.reach_frames)
        heights = np.abs(samples), np.abs(half_way)
        np.maximum.at(peaks, rows, np.maximum(*(height[own].max(axis=0) for height in heights)))
        # The same bound at twice the rate: second differences about half-way points, and about samples.
        bends = (
            half_way[1:] + half_way[:-1] - 2 * samples,
            samples[1:] + samples[:-1] - 2 * half_way[1:-1],
        )
        bend = np.maximum(*(np.abs(part).max(axis=0) for part in bends))
        bounds = np.maximum(*(height.max(axis=0) for height in heights)) * self._fine_bound.flat
        bounds += bend * self._fine_bound.bend
        chosen = np.flatnonzero(bounds > _highest_of_parts(peaks)[rows])
        if len(chosen):
            between = self._rows.highest_between(samples[:, chosen], half_way[:, chosen])
            np.maximum.at(peaks, rows[chosen], between)


def _highest_of_parts(peaks: Array32) -> Array32:
    """Return, for each row, the highest peak that is known of its part."""
    rows = PART_FRAMES // ROW_FRAMES
    return np.repeat(peaks.reshape(-1, rows).max(axis=1), rows)


def _magnitude(places: Array32) -> Array32:
    """Return the largest absolute value over the second axis."""
    return np.asarray(np.maximum(places.max(axis=1), -places.min(axis=1)))


class _Bound(NamedTuple):
    """A bound for points between two samples: ``flat`` times the larger plus ``bend`` times the bend."""

    flat: np.float32
    bend: np.float32


@cache
def _bounds() -> tuple[_Bound, _Bound]:
    """Return the bounds of all points from the samples, and of the second stage's from the doubled signal."""
    half = half_way_taps()
    pad = RowInterpolator.before_frames
    bounds, fine_bounds = [_bound(half, 1 - HALF_TAPS // 2, 0.5)], []
    steps = np.arange(-FINE_TAPS // 2, FINE_TAPS // 2 + 1)  # half frames about the frame
    for eighth in EIGHTHS:
        weights = fine_taps(steps - eighth / 4)
        fine_bounds.append(_bound(weights, int(steps[0]), eighth / 4))
        both = np.zeros(2 * pad + 1)  # both stages in one
        for step, weight in zip(steps, weights, strict=True):
            if step % 2 == 0:
                both[pad + step // 2] += weight
            else:
                start = pad + step // 2 + 1 - HALF_TAPS // 2
                both[start : start + HALF_TAPS] += weight * half
        bounds.append(_bound(both, -pad, eighth / 8))
    return _largest(bounds), _largest(fine_bounds)


def _bound(taps: Array, first: int, at: float) -> tuple[float, float]:
    """Return the bound of a filter whose ``taps`` weigh the samples from ``first`` on, for a point ``at``."""
    left = int(np.floor(at))
    bent = taps.copy()  # what is left of the filter once the straight line is taken off
    bent[left - first] -= 1 - (at - left)
    bent[left + 1 - first] -= at - left
    offset = float(bent.sum())
    slope = float(bent @ (np.arange(len(taps)) + first - left))
    bent[left - first] -= offset - slope
    bent[left + 1 - first] -= slope
    # Without an offset and a slope it is a filter of second differences: their weights are the double sum.
    weights = np.cumsum(np.cumsum(bent))
    return 1.0 + abs(offset) + 2 * abs(slope), float(np.abs(weights).sum())


def _largest(bounds: list[tuple[float, float]]) -> _Bound:
    flat, bend = np.max(bounds, axis=0) * _SLACK
    return _Bound(np.float32(flat), np.float32(bend))
