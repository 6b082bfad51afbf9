"""Peak levels and K-weighted powers of a signal, on which a limiter is tried without running it.

One pass over the signal keeps its true-peak level, per group of 32 frames at 44.1 kHz, and its K-weighted
power, per 10 ms. On these the limiter's own attenuation design (`refmaster.dsp.attenuation`) is run for a
trial gain: within a 10 ms step the gain is averaged by the squared peaks, which stand for the power they
carry. A trial costs a few hundredths of the render.

Levels are kept as 16-bit dB codes: three hours of stereo take 40 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Array, Array32, Block
from refmaster.dsp.attenuation import AttenuationDesigner, group_frames_for, required_attenuation_db
from refmaster.dsp.blocks import Reblocker
from refmaster.dsp.limiter import BLOCK_FRAMES
from refmaster.dsp.peaks import QuickPeaks
from refmaster.meters.kweighting import STEPS_PER_SECOND
from refmaster.meters.loudness import (
    HOP_STEPS,
    MOMENTARY_STEPS,
    PowerSteps,
    integrated_lufs_from_block_powers,
)
from refmaster.settings.limiter import LimiterSettings
from refmaster.units import db_to_power

_GROUPS_JOINED = 4  # the limiter's groups per group here
_CHUNK_GROUPS = 1 << 16
_CODES_PER_DB = 200.0
_FLOOR_DB = -250.0


@dataclass(frozen=True)
class Trial:
    """The predicted loudness and deepest gain reduction of a signal limited at one gain."""

    gain_db: float
    lufs: float
    reduction_db: float


class LevelEnvelope:
    """Levels and powers of a signal: taken by `update`, closed by `finish`, limited on trial by `limited`.

    Parameters
    ----------
    sample_rate_hz : int
        Sample rate, in Hz.
    channel_weights : sequence of float
        Weight of each channel's power in the loudness.
    on_peaks : callable, optional
        Called with the quick peaks of each block of `BLOCK_FRAMES`, in the limiter's own groups.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channel_weights: Sequence[float],
        *,
        on_peaks: Callable[[Array32], None] | None = None,
    ) -> None:
        self._rate = sample_rate_hz
        self._channels = len(channel_weights)
        small_group = group_frames_for(sample_rate_hz)
        self._group = small_group * _GROUPS_JOINED
        self._on_peaks = on_peaks
        self._peaks = QuickPeaks(self._channels, small_group, BLOCK_FRAMES)
        self._late = self._peaks.latency_frames // small_group
        self._blocks: Reblocker[Any] = Reblocker(BLOCK_FRAMES)
        self._steps = PowerSteps(sample_rate_hz, channel_weights)
        self._rest = np.zeros(0, np.float32)  # peaks of a group that is not complete
        self._parts: list[NDArray[np.uint16]] = []
        self._frames = 0

    def update(self, block: Block) -> None:
        """Take the next block, shape (frames, channels)."""
        self._frames += len(block)
        for piece in self._blocks.push(block):
            self._take_peaks(piece)
        self._steps.update(block)

    def finish(self) -> None:
        """Close the collection."""
        tail = self._blocks.filled_up(self._channels)
        for _ in range(2):  # the peaks trail by part of a block: one more block of silence
            self._take_peaks(next(tail))
        self._levels = np.concatenate(self._parts)[: -(-self._frames // self._group)]
        self._parts.clear()
        self._sums = self._steps.sums()
        self._unlimited = self._no_powers()
        for start in range(0, len(self._levels), _CHUNK_GROUPS):
            count = min(_CHUNK_GROUPS, len(self._levels) - start)
            self._add_powers(self._unlimited, start, np.zeros(count))

    def dry_lufs(self) -> float:
        """Return the gated loudness of the signal as it came."""
        return self._loudness(np.ones(len(self._sums)))

    def limited(self, gain_db: float, settings: LimiterSettings) -> Trial:
        """Limit the kept levels at one gain."""
        limited, deepest, done = self._no_powers(), 0.0, 0
        for attenuation in self._attenuations(_FLOOR_DB + gain_db - settings.ceiling_dbtp, settings):
            if len(attenuation):
                deepest = max(deepest, float(attenuation.max()))
                self._add_powers(limited, done, attenuation)
                done += len(attenuation)
        gains = np.ones(len(self._sums))
        np.divide(limited[:-1], self._unlimited[:-1], out=gains, where=self._unlimited[:-1] > 0.0)
        return Trial(gain_db, self._loudness(gains * db_to_power(gain_db)), deepest)

    def _attenuations(self, lowest_db: float, settings: LimiterSettings) -> Iterator[Array]:
        """Yield the attenuation of all groups in order, where the lowest code is so much over the ceiling."""
        designer = AttenuationDesigner(self._rate / self._group, settings)
        for start in range(0, len(self._levels), _CHUNK_GROUPS):
            levels_db = _decoded(self._levels[start : start + _CHUNK_GROUPS], lowest_db)
            yield designer.push(required_attenuation_db(levels_db))
        yield designer.flush()

    def _no_powers(self) -> Array:
        """Return zeros per step, and one more for the groups after the last whole step."""
        return np.zeros(len(self._sums) + 1)

    def _add_powers(self, sums: Array, start: int, attenuation_db: Array) -> None:
        """Add the powers of the groups from ``start`` on, once attenuated, to the sums of their steps."""
        decibels = _decoded(self._levels[start : start + len(attenuation_db)], 0.0)
        decibels = decibels - attenuation_db.astype(np.float32) + np.float32(_FLOOR_DB)
        powers = np.exp(decibels * np.float32(np.log(10.0) / 10.0))
        middles = start + 0.5 + np.arange(len(powers))
        steps = (middles * (self._group * STEPS_PER_SECOND / self._rate)).astype(np.intp)
        np.minimum(steps, len(sums) - 1, out=steps)
        found = np.bincount(steps - steps[0], powers)
        sums[steps[0] : steps[0] + len(found)] += found

    def _loudness(self, power_gains: Array) -> float:
        """Return the gated loudness with a power gain per 10 ms step."""
        windows = self._steps.window_powers(self._sums * power_gains, MOMENTARY_STEPS)
        found = integrated_lufs_from_block_powers(windows[::HOP_STEPS])
        return -np.inf if found is None else found

    def _take_peaks(self, piece: Block) -> None:
        peaks = self._peaks.process(piece)
        if self._on_peaks is not None:
            self._on_peaks(peaks)
        linked = np.concatenate([self._rest, peaks[self._late :]])
        self._late = 0
        whole = len(linked) // _GROUPS_JOINED * _GROUPS_JOINED
        self._rest = linked[whole:]
        joined = linked[:whole].reshape(-1, _GROUPS_JOINED).max(axis=1)
        codes = np.log10(np.maximum(joined, 1e-12)) * (20.0 * _CODES_PER_DB) + (
            0.5 - _FLOOR_DB * _CODES_PER_DB
        )
        self._parts.append(np.clip(codes, 0.0, 65535.0).astype(np.uint16))


def _decoded(codes: NDArray[np.uint16], offset_db: float) -> Array32:
    """Return the levels of codes over the lowest one, plus an offset."""
    return codes * np.float32(1.0 / _CODES_PER_DB) + np.float32(offset_db)
