"""A look-ahead true-peak limiter: two stages of gain, linked over the channels, without latency.

The signal is turned up by the drive, its true peak is estimated per group of frames
(`refmaster.dsp.peaks`), a smooth attenuation is designed that covers every peak
(`refmaster.dsp.attenuation`), and the result is checked with the meter's own filter and corrected where it
still exceeds the ceiling (`refmaster.dsp.guard`). Every channel gets the same gain, so the image stays.

Blocks are ``(frames, channels)`` and keep their dtype. Where no gain is asked and nothing exceeds the ceiling
the frames come out as they went in, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32
from refmaster.dsp.attenuation import (
    TARGET_DB,
    AttenuationDesigner,
    ReductionInterpolator,
    group_frames_for,
    required_attenuation_db,
    sliding_max,
)
from refmaster.dsp.blocks import BlockKernel
from refmaster.dsp.guard import Passage, PeakGuard
from refmaster.dsp.hops import HopMaxima
from refmaster.dsp.peaks import QuickPeaks
from refmaster.settings.limiter import LimiterSettings
from refmaster.units import db_to_amplitude

BLOCK_FRAMES = 32768

# Peaks up to this far below the ceiling are left alone. It covers dither: TPDF at 16 bits moves a full-scale
# peak by 0.001 dB.
_ACCEPT_DB = 0.002
# How far the detector's estimate may lie below what the meters read: 2 dB covers white noise.
_SUSPECT_DB = 2.0
_GUARDS = 4
# A correction must be slow against the interpolation filter, at 8 kHz as well.
_SMOOTH_FRAMES = 64
_ACTIVE_DB = 0.1


@dataclass(frozen=True, kw_only=True)
class LimiterActivity:
    """A limiter's gain reduction.

    Attributes
    ----------
    max_gain_reduction_db : float
        Deepest momentary gain reduction, in dB (positive); the drive is not part of it.
    mean_gain_reduction_db : float
        Mean over the time it was active, in dB; 0 if it never was.
    active_share : float
        Share of the time with more than 0.1 dB of reduction, 0 to 1.
    gain_reduction_db : ndarray of float32, shape (hops,)
        Deepest reduction in every 100 ms, in dB.
    """

    max_gain_reduction_db: float
    mean_gain_reduction_db: float
    active_share: float
    gain_reduction_db: Array32


class Limiter(BlockKernel):
    """Turn a stream up by ``gain_db`` and hold its true peak under the ceiling.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate.
    channels : int
        Number of channels; all get the same gain.
    settings : LimiterSettings
        Ceiling and times.
    gain_db : float, optional
        Drive: gain in dB before the limiter.
    peaks : sequence of ndarray, optional
        The stream's `QuickPeaks` at ``group_frames_for(sample_rate_hz)``, for blocks of `BLOCK_FRAMES`, where
        they are known from an earlier pass.

    Notes
    -----
    The ceiling holds by the eightfold long-filter meter of `refmaster.dsp.interpolation` and by libebur128's
    filter, on float output and after dither to 16 bits or more.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channels: int,
        settings: LimiterSettings,
        *,
        gain_db: float = 0.0,
        peaks: Sequence[Array32] | None = None,
    ) -> None:
        self._group = group_frames_for(sample_rate_hz)
        self._drive = db_to_amplitude(float(gain_db))
        self._ceiling = db_to_amplitude(settings.ceiling_dbtp)
        group_rate_hz = sample_rate_hz / self._group
        self._guards = [
            PeakGuard(
                sample_rate_hz,
                self._group,
                accept=self._ceiling * db_to_amplitude(-_ACCEPT_DB),
                target=self._ceiling * db_to_amplitude(-TARGET_DB),
                suspect_ratio=db_to_amplitude(-_SUSPECT_DB),
                smooth_groups=max(
                    round(settings.lookahead_ms * 1e-3 * group_rate_hz), -(-_SMOOTH_FRAMES // self._group)
                ),
            )
            for _ in range(_GUARDS)
        ]
        latency = self._guards[0].latency_groups
        super().__init__(channels, BLOCK_FRAMES, _GUARDS * latency * self._group)
        self._detector = QuickPeaks(channels, self._group, BLOCK_FRAMES)
        self._known_peaks = None if peaks is None else iter(peaks)
        self._designer = AttenuationDesigner(group_rate_hz, settings)
        self._interpolate = ReductionInterpolator(self._group)
        # The frames that the guards are not done with or look back to, silence at first, and after these
        # ``_seen`` groups the frames whose gain is not known yet.
        self._seen = seen = (_GUARDS + 1) * latency
        self._passage = Passage(
            np.zeros((channels, seen * self._group), np.float32),
            np.zeros(seen, np.float32),
            np.zeros(seen, np.float32),
            np.zeros(seen),
        )
        self._peaks = np.zeros(1, np.float32)  # of the frames waiting, and one group before
        self._attenuation = np.zeros(0)  # final attenuations not used yet, and one group before
        self._peaks_to_drop = self._detector.latency_frames // self._group
        self._activity = _ActivityLog(sample_rate_hz, self._group)

    @property
    def activity(self) -> LimiterActivity:
        """The gain reduction of the frames that have come out so far."""
        return self._activity.result()

    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        peaks = self._quick_peaks(block)[self._peaks_to_drop :]
        self._peaks_to_drop = 0
        self._peaks = np.concatenate([self._peaks, peaks])
        attenuation = self._designer.push(self._required(peaks))
        if not len(self._attenuation):
            self._attenuation = attenuation[:1]  # the group before the first goes along with it
        self._attenuation = np.concatenate([self._attenuation, attenuation])
        groups = max(0, len(self._attenuation) - 2)
        passage = self._continued(block, groups)
        for number, guard in enumerate(self._guards):
            guard.process(passage, self._seen + groups - number * guard.latency_groups, groups)
        final = guard.latency_groups  # so many groups were given out before
        out = slice(final * self._group, (final + groups) * self._group)
        self._log(passage.attenuation_db[final : final + groups])
        self._passage = passage
        return passage.frames[:, out].T

    def _quick_peaks(self, block: NDArray[Any]) -> Array32:
        if self._known_peaks is None:
            return self._detector.process(block)
        found = next(self._known_peaks, None)
        return np.zeros(len(block) // self._group, np.float32) if found is None else found

    def _required(self, peaks: Array32) -> Array:
        """Return the attenuation in dB that each group asks for."""
        levels = peaks * (self._drive / self._ceiling)
        return required_attenuation_db(20.0 * np.log10(np.maximum(levels, 1e-6)))

    def _continued(self, block: NDArray[Any], groups: int) -> Passage:
        """Return the passage with the next ``groups`` at their drive and attenuation.

        Groups that no guard needs any more are left out, so that it holds ``_seen + groups`` groups with a
        known gain.
        """
        before = self._passage
        done = len(before.changed) - self._seen
        frames = before.frames[:, done * self._group :].astype(block.dtype, copy=False)
        frames = np.concatenate([frames, block.T], axis=1)
        attenuation = self._attenuation[: groups + 2] if groups else np.zeros(2)
        gains = db_to_amplitude(-attenuation)
        driven = frames[:, self._seen * self._group : (self._seen + groups) * self._group]
        if attenuation.any():
            driven *= (self._drive * (1.0 - self._interpolate(1.0 - gains))).astype(frames.dtype)
        elif self._drive != 1.0:
            driven *= frames.dtype.type(self._drive)
        # An estimate of the output's peaks, on the high side: a peak may lie in the group beside.
        loudest: Array = self._drive * sliding_max(gains, 1)
        levels = sliding_max(self._peaks[: groups + 2], 1) * loudest.astype(np.float32)
        self._peaks = self._peaks[groups:]
        self._attenuation = self._attenuation[groups:]
        return Passage(
            frames,
            np.concatenate([before.levels[done:], levels]),
            np.concatenate([before.changed[done:], np.ones(groups, np.float32)]),
            np.concatenate([before.attenuation_db[done:], attenuation[1:-1]]),
        )

    def _log(self, attenuation_db: Array) -> None:
        """Add the groups of the stream among the next ones to come out."""
        first = max(0, -self._frames_out) // self._group
        last = -(-(self._frames_in - self._frames_out) // self._group)
        self._activity.add(attenuation_db[first : max(first, last)])


class _ActivityLog:
    """Collect attenuations group by group."""

    def __init__(self, sample_rate_hz: int, group_frames: int) -> None:
        self._hops = HopMaxima(sample_rate_hz, group_frames)
        self._groups = 0
        self._active = 0
        self._active_sum_db = 0.0

    def add(self, attenuation_db: Array) -> None:
        active = attenuation_db > _ACTIVE_DB
        self._active += int(np.count_nonzero(active))
        self._active_sum_db += float(attenuation_db[active].sum())
        self._groups += len(attenuation_db)
        self._hops.add(attenuation_db)

    def result(self) -> LimiterActivity:
        series = self._hops.series().astype(np.float32)
        return LimiterActivity(
            max_gain_reduction_db=float(series.max(initial=0.0)),
            mean_gain_reduction_db=self._active_sum_db / self._active if self._active else 0.0,
            active_share=self._active / self._groups if self._groups else 0.0,
            gain_reduction_db=series,
        )
