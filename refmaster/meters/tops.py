"""Flat tops of clipped waves, at any level, and how the peaks of a recording pile up below a ceiling.

A flat top is a run of nearly equal samples at a local extremum with a corner at either end: the wave was on
its way and stopped. The top of a slow wave is round, so its corners are small; a square wave comes from the
other side of zero. Runs of one level belong together: a clipper has one, chance has many.

Peaks are the largest samples of 20 ms. A limiter piles them up at its ceiling; without one they get rarer
towards the highest.

Conventions: blocks are ``(frames, channels)``, full scale 1; times are seconds from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from refmaster._types import Block, Mask
from refmaster.dsp.blocks import Reblocker
from refmaster.settings.model import Model
from refmaster.units import amplitude_to_db

# Samples of a top differ by at most this, or this share of its level: dither of 16 bit, and rounding.
_FLAT, _FLAT_SHARE = 5e-5, 1e-4
# A corner is a step of so many times what a top may differ by, and of at most half the level.
_CORNER, _LARGEST_STEP = 8.0, 0.5
_TOP_FRAMES, _MAX_TOP_FRAMES = 3, 400
# Tops are looked for near the largest sample of each second.
_NEAR_PEAK = 0.7
_LOWEST_TOP = 0.1
# Levels within this belong to one clipper.
_LEVEL_STEP_DB = 0.05
_EVENT_S = 0.1
MAX_LEVELS, MAX_TIMES = 8, 100

_HOPS_PER_SECOND, _HOPS_AT_ONCE = 50, 50
# The largest samples of 20 ms are counted in steps of 0.1 dB from here up.
_STEPS_PER_DB, _LOWEST_DBFS, _HIGHEST_DBFS = 10, -60, 12
_HIGHER_SHARE = 0.0005

PeakWatcher: TypeAlias = Callable[[NDArray[np.floating]], None]


class ClippedLevel(Model):
    """A level at which a channel's wave has flat tops."""

    channel: int = Field(ge=0)
    level_dbfs: float = Field(description="dBFS")
    runs: int = Field(ge=1, description="flat tops")
    times_s: tuple[float, ...] = Field(description="s, where they are, 0.1 s apart and at most 100")


class PeakLevels(Model):
    """The way the largest samples of 20 ms are distributed."""

    ceiling_dbfs: float | None = Field(description="dBFS, which 0.05 % of them exceed; null: silence")
    share_at_ceiling: float = Field(ge=0.0, le=1.0, description="within 1 dB of it, of those within 6 dB")
    count_at_ceiling: int = Field(ge=0, description="within 1 dB of it")


class Tops(Model):
    """Flat tops, and where peaks pile up."""

    clipped: tuple[ClippedLevel, ...] = Field(description="most flat tops first, at most 8")
    peaks: PeakLevels


