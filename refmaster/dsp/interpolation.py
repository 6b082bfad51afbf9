"""Peaks between the samples: the oversampled maximum of a streaming signal.

The signal is interpolated eightfold in two stages. The first stage makes the point half way between two
samples; its filter decides the accuracy, because only there is no room between the wanted band and its
image. The second stage fills in the eighths of a signal that is already twofold oversampled, for which a
short filter is exact.

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

Both stages are products of rows of samples with a matrix. The first is mirror-symmetric about the middle
of a row, so that sums and differences of mirrored samples halve its size. The second is worked out only
for rows that can matter: no point can exceed the largest sample under the filter times the filter's
absolute sum, and a row is left out when that bound does not exceed what is known already or asked for.
Results are those of the dense computation, up to the rounding of float32.

Conventions: blocks are ``(frames, channels)``; levels are linear, 1.0 is full scale; the signal is zero
outside its frames. Frame ``n`` owns the points from ``n - 1/2`` to ``n + 1/2``, both included.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from refmaster._types import Array, Array32, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.units import db_to_amplitude

HALF_TAPS = 256
HALF_BETA = 4.0
FINE_TAPS = 12
FINE_BETA = 8.0
FINE_FACTOR = 4
LONG_FILTER_NAME = f"{HALF_TAPS}-tap Kaiser sinc x2, {FINE_TAPS}-tap x{FINE_FACTOR} (8x)"

BLOCK_FRAMES = 32768
"""Frames that are worked on at once, whatever the caller's blocks: results depend on nothing else."""

_ROW = 128  # frames per row of the first stage
_CELL = 8  # frames per row of the second stage
_REACH = HALF_TAPS // 2
_DELAY = _CELL  # frames by which the second stage trails the first
_KEPT = _DELAY + _CELL
LATENCY_FRAMES = _REACH + _DELAY
_FINE_REACH = FINE_TAPS // 4  # frames the second stage looks beyond its cell, on either side
_SLACK = 1.0 + 1e-5  # float32 rounding of a product of this size is far below


def kaiser_sinc(offsets: Array, half_width: float, beta: float) -> Array:
    """Return a Kaiser-windowed sinc at ``offsets`` (in samples), zero beyond ``half_width``."""
    inside = np.maximum(0.0, 1.0 - (offsets / half_width) ** 2)
    window = np.where(inside > 0.0, np.i0(beta * np.sqrt(inside)) / np.i0(beta), 0.0)
    return np.asarray(np.sinc(offsets) * window, dtype=np.float64)


