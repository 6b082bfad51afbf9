"""The gain that meets a loudness through the limiter, solved without rendering.

Trials run on the signal's `LevelEnvelope`; a secant needs three to six of them. A trial is up to 0.3 LU off
where much is limited: its groups are coarse, and a gain that moves with the bass does not commute with the
K-weighting. So excerpts of the signal, 12 to 24 s spread over it, are kept as well. They go through the real
limiter and through the same prediction, and the difference corrects the prediction. On what comes out of it
the noise-to-mask ratio is measured, which bounds the limiting by what is heard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array32, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.meters.loudness import CHANNEL_WEIGHTS
from refmaster.rendering.envelope import LevelEnvelope, Trial
from refmaster.rendering.excerpts import LimitedExcerpts, SpreadExcerpts
from refmaster.settings.limiter import LimiterSettings

# Where a further dB of gain brings less than this, more gain only flattens.
SATURATED_SLOPE = 0.1
_SLOPE_STEP_DB = 0.25
_SATURATION_HALVINGS = 4
_LOUDNESS_CLOSE_LU = 0.003
_MAX_TRIALS = 12
_MAX_CORRECTIONS = 2
_CORRECTED_LU = 0.02  # a correction that changes by less is final
_HIGHEST_GAIN_DB = 48.0
_MAX_NOISE_TRIALS = 6
_NOISE_CLOSE_DB = 0.2

Limit = Literal["max_reduction", "audibility", "saturation"]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """A gain into the limiter, and its predicted effect.

    Attributes
    ----------
    gain_db : float
    lufs : float
        Integrated loudness of the limited signal; -inf where there is none.
    max_reduction_db : float
        Deepest momentary gain reduction.
    noise_to_mask_db : float
        Of the limited excerpts; -inf where nothing is heard of it.
    """

    gain_db: float
    lufs: float
    max_reduction_db: float
    noise_to_mask_db: float


@dataclass(frozen=True, kw_only=True)
class DriveSolution:
    """The gain into the limiter that was found, and what no bound would have reached.

    Attributes
    ----------
    found : Reach
    full : Reach
        The gain that meets the loudness, or the most that is worth it; `found` itself where nothing bound it.
    meets_target : bool
        Whether `full` has the loudness that was asked.
    slope_lu_per_db : float
        How much loudness the next dB of gain brings.
    limited_by : {"max_reduction", "audibility", "saturation"} or None
        The reason for a loudness below the one that was asked.
    """

    found: Reach
    full: Reach
    meets_target: bool
    slope_lu_per_db: float
    limited_by: Limit | None


class DriveAnalyzer:
    """Collect what `solve` needs from the signal that will enter the limiter.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    channels : int
        Number of channels. BS.1770 weights them; a count it does not know is summed with equal weights.
    on_peaks : callable, optional
        Called with each block's quick peaks, which `Limiter` takes where it is given the same signal.
    """

    def __init__(
        self, sample_rate_hz: int, channels: int, *, on_peaks: Callable[[Array32], None] | None = None
    ) -> None:
        self._rate = sample_rate_hz
        self._weights = CHANNEL_WEIGHTS.get(channels, (1.0,) * channels)
        self._track = LevelEnvelope(sample_rate_hz, self._weights, on_peaks=on_peaks)
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._has_seconds = False
        self._excerpts = SpreadExcerpts()
        self._finished = False

    def update(self, block: Block) -> None:
        """Take the next block, shape (frames, channels)."""
        if self._finished:
            raise ValueError("the signal is over: finish() or solve() was called")
        self._track.update(block)
        for second in self._seconds.push(block):
            self._take(second)

    def finish(self) -> None:
        """Close the collection: the signal is over."""
        if self._finished:
            return
        self._finished = True
        self._track.finish()
        rest = self._seconds.remainder()
        if rest is not None and not self._has_seconds:
            self._take(rest)
        self._sample = LimitedExcerpts(self._rate, self._weights, self._excerpts.blocks())

    def solve(
        self,
        target_lufs: float,
        settings: LimiterSettings,
        *,
        max_reduction_db: float | None = None,
        max_noise_to_mask_db: float | None = None,
    ) -> DriveSolution:
        """Find the gain that meets a loudness, or the most that may be had.

        Parameters
        ----------
        target_lufs : float
            Integrated loudness to meet, in LUFS.
        settings : LimiterSettings
            The limiter that will follow.
        max_reduction_db : float, optional
            Deepest momentary gain reduction allowed, in dB.
        max_noise_to_mask_db : float, optional
            Highest noise-to-mask ratio allowed, in dB.

        Returns
        -------
        DriveSolution
        """
        self.finish()
        wanted, correction, met = self._meet_corrected(target_lufs, settings)
        full = found = self._reach(wanted, correction, settings)
        at: Trial = wanted
        limit: Limit | None = None if met else "saturation"
        if max_reduction_db is not None and found.max_reduction_db > max_reduction_db:
            at, limit = self._within(max_reduction_db, settings, wanted), "max_reduction"
            found = self._reach(at, self._correction(at, settings), settings)
        if max_noise_to_mask_db is not None and found.noise_to_mask_db > max_noise_to_mask_db:
            at, limit = self._unheard(max_noise_to_mask_db, settings, found), "audibility"
            found = self._reach(at, self._correction(at, settings), settings)
        return DriveSolution(
            found=found,
            full=full,
            meets_target=met,
            slope_lu_per_db=self._slope_at(at, settings),
            limited_by=limit,
        )

    def _reach(self, trial: Trial, correction_lu: float, settings: LimiterSettings) -> Reach:
        limited = trial.reduction_db > 0.0
        return Reach(
            gain_db=trial.gain_db,
            lufs=trial.lufs + correction_lu,
            max_reduction_db=trial.reduction_db,
            noise_to_mask_db=(self._sample.noise_to_mask_db(trial.gain_db, settings) if limited else -np.inf),
        )

    def _meet_corrected(self, target: float, settings: LimiterSettings) -> tuple[Trial, float, bool]:
        """Return the trial that meets the target once corrected, its correction, and whether it does so."""
        aim = target
        trial = self._meet(aim, settings)
        correction = self._correction(trial, settings)
        for _ in range(_MAX_CORRECTIONS):
            out_of_reach = max(trial.lufs - aim, trial.lufs + correction - target) < -_CORRECTED_LU
            if out_of_reach or abs(target - aim - correction) < _CORRECTED_LU:
                break
            aim = target - correction
            trial = self._meet(aim, settings, trial)
            correction = self._correction(trial, settings)
        return trial, correction, trial.lufs >= aim - _CORRECTED_LU

    def _correction(self, trial: Trial, settings: LimiterSettings) -> float:
        """Return how much louder the limited signal really becomes than predicted, in LU, by its excerpts."""
        if trial.reduction_db == 0.0 or not np.isfinite(trial.lufs):
            return 0.0
        return self._sample.louder_than_predicted_lu(trial.gain_db, settings)

    def _meet(self, target: float, settings: LimiterSettings, start: Trial | None = None) -> Trial:
        """Return the trial that meets the target, or the last before more gain stops being worth it."""
        dry = self._track.dry_lufs()
        if not np.isfinite(dry):
            return Trial(0.0, dry, 0.0)
        best = start or self._track.limited(min(target - dry, _HIGHEST_GAIN_DB), settings)
        previous: Trial | None = None
        for _ in range(_MAX_TRIALS):
            missing = target - best.lufs
            if abs(missing) <= _LOUDNESS_CLOSE_LU or best.gain_db >= _HIGHEST_GAIN_DB:
                break
            slope = 1.0 if previous is None else _slope(previous, best)
            if slope < SATURATED_SLOPE and missing > 0:
                return best if previous is None else self._before_saturation(previous, best, settings)
            previous = best
            step = float(np.clip(missing / max(slope, SATURATED_SLOPE), -6.0, 6.0))
            best = self._track.limited(min(best.gain_db + step, _HIGHEST_GAIN_DB), settings)
        return best

    def _before_saturation(self, low: Trial, high: Trial, settings: LimiterSettings) -> Trial:
        """Return the trial with the most gain between two where the next dB of gain is still worth it."""
        for _ in range(_SATURATION_HALVINGS):
            middle = self._track.limited((low.gain_db + high.gain_db) / 2.0, settings)
            if self._slope_at(middle, settings) >= SATURATED_SLOPE:
                low = middle
            else:
                high = middle
        return low

    def _unheard(self, limit_db: float, settings: LimiterSettings, above: Reach) -> Trial:
        """Return the trial with the most gain whose noise-to-mask ratio stays within `limit_db`."""
        low_db, high_db = above.gain_db - above.max_reduction_db, above.gain_db
        low_excess, high_excess = -np.inf, above.noise_to_mask_db - limit_db
        for _ in range(_MAX_NOISE_TRIALS):
            if np.isfinite(low_excess):  # a secant, kept off the ends
                share = np.clip(-low_excess / (high_excess - low_excess), 0.1, 0.9)
                gain_db = low_db + float(share) * (high_db - low_db)
            else:  # more gain raises the ratio by 1 to 3 dB per dB
                gain_db = max(high_db - high_excess / 1.5 - 0.1, (low_db + high_db) / 2.0)
            excess = self._sample.noise_to_mask_db(gain_db, settings) - limit_db
            if excess > 0.0:
                high_db, high_excess = gain_db, excess
            else:
                low_db, low_excess = gain_db, excess
                if excess > -_NOISE_CLOSE_DB:
                    break
        return self._track.limited(low_db, settings)

    def _within(self, limit_db: float, settings: LimiterSettings, above: Trial) -> Trial:
        """Return the trial with the most gain whose deepest reduction stays within `limit_db`."""
        trial = self._track.limited(above.gain_db - (above.reduction_db - limit_db), settings)
        for _ in range(_MAX_TRIALS):
            spare = limit_db - trial.reduction_db
            if -0.001 <= spare <= 0.08:  # the least reduction there is, where it begins, is 0.07 dB
                break
            trial = self._track.limited(trial.gain_db + spare - 0.005, settings)
        return trial

    def _slope_at(self, trial: Trial, settings: LimiterSettings) -> float:
        if trial.reduction_db == 0.0:
            return 1.0
        return _slope(trial, self._track.limited(trial.gain_db + _SLOPE_STEP_DB, settings))

    def _take(self, second: NDArray[Any]) -> None:
        self._has_seconds = True
        self._excerpts.take(second)


def _slope(one: Trial, other: Trial) -> float:
    moved = other.gain_db - one.gain_db
    return 1.0 if abs(moved) < 1e-6 else float(np.clip((other.lufs - one.lufs) / moved, 0.0, 1.0))
