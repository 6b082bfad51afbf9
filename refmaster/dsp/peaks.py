"""Quick estimates of the true peak per group of frames, which decide the gains of the limiter.

Fourfold interpolation with 32 taps per phase, for every frame, in a quarter of the time of the meter's
filter (`refmaster.dsp.interpolation`). Against that meter, the maximum of a group and its two neighbours
reads at most 0.1 dB low on music, 0.2 dB on music clipped by 12 dB, 1.4 dB on white noise. The ceiling is
checked with the meter's filter afterwards (`refmaster.dsp.guard`).

Samples are laid out as (position in the row, row): the maximum over a group is then a maximum of whole
lines, which is ten times faster than a maximum along eight neighbouring values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array32
from refmaster.dsp.interpolation import kaiser_sinc

_TAPS = 32
_BETA = 3.0
_PHASES = (0.25, 0.5, 0.75)


class QuickPeaks:
    """Largest ``|x|`` over all channels of every group of frames, in a stream of equally long blocks.

    A group owns its samples and the points up to the sample after it. What comes out trails what goes in by
    ``latency_frames``, so the first values belong to frames before the start and are zero.

    Parameters
    ----------
    channels : int
        Number of channels.
    group_frames : int
        Frames per group, a power of two.
    block_frames : int
        Length of every block, a multiple of 16 and of ``group_frames``.
    """

    def __init__(self, channels: int, group_frames: int, block_frames: int) -> None:
        self._row = max(16, group_frames)
        if group_frames & (group_frames - 1) or block_frames % self._row:
            raise ValueError(
                f"expected a power of two that divides the block, got groups of {group_frames} frames "
                f"in blocks of {block_frames}"
            )
        self.latency_frames = self._row
        self._group_frames = group_frames
        self._matrix = self._point_matrix()
        self._before = self._row + _TAPS // 2 - 1
        rows, window = block_frames // self._row, self._row + _TAPS - 1
        whole = rows + 2  # rows that all windows, and what is before the block, lie in
        self._line: Array32 = np.zeros((channels, whole * self._row), np.float32)
        self._by_place = np.empty((self._row, whole), np.float32)
        self._windows = np.empty((window, rows), np.float32)
        self._points = np.empty((len(self._matrix), rows), np.float32)

    def process(self, block: NDArray[Any]) -> Array32:
        """Take ``(block_frames, channels)`` and return ``(block_frames / group_frames,)``, linear."""
        frames, before = len(block), self._before
        rows, size = self._windows.shape[1], self._group_frames
        self._line[:, :before] = self._line[:, frames : frames + before].copy()
        self._line[:, before : before + frames] = block.T
        peaks = np.zeros((self._row // size, rows), np.float32)
        for line in self._line:
            np.copyto(self._by_place, line.reshape(-1, self._row).T)
            for start in range(0, len(self._windows), self._row):
                lines = self._windows[start : start + self._row]
                lines[:] = self._by_place[: len(lines), start // self._row : start // self._row + rows]
            points = np.matmul(self._matrix, self._windows, out=self._points)
            np.abs(points, out=points)
            between = points.reshape(len(_PHASES), -1, size, rows).max(axis=(0, 2))
            first = _TAPS // 2 - 1
            samples = np.abs(self._windows[first : first + self._row]).reshape(-1, size, rows).max(axis=1)
            np.maximum(peaks, between, out=peaks)
            np.maximum(peaks, samples, out=peaks)
        return np.ascontiguousarray(peaks.T).ravel()

    def _point_matrix(self) -> Array32:
        matrix = np.zeros((len(_PHASES), self._row, self._row + _TAPS - 1))
        for phase, offset in enumerate(_PHASES):
            taps = kaiser_sinc(
                np.arange(_TAPS, dtype=np.float64) - (_TAPS // 2 - 1) - offset, _TAPS / 2, _BETA
            )
            taps /= taps.sum()
            for frame in range(self._row):
                matrix[phase, frame, frame : frame + _TAPS] = taps
        return matrix.reshape(-1, self._row + _TAPS - 1).astype(np.float32)
