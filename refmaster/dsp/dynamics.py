"""Level-dependent gain in the bands of a crossover: gentle compression or expansion, without latency.

The gain follows levels, not the waveform. Every 10 ms a band's level is its power, all channels together, in
a Hann window of 0.6 s around that moment: it has the noise bandwidth of a rectangle of 400 ms, so that levels
spread as the gated 400 ms blocks of a recording do, and none of its ripple under a bass note. The static
curve of the band makes a change of it, which grows and ends with time constants and turns into a gain for all
channels alike. So the image stays, and a threshold can be chosen from measured levels.

A single band is weighed by the caller: with K-weighting (`refmaster.meters.kweighting`) its level is
momentary loudness in LUFS. The level of a band among several is that of the mean square of its channels,
unweighted, as profiles have it: a full-scale sine reads -3 dB.

Source of the static curve and of the smooth branching one-pole: D. Giannoulis, M. Massberg, J. D. Reiss,
"Digital Dynamic Range Compressor Design", J. Audio Eng. Soc. 60 (6), 2012.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.dsp.attenuation import ReductionInterpolator
from refmaster.dsp.blocks import BlockKernel
from refmaster.dsp.crossover import Crossover
from refmaster.dsp.hops import step_ends, sums_of_squares
from refmaster.settings.dynamics import DynamicsBand
from refmaster.units import amplitude_to_db, db_to_amplitude, power_to_db, power_to_lufs

_STEPS_PER_SECOND = 100
_WINDOW_STEPS = 60
# A change that has lasted for this long ends at half the speed.
_SUSTAINED_S = 2.0
_LOWEST_DB = -200.0
_ACTIVE_DB = 0.1


def static_change_db(level_db: Array, band: DynamicsBand) -> Array:
    """Return what a band's gain changes at a constant level, before it is shared with the untreated signal.

    Parameters
    ----------
    level_db : ndarray
        Levels of the band, in the unit of its threshold.
    band : DynamicsBand
        Its threshold, ratio, knee and bound count here.

    Returns
    -------
    ndarray
        In dB, of one sign: negative where the band compresses.
    """
    over = np.asarray(level_db, dtype=np.float64) - band.threshold_db
    half = band.knee_db / 2.0
    bent = np.clip(over + half, 0.0, band.knee_db) ** 2 / (2.0 * band.knee_db) if half else 0.0
    change = (1.0 / band.ratio - 1.0) * (bent + np.maximum(over - half, 0.0))
    return np.clip(change, -band.max_change_db, band.max_change_db)


def shared_gain(change_db: Array, band: DynamicsBand) -> Array:
    """Return the linear gain of a band whose treated share changes by so many dB, makeup included."""
    treated = db_to_amplitude(change_db)
    gain = 1.0 + band.parallel * (treated - 1.0)
    return gain * db_to_amplitude(band.makeup_db) if band.makeup_db else gain


@dataclass(frozen=True, kw_only=True)
class BandActivity:
    """A band's change of gain, its makeup left out.

    Attributes
    ----------
    max_change_db : float
        Largest change, in dB: negative where the band turned down, positive where it turned up.
    mean_change_db : float
        Mean over the time it was active, in dB; 0 if it never was.
    active_share : float
        Share of the time with a change of more than 0.1 dB, 0 to 1.
    """

    max_change_db: float
    mean_change_db: float
    active_share: float


class DynamicsProcessor(BlockKernel):
    """Change the level of each band of a stream by its static curve.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate.
    channels : int
        Number of channels; all get the same gain.
    bands : sequence of DynamicsBand
        From low to high.
    crossover_hz : sequence of float
        Between the bands, rising.
    weighted_sums : callable
        Takes a second of the stream and returns the sums of squares of each 10 ms and channel, shape
        ``(100, channels)``, weighted as loudness is; a single band takes its level from it.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channels: int,
        bands: Sequence[DynamicsBand],
        crossover_hz: Sequence[float],
        *,
        weighted_sums: Callable[[NDArray[Any]], Array],
    ) -> None:
        if not bands or len(bands) != len(crossover_hz) + 1:
            raise ValueError(f"expected a band more than crossovers, got {len(bands)}, {len(crossover_hz)}")
        self._crossover = Crossover(sample_rate_hz, channels, crossover_hz, sample_rate_hz)
        self._waiting_blocks = self._crossover.latency_blocks + 1
        super().__init__(channels, sample_rate_hz, self._waiting_blocks * sample_rate_hz)
        self._bands = list(bands)
        self._weighted_sums = weighted_sums
        self._ends = step_ends(sample_rate_hz, _STEPS_PER_SECOND)
        self._levels = _LevelTracker(len(bands))
        self._followers = [_ChangeFollower(band) for band in bands]
        self._interpolate: _StepInterpolator | None = None  # the first block's dtype makes it
        self._seconds = -self._crossover.latency_blocks  # number of the next second to leave the crossover
        self._held: tuple[NDArray[Any], list[NDArray[Any]]] = (np.zeros((0, 0)), [])
        self._changes = np.zeros((len(bands), 0))  # of the second held, and one step before
        self._tallies = [_ChangeTally() for _ in bands]

    @property
    def activity(self) -> tuple[BandActivity, ...]:
        """Changes of each band in the frames that have come out so far."""
        return tuple(tally.result() for tally in self._tallies)

    def _process(self, block: NDArray[Any]) -> NDArray[Any]:
        signal, lows = self._crossover.process(block)
        held = self._held
        if self._seconds >= 0:
            self._follow(block, signal, lows)
            self._held = signal, lows
        self._seconds += 1
        if not held[0].size:
            return np.zeros((self.channels, len(block)), block.dtype).T
        return self._applied(*held).T

    def _follow(self, block: NDArray[Any], signal: NDArray[Any], lows: list[NDArray[Any]]) -> None:
        """Measure a second of the bands and add the changes of gain that are now known."""
        sums = (
            self._sums_of_bands(signal, lows) if lows else self._weighted_sums(block).sum(axis=1)[np.newaxis]
        )
        left = self._frames_in - self._seconds * len(block)  # of the stream, less than a second at its end
        powers = self._levels.push(sums, np.diff(np.minimum(self._ends, max(left, 0)), prepend=0))
        levels = np.maximum(power_to_db(powers) if lows else power_to_lufs(powers), _LOWEST_DB)
        changes = np.stack(
            [
                follower.follow(static_change_db(level, band))
                for follower, level, band in zip(self._followers, levels, self._bands, strict=True)
            ]
        )
        if not self._changes.size:
            self._changes = changes[:, :1]  # the step before the first goes along with it
        self._changes = np.concatenate([self._changes, changes], axis=1)

    def _sums_of_bands(self, signal: NDArray[Any], lows: list[NDArray[Any]]) -> Array:
        """Return the sums of squares of each band and step, a mean over the channels."""
        part = lows[0]
        sums = [sums_of_squares(part, self._ends)]
        for low, high in itertools.pairwise([*lows, signal]):
            part = np.subtract(high, low, out=None if part is lows[0] else part)
            sums.append(sums_of_squares(part, self._ends))
        return np.asarray(np.stack(sums).mean(axis=1, dtype=np.float64))

    def _applied(self, signal: NDArray[Any], lows: list[NDArray[Any]]) -> NDArray[Any]:
        """Return the second that was held at the gains of its bands."""
        changes = self._changes[:, : _STEPS_PER_SECOND + 2]
        self._changes = self._changes[:, _STEPS_PER_SECOND:]
        self._log(changes[:, 1:-1])
        gains = np.stack([shared_gain(c, band) for c, band in zip(changes, self._bands, strict=True)])
        if (gains == 1.0).all():
            return signal
        if self._interpolate is None:
            self._interpolate = _StepInterpolator(np.diff(self._ends, prepend=0), signal.dtype)
        # A band more than its upper neighbour: what a low-pass adds to the whole signal at the highest gain.
        gain = 1.0 - self._interpolate(1.0 - gains[-1])
        result = np.multiply(signal, gain, out=signal if lows else None)  # a single band's is the caller's
        for low, more in zip(lows, gains[:-1] - gains[1:], strict=True):
            if more.any():
                result += np.multiply(low, self._interpolate(more), out=low)
        return np.asarray(result)

    def _log(self, changes_db: Array) -> None:
        """Add the steps of the stream among the next ones to come out."""
        left = self._frames_in - max(0, self._frames_out)
        steps = int(np.searchsorted(self._ends, left, side="left")) + 1
        for tally, change, band in zip(self._tallies, changes_db, self._bands, strict=True):
            tally.add(amplitude_to_db(1.0 + band.parallel * (db_to_amplitude(change[:steps]) - 1.0)))


