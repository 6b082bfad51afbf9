"""The attenuation of a look-ahead limiter, designed at a control rate.

The audio is divided into groups of a few frames. Each group asks for an attenuation in dB;
`AttenuationDesigner` returns a smooth attenuation that is never less than what the group and its two
neighbours ask for, so that any interpolation between neighbouring groups keeps it. Two stages share the work:

* the slow stage holds every peak for ``hold_ms`` either side, keeps only what lasts for ``sustain_ms``
  (a morphological opening) and smooths it: it follows the sustained level and not the waveform, so a steady
  tone gets a constant gain and no distortion;
* the fast stage adds what is missing: widened, released exponentially, smoothed by three boxes within
  ``lookahead_ms`` either side.

Attenuations are positive dB. Everything is vectorised: a sliding maximum takes log2(width) passes, and an
exponential release with instant attack is a running maximum of ``log x[n] + n / tau``.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from refmaster._types import Array
from refmaster.settings.limiter import LimiterSettings

T = TypeVar("T", np.float32, np.float64)

CONTROL_RATE_HZ = 6000.0
"""The control rate is the largest ``sample_rate / 2**n`` not above this."""

TARGET_DB = 0.02
"""The gain aims this far below the ceiling, which leaves room for what later corrections move."""

# The quick detector may read high by a few hundredths: up to here above the ceiling the guard, which is
# exact, decides alone.
_DETECT_DB = 0.05

_RELEASED_DB = 1e-3  # where an exponential release is over


def group_frames_for(sample_rate_hz: int) -> int:
    """Return the frames per control group: 8 at 44.1 and 48 kHz, 16 at 88.2 and 96 kHz, 2 at 8 kHz."""
    if sample_rate_hz < 1:
        raise ValueError(f"sample_rate_hz must be positive, got {sample_rate_hz}")
    return int(2 ** max(0, math.ceil(math.log2(sample_rate_hz / CONTROL_RATE_HZ))))


def required_attenuation_db(over_ceiling_db: NDArray[T]) -> Array:
    """Return the attenuation that groups ask for, from their quickly detected peaks over the ceiling."""
    over = over_ceiling_db > _DETECT_DB
    return np.where(over, over_ceiling_db.astype(np.float64) + TARGET_DB, 0.0)


class AttenuationDesigner:
    """Turn required attenuations into a smooth attenuation that covers them.

    Streaming: what comes out trails what goes in by ``latency_groups``, and together with `flush` as many
    values come out as went in.

    Parameters
    ----------
    group_rate_hz : float
        Groups per second.
    settings : LimiterSettings
        Times of both stages; the ceiling is not used here, because requirements are relative to it.
    """

    def __init__(self, group_rate_hz: float, settings: LimiterSettings) -> None:
        def groups(milliseconds: float) -> int:
            return max(1, round(milliseconds * 1e-3 * group_rate_hz))

        self._hold = groups(settings.hold_ms)
        self._sustain = groups(settings.sustain_ms / 2)
        self._slow_box = groups(settings.hold_ms * 0.8)
        look = groups(settings.lookahead_ms)
        self._boxes = [(look + i) // 3 for i in range(3)]
        self._look = sum(self._boxes)
        self._decay_per_group = 1e3 / (settings.release_ms * group_rate_hz)
        self.latency_groups = 2 + self._hold + 2 * self._sustain + self._slow_box + 2 * self._look + 1
        self._held = np.zeros(self.latency_groups)  # before the first group nothing is required
        self._released = 0.0  # the fast stage's value just before the next run
        self._pending = 0

    def push(self, required_db: Array) -> Array:
        """Take required attenuations in dB, at least 0, and return the attenuations now final.

        Parameters
        ----------
        required_db : ndarray, shape (groups,)
            One value per group, any number of them.

        Returns
        -------
        ndarray, shape (groups',)
        """
        self._pending += len(required_db)
        held = np.concatenate([self._held, required_db])
        final = len(held) - 2 * self.latency_groups
        if final <= 0:
            self._held = held
            return np.zeros(0)
        self._held = held[final:]
        self._pending -= final
        return self._design(held)

    def flush(self) -> Array:
        """Return the remaining attenuations, as if nothing were required any more, and start anew."""
        rest = self.push(np.zeros(self._pending and self.latency_groups))
        self._held = np.zeros(self.latency_groups)
        self._pending = 0
        self._released = 0.0
        return rest

    def _design(self, required: Array) -> Array:
        """Return the attenuation of all but ``latency_groups`` values at either end."""
        if self._released == 0.0 and not required.any():
            return np.zeros(len(required) - 2 * self.latency_groups)
        asked = sliding_max(required, 1)
        slow = self._slow(asked)
        trim = self._hold + 2 * self._sustain + self._slow_box + 1
        missing = np.maximum(asked[trim:-trim] - sliding_min(slow, 1), 0.0)
        fast = self._fast(missing, asked[trim - 1 : 1 - trim], slow)
        trim = self._look * 2 + 2
        return np.maximum(slow[trim:-trim] + fast, 0.0)

    def _slow(self, asked: Array) -> Array:
        held = sliding_max(asked, self._hold)
        lasting = sliding_max(sliding_min(held, self._sustain), self._sustain)
        return sliding_mean(lasting, self._slow_box)

    def _fast(self, missing: Array, asked: Array, slow: Array) -> Array:
        """Return what to add to ``slow``: what is missing, and the release where it is above ``slow``."""
        wide = sliding_max(missing, self._look + 1)
        trim = self._look + 1
        released = self._release(sliding_max(asked, trim)[1:-1]) - slow[trim + 1 : -trim - 1]
        fast = np.maximum(wide, released)
        for half in self._boxes:
            fast = sliding_mean(fast, half)
        return fast

    def _release(self, values: Array) -> Array:
        """Return ``max(x[n], k y[n-1])``, going on from the run before."""
        look = self._look
        if self._released == 0.0 and not values.any():
            return values
        decay = np.arange(1, len(values) + 1) * self._decay_per_group
        with np.errstate(divide="ignore"):
            logs = np.log(values) + decay
            before = np.log(self._released)
        logs[0] = max(logs[0], before)
        released = np.exp(np.maximum.accumulate(logs) - decay)
        released[released < _RELEASED_DB] = 0.0
        released = np.asarray(np.maximum(released, values))
        # The next run begins 2 * look values before this one's end.
        self._released = float(released[len(released) - 2 * look - 1])
        return released


def sliding_max(values: NDArray[T], half: int) -> NDArray[T]:
    """Return the maximum over ``2 half + 1`` values of the last axis around each value that has them all."""
    width, span = 2 * half + 1, 1
    while 2 * span <= width:
        values = np.maximum(values[..., :-span], values[..., span:])
        span *= 2
    rest = width - span
    return np.maximum(values[..., :-rest], values[..., rest:]) if rest else values


def sliding_min(values: Array, half: int) -> Array:
    """Return the minimum over ``2 half + 1`` values around each value that has them all."""
    return -sliding_max(-values, half)


def sliding_mean(values: Array, half: int) -> Array:
    """Return the mean over ``2 half + 1`` values around each value that has them all."""
    if half == 0:
        return values
    width = 2 * half + 1
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((sums[width:] - sums[:-width]) / width)


class ReductionInterpolator:
    """Interpolate from groups to frames by a quadratic B-spline, a convex mean of three neighbours.

    Convex, so that a frame of group g is never given less than the least of groups g - 1, g and g + 1.

    Parameters
    ----------
    group_frames : int
        Frames per group.
    dtype : dtype, optional
        Precision of the work and of the result.
    """

    def __init__(self, group_frames: int, dtype: npt.DTypeLike = np.float64) -> None:
        u = (np.arange(group_frames) + 0.5) / group_frames
        self._weights = np.stack([0.5 * (1 - u) ** 2, 0.5 + u * (1 - u), 0.5 * u**2]).astype(dtype)

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return ``(groups * group_frames,)`` for ``(groups + 2,)`` values: one neighbour at either end."""
        neighbours = np.stack([values[:-2], values[1:-1], values[2:]], axis=1, dtype=self._weights.dtype)
        return np.asarray(neighbours @ self._weights).ravel()
