"""The highest true peaks of a stream, without interpolating where none can be.

The points are those of `refmaster.dsp.interpolation`, eight per frame. What is new is the order: most of
them are ruled out by a bound first. Between two samples the interpolated signal is the straight line between
them plus the second differences about them, filtered::

    |y| <= flat * (the larger of the two samples) + bend * (the largest second difference in reach)

with ``bend`` the absolute sum of that filter, which follows from the taps and is about 2 for the half-way
points. Music bends little where it is loud, so that of 0.7 s of it 2 to 10 % have to be looked at. Of those
the half-way points are made, and the same bound, on the signal that has twice the rate, says where the points
between are needed. This is exact for any signal; it is only slower where it rules out little (white noise).

Conventions: blocks are ``(frames, channels)``; levels are linear; the signal is zero outside its frames.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from refmaster._types import Array, Array32
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.interpolation import FINE_BETA, FINE_FACTOR, FINE_TAPS, HALF_BETA, HALF_TAPS, kaiser_sinc

BLOCK_FRAMES = 32768
"""Each block's highest peak is exact for every channel."""
ROW_FRAMES = 32

_MARGIN_ROWS = 5  # on either side of a block; more than the filters reach
_MARGIN = _MARGIN_ROWS * ROW_FRAMES
_FINE_REACH = FINE_TAPS // 4  # frames
_PAD = HALF_TAPS // 2 + _FINE_REACH  # frames about a row that its points depend on
_HALF_POINTS = ROW_FRAMES + 2 * _FINE_REACH + 1
_ROWS_AT_ONCE = 64
_SLACK = 1.0 + 1e-5  # float32 rounding is far below


