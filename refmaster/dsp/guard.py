"""Guards behind the limiter: they hold the ceiling as the meters will read it.

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
from refmaster.dsp.interpolation import row_interpolator
from refmaster.units import amplitude_to_db, db_to_amplitude

_CELLS_AT_ONCE = 2048
# A tone at half the sample rate that turns its phase makes peaks that only a long filter sees: beyond the
# quick detector's 16 frames the meter's taps still sum to (2 / pi) ln(128 / 16) = 1.3.
_NYQUIST_WEIGHT = 1.3
_EBUR128_TAPS = 49


@dataclass
class Passage:
    """A stretch of the signal, in groups of frames, on its way through the guards. They change it in place.

    Attributes
    ----------
    frames : ndarray, shape (channels, groups * group_frames)
        The signal. Frames may follow that no guard has to see yet.
    levels : ndarray of float32, shape (groups,)
        Linear estimates of its peaks over all channels.
    changed : ndarray of float32, shape (groups,)
        Above 0 where the signal was changed since it was last measured.
    attenuation_db : ndarray, shape (groups,)
        Attenuation so far.
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
        self._rows = row_interpolator(group_frames)
        self.before_frames, self.window_frames = self._rows.before_frames, self._rows.window_frames
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
        samples, half_way = self._rows.doubled(windows)
        peaks = self._rows.highest_between(samples, half_way)
        short_reach = (self.window_frames - self._short.shape[1]) // 2
        short = self._short @ windows[:, short_reach : self.window_frames - short_reach].T
        reach = self._rows.reach_frames  # three frames of a neighbour may be among them
        for points in (short, samples[reach:], half_way[:-reach]):
            np.maximum(peaks, np.abs(points).max(axis=0), out=peaks)
        return peaks

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
    """Bring peaks above a level down to a target, by smooth, local attenuation.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate.
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
        self._spread = 2 * smooth_groups + 2  # groups that an excess reaches on either side
        self._ahead = max(self._spread, self._margin)  # so that nothing is measured after it was corrected
        self.latency_groups = self._margin + self._ahead
        self._excess = np.zeros(2 * self._ahead)  # dB above the target of the groups measured last

    def process(self, passage: Passage, stop: int, count: int) -> None:
        """Measure and correct the next ``count`` groups, those that end ``latency_groups`` before ``stop``.

        The groups before ``stop`` are known, and ``latency_groups + margin`` more before the ones to correct.
        """
        stop -= self._margin
        excess = np.concatenate([self._excess, self._measure(passage, stop - count, stop)])
        self._excess = excess[count:]
        out = slice(stop - self._ahead - count, stop - self._ahead)
        passage.changed[out] = 0.0
        if excess.any():
            unused = self._ahead - self._spread
            self._correct(passage, out, excess[unused : len(excess) - unused])

    def _measure(self, passage: Passage, first: int, last: int) -> Array:
        """Return by how many dB the groups from ``first`` to ``last`` exceed the target."""
        peaks = np.zeros(last - first, np.float32)
        # A change moves what the meter reads as far as its filter reaches.
        about = slice(first - self._margin, last + self._margin)
        changed, levels = passage.changed[about], passage.levels
        if not changed.any() or levels[about].max() * (1.0 + _NYQUIST_WEIGHT) <= self._suspect:
            return np.zeros(last - first)
        due = sliding_max(changed, self._margin) > 0.0
        for frames in passage.frames:
            line = np.asarray(frames[about.start * self._group : about.stop * self._group], np.float32)
            unseen = sliding_max(self._near_nyquist(line), self._margin)
            estimates = levels[first:last] + _NYQUIST_WEIGHT * unseen
            suspects = np.flatnonzero(due & (estimates > self._suspect))
            if not len(suspects):
                continue
            start = self._margin * self._group - self._meter.before_frames
            shape = (last - first, self._meter.window_frames)
            windows = as_strided(line[start:], shape, (self._group * line.itemsize, line.itemsize))
            for some in range(0, len(suspects), _CELLS_AT_ONCE):
                cells = suspects[some : some + _CELLS_AT_ONCE]
                peaks[cells] = np.maximum(peaks[cells], self._meter.measure(windows[cells]))
        over = peaks > self._accept
        excess = np.zeros(last - first)
        excess[over] = amplitude_to_db(peaks[over].astype(np.float64) / self._target)
        return excess

    def _near_nyquist(self, line: Array32) -> Array32:
        """Return the amplitude of each group at half the sample rate."""
        signs = np.where(np.arange(self._group) % 2, -1.0, 1.0).astype(np.float32) / self._group
        return np.abs(line.reshape(-1, self._group) @ signs)

    def _correct(self, passage: Passage, out: slice, excess: Array) -> None:
        """Attenuate the groups ``out`` to cover ``excess``, and mark what has to be measured again."""
        correction = sliding_max(excess, sum(self._boxes) + 1)
        for half in self._boxes:
            correction = sliding_mean(correction, half)
        reduction = self._interpolate(1.0 - db_to_amplitude(-correction))
        frames = passage.frames[:, out.start * self._group : out.stop * self._group]
        frames *= (1.0 - reduction).astype(frames.dtype)
        passage.attenuation_db[out] += correction[1:-1]
        passage.changed[out] = sliding_max(correction, 1)
