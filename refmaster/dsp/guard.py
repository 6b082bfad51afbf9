"""The last look at a limited signal: hold the ceiling as the meters will read it.

A gain that was designed for the input's peaks misses by some hundredths of a dB: the gain moves within the
reach of the interpolation filter, and the detector was a quick one. `PeakGuard` measures the signal with the
meter's own filter wherever it comes near the ceiling, and takes back what is too much, smoothly. A correction
is small and moves peaks by far less than itself, so that two or three guards in a row settle it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from refmaster._types import Array, Array32
from refmaster.dsp.attenuation import ReductionInterpolator, sliding_max, sliding_mean
from refmaster.dsp.interpolation import FINE_BETA, FINE_TAPS, HALF_BETA, HALF_TAPS, kaiser_sinc

_REACH = FINE_TAPS // 4  # frames the fine filter looks beyond the group
_CELLS_AT_ONCE = 2048
# A tone at half the sample rate that turns its phase makes peaks that only a long filter sees: beyond the
# quick detector's 16 frames the meter's taps still sum to (2 / pi) ln(128 / 16) = 1.3.
_NYQUIST_WEIGHT = 1.3
_EBUR128_TAPS = 49


@dataclass
class GuardedBlock:
    """Whole groups of frames on their way through the guards.

    Attributes
    ----------
    frames : ndarray, shape (groups * group_frames, channels)
        The signal.
    levels : ndarray of float32, shape (channels, groups)
        Linear estimates of its peaks.
    changed : ndarray of float32, shape (groups,)
        Above 0 where the signal was changed since it was last measured.
    attenuation_db : ndarray, shape (groups,)
        What was taken off so far.
    """

    frames: NDArray[Any]
    levels: Array32
    changed: Array32
    attenuation_db: Array


class GroupPeakMeter:
    """True peak of single groups of frames: the meter's eightfold filter, and libebur128's.

    Parameters
    ----------
    sample_rate_hz : int
        Decides the oversampling of the filter that libebur128 uses.
    group_frames : int
        Frames per group.

    References
    ----------
    libebur128's interpolator is a 49-tap sinc with a Hann window, fourfold below 96 kHz and twofold below
    192 kHz. It is short, and so it now and then reads higher than an exact one near half the sample rate.
    """

    def __init__(self, sample_rate_hz: int, group_frames: int) -> None:
        self._group = group_frames
        self.before_frames = _REACH + HALF_TAPS // 2
        self.window_frames = group_frames + 2 * self.before_frames
        self._half = self._half_matrix()
        self._fine = self._fine_matrix()
        self._short = self._short_matrix(4 if sample_rate_hz < 96000 else 2 if sample_rate_hz < 192000 else 1)

    def measure(self, windows: Array32) -> Array32:
        """Return the linear peak of each group.

        Parameters
        ----------
        windows : ndarray of float32, shape (cells, window_frames)
            Each group with ``before_frames`` on either side.

        Returns
        -------
        ndarray of float32, shape (cells,)
        """
        near = windows[:, self.before_frames - _REACH : self.window_frames - self.before_frames + _REACH]
        half = windows @ self._half
        points = np.concatenate([near, half], axis=1)
        fine = np.abs(self._fine @ points.T).max(axis=0)
        short_reach = (self.window_frames - self._short.shape[1]) // 2
        short = np.abs(self._short @ windows[:, short_reach : self.window_frames - short_reach].T).max(axis=0)
        exact = np.abs(points[:, _REACH : -_REACH or None]).max(axis=1)
        return np.asarray(np.maximum(np.maximum(fine, short), exact))

    def _half_matrix(self) -> Array32:
        """``(window_frames, group + 2 _REACH + 1)``: points half a frame before each sample, one after."""
        count = self._group + 2 * _REACH + 1
        taps = kaiser_sinc(
            np.arange(HALF_TAPS, dtype=np.float64) - (HALF_TAPS - 1) / 2, HALF_TAPS / 2, HALF_BETA
        )
        matrix = np.zeros((self.window_frames, count))
        for point in range(count):
            matrix[point : point + HALF_TAPS, point] = taps / taps.sum()
        return matrix.astype(np.float32)

    def _fine_matrix(self) -> Array32:
        """``(6 group, samples + half-way points)``: the eighths about each frame that are not known yet."""
        samples = self._group + 2 * _REACH
        at = np.concatenate([np.arange(samples) - _REACH, np.arange(samples + 1) - _REACH - 0.5])
        eighths = np.array([-3, -2, -1, 1, 2, 3]) / 8
        points = (eighths[:, np.newaxis] + np.arange(self._group)).reshape(-1, 1)
        matrix = kaiser_sinc(2.0 * (at - points), FINE_TAPS / 2, FINE_BETA)
        return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), dtype=np.float32)

    def _short_matrix(self, factor: int) -> Array32:
        reach = _EBUR128_TAPS // (2 * factor) + 1
        at = np.arange(-reach, self._group + reach)
        centre = (_EBUR128_TAPS - 1) / 2
        phases = np.arange(factor)
        steps = (at - np.arange(self._group)[:, np.newaxis]) * factor - phases[:, np.newaxis, np.newaxis]
        hann = 0.5 * (1 + np.cos(np.pi * steps / centre))
        taps = np.where(np.abs(steps) < centre, np.sinc(steps / factor) * hann, 0.0)
        return np.asarray(taps.reshape(-1, len(at)), dtype=np.float32)


@lru_cache(maxsize=4)
def _group_peak_meter(sample_rate_hz: int, group_frames: int) -> GroupPeakMeter:
    """Return a meter, which has no state, made once for all guards."""
    return GroupPeakMeter(sample_rate_hz, group_frames)


class PeakGuard:
    """Bring what exceeds a level down to a target, by smooth, local attenuation.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate.
    channels : int
        Number of channels; one attenuation serves all.
    group_frames : int
        Frames per group.
    accept, target : float
        Linear: peaks above ``accept`` are brought to ``target``, which is not above it.
    suspect_ratio : float
        Groups are measured where the estimate exceeds ``accept`` times this.
    smooth_groups : int
        Half-width of the smoothing.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channels: int,
        group_frames: int,
        *,
        accept: float,
        target: float,
        suspect_ratio: float,
        smooth_groups: int,
    ) -> None:
        self._meter = _group_peak_meter(sample_rate_hz, group_frames)
        self._interpolate = ReductionInterpolator(group_frames)
        self._group = group_frames
        self._accept, self._target = accept, target
        self._suspect = accept * suspect_ratio
        self._boxes = [(smooth_groups + i) // 3 for i in range(3)]
        self._margin = -(-self._meter.before_frames // group_frames)  # groups the meter needs on either side
        reach = 2 * smooth_groups + 2
        self.latency_groups = self._margin + reach
        self._context = max(self._margin, reach)  # groups already given out that are still needed
        kept = self.latency_groups + self._context
        self._kept = GuardedBlock(
            np.zeros((kept * group_frames, channels)),
            np.zeros((channels, kept), np.float32),
            np.zeros(kept, np.float32),
            np.zeros(kept),
        )
        self._excess = np.zeros(kept - self._margin)  # dB above the target, of the groups measured so far

    def process(self, block: GuardedBlock) -> GuardedBlock:
        """Take whole groups and return as many, ``latency_groups`` earlier (silence at the start)."""
        joined = GuardedBlock(
            np.concatenate([self._kept.frames.astype(block.frames.dtype, copy=False), block.frames]),
            np.concatenate([self._kept.levels, block.levels], axis=1),
            np.concatenate([self._kept.changed, block.changed]),
            np.concatenate([self._kept.attenuation_db, block.attenuation_db]),
        )
        total, new = len(joined.attenuation_db), len(block.attenuation_db)
        first = len(self._excess)
        excess = np.concatenate([self._excess, self._measure(joined, first, total - self._margin)])
        out = slice(self._context, self._context + new)
        result = GuardedBlock(
            joined.frames[out.start * self._group : out.stop * self._group],
            joined.levels[:, out],
            np.zeros_like(block.changed),
            joined.attenuation_db[out],
        )
        if excess.any():
            self._correct(result, excess, out)
        self._kept = GuardedBlock(
            joined.frames[new * self._group :].copy(),
            joined.levels[:, new:].copy(),
            joined.changed[new:].copy(),
            joined.attenuation_db[new:].copy(),
        )
        self._excess = excess[new:]
        return result

    def _measure(self, block: GuardedBlock, first: int, last: int) -> Array:
        """Return by how many dB the groups from ``first`` to ``last`` exceed the target."""
        peaks = np.zeros(last - first, np.float32)
        # A change moves what the meter reads as far as its filter reaches.
        due = sliding_max(block.changed[first - self._margin : last + self._margin], self._margin) > 0.0
        if not due.any():
            return np.zeros(last - first)
        for channel, levels in enumerate(block.levels):
            if levels.max() * (1.0 + _NYQUIST_WEIGHT) <= self._suspect:
                continue
            line = np.ascontiguousarray(block.frames[:, channel], dtype=np.float32)
            unseen = self._near_nyquist(line)[first - self._margin : last + self._margin]
            estimates = levels[first:last] + _NYQUIST_WEIGHT * sliding_max(unseen, self._margin)
            suspects = np.flatnonzero(due & (estimates > self._suspect))
            if not len(suspects):
                continue
            start = first * self._group - self._meter.before_frames
            shape = (last - first, self._meter.window_frames)
            windows = as_strided(line[start:], shape, (self._group * line.itemsize, line.itemsize))
            for some in range(0, len(suspects), _CELLS_AT_ONCE):
                cells = suspects[some : some + _CELLS_AT_ONCE]
                peaks[cells] = np.maximum(peaks[cells], self._meter.measure(windows[cells]))
        over = peaks > self._accept
        excess = np.zeros(last - first)
        excess[over] = 20.0 * np.log10(peaks[over].astype(np.float64) / self._target)
        return excess

    def _near_nyquist(self, line: Array32) -> Array32:
        """Return the amplitude of each group at half the sample rate."""
        signs = np.where(np.arange(self._group) % 2, -1.0, 1.0).astype(np.float32) / self._group
        return np.abs(line.reshape(-1, self._group) @ signs)

    def _correct(self, result: GuardedBlock, excess: Array, out: slice) -> None:
        """Attenuate ``result`` so that it covers ``excess``, and mark what has to be looked at again."""
        smooth = sum(self._boxes)
        reach = 2 * smooth + 2
        correction = sliding_max(excess[out.start - reach : out.stop + reach], smooth + 1)
        for half in self._boxes:
            correction = sliding_mean(correction, half)
        reduction = self._interpolate(1.0 - np.power(10.0, correction / -20.0))
        gain = (1.0 - reduction).astype(result.frames.dtype)
        result.frames = scale_frames(result.frames, gain)
        result.attenuation_db = result.attenuation_db + correction[1:-1]
        result.changed = sliding_max(correction, 1).astype(np.float32)


def scale_frames(frames: NDArray[Any], gain: NDArray[Any]) -> NDArray[Any]:
    """Return ``frames`` (frames, channels) times ``gain`` (frames,): channel by channel, which is fastest."""
    scaled = np.empty_like(frames)
    for channel in range(frames.shape[1]):
        np.multiply(frames[:, channel], gain, out=scaled[:, channel])
    return scaled