def _half_matrices() -> tuple[Array32, Array32]:
    """Return the even and odd halves of the first stage, both ``((window + 1) // 2, _ROW // 2)``."""
    taps = kaiser_sinc(np.arange(HALF_TAPS, dtype=np.float64) - (HALF_TAPS - 1) / 2, HALF_TAPS / 2, HALF_BETA)
    taps /= taps.sum()
    window = _ROW + HALF_TAPS - 1
    full = np.zeros((window, _ROW))
    for n in range(_ROW):
        full[n : n + HALF_TAPS, n] = taps
    size = (window + 1) // 2
    mirrored = full[::-1][:size, : _ROW // 2]
    direct = full[:size, : _ROW // 2]
    even, odd = 0.5 * (direct + mirrored), 0.5 * (direct - mirrored)
    even[-1] *= 0.5  # the middle sample is added to itself
    return even.astype(np.float32), odd.astype(np.float32)


def _fine_matrix() -> tuple[Array32, float]:
    """Return the second stage ``(6 * _CELL, window)`` and the largest absolute sum of its rows.

    The window holds the samples from ``-_FINE_REACH`` to ``_CELL + _FINE_REACH - 1`` about the
    cell, then the half-way points half a frame before each of them and one more after the last.
    """
    samples = _CELL + 2 * _FINE_REACH
    at = np.concatenate([np.arange(samples) - _FINE_REACH, np.arange(samples + 1) - _FINE_REACH - 0.5])
    eighths = np.array([-3, -2, -1, 1, 2, 3]) / 8
    points = (eighths[:, np.newaxis] + np.arange(_CELL)).reshape(-1, 1)
    matrix = kaiser_sinc(2.0 * (at - points), FINE_TAPS / 2, FINE_BETA)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32), float(np.abs(matrix).sum(axis=1).max()) * _SLACK


class _HalfStage:
    """The first stage on one channel: the points half way to the next sample."""

    def __init__(self) -> None:
        self._even, self._odd = _half_matrices()
        rows = BLOCK_FRAMES // _ROW
        size = len(self._even)
        self._sums = np.empty((rows, size), np.float32)
        self._differences = np.empty((rows, size), np.float32)
        self._a = np.empty((rows, _ROW // 2), np.float32)
        self._b = np.empty((rows, _ROW // 2), np.float32)

    def __call__(self, line: Array32, out: Array32) -> None:
        """Write the half-way points of ``line`` (``BLOCK_FRAMES + HALF_TAPS - 1``) to ``out``."""
        rows, size = self._sums.shape
        step = line.itemsize
        forward = as_strided(line, (rows, size), (_ROW * step, step))
        backward_line = line[::-1].copy()
        start = len(line) - (_ROW + HALF_TAPS - 1)
        backward = as_strided(backward_line[start:], (rows, size), (-_ROW * step, step))
        np.add(forward, backward, out=self._sums)
        np.subtract(forward, backward, out=self._differences)
        np.matmul(self._sums, self._even, out=self._a)
        np.matmul(self._differences, self._odd, out=self._b)
        points = out.reshape(rows, _ROW)
        np.add(self._a, self._b, out=points[:, : _ROW // 2])
        np.subtract(self._a[:, ::-1], self._b[:, ::-1], out=points[:, _ROW // 2 :])


class OversampledPeaks:
    """Per-channel maxima of ``|x|`` over the eightfold interpolated points of groups of frames.

    Parameters
    ----------
    channels : int
        Number of channels.
    group_frames : int, optional
        Frames per group; the last group may hold fewer.
    threshold : float, optional
        Linear level up to which a value need not be exact (it is then any value not above it).
    whole_cells : bool, optional
        Groups need not begin at their exact frame: each cell of 8 frames goes to the group of its first
        frame. This is quicker; the groups do not drift.
    linked : bool, optional
        Only the maximum over the channels needs to be exact, so a channel may read low where another is
        higher.
    """

    def __init__(
        self,
        channels: int,
        *,
        group_frames: int = 1,
        threshold: float = 0.0,
        whole_cells: bool = False,
        linked: bool = False,
    ) -> None:
        if channels < 1 or group_frames < 1:
            raise ValueError(f"channels and group_frames must be positive, got {channels}, {group_frames}")
        self.channels = channels
        self.group_frames = group_frames
        self._threshold = np.float32(threshold)
        self._linked = linked
        self._unit = _CELL if whole_cells or group_frames % _CELL == 0 else 1  # frames
        self._half = _HalfStage()
        self._fine, self._bound = _fine_matrix()
        self._blocks: Reblocker[np.float32] = Reblocker(BLOCK_FRAMES)
        # The first stage reads _REACH - 1 frames before and _REACH after the block it works on, and the
        # second trails by a cell and looks one cell around: both lines keep what came before.
        self._line = np.zeros((channels, _KEPT + _REACH + BLOCK_FRAMES + _REACH), np.float32)
        self._points = np.zeros((channels, _KEPT + BLOCK_FRAMES), np.float32)
        self._start_anew()

    def _start_anew(self) -> None:
        self._line[:] = 0.0
        self._points[:] = 0.0
        self._frames_in = 0
        self._frames_done = -LATENCY_FRAMES  # frames whose maximum is known; negative while the delay fills
        self._open = np.zeros(self.channels, np.float32)  # maximum of the group that is not complete
        self._is_open = False
        self._units_done = 0

    def push(self, block: Block) -> Array32:
        """Take ``(frames, channels)`` and return the groups now complete, ``(groups, channels)``."""
        self._frames_in += len(block)
        done = [self._process(b) for b in self._blocks.push(block.astype(np.float32, copy=False))]
        return np.concatenate(done) if done else np.empty((0, self.channels), np.float32)

    def flush(self) -> Array32:
        """Return the remaining groups, ``(groups, channels)``, and start anew."""
        done = []
        rest = self._blocks.remainder()
        tail = np.zeros((BLOCK_FRAMES, self.channels), np.float32)
        if rest is not None:
            tail[: len(rest)] = rest
        while self._frames_done < self._frames_in:
            done.append(self._process(tail))
            tail = np.zeros_like(tail)
        if self._is_open:
            done.append(self._open[np.newaxis])
        self._start_anew()
        return np.concatenate(done) if done else np.empty((0, self.channels), np.float32)

    def _process(self, block: Array32) -> Array32:
        """Work on ``BLOCK_FRAMES`` frames: both stages, then the groups."""
        keep = self._line.shape[1] - BLOCK_FRAMES
        self._line[:, :keep] = self._line[:, BLOCK_FRAMES:].copy()
        self._line[:, keep:] = block.T
        self._points[:, :_KEPT] = self._points[:, BLOCK_FRAMES:].copy()
        for line, points in zip(self._line, self._points, strict=True):
            self._half(line[_KEPT + 1 : _KEPT + BLOCK_FRAMES + HALF_TAPS], points[_KEPT:])
        first = max(0, -self._frames_done)
        last = min(BLOCK_FRAMES, self._frames_in - self._frames_done)
        self._frames_done += BLOCK_FRAMES
        if last <= first:
            return np.empty((0, self.channels), np.float32)
        # Samples and points by place within their cell, (channels, _CELL, cells), one cell more at each
        # end. Point i lies half a frame after sample i.
        cells = (self.channels, BLOCK_FRAMES // _CELL + 2, _CELL)
        samples = np.ascontiguousarray(self._line[:, _REACH:-_REACH].reshape(cells).transpose(0, 2, 1))
        points = np.ascontiguousarray(self._points.reshape(cells).transpose(0, 2, 1))
        peaks, bounds = self._coarse(samples, points)
        floors = self._floors(peaks, first, last)
        for channel in range(self.channels):
            chosen = np.flatnonzero(bounds[channel] > floors[channel])
            if len(chosen):
                found = self._refined(samples[channel], points[channel], chosen)
                if len(chosen) == bounds.shape[1]:
                    np.maximum(peaks[channel], found, out=peaks[channel])
                else:
                    peaks[channel][:, chosen] = np.maximum(peaks[channel][:, chosen], found)
        return self._grouped(self._in_units(peaks, first, last))

    def _coarse(self, samples: Array32, points: Array32) -> tuple[Array32, Array32]:
        """Return each frame's maximum over its sample and the two points about it, and each cell's bound."""
        height = np.abs(points)
        peaks = np.abs(samples)
        largest = np.maximum(peaks.max(axis=1), height.max(axis=1))
        peaks = peaks[:, :, 1:-1]
        np.maximum(peaks, height[:, :, 1:-1], out=peaks)
        np.maximum(peaks[:, 1:], height[:, :-1, 1:-1], out=peaks[:, 1:])
        np.maximum(peaks[:, 0], height[:, -1, :-2], out=peaks[:, 0])
        bounds = np.maximum(np.maximum(largest[:, :-2], largest[:, 2:]), largest[:, 1:-1])
        return np.ascontiguousarray(peaks), bounds * self._bound

    def _refined(self, samples: Array32, points: Array32, chosen: NDArray[np.intp]) -> Array32:
        """Return the largest of the six points between, ``(_CELL, chosen)``."""
        window = np.empty((len(self._fine[0]), len(chosen)), np.float32)
        row = 0
        for line, reach in ((samples, _FINE_REACH), (points, _FINE_REACH + 1)):
            for cell, places in enumerate((range(_CELL - reach, _CELL), range(_CELL), range(_FINE_REACH))):
                for place in places:
                    np.take(line[place, cell:], chosen, out=window[row], mode="clip")
                    row += 1
        fine = self._fine @ window
        np.abs(fine, out=fine)
        return np.asarray(fine.reshape(6, _CELL * len(chosen)).max(axis=0)).reshape(_CELL, len(chosen))

    def _in_units(self, peaks: Array32, first: int, last: int) -> Array32:
        """Return the peaks of the frames from ``first`` to ``last`` per unit, ``(channels, units)``."""
        if self._unit == 1:
            return peaks.transpose(0, 2, 1).reshape(self.channels, -1)[:, first:last]
        if last % _CELL:
            peaks[:, last % _CELL :, last // _CELL] = 0.0
        return np.asarray(peaks.max(axis=1))[:, first // _CELL : -(-last // _CELL)]

    def _floors(self, peaks: Array32, first: int, last: int) -> Array32:
        """Return, per channel and cell, the level a point must exceed to change any group's maximum."""
        cells = BLOCK_FRAMES // _CELL
        if self.group_frames < _CELL:
            return np.full((self.channels, cells), self._threshold, np.float32)
        units = self._in_units(peaks, first, last)
        starts = self._group_starts(units.shape[1])
        known = self._maxima(units, starts)
        if self._linked:
            known[:] = known.max(axis=0)
        known = np.maximum(known, self._threshold)
        lengths = np.diff(starts, append=units.shape[1])
        # Frames before the first and after the last belong to no group: nothing there is of interest.
        floors = np.full((self.channels, BLOCK_FRAMES // self._unit), np.inf, np.float32)
        at = first // self._unit
        floors[:, at : at + units.shape[1]] = np.repeat(known, lengths, axis=1)
        if self._unit == _CELL:
            return floors
        # A cell may lie across two groups, but not three: its ends decide.
        return np.minimum(floors[:, ::_CELL], floors[:, _CELL - 1 :: _CELL])

    def _group_starts(self, units: int) -> NDArray[np.intp]:
        """Return where groups start among the next ``units``; the first may have begun before."""
        done = self._units_done
        group = done * self._unit // self.group_frames  # the one the next unit belongs to
        last = (done + units - 1) * self._unit // self.group_frames
        later = -(-np.arange(group + 1, last + 1) * self.group_frames // self._unit) - done
        return np.concatenate([[0], later]).astype(np.intp)

    def _maxima(self, units: Array32, starts: NDArray[np.intp]) -> Array32:
        """Return the maximum of each group, the first with what was seen of it before."""
        maxima = np.maximum.reduceat(units, starts, axis=1)
        if self._is_open:
            maxima[:, 0] = np.maximum(maxima[:, 0], self._open)
        return np.asarray(maxima)

    def _grouped(self, units: Array32) -> Array32:
        """Return the groups that ``units`` complete, as ``(groups, channels)``."""
        count = units.shape[1]
        if self.group_frames == self._unit:
            return units.T
        maxima = self._maxima(units, self._group_starts(count))
        last = (self._units_done + count - 1) * self._unit // self.group_frames
        self._units_done += count
        self._is_open = self._units_done * self._unit // self.group_frames == last
        if not self._is_open:
            return maxima.T
        self._open = maxima[:, -1].copy()
        return maxima[:, :-1].T


class PeakEnvelope:
    """Oversampled peak level of a streaming signal, the maximum over its channels.

    Exact wherever the value exceeds the threshold. The delay of the filters is compensated: after
    ``flush`` exactly ``ceil(frames / group_frames)`` values have come out, aligned with the input.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz. The filter is defined in samples, so the rate is only checked.
    channels : int
        Number of channels.
    group_frames : int, optional
        Input frames per value.
    threshold_db : float, optional
        Level in dB (0 is full scale) up to which values need not be exact: they are then some value that
        does not exceed it. ``-inf`` makes every value exact.

    Examples
    --------
    >>> import numpy as np
    >>> envelope = PeakEnvelope(48000, 1)
    >>> sine = np.sin(0.5 * np.pi * np.arange(4800) + 0.25 * np.pi)[:, np.newaxis]
    >>> peaks = np.concatenate([envelope.push(sine), envelope.flush()])
    >>> round(float(np.abs(sine).max()), 3), len(peaks), round(float(peaks[2000]), 3)
    (0.707, 4800, 1.0)
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channels: int,
        *,
        group_frames: int = 1,
        threshold_db: float = -np.inf,
    ) -> None:
        if sample_rate_hz < 1:
            raise ValueError(f"sample_rate_hz must be positive, got {sample_rate_hz}")
        self._peaks = OversampledPeaks(
            channels, group_frames=group_frames, threshold=db_to_amplitude(threshold_db), linked=True
        )

    def push(self, block: Block) -> Array32:
        """Take ``(frames, channels)`` and return the values now complete, linear, shape ``(groups,)``."""
        return np.asarray(self._peaks.push(block).max(axis=1))

    def flush(self) -> Array32:
        """Return the remaining values, shape ``(groups,)``, and start anew."""
        return np.asarray(self._peaks.flush().max(axis=1))
