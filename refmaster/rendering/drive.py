"""The gain that meets a loudness through the limiter, solved without rendering.

Trials run on the signal's `LevelEnvelope`; a secant needs three to six of them. A trial is up to 0.3 LU off
where much is limited: its groups are coarse, and a gain that moves with the bass does not commute with the
K-weighting. So excerpts of the signal, 12 to 24 s spread over it, are kept as well. They go through the real
limiter and through the same prediction, and the difference corrects the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array32, Block
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.limiter import Limiter
from refmaster.meters.loudness import CHANNEL_WEIGHTS, LoudnessMeter
from refmaster.rendering.envelope import LevelEnvelope, Trial
from refmaster.settings.limiter import LimiterSettings

_EXCERPT_SECONDS = 3
_MAX_KEPT_SECONDS = 24

# Where a further dB of gain brings less than this, more gain only flattens.
SATURATED_SLOPE = 0.15
_SLOPE_STEP_DB = 0.25
_LOUDNESS_CLOSE_LU = 0.003
_MAX_TRIALS = 12
_MAX_CORRECTIONS = 2
_CORRECTED_LU = 0.02  # a correction that changes by less is final
_HIGHEST_GAIN_DB = 48.0

Limit = Literal["max_reduction", "saturation"]


@dataclass(frozen=True, kw_only=True)
class DriveSolution:
    """The gain into the limiter, and its predicted effect.

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
        The reason for a loudness below the one that was asked.
    cost_db : float
        Deepest gain reduction that the asked loudness would cost (inf where it cannot be had).
    """

    gain_db: float
    predicted_lufs: float
    predicted_max_reduction_db: float
    slope_lu_per_db: float
    limited_by: Limit | None
    cost_db: float


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
        self._channels = channels
        self._weights = CHANNEL_WEIGHTS.get(channels, (1.0,) * channels)
        self._track = LevelEnvelope(sample_rate_hz, self._weights, on_peaks=on_peaks)
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._second = 0
        self._excerpts: dict[int, NDArray[Any]] = {}  # by their second
        self._stride = 1  # of so many excerpts one is kept
        self._sample_peaks: list[Array32] = []
        self._sample = LevelEnvelope(sample_rate_hz, self._weights, on_peaks=self._sample_peaks.append)
        self._finished = False

    def update(self, block: Block) -> None:
        """Take the next block, shape (frames, channels)."""
        if self._finished:
            raise ValueError("the signal is over: finish() or solve() was called")
        self._track.update(block)
        for second in self._seconds.push(block):
            self._keep(second)

    def finish(self) -> None:
        """Close the collection: the signal is over."""
        if self._finished:
            return
        self._finished = True
        self._track.finish()
        for second in self._excerpts.values():
            self._sample.update(second)
        self._sample.finish()

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
        self.finish()
        wanted, correction, met = self._meet_corrected(target_lufs, settings)
        found, limit = wanted, None if met else "saturation"
        if wanted.reduction_db > max_reduction_db:
            found, limit = self._within(max_reduction_db, settings, wanted), "max_reduction"
            correction = self._correction(found, settings)
        return DriveSolution(
            gain_db=found.gain_db,
            predicted_lufs=found.lufs + correction,
            predicted_max_reduction_db=found.reduction_db,
            slope_lu_per_db=self._slope_at(found, settings),
            limited_by=cast("Limit | None", limit),
            cost_db=wanted.reduction_db if met else np.inf,
        )

    def _meet_corrected(self, target: float, settings: LimiterSettings) -> tuple[Trial, float, bool]:
        """Return the trial that meets the target once corrected, its correction, and whether it does so."""
        aim = target
        trial = self._meet(aim, settings)
        correction = self._correction(trial, settings)
        for _ in range(_MAX_CORRECTIONS):
            if abs(target - aim - correction) < _CORRECTED_LU:
                break
            aim = target - correction
            trial = self._meet(aim, settings, trial)
            correction = self._correction(trial, settings)
        return trial, correction, trial.lufs >= aim - _CORRECTED_LU

    def _correction(self, trial: Trial, settings: LimiterSettings) -> float:
        """Return how much louder the excerpts really become than predicted, in LU."""
        if trial.reduction_db == 0.0 or not self._excerpts or not np.isfinite(trial.lufs):
            return 0.0
        limiter = Limiter(
            self._rate, self._channels, settings, gain_db=trial.gain_db, peaks=self._sample_peaks
        )
        meter = LoudnessMeter(self._rate, self._channels, channel_weights=self._weights)
        for second in self._excerpts.values():
            meter.update(limiter.push(second))
        meter.update(limiter.flush())
        real = meter.result().integrated_lufs
        predicted = self._sample.limited(trial.gain_db, settings).lufs
        return 0.0 if real is None or not np.isfinite(real + predicted) else real - predicted

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
                return previous or best
            previous = best
            step = float(np.clip(missing / max(slope, SATURATED_SLOPE), -6.0, 6.0))
            best = self._track.limited(min(best.gain_db + step, _HIGHEST_GAIN_DB), settings)
        return best

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

    def _keep(self, second: NDArray[Any]) -> None:
        """Keep the excerpts that are due; when there are too many, every other one."""
        if (self._second // _EXCERPT_SECONDS) % self._stride == 0:
            self._excerpts[self._second] = second.copy("K")
        self._second += 1
        if len(self._excerpts) > _MAX_KEPT_SECONDS:
            self._stride *= 2
            kept = self._excerpts.items()
            self._excerpts = {n: s for n, s in kept if (n // _EXCERPT_SECONDS) % self._stride == 0}


def _slope(one: Trial, other: Trial) -> float:
    moved = other.gain_db - one.gain_db
    return 1.0 if abs(moved) < 1e-6 else float(np.clip((other.lufs - one.lufs) / moved, 0.0, 1.0))