class TopMeter:
    """Finds flat tops in a stream, and counts its peaks by level.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    watcher : callable, optional
        Called with the largest samples of every 20 ms (`hop_frames`) in order, shape (channels, hops); the
        last of a recording may be shorter.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, watcher: PeakWatcher | None = None) -> None:
        self._rate = sample_rate_hz
        self._hop = hop_frames(sample_rate_hz)
        self._watcher = watcher
        self._blocks: Reblocker[np.floating] = Reblocker(self._hop * _HOPS_AT_ONCE)
        self._before: NDArray[np.floating] = np.zeros((channels, 0), np.float32)
        self._done = 0
        self._last = [-1] * channels
        self._runs: dict[tuple[int, int, int], tuple[int, list[float]]] = {}
        self._counts = np.zeros((_HIGHEST_DBFS - _LOWEST_DBFS) * _STEPS_PER_DB, np.int64)

    def update(self, block: Block) -> None:
        """Take a block of shape (frames, channels)."""
        for piece in self._blocks.push(block):
            self._take(piece)

    def result(self) -> Tops:
        """Return what was found; the meter is finished."""
        rest = self._blocks.remainder()
        if rest is not None:
            whole = len(rest) // self._hop * self._hop
            for part in (rest[:whole], rest[whole:]):
                if len(part):
                    self._take(part)
        return Tops(clipped=self._clipped(), peaks=_peak_levels(self._counts))

    def _take(self, piece: NDArray[np.floating]) -> None:
        """Take whole hops, or one that is shorter."""
        hop = min(self._hop, len(piece))
        lines = np.concatenate([self._before, piece.T], axis=1)
        kept = self._before.shape[1]
        hops = lines[:, kept:].reshape(len(lines), -1, hop)
        highest = np.maximum(hops.max(axis=2), -hops.min(axis=2))
        for channel, (line, peaks) in enumerate(zip(lines, highest, strict=True)):
            lowest = max(_LOWEST_TOP, _NEAR_PEAK * float(peaks.max()))
            for first, last in _runs_of(peaks >= lowest):  # of hops
                start = max(0, kept + first * hop - _MAX_TOP_FRAMES - 2)
                end = kept + last * hop + 1  # a corner is seen on the sample after it
                self._look(channel, line[start:end], self._done - kept + start, lowest)
        self._done += len(piece)
        self._before = lines[:, -_MAX_TOP_FRAMES - 2 :].copy()
        self._count(highest)

    def _count(self, highest: NDArray[np.floating]) -> None:
        """Count the largest samples of hops, shape (channels, hops), by their level."""
        if self._watcher is not None:
            self._watcher(highest)
        highest = highest.max(axis=0)
        places = np.floor((amplitude_to_db(np.maximum(highest, 1e-12)) - _LOWEST_DBFS) * _STEPS_PER_DB)
        np.add.at(self._counts, np.clip(places, 0, len(self._counts) - 1).astype(np.intp), places >= 0)

    def _look(self, channel: int, line: NDArray[np.floating], frame: int, lowest: float) -> None:
        """Find the flat tops above a level whose end lies in a line; it begins at a frame of the stream."""
        magnitude = np.abs(line)
        near = magnitude >= lowest
        near[[0, -1]] = False  # their neighbours are not here
        width = max(_FLAT, _FLAT_SHARE * float(magnitude.max()))
        same = near[1:] & near[:-1] & (np.abs(np.diff(line)) <= width)
        if not (same[1:] & same[:-1]).any():
            return
        for first, last in _runs_of(same):
            if not _TOP_FRAMES <= last - first + 1 <= _MAX_TOP_FRAMES:
                continue
            top, sign = float(magnitude[first]), 1.0 if line[first] > 0 else -1.0
            corner = _CORNER * max(_FLAT, _FLAT_SHARE * top)
            before, after = top - sign * float(line[first - 1]), top - sign * float(line[last + 1])
            if corner <= min(before, after) and max(before, after) <= _LARGEST_STEP * top:
                self._note(channel, sign * top, frame + first)

    def _note(self, channel: int, top: float, frame: int) -> None:
        """Note a flat top; one that was seen with the piece before is not noted again."""
        if frame <= self._last[channel]:
            return
        self._last[channel] = frame
        place = (channel, int(np.sign(top)), round(amplitude_to_db(abs(top)) / _LEVEL_STEP_DB))
        runs, times = self._runs.get(place, (0, []))
        time_s = round(frame / self._rate, 3)
        if len(times) < MAX_TIMES and (not times or time_s >= times[-1] + _EVENT_S):
            times.append(time_s)
        self._runs[place] = runs + 1, times

    def _clipped(self) -> tuple[ClippedLevel, ...]:
        """Return the levels with most flat tops, neighbouring levels as one."""
        left = dict(self._runs)
        found: list[ClippedLevel] = []
        while left and len(found) < MAX_LEVELS:
            channel, sign, step = max(left, key=lambda place: (left[place][0], place))
            together = [left.pop((channel, sign, step + d), (0, [])) for d in (-1, 0, 1)]
            found.append(
                ClippedLevel(
                    channel=channel,
                    level_dbfs=round(step * _LEVEL_STEP_DB, 2) + 0.0,
                    runs=sum(runs for runs, _ in together),
                    times_s=tuple(sorted({t for _, times in together for t in times})[:MAX_TIMES]),
                )
            )
        return tuple(found)


def hop_frames(sample_rate_hz: int) -> int:
    """Return the frames of the 20 ms whose largest samples are counted."""
    return max(1, sample_rate_hz // _HOPS_PER_SECOND)


def _runs_of(same: Mask) -> list[tuple[int, int]]:
    """Return first and last place of each run whose neighbours are all the same."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _peak_levels(counts: NDArray[np.int64]) -> PeakLevels:
    """Return how the peaks pile up at the top, of counts in steps of 0.1 dB."""
    higher = np.cumsum(counts[::-1])[::-1]
    if not higher[0]:
        return PeakLevels(ceiling_dbfs=None, share_at_ceiling=0.0, count_at_ceiling=0)
    top = int(np.flatnonzero(higher > _HIGHER_SHARE * higher[0])[-1])
    near, wide = (int(counts[max(0, top + 1 - db * _STEPS_PER_DB) :].sum()) for db in (1, 6))
    return PeakLevels(
        ceiling_dbfs=round(_LOWEST_DBFS + (top + 1) / _STEPS_PER_DB, 1),
        share_at_ceiling=round(near / wide, 4),
        count_at_ceiling=near,
    )
