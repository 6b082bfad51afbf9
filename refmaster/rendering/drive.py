"""The gain that meets a loudness through the limiter, solved without rendering.

One pass over the signal keeps its true-peak level, per group of 32 frames at 44.1 kHz, and its K-weighted
power, per 10 ms. On these the limiter's own attenuation design (`refmaster.dsp.attenuation`) is run for a
trial gain: within a 10 ms step the gain is averaged by the squared peaks, which stand for the power they
carry. A trial costs a few hundredths of the render; a secant needs three to six.

Such a trial is up to 0.3 LU off where much is limited: groups are coarse, and a gain that moves with the bass
does not commute with the K-weighting. So excerpts of the signal, 12 to 24 s spread over it, are kept as well.
They go through the real limiter and through the same prediction, and the difference corrects the prediction.

Levels are kept as 16-bit dB codes: three hours of stereo take 40 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Block
from refmaster.dsp.attenuation import AttenuationDesigner, group_frames_for, required_attenuation_db
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.limiter import Limiter
from refmaster.dsp.peaks import QuickPeaks
from refmaster.meters.kweighting import STEPS_PER_SECOND, KWeightedPower
from refmaster.meters.loudness import (
    CHANNEL_WEIGHTS,
    HOP_STEPS,
    MOMENTARY_STEPS,
    LoudnessMeter,
    integrated_lufs_from_block_powers,
)
from refmaster.settings.limiter import LimiterSettings

Codes = NDArray[np.uint16]

_BLOCK_FRAMES = 32768
_CHUNK_GROUPS = 1 << 16
_GROUPS_JOINED = 4  # the limiter's groups per group here
_CODES_PER_DB = 200.0
_FLOOR_DB = -250.0
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
    unlimited_gain_db : float or None
        Gain that meets the asked loudness whatever the reduction; None where it cannot be had.
    """

    gain_db: float
    predicted_lufs: float
    predicted_max_reduction_db: float
    slope_lu_per_db: float
    limited_by: Limit | None
    cost_db: float
    unlimited_gain_db: float | None


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
        Sample rate, in Hz.
    channels : int
        Number of channels. BS.1770 weights them; a count it does not know is summed with equal weights.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._rate = sample_rate_hz
        self._channels = channels
        self._weights = CHANNEL_WEIGHTS.get(channels, (1.0,) * channels)
        self._track = _Envelope(sample_rate_hz, channels, self._weights)
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._second = 0
        self._excerpts: dict[int, NDArray[Any]] = {}  # by their second
        self._stride = 1  # of so many excerpts one is kept
        self._solved = False

    def update(self, block: Block) -> None:
        """Take the next block, shape (frames, channels)."""
        if self._solved:
            raise ValueError("the signal is over: solve() was called")
        self._track.update(block)
        for second in self._seconds.push(block):
            self._keep(second)

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
            unlimited_gain_db=wanted.gain_db if met else None,
        )

    def _meet_corrected(self, target: float, settings: LimiterSettings) -> tuple[_Trial, float, bool]:
        """Return the trial that meets the target once corrected, its correction, and if it does meet it."""
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

    def _correction(self, trial: _Trial, settings: LimiterSettings) -> float:
        """Return how much louder the excerpts really become than predicted, in LU."""
        if trial.reduction_db == 0.0 or not self._excerpts or not np.isfinite(trial.lufs):
            return 0.0
        limiter = Limiter(self._rate, self._channels, settings, gain_db=trial.gain_db)
        meter = LoudnessMeter(self._rate, self._channels, channel_weights=self._weights)
        for second in self._excerpts.values():
            meter.update(limiter.push(second))
        meter.update(limiter.flush())
        real = meter.result().integrated_lufs
        predicted = self._sample.limited(trial.gain_db, settings).lufs
        return 0.0 if real is None or not np.isfinite(real + predicted) else real - predicted

    def _meet(self, target: float, settings: LimiterSettings, start: _Trial | None = None) -> _Trial:
        """Return the trial that meets the target, or the last before more gain stops being worth it."""
        dry = self._track.dry_lufs()
        if not np.isfinite(dry):
            return _Trial(0.0, dry, 0.0)
        best = start or self._try(min(target - dry, _HIGHEST_GAIN_DB), settings)
        previous: _Trial | None = None
        for _ in range(_MAX_TRIALS):
            missing = target - best.lufs
            if abs(missing) <= _LOUDNESS_CLOSE_LU or best.gain_db >= _HIGHEST_GAIN_DB:
                break
            slope = 1.0 if previous is None else _slope(previous, best)
            if slope < SATURATED_SLOPE and missing > 0:
                return previous or best
            previous = best
            step = float(np.clip(missing / max(slope, SATURATED_SLOPE), -6.0, 6.0))
            best = self._try(min(best.gain_db + step, _HIGHEST_GAIN_DB), settings)
        return best

    def _within(self, limit_db: float, settings: LimiterSettings, above: _Trial) -> _Trial:
        """Return the trial with the most gain whose deepest reduction stays within `limit_db`."""
        trial = self._try(above.gain_db - (above.reduction_db - limit_db), settings)
        for _ in range(_MAX_TRIALS):
            spare = limit_db - trial.reduction_db
            if -0.001 <= spare <= 0.08:  # the least reduction there is, where it begins, is 0.07 dB
                break
            trial = self._try(trial.gain_db + spare - 0.005, settings)
        return trial

    def _slope_at(self, trial: _Trial, settings: LimiterSettings) -> float:
        if trial.reduction_db == 0.0:
            return 1.0
        return _slope(trial, self._try(trial.gain_db + _SLOPE_STEP_DB, settings))

    def _try(self, gain_db: float, settings: LimiterSettings) -> _Trial:
        return self._track.limited(gain_db, settings)

    def _keep(self, second: NDArray[Any]) -> None:
        """Keep the excerpts that are due; when there are too many, every other one."""
        if (self._second // _EXCERPT_SECONDS) % self._stride == 0:
            self._excerpts[self._second] = second.copy()
        self._second += 1
        if len(self._excerpts) > _MAX_KEPT_SECONDS:
            self._stride *= 2
            kept = self._excerpts.items()
            self._excerpts = {n: s for n, s in kept if (n // _EXCERPT_SECONDS) % self._stride == 0}

    def _finish(self) -> None:
        """Close the collection once."""
        if self._solved:
            return
        self._solved = True
        self._track.finish()
        self._sample = _Envelope(self._rate, self._channels, self._weights)
        for second in self._excerpts.values():
            self._sample.update(second)
        self._sample.finish()


class _Envelope:
    """Peak levels and K-weighted powers of a signal, and what a limiter makes of them."""

    def __init__(self, sample_rate_hz: int, channels: int, weights: tuple[float, ...]) -> None:
        self._rate = sample_rate_hz
        self._channels = channels
        self._weights = np.asarray(weights)
        self._group = group_frames_for(sample_rate_hz) * _GROUPS_JOINED
        self._peaks = QuickPeaks(channels, self._group, _BLOCK_FRAMES)
        self._late = self._peaks.latency_frames // self._group
        self._peak_blocks: Reblocker[Any] = Reblocker(_BLOCK_FRAMES)
        self._power = KWeightedPower(sample_rate_hz, channels)
        self._seconds: Reblocker[Any] = Reblocker(sample_rate_hz)
        self._parts: list[Codes] = []
        self._levels: Codes = np.zeros(0, np.uint16)
        self._steps: list[Array] = []
        self._powers = np.zeros(0)  # per 10 ms, sums of squares
        self._frames = 0

    def update(self, block: Block) -> None:
        self._frames += len(block)
        for piece in self._peak_blocks.push(block):
            self._take_peaks(piece)
        for second in self._seconds.push(block):
            self._steps.append(self._power.second(second) @ self._weights)

    def finish(self) -> None:
        """Close the collection."""
        rest = self._peak_blocks.remainder()
        for tail in (rest, None):  # the peaks trail by part of a block: one more block of silence
            block = np.zeros((_BLOCK_FRAMES, self._channels), np.float32)
            if tail is not None:
                block[: len(tail)] = tail
            self._take_peaks(block)
        self._levels = np.concatenate(self._parts)[: -(-self._frames // self._group)]
        self._parts.clear()
        rest = self._seconds.remainder()
        if rest is not None:
            self._steps.append(self._power.last(rest) @ self._weights)
        self._powers = np.concatenate([*self._steps, np.zeros(0)])
        self._steps.clear()

    def dry_lufs(self) -> float:
        """Return the gated loudness of the signal as it came."""
        return self._loudness(np.ones(len(self._powers)))

    def limited(self, gain_db: float, settings: LimiterSettings) -> _Trial:
        """Limit the kept levels at one gain."""
        designer = AttenuationDesigner(self._rate / self._group, settings)
        # Groups after the last whole step go to one that is left out.
        weighted, total = np.zeros((2, len(self._powers) + 1))
        deepest, done = 0.0, 0
        for attenuation in _attenuations(self._levels, designer, gain_db - settings.ceiling_dbtp):
            count = len(attenuation)
            if not count:
                continue
            deepest = max(deepest, float(attenuation.max()))
            codes = self._levels[done : done + count]
            steps = ((done + 0.5 + np.arange(count)) * (self._group * STEPS_PER_SECOND / self._rate)).astype(
                np.intp
            )
            np.minimum(steps, len(self._powers), out=steps)
            for sums, attenuated in ((weighted, attenuation), (total, np.zeros(1))):
                found = np.bincount(steps - steps[0], _decode_power(codes, attenuated))
                sums[steps[0] : steps[0] + len(found)] += found
            done += count
        gains = np.divide(weighted[:-1], total[:-1], out=np.ones(len(self._powers)), where=total[:-1] > 0.0)
        return _Trial(gain_db, self._loudness(gains * 10.0 ** (gain_db / 10.0)), deepest)

    def _loudness(self, power_gains: Array) -> float:
        """Return the gated loudness with a power gain per 10 ms step."""
        sums = np.concatenate([[0.0], np.cumsum(self._powers * power_gains)])
        step_frames = np.resize(self._power.step_frames, len(self._powers))
        frames = np.concatenate([[0], np.cumsum(step_frames)])
        starts = np.arange(0, len(self._powers) - MOMENTARY_STEPS + 1, HOP_STEPS)
        ends = starts + MOMENTARY_STEPS
        powers = (sums[ends] - sums[starts]) / (frames[ends] - frames[starts])
        found = integrated_lufs_from_block_powers(np.maximum(powers, 0.0))
        return -np.inf if found is None else found

    def _take_peaks(self, piece: Block) -> None:
        peaks = self._peaks.process(piece).max(axis=0)[self._late :]
        self._late = 0
        self._parts.append(_encode(2.0 * np.log10(np.maximum(peaks, 1e-12))))


def _encode(bels: NDArray[Any]) -> Codes:
    codes = bels * (10.0 * _CODES_PER_DB) + (0.5 - _FLOOR_DB * _CODES_PER_DB)
    return np.asarray(np.clip(codes, 0.0, 65535.0)).astype(np.uint16)


def _decode_power(codes: Codes, attenuation_db: Array) -> NDArray[np.float32]:
    """Return the linear powers after an attenuation."""
    decibels = codes * np.float32(1.0 / _CODES_PER_DB) - attenuation_db.astype(np.float32)
    return np.asarray(np.exp((decibels + np.float32(_FLOOR_DB)) * np.float32(np.log(10.0) / 10.0)))


def _attenuations(levels: Codes, designer: AttenuationDesigner, over_ceiling_db: float) -> Iterator[Array]:
    offset = np.float32(_FLOOR_DB + over_ceiling_db)
    for start in range(0, len(levels), _CHUNK_GROUPS):
        chunk = levels[start : start + _CHUNK_GROUPS] * np.float32(1.0 / _CODES_PER_DB) + offset
        yield designer.push(required_attenuation_db(chunk))
    yield designer.flush()


def _slope(one: _Trial, other: _Trial) -> float:
    moved = other.gain_db - one.gain_db
    return 1.0 if abs(moved) < 1e-6 else float(np.clip((other.lufs - one.lufs) / moved, 0.0, 1.0))
