"""Facts that repairs need to the frame and the sample value: where sound begins and ends, where tops are cut.

Tops are cut where a channel stays at its own highest (or lowest) sample for some frames although its wave was
still rising: there is a corner at either end, and the slope beyond it is as steep. The round top of a slow
wave has no corner, and beyond the corner of a square wave there is no slope.

Conventions: blocks are ``(frames, channels)``, full scale 1; channel 0 is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refmaster._types import Block
from refmaster.dsp.blocks import Reblocker
from refmaster.settings.repair import LONGEST_OVER_FRAMES

# -80 dBFS; quieter samples to the start or the end of a recording are silence, a constant (DC) left out: the
# dither of 16 bit reaches -84 dBFS.
HEARD_FROM = 1e-4
_CONSTANT_FRAMES = 64
# Samples of a top differ by at most so much: dither of 16 bit, and rounding.
FLAT = 7.5e-5
_TOP_FRAMES = 2
# A wave that never goes beyond this has no tops there: silence between its bursts is flat as well.
_LOWEST_TOP = 0.01
# A corner is a larger step: the round top of a slow wave ends with at most four times that.
_CORNER = 5.0 * FLAT
# The slope beyond a corner, against the step at it.
_SLOPE = 0.2
# Fewer tops at one level may be chance, as may some among many flat runs: waves of few levels have those.
_LEAST_TOPS = 3
_LEAST_SHARE = 0.1
MAX_TOP_TIMES = 100
_TIMES_APART_S = 0.1
_HELD_FRAMES = 256
_BLOCK_FRAMES = 65536


@dataclass(frozen=True, kw_only=True)
class CutTops:
    """The tops of one channel and sign, cut at one level.

    Attributes
    ----------
    channel : int
    level : float
        Samples at it or beyond are cut; below 0 those of troughs.
    tops, long_tops : int
        Flat ones with corners, and those of them that are longer than repair restores.
    times_s : tuple of float
        Begins of tops, 0.1 s apart and at most 100.
    """

    channel: int
    level: float
    tops: int
    long_tops: int
    times_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RepairableResult:
    """The facts that repairs need.

    Attributes
    ----------
    heard_from_frame, heard_to_frame : int
        First frame with a sample of -80 dBFS or more beside the constant (DC) that the stream begins with,
        and the one after the last beside that at its end; both 0 where none has.
    cut : tuple of CutTops
    """

    heard_from_frame: int
    heard_to_frame: int
    cut: tuple[CutTops, ...]


class RepairableMeter:
    """Measures the facts that repairs need.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._blocks: Reblocker[np.floating] = Reblocker(_BLOCK_FRAMES)
        self._frames = 0
        self._from: int | None = None
        self._to = 0
        self._begin: NDArray[np.floating] | None = None
        self._end: NDArray[np.floating] | None = None
        self._sides = [_Side(sample_rate_hz, channel, s) for channel in range(channels) for s in (1.0, -1.0)]

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""
        for piece in self._blocks.push(planar):
            self._take(piece)

    def result(self) -> RepairableResult:
        """Return the facts; the meter is finished."""
        rest = self._blocks.remainder()
        if rest is not None:
            self._take(rest)
        cut = tuple(side.cut() for side in self._sides if side.flat and self._is_cut_at(side.highest))
        return RepairableResult(heard_from_frame=self._from or 0, heard_to_frame=self._to, cut=cut)

    def _is_cut_at(self, level: float) -> bool:
        """Whether the tops at a level, of whichever channel and sign, are more than chance."""
        here = [side for side in self._sides if abs(side.highest - level) <= FLAT]
        tops, flat = sum(side.tops for side in here), sum(side.flat for side in here)
        return level >= _LOWEST_TOP and tops >= _LEAST_TOPS and tops >= _LEAST_SHARE * flat

    def _take(self, piece: NDArray[np.floating]) -> None:
        for channel, (tops, troughs) in enumerate(zip(self._sides[::2], self._sides[1::2], strict=True)):
            line = piece[:, channel]
            high, low = float(line.max()), float(line.min())
            tops.take(line, high, self._frames)
            troughs.take(line, -low, self._frames)
        self._listen(piece)
        self._frames += len(piece)

    def _listen(self, piece: NDArray[np.floating]) -> None:
        """Note the first and the last frame that are heard beside the constants at the stream's ends."""
        if self._begin is None:
            self._begin = _constant(piece[:_CONSTANT_FRAMES])
        if self._from is None:
            heard = _differs(piece, self._begin)
            self._from = self._frames + int(heard[0]) if len(heard) else None
        before, self._end = self._end, _constant(piece[-_CONSTANT_FRAMES:])
        for last in (piece[-_HELD_FRAMES:], piece):  # in most blocks the first will do
            heard = _differs(last, self._end)
            if len(heard):
                self._to = self._frames + len(piece) - len(last) + int(heard[-1]) + 1
                return
        if before is not None and (np.abs(self._end - before) >= HEARD_FROM).any():
            self._to = self._frames


