"""The gain that meets a loudness through the limiter, solved without rendering.

One pass over the signal keeps, per 32 frames, its true-peak level, and per 10 ms its K-weighted power. On
these the limiter's own attenuation design (`refmaster.dsp.attenuation`) is run for a trial gain: within a
10 ms step the gain is averaged by the squared peaks, which stand for the power they carry. A trial costs a
few hundredths of the render; a bracketed secant needs three to six.

The levels are kept as float16 dB (0.03 dB at -60 dB, finer above), so three hours of stereo take 40 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refmaster.dsp.attenuation import AttenuationDesigner, LimiterSettings
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.peaks import QuickPeaks
from refmaster.meters.kweighting import STEPS_PER_SECOND, KWeightedPower
from refmaster.meters.loudness import HOP_STEPS, MOMENTARY_STEPS, integrated_lufs_from_block_powers
from refmaster.units import amplitude_to_db

F64 = NDArray[np.float64]
Block = NDArray[np.float32] | NDArray[np.float64]

GROUP_FRAMES = 32
_BLOCK_FRAMES = 32768
_CHUNK_GROUPS = 1 << 18
_FLOOR_DB = -200.0

# Where a further dB of gain brings less than this, more gain only flattens.
SATURATED_SLOPE = 0.15
_SLOPE_STEP_DB = 0.25
_LOUDNESS_CLOSE_LU = 0.003
_MAX_TRIALS = 12
_HIGHEST_GAIN_DB = 48.0

Limit = Literal["max_reduction", "saturation"]


@dataclass(frozen=True, kw_only=True)
class DriveSolution:
    """The gain into the limiter, and what it is predicted to do.

    Attributes
    ----------
    gain_db : float
    predicted_lufs : float
        Integrated loudness of the limited signal.
    predicted_max_reduction_db : float
        Deepest momentary gain reduction.
    slope_lu_per_db : float
        How much loudness the next dB of gain brings.
    limited_by : {"max_reduction", "saturation"} or None
        What keeps the loudness below the one that was asked.
    cost_db : float
        Deepest gain reduction that the asked loudness would cost (inf where it cannot be had).
    """

    gain_db: float
    predicted_lufs: float
    predicted_max_reduction_db: float
    slope_lu_per_db: float
    limited_by: Limit | None
    cost_db: float


@dataclass(frozen=True)
class _Trial:
    gain_db: float
    lufs: float
    reduction_db: float


class DriveAnalyzer:
    """Collects what `solve` needs from the signal that will enter the limiter.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._rate = sample_rate_hz
        self._peaks = QuickPeaks(channels, GROUP_FRAMES, _BLOCK_FRAMES)
        self._peak_blocks: Reblocker[Any] = Reblocker(_BLOCK_FRAMES)
        self._levels: list[NDArray[np.float16]] = []
        self._power = KWeightedPower(sample_rate_hz, channels)
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._steps: list[F64] = []
        self._frames = 0
        self._channels = channels

    def update(self, block: Block) -> None:
        """Take the next block, shape (frames, channels)."""
        self._frames += len(block)
        for piece in self._peak_blocks.push(block):
            self._take_peaks(piece)
        for second in self._seconds.push(block):
            self._steps.append(self._power.second(second).sum(axis=1))

    def solve(
        self, target_lufs: float, settings: LimiterSettings, *, max_reduction_db: float
    ) -> DriveSolution:
        """Find the gain that meets a loudness, or the most that may be had.

        Parameters
        ----------
        target_lufs : float
            Integrated loudness to meet, in LUFS.
        settings : LimiterSettings
            The limiter that will follow.
        max_reduction_db : float
            Deepest momentary gain reduction allowed, in dB.

        Returns
        -------
        DriveSolution
        """
        self._finish()
        wanted = self._meet(target_lufs, settings)
        if wanted.reduction_db > max_reduction_db:
            allowed = self._within(max_reduction_db, settings, wanted)
            return self._solution(allowed, settings, "max_reduction", cost_db=self._cost(wanted, target_lufs))
        if wanted.lufs < target_lufs - 0.02:
            return self._solution(wanted, settings, "saturation", cost_db=np.inf)
        return self._solution(wanted, settings, None, cost_db=wanted.reduction_db)

    def _meet(self, target: float, settings: LimiterSettings) -> _Trial:
        """Return the trial that meets the target, or the last before more gain stops being worth it."""
        dry = self._loudness(np.ones(len(self._sums)))
        if not np.isfinite(dry):
            return _Trial(0.0, dry, 0.0)
        best = self._try(min(target - dry, _HIGHEST_GAIN_DB), settings)
        previous: _Trial | None = None
        for _ in range(_MAX_TRIALS):
            missing = target - best.lufs
            if abs(missing) <= _LOUDNESS_CLOSE_LU or best.gain_db >= _HIGHEST_GAIN_DB:
                break
            slope = 1.0 if previous is None else self._slope(previous, best)
            if slope < SATURATED_SLOPE and missing > 0:
                return previous or best
            previous = best
            step = float(np.clip(missing / max(slope, SATURATED_SLOPE), -6.0, 6.0))
            best = self._try(min(best.gain_db + step, _HIGHEST_GAIN_DB), settings)
        return best

    @staticmethod
    def _slope(one: _Trial, other: _Trial) -> float:
        moved = other.gain_db - one.gain_db
        return 1.0 if abs(moved) < 1e-6 else float(np.clip((other.lufs - one.lufs) / moved, 0.0, 1.0))

    def _within(self, limit_db: float, settings: LimiterSettings, above: _Trial) -> _Trial:
        """Return the trial with the most gain whose deepest reduction stays within `limit_db`."""
        gain = above.gain_db - (above.reduction_db - limit_db)
        trial = self._try(gain, settings)
        for _ in range(_MAX_TRIALS):
            spare = limit_db - trial.reduction_db
            if 0.0 <= spare <= 0.02:
                break
            trial = self._try(trial.gain_db + spare - 0.005, settings)
        return trial

    def _cost(self, wanted: _Trial, target: float) -> float:
        return wanted.reduction_db if wanted.lufs >= target - 0.02 else np.inf

    def _solution(
        self, trial: _Trial, settings: LimiterSettings, limit: Limit | None, *, cost_db: float
    ) -> DriveSolution:
        slope = 1.0
        if trial.reduction_db > 0.0:
            slope = self._slope(trial, self._try(trial.gain_db + _SLOPE_STEP_DB, settings))
        return DriveSolution(
            gain_db=trial.gain_db,
            predicted_lufs=trial.lufs,
            predicted_max_reduction_db=trial.reduction_db,
            slope_lu_per_db=slope,
            limited_by=limit,
            cost_db=cost_db,
        )

    def _try(self, gain_db: float, settings: LimiterSettings) -> _Trial:
        """Limit the kept levels at one gain."""
        designer = AttenuationDesigner(self._rate / GROUP_FRAMES, settings)
        weighted = np.zeros(len(self._sums))
        total = np.zeros(len(self._sums))
        deepest, done = 0.0, 0
        for levels in self._attenuations(designer, gain_db - settings.ceiling_dbtp):
            deepest = max(deepest, float(levels.max(initial=0.0)))
            power = 10.0 ** (self._level_db[done : done + len(levels)].astype(np.float64) / 10.0)
            steps = self._step_of_group[done : done + len(levels)]
            size = len(total)
            weighted += np.bincount(steps, power * 10.0 ** (-levels / 10.0), size)[:size]
            total += np.bincount(steps, power, size)[:size]
            done += len(levels)
        gains = np.divide(weighted, total, out=np.ones(len(total)), where=total > 0.0)
        return _Trial(gain_db, self._loudness(gains) + gain_db, deepest)

    def _attenuations(self, designer: AttenuationDesigner, over_ceiling_db: float) -> Iterator[F64]:
        for start in range(0, len(self._level_db), _CHUNK_GROUPS):
            chunk = self._level_db[start : start + _CHUNK_GROUPS].astype(np.float64)
            yield designer.push(np.maximum(chunk + over_ceiling_db, 0.0))
        yield designer.flush()

    def _loudness(self, power_gains: F64) -> float:
        """Return the gated loudness with a power gain per 10 ms step, before the trial's own gain."""
        sums = np.concatenate([[0.0], np.cumsum(self._sums * power_gains)])
        frames = np.concatenate([[0], np.cumsum(self._step_frames)])
        starts = np.arange(0, len(self._sums) - MOMENTARY_STEPS + 1, HOP_STEPS)
        ends = starts + MOMENTARY_STEPS
        powers = (sums[ends] - sums[starts]) / (frames[ends] - frames[starts])
        found = integrated_lufs_from_block_powers(np.maximum(powers, 0.0))
        return -np.inf if found is None else found

    def _take_peaks(self, piece: Block) -> None:
        peaks = self._peaks.process(piece).max(axis=0)
        levels = np.maximum(amplitude_to_db(peaks), _FLOOR_DB)
        self._levels.append(levels.astype(np.float16))

    def _finish(self) -> None:
        """Close the collection once."""
        if hasattr(self, "_level_db"):
            return
        rest = self._peak_blocks.remainder()
        for tail in (rest, None):  # the peaks trail by part of a block: one more block of silence
            block = np.zeros((_BLOCK_FRAMES, self._channels), np.float32)
            if tail is not None:
                block[: len(tail)] = tail
            self._take_peaks(block)
        late = self._peaks.latency_frames // GROUP_FRAMES
        groups = -(-self._frames // GROUP_FRAMES)
        self._level_db = np.concatenate(self._levels)[late : late + groups]
        self._levels.clear()
        rest = self._seconds.remainder()
        if rest is not None:
            self._steps.append(self._power.last(rest).sum(axis=1))
        self._sums = np.concatenate(self._steps) if self._steps else np.zeros(0)
        self._steps.clear()
        repeats = -(-len(self._sums) // STEPS_PER_SECOND)
        self._step_frames = np.tile(self._power.step_frames, repeats)[: len(self._sums)]
        centers = (np.arange(groups, dtype=np.int64) * GROUP_FRAMES + GROUP_FRAMES // 2) * STEPS_PER_SECOND
        # Groups after the last whole step belong to none.
        self._step_of_group = np.minimum(centers // self._rate, len(self._sums)).astype(np.int32)