class _LevelTracker:
    """Mean powers of bands around each step, from sums of squares."""

    def __init__(self, bands: int) -> None:
        window = np.hanning(_WINDOW_STEPS + 1)[1:-1]
        self._window = window
        self._sums = np.zeros((bands, len(window) // 2))  # steps before the stream hold no frames
        self._frames = np.zeros(len(window) // 2)

    def push(self, sums: Array, frames: NDArray[Any]) -> Array:
        """Take the sums and frames of the next steps; return the mean powers that are now complete.

        Steps outside the stream have no frames and do not count, so that it does not fade in or out.
        """
        finite = np.nan_to_num(sums, nan=0.0, posinf=1e60)
        self._sums = np.concatenate([self._sums, finite], axis=1)
        self._frames = np.concatenate([self._frames, frames])
        totals = np.stack([np.convolve(row, self._window, "valid") for row in self._sums])
        weights = np.maximum(np.convolve(self._frames, self._window, "valid"), 1.0)
        kept = len(self._window) - 1
        self._sums, self._frames = self._sums[:, -kept:], self._frames[-kept:]
        return np.asarray(totals / weights)


class _ChangeFollower:
    """Smooth a band's changes: they grow with the attack, and end with a release that slows.

    The release's time constant is up to twice as long where the change has lasted: a passage that is loud
    throughout is let go more slowly than one loud note.
    """

    def __init__(self, band: DynamicsBand) -> None:
        self._sign = 1.0 if band.ratio < 1.0 else -1.0
        self._attack = 1.0 - math.exp(-1e3 / _STEPS_PER_SECOND / band.attack_ms)
        self._release_steps = band.release_ms * 1e-3 * _STEPS_PER_SECOND
        self._memory = 1.0 - math.exp(-1.0 / (_STEPS_PER_SECOND * _SUSTAINED_S))
        self._change: float | None = None
        self._sustained = self._kept = 0.0

    def follow(self, wanted_db: Array) -> Array:
        """Return the changes in dB that follow the wanted ones, step by step."""
        sizes = (self._sign * wanted_db).tolist()
        if self._change is None and sizes:
            self._change = self._sustained = sizes[0]  # the stream does not begin with an attack
        change, sustained, kept = self._change or 0.0, self._sustained, self._kept
        for step, size in enumerate(sizes):
            if size >= change:
                change += (size - change) * self._attack
                lasted = min(sustained / change, 1.0) if change > 0.0 else 0.0
                kept = math.exp(-1.0 / (self._release_steps * (1.0 + lasted)))
            else:
                change = size + (change - size) * kept
            sustained += (change - sustained) * self._memory
            sizes[step] = change
        self._change, self._sustained, self._kept = change, sustained, kept
        return np.asarray(sizes) * self._sign


class _StepInterpolator:
    """Interpolate from the steps of a second to its frames; steps may differ by a frame."""

    def __init__(self, step_frames: NDArray[Any], dtype: np.dtype[Any]) -> None:
        lengths, self._kind = np.unique(step_frames, return_inverse=True)
        self._interpolators = [ReductionInterpolator(int(length), dtype) for length in lengths]

    def __call__(self, values: Array) -> NDArray[Any]:
        """Return a second of frames for the values of its steps, with a neighbour at either end."""
        rows = [interpolate(values) for interpolate in self._interpolators]
        if len(rows) == 1:
            return rows[0]
        by_length = [row.reshape(len(self._kind), -1) for row in rows]
        return np.concatenate([by_length[kind][step] for step, kind in enumerate(self._kind)])


class _ChangeTally:
    """Collect a band's changes step by step."""

    def __init__(self) -> None:
        self._steps = self._active = 0
        self._active_sum_db = self._largest_db = 0.0

    def add(self, changes_db: Array) -> None:
        active = changes_db[np.abs(changes_db) > _ACTIVE_DB]
        self._steps += len(changes_db)
        self._active += len(active)
        self._active_sum_db += float(active.sum())
        self._largest_db = max([self._largest_db, *changes_db.tolist()], key=abs)

    def result(self) -> BandActivity:
        return BandActivity(
            max_change_db=self._largest_db,
            mean_change_db=self._active_sum_db / self._active if self._active else 0.0,
            active_share=self._active / self._steps if self._steps else 0.0,
        )