def _constant(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the mean of frames in each channel, shape (channels,)."""
    return np.asarray(frames.mean(axis=0, dtype=np.float64))


def _differs(frames: NDArray[np.floating], constant: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return which of the frames are heard beside a constant."""
    return np.flatnonzero((np.abs(frames - constant) >= HEARD_FROM).any(axis=1))


@dataclass
class _Side:
    """The tops of one channel, or (sign -1) its troughs."""

    sample_rate_hz: int
    channel: int
    sign: float
    highest: float = 0.0
    tops: int = 0
    long_tops: int = 0
    flat: int = 0  # runs at the top, with a corner or without
    times_s: list[float] = field(default_factory=list)
    held: NDArray[np.floating] = field(default_factory=lambda: np.zeros(0, np.float32))

    def cut(self) -> CutTops:
        return CutTops(
            channel=self.channel,
            level=self.sign * round(self.highest - FLAT, 7),
            tops=self.tops,
            long_tops=self.long_tops,
            times_s=tuple(self.times_s),
        )

    def take(self, line: NDArray[np.floating], highest: float, first_frame: int) -> None:
        """Take the next samples, of which the highest (of troughs: the lowest, without its sign) is known."""
        if highest > self.highest + FLAT:
            self.tops, self.long_tops, self.flat, self.times_s = 0, 0, 0, []
        self.highest = max(self.highest, highest)
        kept = len(self.held)
        held, self.held = self.held, np.concatenate([self.held, line[-_HELD_FRAMES:]])[-_HELD_FRAMES:]
        if max(highest, float((self.sign * held[-4:]).max(initial=0.0))) < self.highest - FLAT:
            return
        joined = self.sign * np.concatenate([held, line]).astype(np.float64)
        at_top = joined >= self.highest - FLAT
        edges = np.flatnonzero(np.diff(at_top, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges.tolist():
            # Each run is looked at once two frames after it are there.
            if end - start >= _TOP_FRAMES and kept <= end + 1 < len(joined) and start >= 2:
                self._count(joined[start - 2 : end + 2], first_frame - kept + start)

    def _count(self, run: NDArray[np.float64], frame: int) -> None:
        """Count a run, given with the two samples before and after it."""
        self.flat += 1
        for corner, slope in ((run[2] - run[1], run[1] - run[0]), (run[-3] - run[-2], run[-2] - run[-1])):
            if corner < _CORNER or slope < _SLOPE * corner:
                return
        self.tops += 1
        self.long_tops += len(run) - 4 > LONGEST_OVER_FRAMES
        time_s = round(frame / self.sample_rate_hz, 3)
        if len(self.times_s) < MAX_TOP_TIMES and (
            not self.times_s or time_s >= self.times_s[-1] + _TIMES_APART_S
        ):
            self.times_s.append(time_s)
