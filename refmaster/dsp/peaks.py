"""A quick estimate of the true peak per group of frames, for what decides gains.

Fourfold interpolation with 32 taps per phase, for every frame, in a quarter of the time of the meter's
filter (`refmaster.dsp.interpolation`). Against that meter, the maximum of a group and its two neighbours
reads at most 0.1 dB low on music, 0.2 dB on music clipped by 12 dB, 1.4 dB on white noise. What must hold
by the meter is checked with the meter's filter afterwards (`refmaster.dsp.guard`).

Samples are laid out as (position in the row, row): the maximum over a group is then a maximum of whole
lines, which is ten times faster than a maximum along eight neighbouring values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from refmaster._types import Array32
from refmaster.dsp.interpolation import kaiser_sinc

_TAPS = 32
_BETA = 3.0
_PHASES = (0.25, 0.5, 0.75)


class QuickPeaks:
    """Largest ``|x|`` of every group of frames and channel, in a stream of equally long blocks.

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
        self._line: Array32 = np.zeros((channels, self._before + block_frames), np.float32)

    def process(self, block: NDArray[Any]) -> Array32:
        """Take ``(block_frames, channels)``, return linear ``(channels, block_frames / group_frames)``."""
        frames = len(block)
        rows, window = frames // self._row, self._row + _TAPS - 1
        groups, size = self._row // self._group_frames, self._group_frames
        self._line[:, : self._before] = self._line[:, frames:].copy()
        peaks = np.empty((len(self._line), rows, groups), np.float32)
        step = self._line.itemsize
        for channel, line in enumerate(self._line):
            line[self._before :] = block[:, channel]
            by_position = np.ascontiguousarray(as_strided(line, (window, rows), (step, self._row * step)))
            points = self._matrix @ by_position
            np.abs(points, out=points)
            between = points.reshape(len(_PHASES), groups, size, rows).max(axis=(0, 2))
            first = _TAPS // 2 - 1
            samples = np.abs(by_position[first : first + self._row]).reshape(groups, size, rows).max(axis=1)
            peaks[channel] = np.maximum(between, samples).T
        return peaks.reshape(len(peaks), rows * groups)

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