class HighestPeaks:
    """Peaks per row of 32 frames, exact wherever a row holds a channel's highest peak of its block.

    Other rows read between their largest sample and their true peak.

    Parameters
    ----------
    channels : int
        Number of channels.
    """

    group_frames = ROW_FRAMES

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._half, self._fine, self._bound, self._fine_bound = _matrices()
        self._blocks: Reblocker[Any] = Reblocker(BLOCK_FRAMES)
        self._line = np.zeros((BLOCK_FRAMES + 2 * _MARGIN, channels), np.float32)
        rows = len(self._line) // ROW_FRAMES
        self._places = np.empty((channels, ROW_FRAMES, rows), np.float32)
        self._steps = np.zeros((channels, ROW_FRAMES + 1, rows), np.float32)
        self._bends = np.empty_like(self._places)
        self._frames_in = 0
        self._frames_done = -_MARGIN

    def push(self, block: NDArray[Any]) -> Array32:
        """Take ``(frames, channels)`` and return the rows now complete, ``(rows, channels)``."""
        self._frames_in += len(block)
        return self._joined([self._process(piece) for piece in self._blocks.push(block)])

    def flush(self) -> Array32:
        """Return the remaining rows, ``(rows, channels)``; the stream is then over."""
        done = []
        rest = self._blocks.remainder()
        while self._frames_done < self._frames_in:
            tail = np.zeros((BLOCK_FRAMES, self._channels), np.float32)
            if rest is not None:
                tail[: len(rest)] = rest
                rest = None
            done.append(self._process(tail))
        return self._joined(done)

    def _joined(self, done: list[Array32]) -> Array32:
        if len(done) == 1:
            return done[0]
        return np.concatenate(done) if done else np.empty((0, self._channels), np.float32)

    def _process(self, block: NDArray[Any]) -> Array32:
        """Take ``BLOCK_FRAMES`` frames and return the rows of those whose surroundings are now known."""
        self._line[: 2 * _MARGIN] = self._line[BLOCK_FRAMES:].copy()
        self._line[2 * _MARGIN :] = block
        peaks, bounds = self._bounded()
        for channel in range(self._channels):
            self._refine(self._line[:, channel], peaks[channel], bounds[channel])
        first = max(0, -self._frames_done) // ROW_FRAMES
        last = -(-min(BLOCK_FRAMES, self._frames_in - self._frames_done) // ROW_FRAMES)
        self._frames_done += BLOCK_FRAMES
        return peaks.T[first:last]

    def _bounded(self) -> tuple[Array32, Array32]:
        """Return the largest sample of each row, and what its points cannot exceed: ``(channels, rows)``."""
        # By place within the row, (channels, ROW_FRAMES, rows): maxima over rows are then of whole lines.
        np.copyto(self._places, self._line.reshape(-1, ROW_FRAMES, self._channels).transpose(2, 1, 0))
        places, steps = self._places, self._steps
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
        count = bend.shape[1] - 2 * _MARGIN_ROWS
        near = bend[:, :count].copy()
        for row in range(1, 2 * _MARGIN_ROWS + 1):
            np.maximum(near, bend[:, row : row + count], out=near)
        around = around[:, _MARGIN_ROWS - 1 : 1 - _MARGIN_ROWS]
        inner = np.ascontiguousarray(samples[:, _MARGIN_ROWS:-_MARGIN_ROWS])
        return inner, around * self._bound.flat + near * self._bound.bend

    def _refine(self, line: Array32, peaks: Array32, bounds: Array32) -> None:
        """Raise the peaks of the rows that may hold the highest one, the likeliest first."""
        rows = np.flatnonzero(bounds > peaks.max())
        rows = rows[np.argsort(bounds[rows])[::-1]]
        windows = sliding_window_view(line, ROW_FRAMES + 2 * _PAD)
        while len(rows):
            some, rows = rows[:_ROWS_AT_ONCE], rows[_ROWS_AT_ONCE:]
            self._refine_rows(windows[some * ROW_FRAMES + (_MARGIN - _PAD)], peaks, some)
            rows = rows[bounds[rows] > peaks.max()]

    def _refine_rows(self, windows: Array32, peaks: Array32, rows: NDArray[np.intp]) -> None:
        twice = np.empty((2 * _HALF_POINTS, len(rows)), np.float32)
        twice[0::2] = self._half @ windows.T
        twice[1::2] = windows.T[_PAD - _FINE_REACH : _PAD - _FINE_REACH + _HALF_POINTS]
        height = np.abs(twice)
        owned = slice(2 * _FINE_REACH, 2 * _FINE_REACH + 2 * ROW_FRAMES + 1)
        known = height[owned].max(axis=0)
        bend = np.abs(np.diff(twice, 2, axis=0)).max(axis=0)
        bounds = height.max(axis=0) * self._fine_bound.flat + bend * self._fine_bound.bend
        chosen = np.flatnonzero(bounds > max(known.max(), peaks.max()))
        if len(chosen):
            known[chosen] = np.maximum(known[chosen], np.abs(self._fine @ twice[:, chosen]).max(axis=0))
        peaks[rows] = np.maximum(peaks[rows], known)


def _magnitude(places: Array32) -> Array32:
    """Return the largest absolute value over the second axis."""
    return np.asarray(np.maximum(places.max(axis=1), -places.min(axis=1)))


class _Bound(NamedTuple):
    """Of a point between two samples: ``flat`` times the larger plus ``bend`` times the second difference."""

    flat: np.float32
    bend: np.float32


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


def _matrices() -> tuple[Array32, Array32, _Bound, _Bound]:
    """Return both stages as matrices onto a row, and the bounds of all points and of the second stage's.

    The first takes the window of a row to its half-way points; the second takes those and the samples in
    turn, ``2 * _HALF_POINTS`` values, to the six points between in each frame.
    """
    reach = HALF_TAPS // 2
    taps = kaiser_sinc(np.arange(1.0 - reach, reach + 1.0) - 0.5, reach, HALF_BETA)
    taps /= taps.sum()
    half = np.zeros((ROW_FRAMES + 2 * _PAD, _HALF_POINTS))
    for point in range(_HALF_POINTS):
        half[point : point + HALF_TAPS, point] = taps
    fine = np.zeros((2 * _HALF_POINTS, ROW_FRAMES, 6))
    steps = np.arange(-FINE_TAPS // 2, FINE_TAPS // 2 + 1)  # half frames about the frame
    bounds, fine_bounds = [_bound(taps, 1 - reach, 0.5)], []
    for number, eighth in enumerate((-3, -2, -1, 1, 2, 3)):
        weights = kaiser_sinc(steps.astype(np.float64) - eighth / FINE_FACTOR, FINE_TAPS / 2, FINE_BETA)
        weights /= weights.sum()
        fine_bounds.append(_bound(weights, int(steps[0]), eighth / FINE_FACTOR))
        whole = np.zeros(2 * _PAD + 1)
        for step, weight in zip(steps, weights, strict=True):
            if step % 2 == 0:
                whole[_PAD + step // 2] += weight
            else:
                start = _PAD + step // 2 + 1 - reach
                whole[start : start + HALF_TAPS] += weight * taps
        bounds.append(_bound(whole, -_PAD, eighth / 8))
        for frame in range(ROW_FRAMES):
            at = 2 * (frame + _FINE_REACH) + 1 - FINE_TAPS // 2
            fine[at : at + len(steps), frame, number] = weights
    matrix = fine.reshape(2 * _HALF_POINTS, -1)
    return _transposed(half), _transposed(matrix), _largest(bounds), _largest(fine_bounds)


def _transposed(matrix: Array) -> Array32:
    return np.ascontiguousarray(matrix.T, dtype=np.float32)
